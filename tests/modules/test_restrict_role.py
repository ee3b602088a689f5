"""The role that production runs as: it does what the application does, and rewrites no record."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction
from django.test import Client

from modules import gate, guards, services
from modules.models import Change, PlatformModule
from platforms.access import Actor
from platforms.models import Platform, User
from platforms.services import delete_platform
from tests.factories import PlatformFactory, UserFactory
from tests.modules.building import enable, everything_written, origin

ROLE = "switchyard_app"


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def restricted(*arguments: str) -> str:
    said = io.StringIO()
    call_command("restrict_role", *arguments, stdout=said)
    return said.getvalue()


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    """Run a `with` block with the rights of the role and no others."""
    execute(f"SET ROLE {role}")
    try:
        yield
    finally:
        execute("RESET ROLE")


if connection.vendor == "postgresql":

    @pytest.fixture
    def role(db: None) -> str:
        """A role that was restricted; it goes with the test's transaction."""
        execute(f"CREATE ROLE {ROLE}")
        restricted(ROLE)
        return ROLE

    def test_role__restricted__does_all_that_the_application_does(role: str, client: Client) -> None:
        ann = UserFactory(username="ann", is_staff=True, is_superuser=True)
        platform = PlatformFactory(code="kestrel")
        with acting_as(role):
            services.enable(platform=platform, module="billing", config={"api_key": "hunter22"}, origin=origin(ann))
            services.disable(platform=platform, module="billing", origin=origin(ann))
            call_command("enable_module", "kestrel", "billing", stdout=io.StringIO())
            assert gate.is_enabled(platform, "billing")
            client.force_login(ann)
            assert client.get("/admin/platforms/platform/").status_code == 200
            address = "/api/v1/admin/module-config/kestrel/cms/enable/"
            assert client.post(address, {}, content_type="application/json").status_code == 200
            User.objects.create_user("bob").delete()
            delete_platform(platform=platform, actor=Actor(ann), source="admin")
            connection.check_constraints()
        assert Change.objects.count() == 5
        assert not Platform.objects.exists()

    REFUSED = {
        "update of a change": "UPDATE modules_change SET reason = 'forged'",
        "delete of a change": "DELETE FROM modules_change",
        "truncate of changes": "TRUNCATE modules_change",
        "update of history": "UPDATE platform_modules_history SET is_enabled = false",
        "delete of history": "DELETE FROM platform_modules_history",
        "truncate of history": "TRUNCATE platform_modules_history",
        "trigger disabled": "ALTER TABLE modules_change DISABLE TRIGGER gd_change_update",
        "all triggers disabled": "ALTER TABLE platform_modules DISABLE TRIGGER ALL",
        "trigger dropped": "DROP TRIGGER gd_platform_module ON platform_modules",
        "function replaced": "CREATE OR REPLACE FUNCTION gd_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "function dropped": "DROP FUNCTION gd_change() CASCADE",
        "trigger of its own": "CREATE TRIGGER mine BEFORE INSERT ON modules_change FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "rule": "CREATE RULE mine AS ON INSERT TO modules_change DO INSTEAD NOTHING",
        "table dropped": "DROP TABLE platform_modules_history",
        "table renamed": "ALTER TABLE modules_change RENAME TO old",
        "replica mode": "SET session_replication_role = replica",
        "column dropped": "ALTER TABLE modules_change DROP COLUMN reason",
        "another owner": f"ALTER TABLE modules_change OWNER TO {ROLE}",
        "more rights": f"GRANT UPDATE ON modules_change TO {ROLE}; UPDATE modules_change SET reason = 'forged'",
        "migrations forged": "DELETE FROM django_migrations",
    }

    @pytest.mark.parametrize("what", REFUSED)
    def test_role__restricted__rewrites_nothing(role: str, what: str) -> None:
        enable(PlatformFactory(), "cms")
        before = everything_written()
        connection.check_constraints()
        with acting_as(role), pytest.raises(ProgrammingError, match=r"denied|must be owner"), transaction.atomic():
            execute(REFUSED[what])
        assert everything_written() == before
        assert guards.in_place(connection) == list(guards.declared(connection))

    @pytest.mark.parametrize(
        "lift",
        [lambda: call_command("flush", interactive=False), lambda: guards.lifted().__enter__()],
        ids=["flush", "lifted"],
    )
    def test_role__restricted__lifts_no_guard(role: str, lift: Callable[[], Any]) -> None:
        enable(PlatformFactory(), "cms")
        with acting_as(role), pytest.raises(ProgrammingError, match="must be owner"), transaction.atomic():
            lift()
        assert PlatformModule.objects.count() == 1
        assert guards.in_place(connection) == list(guards.declared(connection))

    def test_restrict_role__run_twice__changes_nothing(role: str) -> None:
        def rights() -> list[Any]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT relname, relacl::text FROM pg_class WHERE relkind IN ('r', 'S') ORDER BY 1")
                return cursor.fetchall()

        before = rights()
        assert restricted(ROLE) == (
            "switchyard_app adds to customers_consentrecord and modules_change and platform_modules_history, "
            "and rewrites nothing there.\n"
        )
        assert rights() == before

    def test_restrict_role__sql__prints_and_runs_nothing(db: None) -> None:
        execute(f"CREATE ROLE {ROLE}")
        lines = restricted(ROLE, "--sql").splitlines()
        kept = '"customers_consentrecord", "modules_change", "platform_modules_history"'
        assert f'GRANT SELECT, INSERT ON TABLE {kept} TO "switchyard_app";' in lines
        with acting_as(ROLE), pytest.raises(ProgrammingError, match="denied"), transaction.atomic():
            Change.objects.exists()

    REFUSALS = {
        "no such role": ("SELECT 1", "There is no role switchyard_app: CREATE ROLE makes one."),
        "superuser": (f"CREATE ROLE {ROLE} SUPERUSER", "switchyard_app owns the table customers_consentrecord"),
        "owner": (
            f"CREATE ROLE {ROLE}; ALTER TABLE modules_change OWNER TO {ROLE}",
            "switchyard_app owns the table modules_change, or may act as its owner",
        ),
        "member of the owner": (
            f"CREATE ROLE {ROLE}; CREATE ROLE chief ROLE {ROLE}; ALTER TABLE platform_modules_history OWNER TO chief",
            "switchyard_app owns the table platform_modules_history, or may act as its owner",
        ),
        "public may": (
            f"CREATE ROLE {ROLE}; GRANT UPDATE ON modules_change TO PUBLIC",
            "switchyard_app may rewrite modules_change all the same",
        ),
        "a column of it": (
            f"CREATE ROLE {ROLE}; GRANT UPDATE (reason) ON modules_change TO PUBLIC",
            "switchyard_app may rewrite modules_change all the same",
        ),
    }

    @pytest.mark.parametrize("why", REFUSALS)
    def test_restrict_role__role_that_could_rewrite__is_refused(db: None, why: str) -> None:
        given, said = REFUSALS[why]
        execute(given)
        with pytest.raises(CommandError, match=said):
            restricted(ROLE)

else:

    def test_restrict_role__sqlite__says_that_it_has_none(db: None) -> None:
        with pytest.raises(CommandError, match=r"^Only PostgreSQL has roles\.$"):
            restricted(ROLE)
