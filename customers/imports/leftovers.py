"""What imports leave behind: the rows that had errors, for some weeks, and less where somebody is to be forgotten."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from customers import files
from customers.cells import ERROR_COLUMN, escape
from customers.imports.running import cancel
from customers.keys import email_key
from customers.models import BrokenRow, ImportChunk, ImportRun
from customers.upserts import Fault, Row
from platforms.conflicts import Conflict
from platforms.models import Platform

BROKEN_ROWS_KEPT = timedelta(days=30)
CHECKED_KEPT = timedelta(days=7)
_FORGOTTEN = Fault(code="forgotten", detail="It was about somebody who was erased since.")
_NO_DIGIT = re.compile(r"[^0-9]")
_READ_AT_ONCE = 500


def error_file(run: ImportRun) -> Iterator[bytes]:
    """Yield a CSV file of the rows that have errors, as they were, with a column that says which.

    It can be corrected and sent again as it is: that column is not read.
    """
    return files.csv_file(_error_lines(run))


def _error_lines(run: ImportRun) -> Iterator[list[str]]:
    yield [*run.columns, ERROR_COLUMN]
    for row in run.broken_rows.order_by("line").iterator(chunk_size=_READ_AT_ONCE):
        said = [f"{error['attr']}: {error['detail']}" if error["attr"] else error["detail"] for error in row.errors]
        yield [*(escape(row.values.get(column, "")) for column in run.columns), escape(" ".join(said))]


def expire() -> None:
    """Throw away rows with errors after 30 days, and imports that were checked and not started after 7."""
    now = timezone.now()
    for run in ImportRun.objects.filter(status=ImportRun.Status.CHECKED, heartbeat_at__lt=now - CHECKED_KEPT):
        try:
            cancel(run=run)
        except Conflict:
            continue  # ended meanwhile
    for run in ImportRun.objects.filter(finished_at__lt=now - BROKEN_ROWS_KEPT, broken_rows__isnull=False).distinct():
        run.broken_rows.all().delete()


def forget(
    *, platform: Platform, emails: Iterable[str] = (), phones: Iterable[str] = (), refs: Iterable[str] = ()
) -> int:
    """Have the platform's imports forget somebody; return how many rows said something of them.

    A row is about them where any cell is one of the addresses or numbers, or its reference one of the references,
    however they are written. It stays to be counted, and says nothing any more: waiting ones are not written.
    """
    keys = {email_key(email) for email in emails} - {""}
    numbers = {_digits(str(phone)) for phone in phones} - {""}
    names = set(refs) - {""}
    if not (keys or numbers or names):
        return 0
    count = 0
    open_runs = ImportRun.objects.filter(platform=platform, status__in=ImportRun.OPEN)
    for run in open_runs.order_by("pk"):
        with transaction.atomic():
            # No worker takes a chunk meanwhile.
            if ImportRun.objects.select_for_update(no_key=True).filter(pk=run.pk).first() is not None:
                count += sum(_forget_in(chunk, keys, numbers, names) for chunk in run.chunks.iterator(chunk_size=1))
    kept = BrokenRow.objects.filter(run__platform=platform).iterator(chunk_size=_READ_AT_ONCE)
    found = [row.pk for row in kept if _is_about(row.values, keys, numbers, names)]
    BrokenRow.objects.filter(pk__in=found).update(values={}, errors=[_FORGOTTEN.as_json()])
    return count + len(found)


def _forget_in(chunk: ImportChunk, keys: Collection[str], numbers: Collection[str], names: Collection[str]) -> int:
    count = 0
    for place, row in enumerate(chunk.rows):
        if _is_about(row["values"], keys, numbers, names):
            chunk.rows[place] = Row(line=row["line"], values={}, faults=(_FORGOTTEN,)).as_json()
            count += 1
    if count:
        ImportChunk.objects.filter(pk=chunk.pk).update(rows=chunk.rows)
    return count


def _is_about(
    values: Mapping[str, Any], keys: Collection[str], numbers: Collection[str], names: Collection[str]
) -> bool:
    return values.get("external_ref") in names or any(
        email_key(text) in keys or (numbers and _digits(text) in numbers) for text in values.values()
    )


def _digits(text: str) -> str:
    return _NO_DIGIT.sub("", text).removeprefix("00")
