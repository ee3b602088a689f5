"""How a platform stood at a moment: the newest version of each module by then, whatever lies above and below it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from modules import selectors, services, timeline
from modules.mirror import mirror
from modules.models import Change, Module, PlatformModule
from modules.plans import RowState
from modules.registry import registry
from modules.timeline import Moment
from platforms.access import Actor
from platforms.models import Platform, User
from platforms.services import delete_platform
from tests.factories import PlatformFactory
from tests.modules.building import definition, enable, origin

pytestmark = pytest.mark.django_db

History = PlatformModule.history.model
AT = datetime(2026, 3, 16, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = "sk_live_first"


def states(platform: Platform, at: datetime, change: int | None = None) -> dict[str, selectors.ModuleStateRow]:
    """Return how each module stood."""
    return {row.module: row for row in timeline.states_at(platform, Moment(at=at, change=change))}


def on(platform: Platform, at: datetime, change: int | None = None) -> set[str]:
    """Return what was on besides the core modules."""
    return {row.module for row in states(platform, at, change).values() if row.is_enabled and not row.is_core}


def test_states__between_changes__as_the_newest_before_left_them(platform: Platform, ann: User) -> None:
    enable(platform, "billing", user=ann, at=AT)
    services.configure(
        platform=platform, module="billing", config={"default_trial_days": 30}, origin=origin(ann, at=AT + HOUR)
    )
    services.disable(platform=platform, module="billing", origin=origin(at=AT + 2 * HOUR))

    first = states(platform, AT + HOUR - timedelta(microseconds=1))["billing"]
    second = states(platform, AT + HOUR)["billing"]
    third = states(platform, AT + 3 * HOUR)["billing"]

    assert (first.is_enabled, first.config, first.revision) == (True, {}, 1)
    assert (first.enabled_at, first.enabled_by, first.disabled_at) == (AT, "ann", None)
    assert (second.is_enabled, second.config, second.revision) == (True, {"default_trial_days": 30}, 2)
    assert second.effective_config["default_trial_days"] == 30
    assert (third.is_enabled, third.config, third.revision) == (False, {"default_trial_days": 30}, 3)
    assert (third.disabled_at, third.disabled_by) == (AT + 2 * HOUR, None)


def test_states__before_the_first_change__untouched(platform: Platform) -> None:
    enable(platform, "billing", at=AT)
    untouched = selectors.states_of(PlatformFactory(code="quarry"))

    for at in (datetime.min.replace(tzinfo=UTC), AT - timedelta(microseconds=1)):
        before = timeline.states_at(platform, Moment(at=at))
        assert [(row.module, row.is_enabled, row.config, row.revision) for row in before] == [
            (row.module, row.is_enabled, {}, 0) for row in untouched
        ]


def test_states__now__are_those_of_now(platform: Platform, ann: User, gone_module: Module) -> None:
    enable(platform, "subscriptions", user=ann)
    config = {"api_key": SECRET, "address": {"city": "Kiel"}}
    services.configure(platform=platform, module="billing", config=config, origin=origin(ann))
    services.configure(platform=platform, module="monitoring", config={}, origin=origin(ann))
    services.disable(platform=platform, module="subscriptions", origin=origin(ann))
    services.enable(platform=platform, module="dev_tools", origin=origin())
    newest = Change.objects.latest("number")

    assert timeline.states_at(platform, Moment(at=newest.at)) == selectors.states_of(platform)
    assert timeline.states_at(platform, timeline.after_change(platform, newest.number)) == selectors.states_of(platform)
    for row in selectors.states_of(platform):
        assert timeline.state_at(platform, row.module, Moment(at=newest.at)) == row


def test_states__dates_that_tie__newest_version_once_and_each_change_apart(platform: Platform) -> None:
    for days in (1, 2, 3):
        services.configure(
            platform=platform, module="billing", config={"default_trial_days": days}, origin=origin(at=AT)
        )
    assert History.objects.filter(history_date=AT).count() == 3

    at_once = timeline.states_at(platform, Moment(at=AT))

    assert len(at_once) == len({row.module for row in at_once}) == len(registry)
    assert states(platform, AT)["billing"].config == {"default_trial_days": 3}
    assert states(platform, AT)["billing"].revision == 3
    for number in (1, 2, 3):
        moment = timeline.after_change(platform, number)
        row = timeline.state_at(platform, "billing", moment)
        assert (moment.at, row.config, row.revision) == (AT, {"default_trial_days": number}, number)
    assert states(platform, AT, change=0)["billing"].config == {}


def test_states__other_platforms__never_seen(platform: Platform) -> None:
    other = PlatformFactory(code="quarry")
    enable(other, "cms", at=AT)
    enable(platform, "analytics", at=AT + HOUR)

    assert on(platform, AT + HOUR) == {"analytics"}
    assert on(other, AT + HOUR) == {"cms"}


def test_states__module_that_is_gone__kept_and_off_as_everywhere(platform: Platform) -> None:
    with registry.register_temporarily(definition("loyalty_cards", name="Loyalty cards")):
        mirror(apps)
        enable(platform, "loyalty_cards", at=AT)
        assert on(platform, AT) == {"loyalty_cards"}
    mirror(apps)

    row = states(platform, AT)["loyalty_cards"]

    assert (row.name, row.is_installed, row.is_enabled, row.enabled_at) == ("Loyalty cards", False, False, AT)
    assert "loyalty_cards" not in states(platform, AT - HOUR)
    before = timeline.state_at(platform, "loyalty_cards", Moment(at=AT - HOUR))
    assert (before.is_installed, before.enabled_at) == (False, None)
    with pytest.raises(Module.DoesNotExist):
        timeline.state_at(platform, "nothing", Moment(at=AT))


def test_states__core_module__on_whether_touched_or_not(platform: Platform) -> None:
    with registry.register_temporarily(definition("ledger", is_core=True, config=registry["billing"].config)):
        mirror(apps)
        config = {"default_trial_days": 3}
        services.configure(platform=platform, module="ledger", config=config, origin=origin(at=AT))
        assert [states(platform, at)["ledger"].is_enabled for at in (AT - HOUR, AT)] == [True, True]
        assert [states(platform, at)["ledger"].config for at in (AT - HOUR, AT)] == [{}, config]


def test_states__deleted_rows__say_nothing(platform: Platform, ann: User) -> None:
    enable(platform, "cms", at=AT)
    key = platform.pk
    delete_platform(platform=platform, actor=Actor(ann), source="admin")
    deleted = Change.objects.get(platform=key, number=2).at

    gone = Platform(pk=key, code="kestrel")

    assert on(gone, AT) == {"cms"}
    assert on(gone, deleted) == set()


def test_states__who_switched_was_deleted__is_nobody(platform: Platform, ann: User) -> None:
    enable(platform, "cms", user=ann, at=AT)
    ann.delete()

    row = states(platform, AT)["cms"]

    assert (row.enabled_at, row.enabled_by) == (AT, None)


# --- Secrets ---------------------------------------------------------------------------------------------------------


def test_secrets__then__by_fingerprint_and_since_when_as_far_as_known(platform: Platform) -> None:
    for hours, secret in enumerate((SECRET, "sk_live_other", None)):
        services.configure(
            platform=platform, module="billing", config={"api_key": secret}, origin=origin(at=AT + hours * HOUR)
        )
        now = selectors.state_of(platform, "billing").secrets["api_key"]
        if secret is not None:
            assert states(platform, AT + hours * HOUR)["billing"].secrets["api_key"] == now
            assert now.changed_at == AT + hours * HOUR

    marks = [states(platform, AT + hours * HOUR)["billing"].secrets["api_key"] for hours in range(3)]

    assert [mark.is_set for mark in marks] == [True, True, False]
    assert marks[0].fingerprint != marks[1].fingerprint
    # What was stored is not any more, and history does not say since when it was.
    assert [mark.changed_at for mark in marks] == [None, None, None]
    assert SECRET not in repr(marks)


def test_secrets__same_again_after_another__not_taken_for_the_first(platform: Platform) -> None:
    for hours, secret in enumerate((SECRET, "sk_live_other", SECRET)):
        services.configure(
            platform=platform, module="billing", config={"api_key": secret}, origin=origin(at=AT + hours * HOUR)
        )

    first, _, third = (states(platform, AT + hours * HOUR)["billing"].secrets["api_key"] for hours in range(3))

    assert first.fingerprint == third.fingerprint
    assert (first.changed_at, third.changed_at) == (None, AT + 2 * HOUR)


# --- Moments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-16T09:00:00Z", AT),
        ("2026-03-16T10:00+01:00", AT),
        ("2026-03-16T09:00", AT),
        ("2026-03-16", AT - 9 * HOUR),
        ("0001-01-01T00:00:00Z", datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_moment__iso_8601__is_a_time_in_utc(text: str, at: datetime) -> None:
    assert timeline.moment_of(text) == Moment(at=at)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01T00:00Z", "2026-03-16T09:00 01:00", "0001-01-01T00:00+14:00", "9" * 5000, "\0", "٣"],
)
def test_moment__nothing_like_a_time__refused(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        timeline.moment_of(text)
    assert refused.value.code == "invalid"


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "2062-03-16T09:00:00Z"])
def test_moment__yet_to_come__refused(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        timeline.moment_of(text)
    assert refused.value.code == "in_the_future"


def test_moment__a_clock_somewhat_ahead__taken() -> None:
    ahead = datetime.now(UTC) + timeline.CLOCK_SKEW / 2
    assert timeline.moment_of(ahead.isoformat()) == Moment(at=ahead)


def test_moment__change_of_another_platform__does_not_exist(platform: Platform) -> None:
    enable(PlatformFactory(code="quarry"), "cms")
    with pytest.raises(Change.DoesNotExist):
        timeline.after_change(platform, 1)


# --- Differences -----------------------------------------------------------------------------------------------------


def compared(old: timeline.Standing, new: timeline.Standing) -> list[tuple[str, str, object, object]]:
    """Return what differs, one line a key."""
    return [
        (module.module, item.key, item.old, item.new)
        for module in timeline.compare(old, new)
        for item in module.differences
    ]


def test_compare__two_moments__each_key_that_differs(platform: Platform) -> None:
    enable(platform, "subscriptions", at=AT)
    config = {"default_trial_days": 30, "address": {"city": "Kiel"}, "api_key": SECRET}
    services.configure(platform=platform, module="billing", config=config, origin=origin(at=AT + HOUR))
    services.disable(platform=platform, module="subscriptions", origin=origin(at=AT + 2 * HOUR))
    then = timeline.standing(platform, Moment(at=AT))
    now = timeline.standing(platform, None)
    mark = selectors.state_of(platform, "billing").secrets["api_key"].fingerprint

    assert compared(then, now) == [
        ("billing", "config.address.city", None, "Kiel"),
        ("billing", "config.default_trial_days", None, 30),
        ("billing", "secrets.api_key", None, mark),
        ("subscriptions", "is_enabled", True, False),
    ]
    assert [(item[0], item[3], item[2]) for item in compared(then, now)] == [
        (item[0], item[2], item[3]) for item in compared(now, then)
    ]
    assert compared(now, now) == []


def test_compare__two_platforms__also_what_only_one_has_left(platform: Platform, gone_module: Module) -> None:
    other = PlatformFactory(code="quarry")
    config = {"default_trial_days": 3}
    for one in (platform, other):
        services.enable(platform=one, module="billing", config=config, origin=origin(at=AT))
    services.enable(platform=other, module="cms", origin=origin(at=AT))

    assert compared(timeline.standing(platform, None), timeline.standing(other, None)) == [
        ("cms", "is_enabled", False, True)
    ]


# --- What it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("versions", [1, 20])
def test_cost__however_long_the_history__one_query_and_one_for_secrets(
    platform: Platform, versions: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(versions):
        services.configure(
            platform=platform, module="billing", config={"default_trial_days": number + 1}, origin=origin()
        )
    moment = Moment(at=Change.objects.latest("number").at)
    with django_assert_num_queries(1):
        timeline.states_at(platform, moment)
    with django_assert_num_queries(1):
        assert timeline.settings_at(platform, moment)["billing"] == RowState(
            is_enabled=False, config={"default_trial_days": versions}
        )
    services.configure(platform=platform, module="billing", config={"api_key": SECRET}, origin=origin())
    moment = Moment(at=Change.objects.latest("number").at)
    with django_assert_num_queries(2):
        timeline.states_at(platform, moment)


def lengthen(platform: Platform, versions: int) -> None:
    """Give each module of a platform that many versions, a second apart, past the services, which would take minutes.

    The last one is the newest of the platform's changes.
    """
    rows = [
        History(
            id=number,
            platform_id=platform.pk,
            module_id=row.code,
            is_enabled=turn % 2 == 0,
            config={"turn": turn},
            change_number=turn + 1,
            history_date=AT + timedelta(seconds=turn),
            history_type="~" if turn else "+",
        )
        for turn in range(versions)
        for number, row in enumerate(registry)
    ]
    History.objects.bulk_create(rows, batch_size=500)


@pytest.mark.parametrize("turn", [0, 500, 999])
def test_plan__long_history__one_version_per_module_by_the_index(platform: Platform, turn: int) -> None:
    lengthen(platform, 1_000)
    lengthen(PlatformFactory(code="quarry"), 200)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as captured:
        rows = timeline.states_at(platform, Moment(at=AT + timedelta(seconds=turn)))
    assert [(row.config, row.revision) for row in rows] == [({"turn": turn}, turn + 1)] * len(registry)
    [query] = captured.captured_queries

    if connection.vendor == "sqlite":
        found = [step for step in steps_on_sqlite(query["sql"]) if "newest" in step or "history" in step]
        assert found == [
            "SEARCH newest USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH platform_modules_history USING INDEX idx_platform_module_history"
            " (platform_id=? AND module_code=? AND history_date<?)",
        ]
        return
    plan = plan_on_postgresql(query["sql"])
    found = [node for node in nodes_of(plan) if node.get("Relation Name") == "platform_modules_history"]
    assert [(node["Node Type"], node["Index Name"]) for node in found] == [
        ("Index Scan", "idx_platform_module_history")
    ]
    assert found[0]["Actual Rows"] * found[0]["Actual Loops"] == len(registry)
    assert found[0].get("Rows Removed by Filter", 0) == 0
    # A handful of pages per module, of the hundreds that the table has.
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 8 * len(registry)


def steps_on_sqlite(sql: str) -> list[str]:
    """Return the steps that SQLite would take."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [step for *_, step in cursor.fetchall()]


def plan_on_postgresql(sql: str) -> dict[str, Any]:
    """Return what PostgreSQL did."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}")
        [answer] = cursor.fetchone()
    [explained] = json.loads(answer) if isinstance(answer, str) else answer
    return explained["Plan"]


def nodes_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the nodes of a plan of PostgreSQL's, the topmost first."""
    return [plan, *(node for inner in plan.get("Plans", []) for node in nodes_of(inner))]
