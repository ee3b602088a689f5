"""Who may be the same person twice, and who was made one."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from customers.models.people import MAX_LABEL, Customer
from platforms.models import Platform
from platforms.validators import MAX_REASON, validate_reason


class DuplicatePairQuerySet(models.QuerySet["DuplicatePair"]):
    """Reads of pairs."""

    def live(self) -> "DuplicatePairQuerySet":
        """Return the pairs of which both are customers still; the others go with the next scan."""
        return self.filter(a__status__in=Customer.OPEN, b__status__in=Customer.OPEN)


class DuplicatePair(models.Model):
    """Two customers who may be one: the scan found them, and staff merge them or say that they are two.

    Written by `customers.duplicates`. `seen_at` is when a scan last found them; `strength` orders them, and says no
    more than which of mailbox, phone and name they share.
    """

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        DISMISSED = "dismissed", "Dismissed"

    # What each of the three that two customers may share is worth.
    WEIGHTS: ClassVar[dict[str, int]] = {"email": 4, "phone": 2, "name": 1}
    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+", db_index=False)
    a = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+", db_index=False)
    b = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    same_email = models.BooleanField("same mailbox", default=False)
    same_phone = models.BooleanField("same phone", default=False)
    same_name = models.BooleanField("same name", default=False)
    strength = models.PositiveSmallIntegerField(default=0)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    found_at = models.DateTimeField("found", default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_by = models.CharField(max_length=MAX_LABEL, blank=True)

    objects = DuplicatePairQuerySet.as_manager()

    class Meta:
        ordering = ["-strength", "-found_at"]
        verbose_name = "possible duplicate"
        constraints = [
            models.UniqueConstraint(fields=["a", "b"], name="uq_customers_pair"),
            models.CheckConstraint(condition=Q(a__lt=F("b")), name="ck_customers_pair_order"),
        ]
        indexes = [
            models.Index(fields=["platform", "status", "-strength", "-found_at"], name="idx_customers_pair"),
        ]

    def __str__(self) -> str:
        return f"{self.a} and {self.b}"

    @property
    def why(self) -> list[str]:
        """What they share: any of email, phone and name."""
        return [word for word in self.WEIGHTS if getattr(self, f"same_{word}")]


class Merge(models.Model):
    """The trail of a merge: enough to undo it, and to say later what was done.

    `moved` names the rows that went over, by id. `before` is what the kept customer said where something else was
    taken: the only personal data here besides `reason`. What the merged one said stands in its own row, which nobody
    edits any more. `customers.merging.forget` empties both.
    """

    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+", db_index=False)
    kept = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    merged = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    actor_label = models.CharField(max_length=MAX_LABEL, blank=True)
    reason = models.CharField(max_length=MAX_REASON, blank=True, validators=[validate_reason])
    merged_status = models.CharField(max_length=10, choices=Customer.Status.choices)
    choices = models.JSONField(default=dict)
    moved = models.JSONField(default=dict)
    before = models.JSONField(default=dict)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=MAX_LABEL, blank=True)
    forgotten_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["platform", "-at"], name="idx_customers_merge_at")]

    def __str__(self) -> str:
        return f"{self.merged} into {self.kept}"

    @property
    def moves(self) -> dict[str, int]:
        """How many rows went over, by kind."""
        return {kind: len(keys) for kind, keys in self.moved.items() if kind != "defaults"}

    @property
    def is_forgotten(self) -> bool:
        """Whether what it said about the two was erased."""
        return self.forgotten_at is not None
