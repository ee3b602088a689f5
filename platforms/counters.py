"""How often something happened in this minute, counted over all processes: in blocks, in the database.

Each process keeps its own tally and adds it to the database's once it holds a block, a sixtieth of the limit. So limits
below 120 are exact; above, a request rarely costs a statement, and each process may let through one block less one
beyond the limit. ADR 10 says why.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from django.db import DatabaseError, connection

from platforms.database import brief_wait
from platforms.models import RequestCount

_BLOCKS = 60
_MOST_TALLIES = 10_000

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tally:
    """What this process knows of one name in one window."""

    ends_at: int
    known: int = 0  # in the database, when it was last asked
    own: int = 0  # not there yet


@dataclass(slots=True)
class _Clock:
    """Where the time comes from."""

    read: Callable[[], float] = time.time


_tallies: dict[str, _Tally] = {}
_lock = Lock()
_clock = _Clock()


def hit(name: str, *, limit: int, seconds: int) -> int:
    """Count one more of this name; return 0 where it is within the limit, else the seconds until it is again.

    The windows are fixed: they begin where the time is a multiple of `seconds`. What is over the limit is not counted,
    and asks the database nothing. Where that cannot be asked, what this process knows decides.
    """
    now = int(_clock.read())
    window = now // seconds
    ends_at = (window + 1) * seconds
    key = f"{name}:{seconds}:{window}"
    with _lock:
        tally = _tally(key, ends_at, now)
        if tally.known + tally.own >= limit:
            return ends_at - now
        tally.own += 1
        if tally.own < max(1, limit // _BLOCKS) and tally.known + tally.own < limit:
            return 0
        block, tally.own = tally.own, 0
        tally.known += block
    total = _added(key, block, ends_at)
    if total is None:
        return 0
    with _lock:
        tally.known = max(tally.known, total)
    return 0 if total <= limit else ends_at - now


def _tally(key: str, ends_at: int, now: int) -> _Tally:
    found = _tallies.get(key)
    if found is None:
        if len(_tallies) >= _MOST_TALLIES:
            for old in [name for name, tally in _tallies.items() if tally.ends_at <= now] or list(_tallies):
                del _tallies[old]
        found = _tallies[key] = _Tally(ends_at)
    return found


def _added(key: str, block: int, ends_at: int) -> int | None:
    """Add a block to the database's count and return that; None where it cannot be done just now."""
    table = connection.ops.quote_name(RequestCount._meta.db_table)
    try:
        with brief_wait(), connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (key, hits, ends_at) VALUES (%s, %s, %s) "  # noqa: S608  (the table's own name)
                f"ON CONFLICT (key) DO UPDATE SET hits = {table}.hits + excluded.hits RETURNING hits",
                [key, block, ends_at],
            )
            return cursor.fetchone()[0]
    except DatabaseError as error:
        _log.warning("Counted in this process only: %s", type(error).__name__)
        return None


def forget() -> None:
    """Know nothing, as a process that has just started. For tests."""
    with _lock:
        _tallies.clear()


@contextmanager
def clock_at(moment: float) -> Iterator[None]:
    """Stop the clock by which the windows go, at this many seconds since 1970. For tests."""
    before, _clock.read = _clock.read, lambda: moment
    try:
        yield
    finally:
        _clock.read = before
