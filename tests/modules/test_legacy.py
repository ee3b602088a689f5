"""The legacy migration on a whole dump of the old system: what it makes of every odd line; nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from modules import gate, legacy, services
from modules.models import Change, PlatformModule
from modules.plans import Wish
from modules.registry import registry
from platforms.models import Platform
from tests.factories import PlatformFactory
from tests.modules.building import definition, everything_written, origin
from tests.modules.legacy_accounts import assert_nothing_is_lost, settings_environment, settings_of, snapshot

DUMP = Path(__file__).parent.parent / "data" / "legacy_platforms.jsonl"
LINES = [json.loads(line) for line in DUMP.read_text().splitlines()]
KEPT_CONFIG = {"customers": {"privacy_due_days": "soon"}, "messaging": {"no_such_key": 1}}
KEPT_CONFIG_FINDINGS = {
    ("invalid_config", "module_config.customers.privacy_due_days"),
    ("invalid_config", "module_config.messaging.no_such_key"),
}
ALL_SIX = {"customers", "cms", "analytics", "messaging", "dev_tools"}

UNKNOWN_CODES = {"inventory": 7, "dev-tools": 3, "marketplace": 6, "loyalty_cards": 5}

# Line → modules on afterwards (besides the core), what remains of the settings besides the theme, what is found.
ODD_LINES: dict[int, tuple[set[str], dict[str, Any] | None, set[tuple[str, str]]]] = {
    5: (
        set(),
        {"enabled_modules": "", "module_config": KEPT_CONFIG},
        {("blank", "enabled_modules"), *KEPT_CONFIG_FINDINGS},
    ),
    9: (
        set(),
        {"enabled_modules": ["dev-tools", "inventory"]},
        {("unknown_module", "enabled_modules.0"), ("unknown_module", "enabled_modules.1")},
    ),
    15: ({"customers", "cms", "dev_tools"}, {}, {("wrong_type", "enabled_modules")}),
    17: (
        {"dev_tools", "cms", "messaging", "billing", "customers"},
        {"enabled_modules": ["loyalty_cards", "marketplace"]},
        {("unknown_module", "enabled_modules.3"), ("unknown_module", "enabled_modules.4")},
    ),
    24: (
        {"analytics", "messaging", "cms", "billing", "customers"},
        {"enabled_modules": ["dev-tools", "inventory"]},
        {("unknown_module", "enabled_modules.4"), ("unknown_module", "enabled_modules.5")},
    ),
    29: (
        {"analytics"},
        {"enabled_modules": {"monitoring": False}},
        {("core", "enabled_modules.monitoring"), ("wrong_type", "enabled_modules")},
    ),
    30: ({"cms"}, {}, {("wrong_type", "enabled_modules")}),
    34: (set(), None, set()),
    42: (set(), {}, set()),
    45: (
        {"messaging", "cms", "dev_tools", "analytics", "customers"},
        {},
        {("duplicate", "enabled_modules.6"), ("duplicate", "enabled_modules.7")},
    ),
    53: ({"cms"}, {}, {("duplicate", "enabled_modules.1")}),
    54: (set(), {"enabled_modules": None}, {("wrong_type", "enabled_modules")}),
    61: ({"customers", "messaging", "dev_tools"}, {}, {("wrong_type", "enabled_modules")}),
    62: (set(), {}, set()),
    67: (
        {"customers", "messaging", "analytics", "cms", "dev_tools"},
        {},
        {("duplicate", "enabled_modules.6"), ("duplicate", "enabled_modules.7")},
    ),
    71: (set(), {}, set()),
    74: ({"analytics", "cms"}, {}, {("wrong_type", "enabled_modules")}),
    77: (set(), {}, set()),
    80: ({"cms"}, {}, {("duplicate", "enabled_modules.1")}),
    98: (
        {"dev_tools", "cms", "analytics", "customers"},
        {"enabled_modules": [None, 7, ""]},
        {("wrong_type", "enabled_modules.5"), ("wrong_type", "enabled_modules.6"), ("blank", "enabled_modules.7")},
    ),
    105: ({"messaging", "dev_tools"}, {}, {("wrong_type", "enabled_modules")}),
    106: (
        ALL_SIX,
        {"enabled_modules": {"monitoring": False}},
        {("core", "enabled_modules.monitoring"), ("wrong_type", "enabled_modules")},
    ),
    108: ({"messaging", "cms", "dev_tools"}, {}, {("wrong_type", "enabled_modules")}),
    120: (
        {"cms", "messaging", "dev_tools", "analytics", "billing", "customers"},
        {"enabled_modules": ["dev-tools", "inventory"], "module_config": KEPT_CONFIG},
        {("unknown_module", "enabled_modules.5"), ("unknown_module", "enabled_modules.6"), *KEPT_CONFIG_FINDINGS},
    ),
}


def import_dump(prefix: str = "") -> None:
    """Import the dump, with a prefix before each code where it is wanted."""
    Platform.objects.bulk_create(Platform(**line | {"code": prefix + line["code"]}) for line in LINES)


def migrate(**options: Any) -> dict[str, legacy.Migrated]:
    """Migrate, and return what became of each platform."""
    return {done.platform: done for done in legacy.migrate(origin=legacy.origin("tests"), **options)}


@pytest.mark.django_db
def test_dump__migrated__has_these_findings_and_counts() -> None:
    import_dump()
    done = migrate()
    findings = [finding for each in done.values() for finding in each.findings]
    assert len(done) == 116
    assert Counter(str(finding.kind) for finding in findings) == {
        "unknown_module": 21,
        "invalid_config": 20,
        "wrong_type": 14,
        "duplicate": 6,
        "blank": 2,
        "core": 2,
    }
    assert Counter(str(finding.kind) for finding in findings if finding.taken) == {"wrong_type": 11, "duplicate": 6}
    assert Counter(f.value for f in findings if f.kind is legacy.Kind.UNKNOWN_MODULE) == UNKNOWN_CODES
    assert sum(each.configs for each in done.values()) == 58
    assert PlatformModule.objects.filter(is_enabled=True).count() == 278
    assert Change.objects.count() == Platform.objects.filter(revision=1).count() == 99
    assert sum(bool(each.steps) for each in done.values()) == 99
    assert sum(each.is_changed and not each.steps for each in done.values()) == 13
    assert set(Change.objects.values_list("source", "actor_label", "reason")) == {
        ("migration", "tests", "Taken over from the platform's old settings.")
    }


@pytest.mark.django_db
def test_dump__migrated__loses_nothing_on_any_line() -> None:
    import_dump()
    # As the database gives them back: PostgreSQL keeps no order of keys.
    stored = dict(Platform.objects.values_list("code", "settings"))
    assert stored == {line["code"]: line["settings"] for line in LINES}
    done = migrate()
    for platform in Platform.objects.all():
        findings = done[platform.code].findings if platform.code in done else ()
        assert_nothing_is_lost(stored[platform.code], platform.settings, settings_of(platform), findings, registry)


@pytest.mark.django_db
def test_dump__odd_lines__become_exactly_this() -> None:
    import_dump()
    done = migrate()
    for number, (on, remaining, findings) in ODD_LINES.items():
        line = LINES[number - 1]
        platform = Platform.objects.get(code=line["code"])
        theme = {"theme": line["settings"]["theme"]} if line["settings"] else {}
        assert gate.state_of(platform).enabled == on | {"monitoring"}, number
        assert platform.settings == (None if remaining is None else theme | remaining), number
        found = {(str(f.kind), f.path) for f in done[platform.code].findings} if platform.code in done else set()
        assert found == findings, number


@pytest.mark.django_db
def test_dump__config_of_a_module_that_is_off__becomes_a_row_that_is_off() -> None:
    import_dump()
    migrate(platform="kelp-trade-0")
    rows = PlatformModule.objects.order_by("module").values_list("module", "is_enabled", "config")
    assert list(rows) == [
        ("cms", False, {"locales": ["en", "de"], "default_locale": "de"}),
        ("customers", False, {"privacy_due_days": 14}),
    ]
    assert PlatformModule.history.count() == 2
    assert Platform.objects.get(code="kelp-trade-0").settings == {"theme": {"primary": "#1db208"}}
    assert Platform.objects.get(code="ridge-outlet-1").settings == LINES[1]["settings"]


@pytest.mark.django_db
def test_migrate__second_time__changes_nothing_and_finds_what_was_kept() -> None:
    import_dump()
    first = migrate()
    before = everything_written(), snapshot()
    second = migrate()
    assert (everything_written(), snapshot()) == before
    assert not any(done.steps or done.is_changed for done in second.values())
    kept = Counter((code, f.kind, f.value) for code, done in first.items() for f in done.findings if not f.taken)
    assert kept == Counter((code, f.kind, f.value) for code, done in second.items() for f in done.findings)


@pytest.mark.django_db
def test_migrate__dry_run__says_the_same_and_writes_nothing() -> None:
    import_dump()
    before = everything_written(), snapshot()
    foreseen = migrate(dry_run=True)
    assert (everything_written(), snapshot()) == before
    assert migrate() == foreseen


@pytest.mark.django_db
def test_migrate__any_batch_size__gives_the_same() -> None:
    import_dump("x-")
    import_dump("y-")
    list(legacy.migrate(origin=legacy.origin("tests"), batch_size=1000))
    import_dump("z-")
    list(legacy.migrate(origin=legacy.origin("tests"), batch_size=7))
    assert snapshot("x-") == snapshot("y-") == snapshot("z-")


@pytest.mark.django_db
def test_migrate__more_platforms_in_a_batch__takes_no_more_queries() -> None:
    counts = []
    for size in (10, 20):
        for number in range(size):
            PlatformFactory(
                code=f"p-{size}-{number}",
                settings={"enabled_modules": ["cms"], "module_config": {"cms": {"keep_revisions": 9}}},
            )
        with CaptureQueriesContext(connection) as queries:
            migrate(batch_size=100)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 20


@pytest.mark.django_db
def test_migrate__what_people_decided_since__stands() -> None:
    platform = PlatformFactory(
        settings={"enabled_modules": ["customers", "cms"], "module_config": {"cms": {"keep_revisions": 9}}}
    )
    services.apply(
        platform=platform,
        wishes=[Wish(module="customers", is_enabled=True), Wish(module="cms", config={"keep_revisions": 7})],
        origin=origin(),
    )
    services.disable(platform=platform, module="customers", origin=origin())
    done = migrate()[platform.code]
    platform.refresh_from_db()
    assert gate.state_of(platform).enabled == {"monitoring", "cms"}
    assert settings_of(platform)["cms"].config == {"keep_revisions": 7}
    assert platform.settings == {"enabled_modules": ["customers"], "module_config": {"cms": {"keep_revisions": 9}}}
    assert [(str(finding.kind), finding.path) for finding in done.findings] == [
        ("conflict", "enabled_modules.0"),
        ("conflict", "module_config.cms.keep_revisions"),
    ]


@pytest.mark.django_db
def test_migrate__secret_in_an_old_config__is_kept_encrypted_and_leaves_the_settings() -> None:
    platform = PlatformFactory(settings={"module_config": {"billing": {"api_key": "sk-live-0123456789"}}})
    done = migrate()[platform.code]
    row = PlatformModule.objects.get()
    assert (row.is_enabled, row.config, list(row.secrets)) == (False, {}, ["api_key"])
    assert "sk-live" not in json.dumps(row.secrets)
    assert "sk-live" not in str(done)
    platform.refresh_from_db()
    assert platform.settings == {}


@pytest.mark.django_db
@pytest.mark.parametrize("shape", [["enabled_modules"], "enabled_modules", 5, True])
def test_migrate__settings_of_another_shape__stay_and_are_named(shape: Any) -> None:
    platform = PlatformFactory(settings=shape)
    PlatformFactory(settings=None)
    PlatformFactory(settings={"theme": 1})
    [done] = migrate().values()
    assert (done.platform, done.steps, done.is_changed) == (platform.code, (), False)
    assert [(str(finding.kind), finding.path) for finding in done.findings] == [("wrong_type", "settings")]
    platform.refresh_from_db()
    assert platform.settings == shape


@pytest.mark.django_db(transaction=True)
def test_migrate__platform_that_the_database_refuses__is_named_and_holds_up_no_other() -> None:
    # Registered, but not in the table of modules: the row's foreign key fails when the batch is committed.
    with registry.register_temporarily(definition("unmirrored")):
        for code, module in (("a", "cms"), ("b", "unmirrored"), ("c", "customers")):
            PlatformFactory(code=code, settings={"enabled_modules": [module]})
        done = migrate()
    assert [step.module for step in done["a"].steps + done["b"].steps + done["c"].steps] == ["cms", "customers"]
    assert [(str(f.kind), f.path, f.taken) for f in done["b"].findings] == [("refused", "settings", False)]
    assert {code: each["settings"] for code, each in snapshot().items()} == {
        "a": {},
        "b": {"enabled_modules": ["unmirrored"]},
        "c": {},
    }
    assert list(Platform.objects.order_by("code").values_list("revision", flat=True)) == [1, 0, 1]


def refuse_shorter_settings() -> None:
    """Have the database refuse settings out of which `enabled_modules` was taken. To be called while it is empty."""
    table = Platform._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                f"CREATE TRIGGER refuse BEFORE UPDATE OF settings ON {table} BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        else:
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT refuse CHECK (settings ? 'enabled_modules')")


@pytest.mark.django_db
def test_migrate__settings_that_cannot_be_written__take_the_rows_and_the_change_back() -> None:
    refuse_shorter_settings()
    old = {"enabled_modules": ["cms"], "module_config": {"billing": {"api_key": "sk-live-0123456789"}}}
    PlatformFactory(code="kestrel", settings=old)
    before = everything_written(), snapshot()
    done = migrate()["kestrel"]
    assert (done.steps, done.is_changed) == ((), False)
    assert [(str(finding.kind), finding.path, finding.taken) for finding in done.findings] == [
        ("refused", "settings", False)
    ]
    # PostgreSQL quotes the row that it refuses.
    assert "sk-live" not in str(done)
    assert (everything_written(), snapshot()) == before
    assert not PlatformModule.objects.exists()


def wait_until_somebody_waits() -> None:
    """Return when another connection waits for what this one has locked."""
    deadline = time.monotonic() + 30
    if connection.vendor == "sqlite":
        time.sleep(0.3)  # SQLite shows nobody who waits; and who waits for its one lock has read nothing yet.
        return
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone() == (True,):
                return
            time.sleep(0.01)
    raise TimeoutError("Nobody waits.")


def migrate_on_a_connection_of_its_own() -> dict[str, legacy.Migrated]:
    try:
        return migrate()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("edited", "remaining", "on"),
    [
        ({"enabled_modules": ["cms"], "note": "new"}, {"note": "new"}, {"monitoring", "cms"}),
        ({"enabled_modules": ["customers"]}, {}, {"monitoring", "customers"}),
        ({"note": "new"}, {"note": "new"}, {"monitoring"}),
    ],
)
def test_migrate__settings_that_are_edited_meanwhile__are_read_as_they_are_then(
    edited: dict[str, Any], remaining: dict[str, Any], on: set[str]
) -> None:
    platform = PlatformFactory(settings={"enabled_modules": ["cms"]})
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Platform.objects.filter(pk=platform.pk).update(settings=edited)
            migrated = pool.submit(migrate_on_a_connection_of_its_own)
            wait_until_somebody_waits()
        migrated.result(timeout=60)
    platform.refresh_from_db()
    assert platform.settings == remaining
    assert gate.state_of(platform).enabled == on


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("platforms_before_the_kill", [1, 50])
def test_command__killed__goes_on_as_if_it_never_was(platforms_before_the_kill: int) -> None:
    import_dump("x-")
    call_command("migrate_enabled_modules", stdout=StringIO())
    import_dump("y-")
    own, total = Change.objects.filter(platform_code__startswith="y-"), Change.objects.count()
    with subprocess.Popen(
        [sys.executable, "-u", "manage.py", "migrate_enabled_modules", "--batch-size", "1"],
        cwd=settings.BASE_DIR,
        env={**os.environ, **settings_environment()},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        # A platform is named when it is committed; by now the next one is in the middle of being written.
        named = (line for line in process.stdout if line.startswith(b"y-"))
        assert len(list(islice(named, platforms_before_the_kill))) == platforms_before_the_kill
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert 0 < own.count() < total
    call_command("migrate_enabled_modules", stdout=StringIO())
    assert own.count() == total
    assert snapshot("y-") == snapshot("x-")
