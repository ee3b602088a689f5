"""`migrate` alone brings an old database along, and what it makes of it is what the command makes of it."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from modules.models import Change, PlatformModule
from platforms.models import Platform
from tests.modules.legacy_accounts import snapshot

DUMP = Path(__file__).parent.parent / "data" / "legacy_platforms.jsonl"
BEFORE = [("modules", "0001_initial")]
AFTER = [("modules", "0002_legacy_enabled_modules")]


def migrate_to(targets: list[tuple[str, str]]) -> Any:
    """Migrate, and return the app registry as it is there."""
    MigrationExecutor(connection).migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.fixture
def old_apps(transactional_db: None) -> Iterator[Any]:
    """An old database, with nothing in the table of modules yet; all migrations are there again afterwards."""
    apps = migrate_to(BEFORE)
    apps.get_model("modules", "Module").objects.all().delete()
    yield apps
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def insert_dump(apps: Any, prefix: str) -> None:
    model = apps.get_model("platforms", "Platform")
    lines = [json.loads(line) for line in DUMP.read_text().splitlines()]
    model.objects.bulk_create(model(**line | {"code": prefix + line["code"]}) for line in lines)


def test_migration__old_database__ends_as_the_command_would_have_left_it(
    old_apps: Any, caplog: pytest.LogCaptureFixture
) -> None:
    insert_dump(old_apps, "x-")
    with caplog.at_level(logging.WARNING):
        migrate_to(AFTER)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("modules")] == [
        "Took over the modules of 99 platforms from their old settings, and tidied those of 13 more; "
        "48 entries stay there. "
        "`manage.py migrate_enabled_modules --dry-run` names them."
    ]
    MigrationExecutor(connection).migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())
    assert set(Change.objects.values_list("actor_label", "source")) == {("migration modules.0002", "migration")}
    insert_dump(old_apps, "y-")
    call_command("migrate_enabled_modules", stdout=StringIO())
    assert PlatformModule.objects.filter(is_enabled=True).count() == 2 * 278
    assert snapshot("x-") == snapshot("y-")


def test_migration__there_and_back_again__changes_nothing_more(old_apps: Any) -> None:
    insert_dump(old_apps, "x-")
    migrate_to(AFTER)
    once = snapshot()
    migrate_to(BEFORE)
    assert snapshot() == once
    migrate_to(AFTER)
    assert snapshot() == once


def test_migration__new_database__says_nothing(old_apps: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        migrate_to(AFTER)
    assert [record for record in caplog.records if record.name.startswith("modules")] == []
    assert Platform.objects.count() == Change.objects.count() == 0
