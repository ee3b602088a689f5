"""An import from its beginning to its end. Its state moves here, and nowhere else."""

import json
import random
import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from customers.imports.receiving import Received
from customers.models import BrokenRow, ErrorPolicy, ImportChunk, ImportRun, Match
from customers.upserts import Outcome, Result, Row, upsert
from modules import events, gate
from modules.tasks import enqueue, find
from modules.work import Skip
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.database import is_busy, points_nowhere, share
from platforms.models import Platform

COMPLETED = "customers.import_completed"
TASK = "customers.import"
_OUTCOMES: tuple[Outcome, ...] = ("created", "updated", "unchanged", "failed")
_STUCK_AFTER = timedelta(minutes=15)
_TRIES = 5


@transaction.atomic
def begin(
    *,
    platform: Platform,
    received: Received,
    file_name: str,
    match: Match,
    policy: ErrorPolicy,
    by: Actor,
    checks_first: bool = True,
) -> ImportRun:
    """Have a file checked in the background, or with `checks_first=False` written at once.

    Raises ValidationError.
    """
    run = ImportRun(
        platform=platform,
        status=ImportRun.Status.CHECKING if checks_first else ImportRun.Status.RUNNING,
        match=match,
        error_policy=policy,
        file_name=file_name,
        format=received.format,
        columns=received.columns,
        total=received.total,
        started_at=None if checks_first else timezone.now(),
        actor_id=by.user_id,
        actor_label=by.label,
    )
    run.full_clean(validate_unique=False)
    run.save(force_insert=True)
    for number, line in enumerate(received.chunks):
        ImportChunk.objects.create(run=run, number=number, rows=json.loads(line))
    _enqueue(run)
    return run


@transaction.atomic
def start(*, run: ImportRun, by: Actor) -> ImportRun:
    """Have an import that was checked written; one that shows no sign of life any more goes on where it stopped.

    Raises Conflict for any other, and for one with errors that is to take all rows or none.
    """
    locked = _lock(run)
    if locked.status == ImportRun.Status.CHECKED:
        if locked.failed and locked.error_policy == ErrorPolicy.ALL_OR_NOTHING:
            raise Conflict("It has rows with errors, and was to take all rows or none.", code="has_errors")
        locked.broken_rows.all().delete()
        locked.status, locked.started_at = ImportRun.Status.RUNNING, timezone.now()
        locked.actor_id, locked.actor_label = by.user_id, by.label
        _rewind(locked)
    elif not (locked.is_at_work and locked.heartbeat_at < timezone.now() - _STUCK_AFTER):
        raise Conflict(f"This import is {locked.get_status_display().lower()}: it cannot be started.", code="status")
    locked.heartbeat_at = timezone.now()
    locked.save()
    _enqueue(locked)
    return locked


@transaction.atomic
def cancel(*, run: ImportRun) -> ImportRun:
    """Stop an import: what was written stays, the rest is thrown away. Raises Conflict for one that has ended."""
    locked = _lock(run)
    if not locked.is_open:
        raise Conflict(f"This import is {locked.get_status_display().lower()} already.", code="status")
    if locked.started_at is None:
        # What the check counted was never done.
        locked.created = locked.updated = locked.unchanged = 0
    _end(locked, ImportRun.Status.CANCELLED)
    return locked


def stuck_imports(platform: Platform) -> list[ImportRun]:
    """Return the imports that a worker should be at, and that showed no sign of life for a quarter of an hour."""
    before = timezone.now() - _STUCK_AFTER
    runs = ImportRun.objects.filter(platform=platform, status__in=ImportRun.AT_WORK, heartbeat_at__lt=before)
    return list(runs.order_by("heartbeat_at"))


# --- in the background ---------------------------------------------------------------------------------------------


def work_on(key: str) -> None:
    """Check or write an import's chunks for a while; what is left then is enqueued again. For the task.

    Raises Skip where the module is off on the platform: the import waits, and goes on when it is started again.
    """
    ends = time.monotonic() + settings.TASK_TIMEOUT_SECONDS / 2
    while (run := _take_next(key)) is not None:
        if time.monotonic() > ends:
            with transaction.atomic():
                _enqueue(run)
            return


def _take_next(key: str) -> ImportRun | None:
    """Take the next chunk, or end the import; return it while there is more to do."""
    for attempt in range(_TRIES):
        try:
            run = ImportRun.objects.filter(pk=key).select_related("platform").first()
            if run is None or not run.is_at_work:
                return None
            if not gate.is_enabled(run.platform, "customers"):
                raise Skip(f"The module customers is off on {run.platform.code}.")
            if run.status == ImportRun.Status.RUNNING and run.error_policy == ErrorPolicy.ALL_OR_NOTHING:
                _take_all(run)
                return None
            return _take_one(run)
        except DatabaseError as error:
            # Two imports that want the same customers, say: one of them gives way, and tries again. A foreign key is
            # held against what is there at the very end: the vendor of a row may have been deleted since it was read.
            is_passing = is_busy(error) or (isinstance(error, IntegrityError) and points_nowhere(error))
            if not is_passing or attempt == _TRIES - 1:
                raise
            # Not both after the same time: two that stood in each other's way would do so again.
            time.sleep(0.1 * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
    return None


@transaction.atomic
def _take_one(run: ImportRun) -> ImportRun | None:
    """Take one chunk and count it, in one transaction; return the import while there may be more."""
    locked = _lock(run)
    if not locked.is_at_work:
        return None
    chunk = locked.chunks.filter(number__gte=locked.next_chunk).order_by("number").first()
    if chunk is None:
        is_checked = locked.status == ImportRun.Status.CHECKING
        _end(locked, ImportRun.Status.CHECKED if is_checked else ImportRun.Status.DONE)
        return None
    _count(locked, chunk, _upserted(locked, chunk))
    if locked.status == ImportRun.Status.RUNNING:
        chunk.delete()
    locked.heartbeat_at = timezone.now()
    locked.save()
    return locked


def _take_all(run: ImportRun) -> None:
    """Write all chunks in one transaction, or none: that is what the progress of such an import looks like.

    Its row is only shared meanwhile, so that it can be cancelled; who has somebody be forgotten waits for its end.
    """
    try:
        with transaction.atomic():
            share(run)
            for chunk in run.chunks.order_by("number").iterator(chunk_size=1):
                results = _upserted(run, chunk)
                _count(run, chunk, results)
                if run.failed or _status_of(run) != ImportRun.Status.RUNNING:
                    raise _Undone
            locked = _lock(run)
            if locked.status != ImportRun.Status.RUNNING:
                raise _Undone
            _end(run, ImportRun.Status.DONE)
    except _Undone:
        _fail(run)


class _Undone(Exception):
    """Takes all of an import back."""


@transaction.atomic
def _fail(run: ImportRun) -> None:
    """Note which row kept an import from taking all of them; nothing for one that was cancelled meanwhile."""
    locked = _lock(run)
    if locked.status != ImportRun.Status.RUNNING:
        return
    chunk = locked.chunks.filter(number=run.next_chunk - 1).first()
    if chunk is not None:
        # Of this chunk alone: what it collided with is there by now, if it was somebody else's.
        _count(locked, chunk, _upserted(locked, chunk, dry_run=True))
    _rewind(locked)
    locked.failed = max(run.failed, 1)
    locked.problem = "A row has an error: nothing was written."
    _end(locked, ImportRun.Status.FAILED)


@dataclass(frozen=True, slots=True)
class _Starter:
    """Who started an import, as they were called then."""

    user_id: int | None
    label: str


def _upserted(run: ImportRun, chunk: ImportChunk, *, dry_run: bool = False) -> list[Result]:
    return upsert(
        platform=run.platform,
        rows=[Row.of_json(row) for row in chunk.rows],
        match=Match(run.match),
        policy=ErrorPolicy(run.error_policy),
        by=_Starter(run.actor_id, run.actor_label),
        note={"import": str(run.pk)},
        dry_run=dry_run or run.status == ImportRun.Status.CHECKING,
    )


def _count(run: ImportRun, chunk: ImportChunk, results: list[Result]) -> None:
    """Add what became of a chunk to the run, in memory, and keep the rows that have errors."""
    for outcome in _OUTCOMES:
        setattr(run, outcome, getattr(run, outcome) + sum(result.outcome == outcome for result in results))
    run.processed += len(results)
    run.next_chunk = chunk.number + 1
    run.next_line = results[-1].row.line + 1 if results else run.next_line
    BrokenRow.objects.bulk_create(
        BrokenRow(
            run=run,
            line=result.row.line,
            is_taken=result.outcome != "failed",
            values=result.row.values,
            errors=[fault.as_json() for fault in result.faults],
        )
        for result in results
        if result.faults
    )


def _rewind(run: ImportRun) -> None:
    for name in ("processed", *_OUTCOMES, "next_chunk", "next_line"):
        setattr(run, name, 0)


def _end(run: ImportRun, status: ImportRun.Status) -> None:
    """Save the end of a check or of an import; the latter's rows are gone with it, and the others are told."""
    run.status, run.heartbeat_at = status, timezone.now()
    if status != ImportRun.Status.CHECKED:
        run.finished_at = run.heartbeat_at
        run.chunks.all().delete()
    run.save()
    if status == ImportRun.Status.DONE:
        counts = {name: getattr(run, name) for name in ("total", *_OUTCOMES)}
        data = {"import": str(run.pk), "counts": counts}
        events.emit(COMPLETED, platform=run.platform, actor_id=run.actor_id, data=data)


def _lock(run: ImportRun) -> ImportRun:
    """Return the run as it is now, locked until the transaction ends. Raises ImportRun.DoesNotExist."""
    locked = ImportRun.objects.select_for_update(no_key=True, of=("self",)).select_related("platform").get(pk=run.pk)
    # As the caller's, which the gate knows warm.
    locked.platform = run.platform
    return locked


def _status_of(run: ImportRun) -> str | None:
    return ImportRun.objects.filter(pk=run.pk).values_list("status", flat=True).first()


def _enqueue(run: ImportRun) -> None:
    # By its name: the task calls what stands here.
    enqueue(find(TASK), platform=run.platform, run=str(run.pk))
