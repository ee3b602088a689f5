"""Platforms from the old system's dump: one JSON object a line, strictly read, in batches and in constant memory."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from django.core.exceptions import ValidationError
from django.db import transaction

from platforms import json_input
from platforms.json_input import JSONInputError
from platforms.models import Platform

BATCH_SIZE = 500
MAX_LINE_BYTES = 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What a row may say, and of which type; the settings are taken as they are.
_TYPES: dict[str, tuple[type, str]] = {
    "code": (str, "a text"),
    "name": (str, "a text"),
    "kind": (str, "a text"),
    "currency": (str, "a text"),
    "locales": (list, "a list"),
    "is_active": (bool, "true or false"),
}
_REQUIRED = ("code", "name", "kind", "currency")
_SETTINGS = "settings"

# The settings that a later step of the old system's end has made of the file's: a platform that has them is no other.
Remaining = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRow:
    """What became of one line. `position` is how many bytes of the file have been read."""

    line: int
    code: str
    outcome: Literal["imported", "unchanged", "refused"]
    reason: str = ""
    position: int = 0


@dataclass(slots=True, kw_only=True)
class _Row:
    line: int
    position: int
    platform: Platform | None = None
    code: str = ""
    reason: str = ""


class _Refused(Exception):
    """Why a line is not a platform that can be imported."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.code = code


class _Seen:
    """The codes of the file so far, with their lines: on disk, so that a million of them take no memory."""

    def __init__(self) -> None:
        # An empty name is a database of our own in a temporary file, gone when it is closed.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE seen (code TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID")

    def line_before(self, code: str, line: int) -> int | None:
        """Return the line on which the code was before, None where this is the first."""
        added = self._database.execute("INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING", (code, line))
        if added.rowcount:
            return None
        [found] = self._database.execute("SELECT line FROM seen WHERE code = ?", (code,)).fetchone()
        return int(found)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def import_platforms(
    file: BinaryIO, *, dry_run: bool = False, remaining: Remaining | None = None, batch_size: int = BATCH_SIZE
) -> Iterator[ImportedRow]:
    """Import the platforms of a file, and yield what became of each line once its batch is written.

    A platform that is there with equal values is unchanged, also where its settings are what `remaining` makes of
    the file's; one that is there with other values is refused, never overwritten. Two queries a batch.
    """
    with closing(_Seen()) as seen:
        batch: list[_Row] = []
        for row in _rows(file, seen):
            batch.append(row)
            if len(batch) == batch_size:
                yield from _store(batch, dry_run, remaining)
                batch = []
        yield from _store(batch, dry_run, remaining)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Yield (number, line) of every line that is not blank; None in place of one that is too long to be read."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                continue
            yield number, None
            continue
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if line.strip():
            yield number, line


def _rows(file: BinaryIO, seen: _Seen) -> Iterator[_Row]:
    """Yield a row for every line: with its platform, or with the reason why there is none."""
    position = 0
    for number, line in _lines(file):
        position += MAX_LINE_BYTES if line is None else len(line)
        row = _Row(line=number, position=position)
        try:
            if line is None:
                raise _Refused(f"The line is longer than {MAX_LINE_BYTES // 1024} KiB.")
            row.platform = _platform(line)
            row.code = row.platform.code
            if (before := seen.line_before(row.code, number)) is not None:
                row.platform = None
                raise _Refused(f"The code stands on line {before} already.", row.code)
        except _Refused as refusal:
            row.reason, row.code = str(refusal), refusal.code
        yield row


def _platform(line: bytes) -> Platform:
    """Return the platform that a line describes, not saved. Raises _Refused."""
    try:
        values = json_input.loads(line)
    except JSONInputError as error:
        raise _Refused(str(error)) from None
    if not isinstance(values, dict):
        raise _Refused("The line is not an object.")
    code = values.get("code")
    code = code if isinstance(code, str) else ""
    faults = [f"{name}: There is no field of this name." for name in values if name not in (*_TYPES, _SETTINGS)]
    faults += [f"{name}: It is missing." for name in _REQUIRED if name not in values]
    faults += [
        f"{name}: {words[0].upper()}{words[1:]} is wanted."
        for name, (type_, words) in _TYPES.items()
        if name in values and not isinstance(values[name], type_)
    ]
    if faults:
        raise _Refused(" ".join(faults), code)
    platform = Platform(**values)
    if not platform.name.strip():
        raise _Refused("name: It is blank.", code)
    try:
        platform.clean_fields(exclude=[_SETTINGS])
    except ValidationError as error:
        raise _Refused(
            " ".join(f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items()), code
        ) from None
    return platform


def _store(batch: Sequence[_Row], dry_run: bool, remaining: Remaining | None) -> list[ImportedRow]:
    """Write what is new of a batch in one transaction; return what became of each row. Two queries."""
    with transaction.atomic():
        codes = [row.code for row in batch if row.platform is not None]
        there = {platform.code: platform for platform in Platform.objects.filter(code__in=codes)}
        done = [_judged(row, there.get(row.code), remaining) for row in batch]
        new = [
            row.platform
            for row, judged in zip(batch, done, strict=True)
            if judged.outcome == "imported" and row.platform is not None
        ]
        if not dry_run:
            Platform.objects.bulk_create(new)
    return done


def _judged(row: _Row, there: Platform | None, remaining: Remaining | None) -> ImportedRow:
    """Return what is to become of a row, given the platform of its code that is there."""
    outcome: Literal["imported", "unchanged", "refused"] = "imported"
    reason = row.reason
    if row.platform is None:
        outcome = "refused"
    elif there is not None:
        differing = [name for name in _TYPES if getattr(there, name) != getattr(row.platform, name)]
        wanted = row.platform.settings
        if there.settings != wanted and (remaining is None or there.settings != remaining(wanted)):
            differing.append(_SETTINGS)
        outcome = "refused" if differing else "unchanged"
        reason = f"The platform is there already, with another {', '.join(differing)}." if differing else ""
    return ImportedRow(line=row.line, code=row.code, outcome=outcome, reason=reason, position=row.position)
