"""How work gets done that may not get lost: taken, tried, and tried again later, by whoever is there.

A row of `Work` is the promise. The queue behind the workers only carries hints of what is new; whatever happens to a
hint, `sweep` finds what is due. Whoever takes a row first moves its next attempt on and commits: should they die, the
row is simply due again, and dies of it no more often than `TASK_ATTEMPTS` says.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from modules.work_models import Work
from platforms.models import Platform

logger = logging.getLogger(__name__)

W = TypeVar("W", bound=Work)

# The entry point of the workers, by name: it stands above all that enqueues.
_WORK_OFF = "modules.worker.work_off"
# As many rows as one message to the workers names.
_HINTED = 20
_LONGEST_BACKOFF = timedelta(hours=1)
_LONGEST_NOTE = 500


class Skip(Exception):
    """Raised by what does the work where it is not to be done; the text says why."""


def backoff(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: TASK_BACKOFF_SECONDS, then twice as long each time, up to 1 h."""
    seconds = settings.TASK_BACKOFF_SECONDS * 2 ** min(attempts - 1, 20)
    return min(timedelta(seconds=seconds), _LONGEST_BACKOFF)


def hint(model: type[Work], keys: Iterable[Any]) -> None:
    """Tell the workers of these rows once the transaction is committed.

    Where that fails, as the queue cannot be reached, it is logged: the sweep finds the rows all the same.
    """
    named = [str(key) for key in keys]
    for start in range(0, len(named), _HINTED):
        _hint(model.__name__, named[start : start + _HINTED])


def _hint(kind: str, keys: list[str]) -> None:
    # A function of its own: what fails after the commit is logged by its name.
    def send_hint() -> None:
        async_task(_WORK_OFF, kind, keys)

    transaction.on_commit(send_hint, robust=True)


def take(model: type[W], key: Any, lease: Callable[[int], timedelta]) -> W | None:
    """Take a row that is due, for as long as the lease of this attempt; None where there is none, or others have it.

    A row that was tried as often as it may be has failed: whoever tried it last never came back.
    """
    now = timezone.now()
    with transaction.atomic():
        row = _waiting(model).filter(pk=key, due_at__lte=now).first()
        if row is None:
            return None
        if row.attempts >= settings.TASK_ATTEMPTS:
            row.state, row.finished_at = Work.State.FAILED, now
            row.note = row.note or "The worker was stopped in the middle of every attempt."
            row.save(update_fields=["state", "finished_at", "note"])
            logger.error("%s %s failed: %s", model.__name__, key, row.note)
            return None
        row.attempts += 1
        row.started_at, row.due_at = now, now + lease(row.attempts)
        row.save(update_fields=["attempts", "started_at", "due_at"])
    return row


def retake(row: W) -> bool:
    """Lock a row that was taken, for the length of the transaction; False where others have taken it since."""
    ours = _waiting(type(row)).filter(pk=row.pk, attempts=row.attempts)
    return ours.values_list("pk", flat=True).first() is not None


def platform_of(number: int | None) -> Platform | None:
    """Return the platform of a piece of work, None where it has none. Raises Skip where it is gone."""
    if number is None:
        return None
    try:
        return Platform.objects.get(pk=number)
    except Platform.DoesNotExist:
        raise Skip("The platform is gone.") from None


@contextmanager
def noted(row: Work) -> Iterator[None]:
    """Note on the row how the block ends that does its work, where that is not with `done()`; go on after errors."""
    try:
        yield
    except Skip as why:
        skipped(row, why)
    except Exception as error:
        failed(row, error)
    except SystemExit as error:
        # The time-out of the workers, who are to hear of it too.
        failed(row, error)
        raise


def done(row: Work) -> None:
    """Note that the work is done."""
    _finish(row, state=Work.State.DONE, finished_at=timezone.now(), note="")


def skipped(row: Work, why: Skip) -> None:
    """Note that the work is not to be done, and why."""
    logger.info("%s %s skipped: %s", type(row).__name__, row, why)
    _finish(row, state=Work.State.SKIPPED, finished_at=timezone.now(), note=str(why))


def failed(row: Work, error: BaseException) -> None:
    """Note what went wrong; the work is due again after a while, or has failed where that was the last attempt."""
    # Below its first line a database quotes the row it refuses, which may hold anything.
    text = str(error).strip().partition("\n")[0]
    note = f"{type(error).__name__}: {text}"[:_LONGEST_NOTE].replace("\x00", "")
    now = timezone.now()
    if row.attempts >= settings.TASK_ATTEMPTS:
        logger.error("%s %s failed for good: %s", type(row).__name__, row, note, exc_info=error)
        _finish(row, state=Work.State.FAILED, finished_at=now, note=note)
    else:
        logger.warning("%s %s failed, to be tried again: %s", type(row).__name__, row, note, exc_info=error)
        _finish(row, due_at=now + backoff(row.attempts), note=note)


def retry(model: type[W], rows: QuerySet[W]) -> int:
    """Have failed and skipped rows tried again from the start; return how many there were."""
    with transaction.atomic():
        over = rows.filter(state__in=[Work.State.FAILED, Work.State.SKIPPED])
        keys = list(over.select_for_update().order_by().values_list("pk", flat=True))
        waiting = {"state": Work.State.WAITING, "attempts": 0, "due_at": timezone.now(), "finished_at": None}
        model._base_manager.filter(pk__in=keys).update(**waiting)
        hint(model, keys)
    return len(keys)


def sweep(model: type[W], perform: Callable[[Any], None], seconds: float) -> int:
    """Do what is due, the oldest first, until nothing is or the time is up; return how many rows were looked at."""
    ends, seen = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        rows: QuerySet[W] = model._base_manager.filter(state=Work.State.WAITING, due_at__lte=timezone.now())
        key = rows.order_by("due_at").values_list("pk", flat=True).first()
        if key is None:
            break
        perform(key)
        seen += 1
    return seen


def _waiting(model: type[W]) -> QuerySet[W]:
    """Return the rows that wait and that nobody has locked, to be locked in turn; SQLite locks it all, at BEGIN."""
    return model._base_manager.select_for_update(skip_locked=True).filter(state=Work.State.WAITING)


def _finish(row: Work, **values: Any) -> None:
    """Write how an attempt ended, unless the row is not ours any more."""
    ours = type(row)._base_manager.filter(pk=row.pk, attempts=row.attempts, state=Work.State.WAITING)
    ours.update(**values)
