"""What is to be done once a change is committed: events, who is told of them, and tasks."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from modules.declarations import MAX_NAME, MAX_PATH
from platforms.models import Platform, Vendor

MAX_KEY = 200


def _kept(model: Any, **options: Any) -> models.ForeignKey:
    """Return a relation to what the row outlives: it is a plain number to the database."""
    return models.ForeignKey(
        model, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False, null=True, **options
    )


class Work(models.Model):
    """Something that is tried until it is done, some times over if need be.

    `due_at` is when it may next be tried. Who takes it moves that on before they start, so that the death of a worker
    costs nothing but the wait. `note` says why it was skipped, or what went wrong last.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"
        FAILED = "failed", "Failed"

    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField("next attempt", default=timezone.now)
    started_at = models.DateTimeField("last attempt", null=True, blank=True)
    finished_at = models.DateTimeField("finished", null=True, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        abstract = True


class Event(models.Model):
    """Something that happened, written with the change that made it happen. `data` carries ids, no personal data.

    It outlives its platform, vendor and actor, until `modules.worker.prune` takes it.
    """

    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=MAX_NAME)
    version = models.PositiveSmallIntegerField(default=1)
    at = models.DateTimeField(default=timezone.now)
    platform = _kept(Platform)
    vendor = _kept(Vendor)
    actor = _kept(settings.AUTH_USER_MODEL)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["at"], name="idx_event_at")]

    def __str__(self) -> str:
        return self.name


class Delivery(Work):
    """One event for one handler, named by its dotted path."""

    tenant_path: ClassVar[str] = "event__platform"

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    module = models.CharField(max_length=50)
    handler = models.CharField(max_length=MAX_PATH)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["event", "module", "handler"], name="uq_delivery")]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="idx_delivery_due"),
            models.Index(fields=["state"], condition=Q(state="failed"), name="idx_delivery_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.event} for {self.handler}"


class TaskRun(Work):
    """One call of a task, with arguments that are JSON. A `key` makes it the only one of that task and platform."""

    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task = models.CharField(max_length=MAX_NAME)
    platform = _kept(Platform, blank=True)
    key = models.CharField(max_length=MAX_KEY, blank=True)
    arguments = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "platform", "key"],
                condition=Q(platform__isnull=False) & ~Q(key=""),
                name="uq_task_run_key",
            ),
            models.UniqueConstraint(
                fields=["task", "key"],
                condition=Q(platform__isnull=True) & ~Q(key=""),
                name="uq_task_run_key_alone",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="idx_task_run_due"),
            models.Index(fields=["state"], condition=Q(state="failed"), name="idx_task_run_failed"),
            models.Index(fields=["created_at"], name="idx_task_run_at"),
        ]

    def __str__(self) -> str:
        return self.task


class DroppedNotice(models.Model):
    """How many notices of a topic went nowhere, as no module took them: `modules.ports` counts them here."""

    tenant_path: ClassVar[str] = "platform"

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+")
    topic = models.CharField(max_length=MAX_NAME)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["platform", "topic"]
        constraints = [models.UniqueConstraint(fields=["platform", "topic"], name="uq_dropped_notice")]

    def __str__(self) -> str:
        return f"{self.topic}: {self.count}"
