"""The one way to change: what it writes, in which order, and at what cost."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from modules import services
from modules.mirror import mirror
from modules.models import Change, PlatformModule
from modules.plans import Obstacle, Wish
from modules.registry import registry
from platforms.access import Actor
from platforms.models import Platform, User
from tests.factories import PlatformFactory, UserFactory
from tests.modules.building import definition, enable, everything_written, module_states, origin, row_of

pytestmark = pytest.mark.django_db

History = PlatformModule.history.model
AT = datetime(2026, 3, 16, 9, tzinfo=UTC)


def test_enable__module_that_needs_another__is_one_change_with_a_history_row_each(
    platform: Platform, ann: User
) -> None:
    outcome = services.enable(
        platform=platform, module="billing", origin=origin(ann, reason="Launch", request_id="r-1", at=AT)
    )
    assert module_states(platform) == {"customers": True, "billing": True}
    change = Change.objects.get()
    assert outcome.change == change
    assert (change.platform_id, change.platform_code, change.number) == (platform.pk, "kestrel", 1)
    assert (change.at, change.actor_id, change.actor_label, change.source) == (AT, ann.pk, "ann", "admin")
    assert (change.reason, change.request_id, change.undoes, change.previous_hash) == ("Launch", "r-1", None, "")
    assert change.steps == [
        {"module": "customers", "action": "enable", "cause": "required by billing"},
        {"module": "billing", "action": "enable", "cause": "requested"},
    ]
    rows = History.objects.order_by("history_id")
    assert [
        (row.module_id, row.change_number, row.history_type, row.history_date, row.history_user_id, row.is_enabled)
        for row in rows
    ] == [("customers", 1, "+", AT, ann.pk, True), ("billing", 1, "+", AT, ann.pk, True)]
    assert {row.history_change_reason for row in rows} == {"Launch"}
    assert {row.id for row in rows} == set(PlatformModule.objects.values_list("pk", flat=True))
    assert platform.revision == Platform.objects.get().revision == 1


def test_enable__then_disable_and_configure__keep_who_and_when(platform: Platform, ann: User) -> None:
    bob = UserFactory(username="bob")
    services.enable(platform=platform, module="cms", origin=origin(ann, at=AT))
    row = row_of(platform, "cms")
    assert (row.enabled_at, row.enabled_by, row.disabled_at, row.disabled_by) == (AT, ann, None, None)
    assert (row.created_at, row.updated_at) == (AT, AT)

    later = AT + timedelta(hours=1)
    services.disable(platform=platform, module="cms", origin=origin(bob, at=later))
    row = row_of(platform, "cms")
    assert (row.enabled_at, row.enabled_by, row.disabled_at, row.disabled_by) == (AT, ann, later, bob)
    assert (row.is_enabled, row.created_at, row.updated_at) == (False, AT, later)

    configured = AT + timedelta(hours=2)
    services.configure(platform=platform, module="cms", config={"max_upload_mb": 20}, origin=origin(ann, at=configured))
    row = row_of(platform, "cms")
    assert (row.enabled_at, row.enabled_by, row.disabled_at, row.disabled_by) == (AT, ann, later, bob)
    assert (row.is_enabled, row.config, row.updated_at) == (False, {"max_upload_mb": 20}, configured)

    again = AT + timedelta(hours=3)
    services.enable(platform=platform, module="cms", origin=origin(bob, at=again))
    row = row_of(platform, "cms")
    assert (row.enabled_at, row.enabled_by, row.disabled_at, row.disabled_by) == (again, bob, None, None)
    assert row.config == {"max_upload_mb": 20}


def test_configure__core_module__gets_a_row_that_is_on_and_nobody_enabled(platform: Platform, ann: User) -> None:
    services.configure(platform=platform, module="monitoring", config={"fail_n": 1}, origin=origin(ann))
    row = row_of(platform, "monitoring")
    assert (row.is_enabled, row.enabled_at, row.enabled_by, row.disabled_at) == (True, None, None, None)
    services.reset(platform=platform, module="monitoring", origin=origin(ann))
    row = row_of(platform, "monitoring")
    assert (row.is_enabled, row.config, row.enabled_at) == (True, {}, None)


def test_disable__with_cascade__is_one_change(platform: Platform) -> None:
    enable(platform, "subscriptions")
    outcome = services.disable(platform=platform, module="customers", origin=origin(), cascade=True)
    assert outcome.change is not None
    assert outcome.change.steps == [
        {"module": "subscriptions", "action": "disable", "cause": "requires customers"},
        {"module": "billing", "action": "disable", "cause": "requires customers"},
        {"module": "customers", "action": "disable", "cause": "requested"},
    ]
    assert module_states(platform) == {
        "customers": False,
        "billing": False,
        "messaging": True,
        "subscriptions": False,
    }


def test_apply__several_calls__are_numbered_without_gaps_and_chained(platform: Platform) -> None:
    other = PlatformFactory()
    enable(platform, "cms", "analytics")
    enable(other, "cms")
    services.configure(platform=platform, module="cms", config={"max_upload_mb": 9}, origin=origin())
    with pytest.raises(services.Blocked):
        services.disable(platform=platform, module="monitoring", origin=origin())
    services.disable(platform=platform, module="cms", origin=origin())
    changes = list(Change.objects.filter(platform=platform).order_by("number"))
    assert [change.number for change in changes] == [1, 2, 3, 4]
    assert [change.previous_hash for change in changes] == ["", *(change.hash for change in changes[:-1])]
    assert len({change.hash for change in changes}) == 4
    assert list(Change.objects.filter(platform=other).values_list("number", "previous_hash")) == [(1, "")]


def test_apply__several_wishes__is_one_change(platform: Platform) -> None:
    enable(platform, "messaging")
    wishes = [
        Wish(module="messaging", is_enabled=False),
        Wish(module="cms", is_enabled=True, config={"max_upload_mb": 9}),
        Wish(module="monitoring", config={"fail_n": 1}),
    ]
    outcome = services.apply(platform=platform, wishes=iter(wishes), origin=origin())
    assert [(step.module, str(step.action)) for step in outcome.plan.steps] == [
        ("messaging", "disable"),
        ("cms", "enable"),
        ("cms", "configure"),
        ("monitoring", "configure"),
    ]
    assert Change.objects.count() == 2
    assert History.objects.filter(change_number=2).count() == 3


def test_apply__passed_in_platform__has_the_new_revision_and_nothing_else_new(platform: Platform) -> None:
    platform.name = "Not saved"
    outcome = services.enable(platform=platform, module="cms", origin=origin())
    assert outcome.platform is platform
    assert platform.revision == 1
    assert Platform.objects.get().name == "Kestrel"


def test_apply__stale_platform_in_memory__reads_under_the_lock(platform: Platform) -> None:
    stale = Platform.objects.get()
    enable(platform, "cms")
    outcome = services.enable(platform=stale, module="analytics", origin=origin())
    assert outcome.change is not None
    assert (outcome.change.number, stale.revision) == (2, 2)


@pytest.mark.parametrize(
    "wish",
    [
        Wish(module="billing", is_enabled=True),
        Wish(module="cms", is_enabled=False),
        Wish(module="monitoring", is_enabled=True),
        Wish(module="billing", config={"default_trial_days": 30}),
        Wish(module="billing", config={"api_key": "hunter22"}),
        Wish(module="billing", config={"api_key": ""}),
        Wish(module="customers", resets=True),
    ],
)
def test_apply__nothing_to_do__writes_nothing(platform: Platform, wish: Wish) -> None:
    given = {"default_trial_days": 30, "api_key": "hunter22"}
    services.enable(platform=platform, module="billing", config=given, origin=origin())
    before = everything_written()
    outcome = services.apply(platform=platform, wishes=[wish], origin=origin())
    assert (outcome.change, outcome.plan.steps) == (None, ())
    assert everything_written() == before


def test_apply__dry_run__writes_nothing_and_says_what_it_would(platform: Platform) -> None:
    before = everything_written()
    outcome = services.enable(platform=platform, module="billing", origin=origin(), dry_run=True)
    assert (outcome.change, outcome.dry_run, platform.revision) == (None, True, 0)
    assert [step.module for step in outcome.plan.steps] == ["customers", "billing"]
    assert everything_written() == before
    applied = services.enable(platform=platform, module="billing", origin=origin(), digest=outcome.plan.digest)
    assert applied.plan == outcome.plan


def test_preview__whatever_stands_in_the_way__is_in_the_plan(
    platform: Platform, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    enable(platform, "billing")
    before = everything_written()
    with django_assert_num_queries(1):
        made = services.preview(platform=platform, wishes=[Wish(module="customers", is_enabled=False)])
    assert [(blocker.code, blocker.by) for blocker in made.blockers] == [(Obstacle.REQUIRED_BY, "billing")]
    assert everything_written() == before


def test_user__deleted__empties_enabled_by_and_disabled_by_only(platform: Platform) -> None:
    bob = UserFactory(username="bob")
    number = bob.pk
    services.enable(platform=platform, module="cms", origin=origin(bob, at=AT))
    services.enable(platform=platform, module="analytics", origin=origin(bob, at=AT))
    services.disable(platform=platform, module="cms", origin=origin(bob, at=AT))
    before = everything_written()
    bob.delete()
    after = everything_written()
    for row in before["rows"]:
        row["enabled_by_id"] = row["disabled_by_id"] = None
    assert after == before
    assert {row["history_user_id"] for row in after["history"]} == {number}
    assert {(row["actor_id"], row["actor_label"]) for row in after["changes"]} == {(number, "bob")}
    assert {row["enabled_by_id"] for row in after["history"]} == {number}


def test_record_platform_deletion__last_change__has_every_row_in_it(platform: Platform, ann: User) -> None:
    enable(platform, "billing", "cms")
    number = platform.pk
    with transaction.atomic():
        services.record_platform_deletion(platform, Actor(user=ann), Change.Source.ADMIN, "Closed")
        Platform.objects.get(pk=number).delete()
    assert PlatformModule.objects.count() == 0
    last = Change.objects.filter(platform_id=number).order_by("number").last()
    assert last is not None
    assert (last.number, last.platform_code, last.actor_label, last.reason) == (3, "kestrel", "ann", "Closed")
    assert last.steps == [
        {"module": code, "action": "delete", "cause": "platform deleted"} for code in ("billing", "cms", "customers")
    ]
    assert last.previous_hash == Change.objects.get(platform_id=number, number=2).hash
    gone = History.objects.filter(change_number=3)
    assert {(row.module_id, row.history_type) for row in gone} == {
        ("billing", "-"),
        ("cms", "-"),
        ("customers", "-"),
    }
    assert History.objects.count() == 6


def test_record_platform_deletion__platform_without_rows__is_a_change_too(platform: Platform, ann: User) -> None:
    with transaction.atomic():
        services.record_platform_deletion(platform, Actor(user=ann), Change.Source.API)
    change = Change.objects.get()
    assert (change.number, change.source) == (1, "api")


def statements(captured: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))]


@pytest.mark.parametrize("many", [False, True])
def test_apply__first_of_all__locks_the_platform_and_then_reads(platform: Platform, many: bool) -> None:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        if many:
            services.apply_many(wishes={platform.pk: [Wish(module="cms", is_enabled=True)]}, origin=origin())
        else:
            services.enable(platform=platform, module="cms", origin=origin())
    lock, read, *_ = statements(captured)
    assert 'FROM "platforms_platform"' in lock
    assert 'ORDER BY "platforms_platform"."id" ASC' in lock
    assert 'FROM "platform_modules"' in read
    if connection.features.has_select_for_no_key_update:
        assert lock.endswith("FOR NO KEY UPDATE")
    else:
        # The transaction itself is the lock.
        assert connection.transaction_mode == "IMMEDIATE"  # type: ignore[attr-defined]


def test_apply__whatever_the_number_of_modules__takes_as_many_queries(
    platform: Platform, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    codes = [f"m{number}" for number in range(40)]
    with registry.register_temporarily(
        *(definition(code, *([codes[0]] if code != codes[0] else [])) for code in codes)
    ):
        mirror(apps)
        # Savepoint, lock, rows with the hash of the change before, module rows, history, change, revision, events,
        # release.
        with django_assert_num_queries(9):
            services.enable(platform=platform, module="cms", origin=origin())
        with django_assert_num_queries(9):
            services.apply(
                platform=platform, wishes=[Wish(module=code, is_enabled=True) for code in codes], origin=origin()
            )
        assert PlatformModule.objects.enabled().count() == 41
        with django_assert_num_queries(9):
            services.disable(platform=platform, module="cms", origin=origin())
        with django_assert_num_queries(9):
            services.disable(platform=platform, module="m0", origin=origin(), cascade=True)
        assert PlatformModule.objects.enabled().count() == 0
        # Nothing to do: savepoint, lock, rows, release.
        with django_assert_num_queries(4):
            services.disable(platform=platform, module="m0", origin=origin())


@pytest.mark.parametrize("count", [1, 40])
def test_apply_many__whatever_the_number_of_platforms__takes_as_many_queries(
    db: None, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    platforms = PlatformFactory.create_batch(count)
    with django_assert_num_queries(9):
        services.apply_many(
            wishes={one.pk: [Wish(module="cms", is_enabled=True)] for one in platforms}, origin=origin()
        )
    with django_assert_num_queries(9):
        entries = services.apply_many(
            wishes={one.pk: [Wish(module="cms", is_enabled=False)] for one in platforms}, origin=origin()
        )
    assert [entry.platform.pk for entry in entries] == sorted(one.pk for one in platforms)
    assert {entry.change.number for entry in entries} == {2}
    assert Change.objects.count() == History.objects.count() == 2 * count
    assert set(Platform.objects.values_list("revision", flat=True)) == {2}


def test_apply_many__platforms_of_which_some_need_nothing__writes_for_the_others(platform: Platform) -> None:
    other = PlatformFactory()
    enable(platform, "cms")
    wish = [Wish(module="cms", is_enabled=True)]
    entries = services.apply_many(wishes={other.pk: wish, platform.pk: wish, 0: wish}, origin=origin())
    assert [(entry.platform.pk, entry.change and entry.change.number) for entry in entries] == [
        (platform.pk, None),
        (other.pk, 1),
    ]


@pytest.mark.parametrize("config", [{"address": {}}, {"address": {"city": None}}])
def test_configure__object_in_which_nothing_is_set__changes_nothing(platform: Platform, config: Any) -> None:
    outcome = services.configure(platform=platform, module="billing", config=config, origin=origin())
    assert (outcome.plan.steps, outcome.change, module_states(platform)) == ((), None, {})


def test_configure__last_key_of_an_object_removed__leaves_no_empty_object(platform: Platform) -> None:
    for city in ("Wien", None):
        services.configure(platform=platform, module="billing", config={"address": {"city": city}}, origin=origin())
    assert row_of(platform, "billing").config == {}
