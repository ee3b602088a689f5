"""What the workers are sent for: new work, what is due, schedules, tidying up. django-q2 calls these by their paths."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django_q.models import Task as QueueTask

from modules import events, gate, tasks, work
from modules.registry import registry
from modules.tasks import Task
from modules.work_models import Delivery, Event, TaskRun, Work
from platforms import services
from platforms.models import Platform

logger = logging.getLogger(__name__)

_KINDS: dict[str, tuple[type[Any], Callable[[Any], None]]] = {
    Delivery.__name__: (Delivery, events.perform),
    TaskRun.__name__: (TaskRun, tasks.perform),
}
# Sweeps start every minute: each ends before the next one, unless what it does last takes longer.
_SWEEP_SECONDS = 25.0
_PRUNED_AT_ONCE = 1000


def work_off(kind: str, keys: Sequence[str]) -> None:
    """Do what a hint names, as far as it is still to be done."""
    _, perform = _KINDS[kind]
    for key in keys:
        perform(key)


def sweep() -> None:
    """Do what is due and was not done: its hint was lost, its worker died, or its wait after a failure is over."""
    for model, perform in _KINDS.values():
        work.sweep(model, perform, _SWEEP_SECONDS)


def run_schedule(task: str, at: str) -> None:
    """Enqueue a module's periodic task for one of its times, once, however often this is called for that time."""
    found = next((s for one in registry for s in one.schedules if s.task == task), None)
    if found is None:
        logger.info("The schedule of %s is no longer declared by any module.", task)
        return
    to_run = tasks.find(task)
    platforms = _platforms(to_run) if found.each_platform else [None]
    tasks.enqueue_on(to_run, platforms, key=f"at {at}")


def prune() -> None:
    """Delete what was done or skipped long ago, and events that nobody waits for; what failed stays to be looked at."""
    before = timezone.now() - timedelta(days=settings.WORK_KEPT_DAYS)
    over = [Work.State.DONE, Work.State.SKIPPED]
    _delete(TaskRun.objects.filter(created_at__lt=before, state__in=over))
    unfinished = Delivery.objects.exclude(state__in=over).values("event")
    _delete(Event.objects.filter(at__lt=before).exclude(pk__in=unfinished))
    _delete(QueueTask.objects.filter(stopped__lt=before))


def purge() -> None:
    """Delete what the platforms' own tables keep for a while: answers to POSTs, counts of requests."""
    services.purge_idempotent_answers()
    services.purge_request_counts()


def _platforms(task: Task) -> list[Platform]:
    """Return the active platforms on which the task is to run, as the gate will say again when it does."""
    platforms = Platform.objects.filter(is_active=True).order_by("pk")
    if not task.is_duty:
        platforms = platforms.filter(pk__in=gate.platforms_with(task.module).values("pk"))
    return list(platforms.only("pk"))


def _delete(rows: Any) -> None:
    """Delete these rows, a batch at a time, so that no lock is held for long."""
    while keys := list(rows.order_by().values_list("pk", flat=True)[:_PRUNED_AT_ONCE]):
        rows.model._base_manager.filter(pk__in=keys).delete()
