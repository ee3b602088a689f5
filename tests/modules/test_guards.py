"""The database itself refuses what would leave no record, whoever writes: raw SQL, a fixture, a migration, a shell."""

import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import QuerySet

from modules import guards, services
from modules.models import Change, PlatformModule
from platforms.access import Actor
from platforms.models import Platform, User
from platforms.services import delete_platform
from tests.factories import PlatformFactory
from tests.modules.building import enable, everything_written, origin, row_of

History = PlatformModule.history.model
APPEND_ONLY = "Changes and their history are append-only"
UNRECORDED = r"does not say what its row in platform_modules says\. Call modules\.services"


def execute(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


# --- changes and history are append-only --------------------------------------------------------------------------

REWRITES: dict[str, Callable[[], Any]] = {
    "update of a change": lambda: Change.objects.update(reason="forged"),
    "save of a change": lambda: Change.objects.get().save(),
    "delete of a change": lambda: Change.objects.all().delete(),
    "raw update of a change": lambda: execute("UPDATE modules_change SET actor_label = 'bob'"),
    "raw delete of a change": lambda: execute("DELETE FROM modules_change"),
    "update of history": lambda: History.objects.update(is_enabled=False),
    "delete of a history row": lambda: History.objects.first().delete(),
    "raw update of history": lambda: execute("UPDATE platform_modules_history SET is_enabled = NOT is_enabled"),
    "raw delete of history": lambda: execute("DELETE FROM platform_modules_history WHERE module_code = 'cms'"),
    "upsert of a change": lambda: Change.objects.bulk_create(
        [Change.objects.get()], update_conflicts=True, unique_fields=["id"], update_fields=["reason"]
    ),
}
if connection.vendor == "postgresql":
    REWRITES |= {
        "truncate of changes": lambda: execute("TRUNCATE modules_change"),
        "truncate of history": lambda: execute("TRUNCATE platform_modules_history"),
    }


@pytest.mark.django_db
@pytest.mark.parametrize("way", REWRITES)
def test_record__rewritten__is_refused_by_the_database(platform: Platform, way: str) -> None:
    enable(platform, "cms")
    before = everything_written()
    with pytest.raises(IntegrityError, match=APPEND_ONLY), transaction.atomic():
        REWRITES[way]()
    assert everything_written() == before


@pytest.mark.django_db
def test_change__without_a_label_of_its_actor__is_refused_by_the_database(platform: Platform) -> None:
    enable(platform, "cms")
    blank = Change(**Change.objects.values().get() | {"id": None, "number": 2, "actor_label": ""})
    with pytest.raises(IntegrityError, match="ck_change_actor_label"), transaction.atomic():
        blank.save(force_insert=True)


# --- who may take the guards away ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_flush__changes_and_history__are_emptied_and_guarded_again() -> None:
    enable(PlatformFactory(), "cms")
    call_command("flush", interactive=False, verbosity=0)
    assert not Change.objects.exists()
    assert not History.objects.exists()
    assert guards.in_place(connection) == list(guards.declared(connection))
    enable(PlatformFactory(), "cms")
    with pytest.raises(IntegrityError, match=APPEND_ONLY):
        Change.objects.update(reason="forged")


@pytest.mark.django_db
def test_flush__not_confirmed__removes_nothing(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    enable(platform, "cms")
    before = everything_written()
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    said = io.StringIO()
    call_command("flush", stdout=said)
    assert said.getvalue() == "Nothing was removed.\n"
    assert everything_written() == before


@pytest.mark.django_db
def test_lifted__block_fails__guards_are_there_as_before(platform: Platform) -> None:
    enable(platform, "cms")

    def forge_and_fail() -> None:
        with guards.lifted():
            Change.objects.update(reason="forged")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        forge_and_fail()
    assert Change.objects.get().reason == ""
    assert guards.in_place(connection) == list(guards.declared(connection))


@pytest.mark.django_db
def test_check__guard_missing__is_reported(platform: Platform) -> None:
    checked = partial(run_checks, tags=["database"], databases=["default"])
    assert [found for found in checked() if found.id == "modules.W003"] == []
    with guards.lifted():
        assert [found.obj for found in checked() if found.id == "modules.W003"] == [
            guard.name for _, guard in guards.declared(connection)
        ]
    assert [found for found in checked() if found.id == "modules.W003"] == []


# --- migrations ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_guards__table_altered_by_a_migration__are_still_there() -> None:
    enable(PlatformFactory(), "cms")
    for model in (Change, History, PlatformModule):
        column = models.CharField(max_length=5, default="x")
        column.set_attributes_from_name("later")
        column.model = model
        # SQLite makes the table anew for both, and drops the old one with its triggers.
        with connection.schema_editor() as editor:
            editor.add_field(model, column)
        with connection.schema_editor() as editor:
            editor.remove_field(model, column)
    assert guards.in_place(connection) == list(guards.declared(connection))
    with pytest.raises(IntegrityError, match=APPEND_ONLY):
        Change.objects.update(reason="forged")


@pytest.mark.django_db(transaction=True)
def test_guards__migration_undone_and_done__go_and_come() -> None:
    [guarding] = [name for app, name in MigrationExecutor(connection).loader.graph.nodes if name.endswith("_guards")]
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    enable(PlatformFactory(), "cms")
    before = everything_written()
    try:
        MigrationExecutor(connection).migrate([("modules", "0002_legacy_enabled_modules")])
        assert {model._meta.app_label for model, _ in guards.in_place(connection)} == {"customers"}
        MigrationExecutor(connection).migrate([("modules", guarding)])
        assert guards.in_place(connection) == list(guards.declared(connection))
    finally:
        MigrationExecutor(connection).migrate(leaves)
    assert everything_written() == before


# --- no row that its history does not tell ------------------------------------------------------------------------


def _old_models() -> Any:
    """Return the models as a data migration sees them."""
    loader = MigrationExecutor(connection).loader
    return loader.project_state(loader.graph.leaf_nodes()).apps.get_model("modules", "PlatformModule")


def _load(tmp_path: Path, platform: Platform) -> None:
    fixture = tmp_path / "rows.json"
    fields = {"platform": platform.pk, "module": "billing", "is_enabled": True}
    fixture.write_text(json.dumps([{"model": "modules.platformmodule", "pk": 4711, "fields": fields}]))
    call_command("loaddata", str(fixture), verbosity=0)


UNRECORDED_WRITES: dict[str, Callable[[Platform, Path], Any]] = {
    "raw update of the state": lambda p, _: execute("UPDATE platform_modules SET is_enabled = false"),
    "raw update of the config": lambda p, _: execute("""UPDATE platform_modules SET config = '{"a": 1}'"""),
    "raw update of a date": lambda p, _: execute("UPDATE platform_modules SET enabled_at = CURRENT_TIMESTAMP"),
    "raw update of a secret": lambda p, _: execute(
        """UPDATE platform_modules SET secrets = '{"api_key": {"token": "x", "fingerprint": "y"}}'"""
    ),
    "raw move to another platform": lambda p, _: execute(
        "UPDATE platform_modules SET platform_id = %s", PlatformFactory().pk
    ),
    "raw move to another module": lambda p, _: execute("UPDATE platform_modules SET module_code = 'analytics'"),
    "raw insert": lambda p, _: execute(
        "INSERT INTO platform_modules (platform_id, module_code, is_enabled, config, config_version, secrets, "
        "created_at, updated_at) VALUES (%s, 'billing', true, '{}', 1, '{}', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)",
        p.pk,
    ),
    "raw delete": lambda p, _: execute("DELETE FROM platform_modules"),
    "a plain queryset's update": lambda p, _: QuerySet(PlatformModule).update(is_enabled=False),
    "a plain queryset's delete": lambda p, _: QuerySet(PlatformModule)._raw_delete("default"),
    "Django's own save": lambda p, _: super(PlatformModule, PlatformModule(platform=p, module_id="billing")).save(),
    "a data migration's update": lambda p, _: _old_models().objects.update(is_enabled=False),
    "a data migration's row": lambda p, _: _old_models().objects.create(platform_id=p.pk, module_id="billing"),
    "loaddata": lambda p, tmp_path: _load(tmp_path, p),
}


if connection.vendor == "postgresql":
    UNRECORDED_WRITES["behind a temporary table"] = lambda p, _: execute(
        "UPDATE platform_modules SET is_enabled = false; "
        "CREATE TEMPORARY TABLE platform_modules (LIKE public.platform_modules) ON COMMIT DROP"
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", UNRECORDED_WRITES)
def test_row__written_without_its_history__is_refused_or_on_sqlite_found(way: str, tmp_path: Path) -> None:
    platform = PlatformFactory()
    enable(platform, "cms")
    before = everything_written()
    if connection.vendor == "postgresql":
        with pytest.raises(IntegrityError, match=UNRECORDED), transaction.atomic():
            UNRECORDED_WRITES[way](platform, tmp_path)
        after = everything_written()
        assert after | {"revisions": before["revisions"]} == before
    else:
        UNRECORDED_WRITES[way](platform, tmp_path)
        with pytest.raises(CommandError, match=r"history"):
            call_command("verify_audit")


@pytest.mark.django_db(transaction=True)
def test_row__written_by_the_services__is_committed() -> None:
    ann = User.objects.create_superuser("ann")
    platform = PlatformFactory()
    services.enable(platform=platform, module="billing", config={"api_key": "hunter22"}, origin=origin(ann))
    services.configure(platform=platform, module="billing", config={"api_key": None}, origin=origin(ann))
    with transaction.atomic():
        services.disable(platform=platform, module="billing", origin=origin(ann))
        services.enable(platform=platform, module="billing", origin=origin(ann))
    ann.delete()
    row = row_of(platform, "billing")
    assert (row.is_enabled, row.enabled_by_id) == (True, None)
    bob = User.objects.create_superuser("bob")
    delete_platform(platform=platform, actor=Actor(bob), source="admin")
    assert Change.objects.count() == 5
    assert not PlatformModule.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_loaddata__dump_of_everything__is_whole_and_taken(tmp_path: Path) -> None:
    platform = PlatformFactory()
    enable(platform, "billing")
    services.disable(platform=platform, module="billing", origin=origin())
    before = everything_written()
    # As XML: Django's JSON keeps milliseconds only, and the hashes are made of microseconds.
    dump = tmp_path / "dump.xml"
    call_command("dumpdata", format="xml", output=str(dump), exclude=["contenttypes", "auth"], verbosity=0)
    call_command("flush", interactive=False, verbosity=0)
    assert not Platform.objects.exists()
    call_command("loaddata", str(dump), verbosity=0)
    assert everything_written() == before


def test_guards__declared__are_on_all_three_tables() -> None:
    models = apps.get_app_config("modules").get_models()
    assert {guard.name for model in models for guard in model._meta.constraints if _is_guard(guard)} == {
        "gd_change",
        "gd_platform_module",
        "gd_platform_module_history",
    }


def _is_guard(constraint: Any) -> bool:
    return isinstance(constraint, guards.Guard)
