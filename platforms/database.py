"""What PostgreSQL and SQLite do about waiting, and how each says that it waited too long."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection
from django.db.models import Model

# What somebody may be told who should try again, in seconds.
RETRY_AFTER = 5
_BRIEF_MILLISECONDS = 100
# PostgreSQL's SQLSTATEs for: statement and lock time-out, deadlock, serialization failure, idle in a transaction or
# in a session for too long, no connection left, and a server that is going down or coming up. psycopg has none where it
# finds the connection gone.
_BUSY_STATES = frozenset({"57014", "55P03", "40P01", "40001", "25P03", "57P05", "53300", "57P01", "57P02", "57P03"})
# SQLITE_BUSY and SQLITE_LOCKED; the bits above say which kind.
_BUSY_CODES = frozenset({5, 6})
_PRIMARY_CODE = 0xFF


def is_busy(error: BaseException | None) -> bool:
    """Whether the database only could not do it now, or not in time: the same may succeed a little later."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    cause = error.__cause__
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & _PRIMARY_CODE in _BUSY_CODES
    state = getattr(cause, "sqlstate", "")
    if state is None:
        return isinstance(error, OperationalError | InterfaceError)
    return state in _BUSY_STATES


def points_nowhere(error: IntegrityError) -> bool:
    """Whether what the database refuses is a foreign key, as the row that it points at is not there (any more)."""
    cause = error.__cause__
    # PostgreSQL's SQLSTATE foreign_key_violation, and SQLITE_CONSTRAINT_FOREIGNKEY.
    return getattr(cause, "sqlstate", None) == "23503" or getattr(cause, "sqlite_errorcode", None) == 787


def share(row: Model) -> None:
    """Until the transaction ends, keep the row from whoever wants it whole, by `select_for_update()`.

    Who only changes it, and locks it with `no_key=True`, is not kept from it. On SQLite there is one writer anyway.
    """
    if connection.vendor != "postgresql":
        return
    rows = type(row)._base_manager.filter(pk=row.pk).values("pk")
    statement, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} FOR KEY SHARE", values)


def first_line(text: str) -> str:
    """Return what a database says first: below it PostgreSQL quotes the whole row, secrets in old settings too."""
    return text.strip().partition("\n")[0]


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
