"""What imports leave behind: the rows that had errors, for some weeks, and less where somebody is to be forgotten."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count, takewhile
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from customers import files
from customers.cells import ERROR_COLUMN, EXTRA, escape
from customers.imports.running import cancel
from customers.imports.sought import Sought
from customers.models import BrokenRow, ImportChunk, ImportRun
from customers.upserts import Fault, Row
from platforms.conflicts import Conflict
from platforms.models import Platform

BROKEN_ROWS_KEPT = timedelta(days=30)
OPEN_KEPT = timedelta(days=7)
_FORGOTTEN = Fault(code="forgotten", detail="It was about somebody who was erased since.")
_READ_AT_ONCE = 500


def error_file(run: ImportRun) -> Iterator[bytes]:
    """Yield a CSV file of the rows that have errors, as they were, with a column that says which.

    It can be corrected and sent again as it is: that column is not read. Cells beyond the header stand after it.
    """
    return files.csv_file(_error_lines(run))


def _error_lines(run: ImportRun) -> Iterator[list[str]]:
    yield [*run.columns, ERROR_COLUMN]
    for row in run.broken_rows.order_by("line").iterator(chunk_size=_READ_AT_ONCE):
        said = [f"{error['attr']}: {error['detail']}" if error["attr"] else error["detail"] for error in row.errors]
        cells = [row.values.get(column, "") for column in run.columns]
        # As many as a row has, whatever else is in it.
        extra = takewhile(row.values.__contains__, map(EXTRA, count(1)))
        yield [escape(cell) for cell in (*cells, " ".join(said), *map(row.values.__getitem__, extra))]


def expire() -> None:
    """Throw away rows with errors after 30 days, and imports that went no further for 7.

    Those were not started after the check, or are stuck, as the module was switched off say. What a file was called
    goes with its rows: it may be somebody's name.
    """
    now = timezone.now()
    for run in ImportRun.objects.filter(status__in=ImportRun.OPEN, heartbeat_at__lt=now - OPEN_KEPT):
        try:
            cancel(run=run)
        except Conflict:
            continue  # ended meanwhile
    ended = ImportRun.objects.filter(finished_at__lt=now - BROKEN_ROWS_KEPT)
    for run in ended.filter(broken_rows__isnull=False).distinct():
        run.broken_rows.all().delete()
    _rename(ended)


def _rename(runs: QuerySet[ImportRun]) -> None:
    """Call their files by nothing but their format."""
    for kind in ImportRun.Format.values:
        plain = f"customers.{kind}"
        runs.filter(format=kind).exclude(file_name=plain).update(file_name=plain)


def told(*, platform: Platform, sought: Sought) -> list[dict[str, Any]]:
    """Return what the platform's imports still hold on somebody, by the columns in which it stands.

    Rows that wait and rows with errors, with what was said of these and what their file is called; then files that are
    called by them.
    """
    if sought.is_nobody:
        return []
    open_chunks = ImportChunk.objects.filter(run__platform=platform, run__status__in=ImportRun.OPEN).order_by("pk")
    chunks = sought.looked_up(open_chunks, "rows").values_list("run", "rows").iterator(chunk_size=1)
    kept = sought.looked_up(BrokenRow.objects.filter(run__platform=platform), "values").order_by("run", "line")
    broken = kept.values_list("run", "values", "errors").iterator(chunk_size=_READ_AT_ONCE)
    waiting = ((run, row) for run, rows in chunks for row in rows)
    found: list[tuple[Any, dict[str, Any]]] = [
        *((run, {"rows": [row]}) for run, row in waiting if sought.is_in(row["values"])),
        *((run, {"values": said, "errors": errors}) for run, said, errors in broken if sought.is_in(said)),
    ]
    names = _file_names(platform)
    holding = {run for run, _ in found}
    found += [(run, {}) for run, name in names.items() if run not in holding and sought.is_named(name)]
    return [{"file_name": names[run], **said} for run, said in found]


def _file_names(platform: Platform) -> dict[Any, str]:
    return dict(ImportRun.objects.filter(platform=platform).order_by("created_at").values_list("pk", "file_name"))


def lock_open_runs(platform: Platform) -> list[ImportRun]:
    """Return the platform's imports that have not ended, locked until the transaction ends: no worker takes rows.

    Workers lock an import first and its customers then. Whoever is to lock customers and to call `forget` in the same
    transaction calls this before both, so that neither waits for the other. Waits for an import that is being written
    all-or-nothing.
    """
    rows = ImportRun.objects.select_for_update().filter(platform=platform, status__in=ImportRun.OPEN)
    return list(rows.order_by("pk"))


@transaction.atomic(savepoint=False)
def forget(*, platform: Platform, sought: Sought) -> int:
    """Have the platform's imports forget somebody; return how many rows said something of them.

    Such a row stays to be counted, and says nothing any more: a waiting one is not written. Its file, and one that is
    called by them, is called by its format: what it was called may be their name. Who holds locks on customers has
    called `lock_open_runs` before.
    """
    if sought.is_nobody:
        return 0
    waiting = ImportChunk.objects.filter(run__in=lock_open_runs(platform)).order_by("pk")
    chunks = sought.looked_up(waiting, "rows").iterator(chunk_size=1)
    forgotten = [chunk.run_id for chunk in chunks for _ in range(_forget_in(chunk, sought))]
    kept = sought.looked_up(BrokenRow.objects.filter(run__platform=platform), "values")
    rows = kept.values_list("pk", "run", "values").iterator(chunk_size=_READ_AT_ONCE)
    found = {key: run for key, run, values in rows if sought.is_in(values)}
    BrokenRow.objects.filter(pk__in=found).update(values={}, errors=[_FORGOTTEN.as_json()])
    named = [run for run, name in _file_names(platform).items() if sought.is_named(name)]
    if theirs := {*forgotten, *found.values(), *named}:
        _rename(ImportRun.objects.filter(pk__in=theirs))
    return len(forgotten) + len(found)


def _forget_in(chunk: ImportChunk, sought: Sought) -> int:
    count = 0
    for place, row in enumerate(chunk.rows):
        if sought.is_in(row["values"]):
            chunk.rows[place] = Row(line=row["line"], values={}, faults=(_FORGOTTEN,)).as_json()
            count += 1
    if count:
        ImportChunk.objects.filter(pk=chunk.pk).update(rows=chunk.rows)
    return count
