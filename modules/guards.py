"""Triggers by which the database itself refuses what would leave no record, declared on the models that they guard.

To Django a guard is a constraint: migrations add and remove it, and when SQLite remakes a table for some other
migration, Django puts it back. What is tampered with by somebody who may take the guards away, `verify_audit` finds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement, Table
from django.db.models import BaseConstraint, Model
from typing_extensions import override

WHAT_TO_CALL = (
    "Call modules.services: enable(), disable(), configure(), reset() or apply(); "
    "for a whole platform, platforms.services.delete_platform()."
)
_IN_PLACE = {
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
}


_CHANGES = "Changes and their history"
_FOREVER = "{what} are append-only: what was recorded stays as it is. {instead}"
_REFUSE = """CREATE FUNCTION %(function)s() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = '%(message)s';
END $guard$"""
# The schema is pinned: a temporary table of the same name must not be asked in the place of ours.
_RECORDED = """CREATE FUNCTION %(function)s() RETURNS trigger LANGUAGE plpgsql
SET search_path = %(schema)s, pg_temp AS $guard$
DECLARE
    touched %(table)s%%ROWTYPE;
    stored %(table)s%%ROWTYPE;
    newest %(history)s%%ROWTYPE;
    is_recorded boolean;
BEGIN
    touched := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    SELECT * INTO stored FROM %(table)s
        WHERE platform_id = touched.platform_id AND module_code = touched.module_code;
    SELECT * INTO newest FROM %(history)s
        WHERE platform_id = touched.platform_id AND module_code = touched.module_code
        ORDER BY history_date DESC, history_id DESC LIMIT 1;
    IF stored.id IS NULL THEN
        is_recorded := newest.history_id IS NULL OR newest.history_type = '-';
    ELSE
        is_recorded := newest.history_type <> '-'
            AND (%(stored)s) IS NOT DISTINCT FROM (%(newest)s)
            AND newest.secret_fingerprints = (
                SELECT coalesce(jsonb_object_agg(secret.key, secret.value -> 'fingerprint'), '{}')
                FROM jsonb_each(stored.secrets) AS secret
            );
    END IF;
    IF TG_OP = 'UPDATE' THEN
        is_recorded := is_recorded
            AND (OLD.platform_id, OLD.module_code) IS NOT DISTINCT FROM (NEW.platform_id, NEW.module_code);
    END IF;
    IF is_recorded IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = concat(
            'The newest history row of module ', touched.module_code, ' on platform ', touched.platform_id,
            ' does not say what its row in platform_modules says. %(what_to_call)s'
        );
    END IF;
    RETURN NULL;
END $guard$"""


class Guard(BaseConstraint):
    """Base of the guards: what Django asks of a constraint, said of triggers."""

    def trigger_names(self, vendor: str) -> Sequence[str]:
        """Return the names of the triggers that stand for it; none where the database has no way to hold it."""
        raise NotImplementedError

    def statements(self, model: type[Model], editor: BaseDatabaseSchemaEditor) -> Iterator[Statement]:
        """Yield what puts it in place."""
        raise NotImplementedError

    @override
    def constraint_sql(self, model: Any, schema_editor: Any) -> str:
        """Have it put in place once the table is made: no part of the table's definition."""
        schema_editor.deferred_sql.extend(self.statements(model, schema_editor))
        return ""

    @override
    def create_sql(self, model: Any, schema_editor: Any) -> str:
        """Return what puts it in place, as one text."""
        return ";\n".join(map(str, self.statements(model, schema_editor)))

    @override
    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        """Return what takes it away, as one text."""
        return ";\n".join(self.removals(model, schema_editor.connection))

    def removals(self, model: type[Model], connection: BaseDatabaseWrapper) -> Iterator[str]:
        """Yield what takes it away."""
        quote = connection.ops.quote_name
        on_table = f" ON {quote(model._meta.db_table)}" if connection.vendor == "postgresql" else ""
        for name in self.trigger_names(connection.vendor):
            yield f"DROP TRIGGER IF EXISTS {quote(name)}{on_table}"
        if connection.vendor == "postgresql":
            yield f"DROP FUNCTION IF EXISTS {quote(self.name)}()"

    @override
    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = DEFAULT_DB_ALIAS) -> None:
        """Accept every instance: it is a way of writing that is refused, not a value."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Guard) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash(self.name)


class AppendOnly(Guard):
    """Rows are added, and that is all: UPDATE and DELETE are refused, on PostgreSQL also TRUNCATE.

    Who is refused reads `what` these rows are, as a plural, and what to call `instead`.
    """

    def __init__(self, *, name: str, what: str = _CHANGES, instead: str = WHAT_TO_CALL) -> None:
        super().__init__(name=name)
        self.what, self.instead = what, instead

    @override
    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """Name what is said where it is not the usual: a change of it is a migration."""
        path, args, kwargs = super().deconstruct()
        said = {"what": (self.what, _CHANGES), "instead": (self.instead, WHAT_TO_CALL)}
        return path, args, {**kwargs, **{key: own for key, (own, usual) in said.items() if own != usual}}

    @override
    def trigger_names(self, vendor: str) -> Sequence[str]:
        """Return a name for each statement that is refused."""
        refused = ("update", "delete", "truncate") if vendor == "postgresql" else ("update", "delete")
        return [f"{self.name}_{what}" for what in refused]

    @override
    def statements(self, model: type[Model], editor: BaseDatabaseSchemaEditor) -> Iterator[Statement]:
        """Yield a trigger for each statement; on PostgreSQL after the function that they share."""
        vendor, quote = editor.connection.vendor, editor.quote_name
        message = _FOREVER.format(what=self.what, instead=self.instead)
        body = f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        if vendor == "postgresql":
            yield Statement(_REFUSE, function=quote(self.name), message=message)
            body = f"EXECUTE FUNCTION {quote(self.name)}()"
        for name in self.trigger_names(vendor):
            what = name.rpartition("_")[2].upper()
            # By the row: an UPDATE that finds none, with which Django tries whether it has to insert, alters nothing.
            each = "STATEMENT" if what == "TRUNCATE" else "ROW"
            yield Statement(
                f"CREATE TRIGGER {quote(name)} BEFORE {what} ON %(table)s FOR EACH {each} {body}",
                table=Table(model._meta.db_table, quote),
            )


class Recorded(Guard):
    """A transaction is only committed if each row that it touched says what its newest history row says.

    PostgreSQL alone: SQLite has no trigger that waits for the commit, and one that names another table keeps Django
    from remaking that table. The row is found by platform and module, and so is its history. `fields` are compared, and
    the fingerprints of the secrets; who switched it is not, as deleting a user empties that.
    """

    def __init__(self, *, name: str, fields: Sequence[str]) -> None:
        super().__init__(name=name)
        self.fields = tuple(fields)

    @override
    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """Name the fields too: a change of them is a migration."""
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "fields": self.fields}

    @override
    def trigger_names(self, vendor: str) -> Sequence[str]:
        """Return its one name."""
        return [self.name] if vendor == "postgresql" else []

    @override
    def statements(self, model: type[Model], editor: BaseDatabaseSchemaEditor) -> Iterator[Statement]:
        """Yield the function and its trigger, which waits for the commit."""
        if editor.connection.vendor != "postgresql":
            return
        quote, table = editor.quote_name, model._meta.db_table
        columns = [quote(str(field.column)) for field in model._meta.concrete_fields if field.name in self.fields]
        with editor.connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            [schema] = cursor.fetchone()
        yield Statement(
            _RECORDED,
            function=quote(self.name),
            schema=quote(schema),
            table=quote(table),
            history=quote(f"{table}_history"),
            stored=", ".join(f"stored.{column}" for column in columns),
            newest=", ".join(f"newest.{column}" for column in columns),
            what_to_call=WHAT_TO_CALL,
        )
        yield Statement(
            f"CREATE CONSTRAINT TRIGGER {quote(self.name)} AFTER INSERT OR UPDATE OR DELETE ON %(table)s "
            f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {quote(self.name)}()",
            table=Table(table, quote),
        )


def declared(connection: BaseDatabaseWrapper) -> Iterator[tuple[type[Model], Guard]]:
    """Yield every guard that this kind of database can hold, with its model."""
    for model in apps.get_models():
        for guard in model._meta.constraints:
            if isinstance(guard, Guard) and guard.trigger_names(connection.vendor):
                yield model, guard


def in_place(connection: BaseDatabaseWrapper) -> list[tuple[type[Model], Guard]]:
    """Return the guards whose triggers the database has."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_PLACE[connection.vendor])
        names = {name for (name,) in cursor.fetchall()}
    return [
        (model, guard)
        for model, guard in declared(connection)
        if names.issuperset(guard.trigger_names(connection.vendor))
    ]


@contextmanager
def lifted(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Have no guard for a `with` block, which is one transaction; only the owner of the tables can.

    For what empties a database or mends it: what is written meanwhile has no other witness than `verify_audit`.
    """
    connection = connections[using]
    editor = connection.schema_editor()
    with transaction.atomic(using):
        _settle(connection)
        guards = in_place(connection)
        with connection.cursor() as cursor:
            for model, guard in guards:
                for removal in guard.removals(model, connection):
                    cursor.execute(removal)
        yield
        _settle(connection)
        with connection.cursor() as cursor:
            for model, guard in guards:
                for statement in guard.statements(model, editor):
                    cursor.execute(str(statement))


def _settle(connection: BaseDatabaseWrapper) -> None:
    """Have PostgreSQL check now what waits for the commit: it alters no table about which a check is pending."""
    if connection.vendor == "postgresql":
        connection.check_constraints()
