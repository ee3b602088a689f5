"""Finds what a file says twice."""

import sqlite3
from collections.abc import Callable
from types import TracebackType

from customers.keys import email_key
from customers.upserts.rows import Fault, Row

_KEYS: dict[str, Callable[[str], str]] = {"email": email_key, "external_ref": str}


class Seen:
    """The e-mail addresses and references of a file so far, on disk, so that 100,000 of them take no memory."""

    def __init__(self, *, place: str = "line") -> None:
        # What the number of a row is called.
        self._place = place
        # An empty name is a database of our own in a temporary file, gone when it is closed.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(
            "CREATE TABLE seen (attr TEXT, key TEXT, line INTEGER NOT NULL, PRIMARY KEY (attr, key)) WITHOUT ROWID"
        )

    def __enter__(self) -> "Seen":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._database.close()

    def marked(self, row: Row) -> Row:
        """Return the row, with a fault for each of its keys that stood on an earlier line, whatever became of that."""
        found = []
        for attr, key_of in _KEYS.items():
            key = key_of(row.values.get(attr, ""))
            if key and (before := self._line_before(attr, key, row.line)) is not None:
                found.append(
                    Fault(code="duplicate", attr=attr, detail=f"The same stands on {self._place} {before} already.")
                )
        return Row(line=row.line, values=row.values, faults=(*row.faults, *found)) if found else row

    def _line_before(self, attr: str, key: str, line: int) -> int | None:
        added = self._database.execute("INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (attr, key, line))
        if added.rowcount:
            return None
        [found] = self._database.execute("SELECT line FROM seen WHERE attr = ? AND key = ?", (attr, key)).fetchone()
        return int(found)
