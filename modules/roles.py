"""The database role that production runs as: it may do all that the application does, and rewrite no record.

PostgreSQL only. The tables belong to another role, the one that migrates: an owner can take every guard away.
"""

from collections.abc import Iterable, Iterator

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from modules import guards
from modules.guards import AppendOnly

_REWRITING = "UPDATE, DELETE, TRUNCATE, TRIGGER"


class RoleRefused(Exception):
    """A role that cannot be restricted; nothing was changed."""


def append_only_tables(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the tables to which rows are added and never altered."""
    found = guards.declared(connection)
    return sorted(model._meta.db_table for model, guard in found if isinstance(guard, AppendOnly))


def grants(role: str, connection: BaseDatabaseWrapper) -> Iterator[str]:
    """Yield the statements that leave the role what the application needs of the tables that there are now."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        [schema] = cursor.fetchone()
    kept = append_only_tables(connection)
    migrations = MigrationRecorder.Migration._meta.db_table
    others = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
    others -= {*kept, migrations}

    def listed(tables: Iterable[str]) -> str:
        return ", ".join(quote(table) for table in sorted(tables))

    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {quote(schema)} FROM {quote(role)}"
    yield f"REVOKE ALL ON SCHEMA {quote(schema)} FROM {quote(role)}"
    yield f"GRANT USAGE ON SCHEMA {quote(schema)} TO {quote(role)}"
    yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {quote(schema)} TO {quote(role)}"
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {listed(others)} TO {quote(role)}"
    yield f"GRANT SELECT, INSERT ON TABLE {listed(kept)} TO {quote(role)}"
    yield f"GRANT SELECT ON TABLE {quote(migrations)} TO {quote(role)}"


def restrict(role: str, connection: BaseDatabaseWrapper) -> None:
    """Leave the role what `grants` says, and see that it got no more from elsewhere; all of it or nothing.

    Raises RoleRefused for a role that is not there, that owns a table or could become its owner, or that may rewrite
    the record by other ways: as a superuser, through a role that it belongs to, or because PUBLIC may.
    """
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            raise RoleRefused(f"There is no role {role}: CREATE ROLE makes one.")
        for table in append_only_tables(connection):
            cursor.execute(
                "SELECT pg_has_role(%s, relowner, 'MEMBER') FROM pg_class WHERE oid = %s::regclass", [role, table]
            )
            if cursor.fetchone() == (True,):
                raise RoleRefused(f"{role} owns the table {table}, or may act as its owner: no guard would hold it.")
        for statement in grants(role, connection):
            cursor.execute(statement)
        for table in append_only_tables(connection):
            cursor.execute(
                "SELECT has_table_privilege(%s, %s, %s) OR has_any_column_privilege(%s, %s, 'UPDATE')",
                [role, table, _REWRITING, role, table],
            )
            if cursor.fetchone() == (True,):
                raise RoleRefused(
                    f"{role} may rewrite {table} all the same: by a role that it belongs to, or as PUBLIC."
                )
