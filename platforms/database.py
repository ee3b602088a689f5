"""What PostgreSQL and SQLite do differently about waiting."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_BRIEF_MILLISECONDS = 100


@contextmanager
def brief_wait() -> Iterator[None]:
    """On SQLite, wait only 0.1 s for whoever else writes: for writes that can be left out, never for a change.

    PostgreSQL has no lock that one writer keeps from all others, so nothing changes there.
    """
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    database = connection.connection
    [patience] = database.execute("PRAGMA busy_timeout").fetchone()
    database.execute(f"PRAGMA busy_timeout = {_BRIEF_MILLISECONDS}")
    try:
        yield
    finally:
        database.execute(f"PRAGMA busy_timeout = {patience}")
