"""What is written of a change can be proven: the hash, the chain, the dates."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules import audit, guards, services
from modules.canonical import canonical_json
from modules.definition import ModuleConfig
from modules.mirror import mirror
from modules.models import Change, PlatformModule
from modules.plans import Wish
from modules.registry import registry
from modules.tables import Tables
from platforms.access import Actor
from platforms.models import Platform, User
from tests.factories import PlatformFactory
from tests.modules.building import definition, enable, everything_written, origin

pytestmark = pytest.mark.django_db

History = PlatformModule.history.model
AT = datetime(2026, 3, 16, 9, tzinfo=UTC)


class AnyConfig(ModuleConfig):
    anything: Any = None
    rate: float = 1.0


@pytest.fixture
def free(platform: Platform) -> Any:
    """A module whose config takes whatever is JSON, on a platform."""
    with registry.register_temporarily(definition("free", config=AnyConfig)):
        mirror(apps)
        yield platform


def recomputed(change: Change) -> str:
    """Return the hash of what the database says now."""
    return audit.change_hash(
        Change.objects.get(pk=change.pk),
        History.objects.filter(platform_id=change.platform_id, change_number=change.number),
    )


def assert_audit_is_complete(platform_id: int) -> None:
    """Gapless, chained, every hash that of what is stored, and the newest history row says what the row says."""
    before = ""
    for number, change in enumerate(Change.objects.filter(platform_id=platform_id).order_by("number"), start=1):
        assert (change.number, change.previous_hash) == (number, before)
        assert change.hash == recomputed(change)
        before = change.hash
    for row in PlatformModule.objects.filter(platform_id=platform_id):
        newest = History.objects.filter(platform_id=platform_id, module_id=row.module_id).order_by("history_id").last()
        said = ("id", "is_enabled", "config", "config_version", "enabled_at", "disabled_at", "created_at", "updated_at")
        assert canonical_json([str(getattr(newest, name)) for name in said]) == canonical_json(
            [str(getattr(row, name)) for name in said]
        )
        assert newest.secret_fingerprints == {name: kept["fingerprint"] for name, kept in row.secrets.items()}


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    1.0,
    0.0,
    -0.0,
    1e2,
    1e16,
    1e22,
    1e23,
    1.5e300,
    1.7976931348623157e308,
    5e-324,
    1e-7,
    0.1,
    1 / 3,
    123456789.123456789,
    2**53 + 1,
    -(2**63),
    10**40,
    float(2**53),
    "",
    "Grüße ✓ 🦊",
    "e\u0301 and \u00e9",
    "\u200b\u202e\ufeff",
    "\u2028 \x7f \x01",
    "\\u0000 \\ \" '",
    [],
    {},
    [[], {}, [None]],
    {"b": 1, "a": {"d": [1.0, 2], "c": None}},
    {"": 1, "é": 2, "e\u0301": 3, "Ａ": 4, "a": 5, "aa": 6, "🦊": 7},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_change_hash__recomputed_from_the_database__is_the_stored_one(free: Platform, value: Any) -> None:
    config = {"anything": value} if value is not None else {}
    outcome = services.enable(platform=free, module="free", config=config, origin=origin(reason="Grüße"))
    assert outcome.change is not None
    assert outcome.change.hash == recomputed(outcome.change)
    again = services.configure(platform=free, module="free", config={"rate": 2.5}, origin=origin())
    assert again.change is not None
    assert_audit_is_complete(free.pk)
    # What the database made of a number is no reason for another change.
    assert services.configure(platform=free, module="free", config=config, origin=origin()).change is None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=4), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(json_values, min_size=1, max_size=3))
def test_change_hash__any_json__is_the_same_after_the_database(free: Platform, values: list[Any]) -> None:
    with transaction.atomic():
        for value in values:
            services.configure(platform=free, module="free", config={"anything": [value]}, origin=origin())
            assert_audit_is_complete(free.pk)
        transaction.set_rollback(True)
    free.revision = 0


def test_canonical_json__equal_numbers__are_written_alike() -> None:
    assert (
        canonical_json([1.0, 1e16, -0.0, 1e23, True, 0.5])
        == "[1,10000000000000000,0,100000000000000000000000,true,0.5]"
    )
    assert canonical_json({"b": (1,), "a": "ä"}) == '{"a":"ä","b":[1]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_change_hash__time_zone_of_a_date__does_not_matter(platform: Platform) -> None:
    at = datetime(2026, 3, 16, 23, 30, 15, 123456, tzinfo=timezone(timedelta(hours=-9, minutes=-30)))
    enable(platform, "cms", at=at)
    change = Change.objects.get()
    assert change.at == at
    assert change.hash == recomputed(change)


@pytest.mark.parametrize(
    ("model", "altered"),
    [
        (Change, {"at": AT + timedelta(microseconds=1)}),
        (Change, {"actor_id": 4711}),
        (Change, {"actor_label": "bob"}),
        (Change, {"source": "api"}),
        (Change, {"reason": "other"}),
        (Change, {"request_id": "r-2"}),
        (Change, {"platform_code": "other"}),
        (Change, {"undoes": 1}),
        (Change, {"steps": []}),
        (Change, {"previous_hash": "0" * 64}),
        (History, {"is_enabled": False}),
        (History, {"config": {"default_trial_days": 15}}),
        (History, {"config_version": 2}),
        (History, {"secret_fingerprints": {"api_key": "aa"}}),
        (History, {"history_date": AT + timedelta(microseconds=1)}),
        (History, {"history_user_id": 4711}),
        (History, {"history_type": "~"}),
        (History, {"enabled_by_id": 4711}),
        (History, {"enabled_at": None}),
        (History, {"module_id": "cms"}),
        (History, {"change_number": 2}),
    ],
    ids=str,
)
def test_change_hash__anything_altered_afterwards__is_another(
    platform: Platform, ann: User, model: Any, altered: dict[str, Any]
) -> None:
    given = {"default_trial_days": 14, "api_key": "hunter22"}
    services.enable(platform=platform, module="billing", config=given, origin=origin(ann, at=AT))
    change = Change.objects.get()
    rows = model.objects.all() if model is Change else model.objects.filter(module="billing")
    assert change.hash == recomputed(change)
    with guards.lifted():
        rows.update(**altered)
    assert change.hash != recomputed(change)


def test_change_hash__history_row_gone__is_another(platform: Platform) -> None:
    enable(platform, "billing")
    with guards.lifted():
        History.objects.filter(module="customers").delete()
    change = Change.objects.get()
    assert change.hash != recomputed(change)


def test_audit__long_story__is_complete(platform: Platform, ann: User) -> None:
    steps: list[Any] = [
        {"module": "subscriptions", "is_enabled": True},
        {"module": "billing", "config": {"api_key": "hunter22", "address": {"city": "Kiel"}}},
        {"module": "billing", "config": {"api_key": None, "default_trial_days": 0}},
        {"module": "monitoring", "config": {"alert_emails": ["a@example.com"]}},
        {"module": "customers", "is_enabled": False},
        {"module": "billing", "resets": True},
        {"module": "billing", "is_enabled": True, "config": {"address": {"street": "Am Kai"}}},
    ]
    for step in steps:
        services.apply(platform=platform, wishes=[Wish(**step)], origin=origin(ann), cascade=True)
    assert Change.objects.count() == len(steps)
    assert_audit_is_complete(platform.pk)
    number = platform.pk
    with transaction.atomic():
        services.record_platform_deletion(platform, Actor(user=ann), Change.Source.ADMIN)
        Platform.objects.get(pk=number).delete()
    ann.delete()
    assert Change.objects.count() == len(steps) + 1
    assert_audit_is_complete(number)


def test_apply__earlier_than_the_one_before__is_dated_as_that_one(platform: Platform) -> None:
    enable(platform, "cms", at=AT)
    services.configure(
        platform=platform,
        module="cms",
        config={"max_upload_mb": 9},
        origin=origin(at=AT - timedelta(days=1)),
    )
    services.disable(platform=platform, module="cms", origin=origin(at=AT - timedelta(days=2)))
    assert list(Change.objects.order_by("number").values_list("at", flat=True)) == [AT, AT, AT]
    assert set(History.objects.values_list("history_date", flat=True)) == {AT}
    row = PlatformModule.objects.get()
    assert (row.updated_at, row.disabled_at) == (AT, AT)
    other = PlatformFactory()
    enable(other, "cms", at=AT - timedelta(days=1))
    assert Change.objects.get(platform=other).at == AT - timedelta(days=1)


def test_apply_many__platforms_of_different_pasts__follow_each_its_own(platform: Platform) -> None:
    other = PlatformFactory()
    enable(platform, "cms", at=AT)
    enable(other, "cms", "analytics", at=AT + timedelta(days=1))
    services.apply_many(
        wishes={one.pk: [Wish(module="messaging", is_enabled=True)] for one in (platform, other)},
        origin=origin(at=AT + timedelta(hours=1)),
    )
    for one, number, at in ((platform, 2, AT + timedelta(hours=1)), (other, 3, AT + timedelta(days=1))):
        change = Change.objects.get(platform=one, number=number)
        assert change.at == at
        assert_audit_is_complete(one.pk)


def test_apply_many__more_rows_than_a_batch__are_all_written(db: None) -> None:
    platforms = PlatformFactory.create_batch(120)
    config = {"default_trial_days": 3, "api_key": "hunter22"}
    for wanted in (True, False):
        services.apply_many(
            wishes={one.pk: [Wish(module="billing", is_enabled=wanted, config=config)] for one in platforms},
            origin=origin(),
        )
    assert PlatformModule.objects.count() == 240
    assert PlatformModule.objects.filter(is_enabled=False, config={"default_trial_days": 3}).count() == 120
    assert History.objects.count() == 360
    for one in platforms[::40]:
        assert_audit_is_complete(one.pk)


class _PowerCut(Exception):
    pass


@pytest.mark.parametrize(
    "table", ["platform_modules", "platform_modules_history", "modules_change", "platforms_platform"]
)
@pytest.mark.parametrize("many", [False, True])
def test_apply__fails_at_any_table__leaves_nothing_written(platform: Platform, table: str, many: bool) -> None:
    enable(platform, "cms")
    wishes = [Wish(module="billing", is_enabled=True)]
    both = {PlatformFactory().pk: wishes, platform.pk: wishes}
    before = everything_written()

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith((f'INSERT INTO "{table}"', f'UPDATE "{table}"')):
            raise _PowerCut
        return execute(sql, params, many, context)

    def change() -> None:
        with connection.execute_wrapper(fail):
            if many:
                services.apply_many(wishes=both, origin=origin())
            else:
                services.apply(platform=platform, wishes=wishes, origin=origin())

    with pytest.raises(_PowerCut):
        change()
    assert everything_written() == before
    assert platform.revision == 1
    enable(platform, "billing")
    assert Change.objects.filter(platform=platform).count() == 2
    assert_audit_is_complete(platform.pk)


def test_rows_of__many_platforms__is_one_query(platform: Platform) -> None:
    other = PlatformFactory()
    enable(platform, "billing")
    with CaptureQueriesContext(connection) as captured:
        rows = Tables.of(apps).rows_of([platform.pk, other.pk])
    assert len(captured) == 1
    assert {number: set(own) for number, own in rows.items()} == {
        platform.pk: {"customers", "billing"},
        other.pk: set(),
    }


def test_hash__covers_every_column__of_changes_and_of_history() -> None:
    newest = audit.CONTENT_VERSION
    said = {column.attname for column in Change._meta.concrete_fields}
    assert said - set(audit.CHANGE_FIELDS[newest]) == {"id", "hash"}
    said = {column.attname for column in History._meta.concrete_fields}
    assert said - set(audit.HISTORY_FIELDS[newest]) == {"history_id"}


def test_configure__who_switched_it_on_was_deleted_meanwhile__does_not_bring_them_back(
    platform: Platform, ann: User
) -> None:
    enable(platform, "cms", actor_id=ann.pk, actor_label="ann")

    def leaves(*_: Any) -> None:
        User.objects.filter(pk=ann.pk).delete()

    services.configure(
        platform=platform, module="cms", config={"keep_revisions": 9}, origin=origin(), precondition=leaves
    )

    row = PlatformModule.objects.get(platform=platform, module="cms")
    assert (row.config, row.enabled_by_id) == ({"keep_revisions": 9}, None)
