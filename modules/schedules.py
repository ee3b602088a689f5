"""Keeps the queue's table of schedules like what the modules declare; the heart's own sweep and tidying are among them.

A row of ours is known by the function it calls. Others, which an operator may have made, are left alone.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps as installed_apps
from django.apps.registry import Apps
from django.db.models import QuerySet
from django.utils import timezone
from django_q.models import Schedule as QueueSchedule

from modules.declarations import Schedule
from modules.registry import registry

_RUN = "modules.worker.run_schedule"
_SWEEP = "modules.worker.sweep"
_PURGE = "modules.worker.purge"
_PRUNE = "modules.worker.prune"
_OURS = (_RUN, _SWEEP, _PURGE, _PRUNE)
# Of the heart's own: every minute, every hour, and each night.
_SWEEP_MINUTES = 1
_PURGE_MINUTES = 60
_PRUNE_CRON = "17 3 * * *"


def wanted() -> dict[str, dict[str, Any]]:
    """Return what the rows are to say, by their names."""
    return dict(_wanted())


def mirror_schedules(apps: Apps = installed_apps, using: str = "default") -> None:
    """Make the queue's schedules say what the modules declare; one that nobody declares any more is removed.

    When a schedule that stays is next due is left as it is.
    """
    model = apps.get_model("django_q", "Schedule")
    rows: QuerySet[Any] = QuerySet(model, using=using)
    stored = {row.name: row for row in rows.filter(func__in=_OURS).order_by("-pk")}
    expected = wanted()
    keep = []
    for name, said in expected.items():
        row = stored.get(name) or model(name=name)
        if row.pk is None or any(getattr(row, field) != value for field, value in said.items()):
            for field, value in said.items():
                setattr(row, field, value)
            row.next_run = _next_run(said)
            row.save(using=using)
        keep.append(row.pk)
    rows.filter(func__in=_OURS).exclude(pk__in=keep).delete()


def mirror_schedules_after_migrate(*, using: str, apps: Apps = installed_apps, **kwargs: Any) -> None:
    """Mirror when migrate has run, unless it ran only to where the queue has no tables."""
    try:
        apps.get_model("django_q", "Schedule")
    except LookupError:
        return
    mirror_schedules(apps, using)


def _wanted() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "modules.sweep", _row(_SWEEP, minutes=_SWEEP_MINUTES)
    yield "modules.purge", _row(_PURGE, minutes=_PURGE_MINUTES)
    yield "modules.prune", _row(_PRUNE, cron=_PRUNE_CRON)
    for definition in registry:
        for schedule in definition.schedules:
            yield schedule.task, _row_of(schedule)


def _row_of(schedule: Schedule) -> dict[str, Any]:
    row = _row(_RUN, cron=schedule.cron, minutes=schedule.minutes)
    return row | {"kwargs": repr({"task": schedule.task}), "intended_date_kwarg": "at"}


def _row(function: str, *, cron: str = "", minutes: int = 0) -> dict[str, Any]:
    return {
        "func": function,
        "kwargs": None,
        "schedule_type": QueueSchedule.CRON if cron else QueueSchedule.MINUTES,
        "cron": cron or None,
        "minutes": minutes or None,
        "repeats": -1,
        "intended_date_kwarg": None,
    }


def _next_run(said: dict[str, Any]) -> Any:
    """Return when a new or changed schedule is first due: by its cron line, or now."""
    if said["cron"] is None:
        return timezone.now()
    return QueueSchedule(schedule_type=said["schedule_type"], cron=said["cron"]).calculate_next_run()
