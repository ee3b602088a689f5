"""The one way to change: what it writes, and that it writes nothing where it refuses."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from modules import gate, services
from modules.configs import InvalidConfig
from modules.mirror import mirror
from modules.models import Change, Module, PlatformModule, WriteRefused
from modules.plans import Obstacle, Setting, Wish
from modules.registry import registry
from modules.secrets import SecretUnreadable, decrypt
from platforms.access import Actor
from platforms.models import Platform, User
from tests.factories import ApiTokenFactory, PlatformFactory, UserFactory
from tests.modules.building import definition, enable, everything_written, origin

pytestmark = pytest.mark.django_db

History = PlatformModule.history.model
AT = datetime(2026, 3, 16, 9, tzinfo=UTC)


def row_of(platform: Platform, module: str) -> PlatformModule:
    return PlatformModule.objects.get(platform=platform, module=module)


def module_states(platform: Platform) -> dict[str, bool]:
    return dict(PlatformModule.objects.filter(platform=platform).values_list("module", "is_enabled"))


# --- What is written ------------------------------------------------------------------------------------------------


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


def test_change__several_calls__are_numbered_without_gaps_and_chained(platform: Platform) -> None:
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


def test_change__several_wishes__is_one_change(platform: Platform) -> None:
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


def test_change__passed_in_platform__has_the_new_revision_and_nothing_else_new(platform: Platform) -> None:
    platform.name = "Not saved"
    outcome = services.enable(platform=platform, module="cms", origin=origin())
    assert outcome.platform is platform
    assert platform.revision == 1
    assert Platform.objects.get().name == "Kestrel"


def test_change__stale_platform_in_memory__reads_under_the_lock(platform: Platform) -> None:
    stale = Platform.objects.get()
    enable(platform, "cms")
    outcome = services.enable(platform=stale, module="analytics", origin=origin())
    assert outcome.change is not None
    assert (outcome.change.number, stale.revision) == (2, 2)


# --- Nothing to do, and dry runs -------------------------------------------------------------------------------------


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
def test_change__nothing_to_do__writes_nothing(platform: Platform, wish: Wish) -> None:
    given = {"default_trial_days": 30, "api_key": "hunter22"}
    services.enable(platform=platform, module="billing", config=given, origin=origin())
    before = everything_written()
    outcome = services.apply(platform=platform, wishes=[wish], origin=origin())
    assert (outcome.change, outcome.plan.steps) == (None, ())
    assert everything_written() == before


def test_change__dry_run__writes_nothing_and_says_what_it_would(platform: Platform) -> None:
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


# --- Refusals write nothing -----------------------------------------------------------------------------------------

Refused = Callable[[Platform], Any]


def _refusing_precondition(platform: Platform, settings: Any) -> None:
    raise LookupError


REFUSALS: dict[str, tuple[type[Exception], Refused]] = {
    "required": (
        services.Blocked,
        lambda platform: services.disable(platform=platform, module="customers", origin=origin()),
    ),
    "core": (
        services.Blocked,
        lambda platform: services.disable(platform=platform, module="monitoring", origin=origin(), cascade=True),
    ),
    "not installed": (
        services.Blocked,
        lambda platform: services.enable(platform=platform, module="gone", origin=origin()),
    ),
    "one of several blocked": (
        services.Blocked,
        lambda platform: services.apply(
            platform=platform,
            wishes=[Wish(module="cms", is_enabled=True), Wish(module="monitoring", is_enabled=False)],
            origin=origin(),
        ),
    ),
    "blocked dry run": (
        services.Blocked,
        lambda platform: services.disable(platform=platform, module="customers", origin=origin(), dry_run=True),
    ),
    "config": (
        InvalidConfig,
        lambda platform: services.configure(
            platform=platform, module="billing", config={"default_trial_days": 366}, origin=origin()
        ),
    ),
    "config while enabling": (
        InvalidConfig,
        lambda platform: services.enable(platform=platform, module="cms", config={"nope": 1}, origin=origin()),
    ),
    "stale": (
        services.StalePlan,
        lambda platform: services.enable(platform=platform, module="cms", origin=origin(), digest="another"),
    ),
    "restricted": (
        PermissionDenied,
        lambda platform: services.enable(
            platform=platform, module="dev_tools", origin=origin(may_switch_restricted=False)
        ),
    ),
    "precondition": (
        LookupError,
        lambda platform: services.enable(
            platform=platform, module="cms", origin=origin(), precondition=_refusing_precondition
        ),
    ),
    "reason too long": (
        ValidationError,
        lambda platform: services.enable(platform=platform, module="cms", origin=origin(reason="x" * 501)),
    ),
    "unknown source": (
        ValidationError,
        lambda platform: services.enable(platform=platform, module="cms", origin=origin(source="rumour")),
    ),
    "platform gone": (
        Platform.DoesNotExist,
        lambda platform: services.enable(platform=Platform(pk=0), module="cms", origin=origin()),
    ),
    "one of many blocked": (
        services.Blocked,
        lambda platform: services.apply_many(
            wishes={
                PlatformFactory().pk: [Wish(module="cms", is_enabled=True)],
                platform.pk: [Wish(module="customers", is_enabled=False)],
            },
            origin=origin(),
        ),
    ),
    "one of many restricted": (
        PermissionDenied,
        lambda platform: services.apply_many(
            wishes={platform.pk: [Wish(module="cms", is_enabled=True), Wish(module="dev_tools", config={})]},
            origin=origin(may_switch_restricted=False),
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_change__refused__writes_nothing(platform: Platform, case: str) -> None:
    enable(platform, "billing")
    before = everything_written()
    error, refused = REFUSALS[case]
    with pytest.raises(error):
        refused(platform)
    after = everything_written()
    # Platforms that the case itself made have no revision yet.
    after["revisions"] = [(pk, revision) for pk, revision in after["revisions"] if pk == platform.pk or revision]
    assert after == before
    assert platform.revision == 1


def test_blocked__text_and_blockers__say_what_stands_in_the_way(platform: Platform) -> None:
    enable(platform, "subscriptions")
    with pytest.raises(services.Blocked) as refused:
        services.disable(platform=platform, module="customers", origin=origin())
    assert str(refused.value) == "Subscriptions is on and needs Customers. Billing is on and needs Customers."
    assert [(blocker.module, str(blocker.code), blocker.by) for blocker in refused.value.blockers] == [
        ("customers", "required_by", "subscriptions"),
        ("customers", "required_by", "billing"),
    ]


def test_change__plan_shown_and_then_overtaken__is_stale_and_shows_the_new_one(platform: Platform) -> None:
    wishes = [Wish(module="billing", is_enabled=True)]
    shown = services.preview(platform=platform, wishes=wishes)
    enable(platform, "customers")
    before = everything_written()
    with pytest.raises(services.StalePlan) as refused:
        services.apply(platform=platform, wishes=wishes, origin=origin(), digest=shown.digest)
    assert [step.module for step in refused.value.plan.steps] == ["billing"]
    assert everything_written() == before
    services.apply(platform=platform, wishes=wishes, origin=origin(), digest=refused.value.plan.digest)
    assert module_states(platform) == {"customers": True, "billing": True}


def test_change__plan_shown_and_something_else_changed__is_not_stale(platform: Platform) -> None:
    wishes = [Wish(module="billing", is_enabled=True)]
    shown = services.preview(platform=platform, wishes=wishes)
    enable(platform, "cms")
    assert services.apply(platform=platform, wishes=wishes, origin=origin(), digest=shown.digest).change is not None


def test_change__precondition__sees_the_locked_platform_and_its_settings(platform: Platform) -> None:
    stale = Platform.objects.get()
    services.enable(platform=platform, module="cms", config={"max_upload_mb": 9}, origin=origin())
    seen: list[Any] = []
    services.enable(
        platform=stale,
        module="analytics",
        origin=origin(),
        precondition=lambda locked, settings: seen.append((locked.revision, settings)),
    )
    assert seen == [(1, {"cms": Setting(is_enabled=True, config={"max_upload_mb": 9})})]


# --- Restricted modules ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wish",
    [
        Wish(module="dev_tools", is_enabled=True),
        Wish(module="dev_tools", is_enabled=False),
        Wish(module="dev_tools", config={"accept_days": 5}),
        Wish(module="dev_tools", config={"accept_days": "wrong"}),
        Wish(module="dev_tools", resets=True),
    ],
)
def test_change__restricted_module__is_for_superusers_only(platform: Platform, wish: Wish) -> None:
    before = everything_written()
    with pytest.raises(PermissionDenied) as refused:
        services.apply(platform=platform, wishes=[wish], origin=origin(may_switch_restricted=False))
    assert str(refused.value) == "Only superusers may switch or configure dev_tools."
    assert everything_written() == before


def test_change__restricted_module_that_would_come_along__is_for_superusers_only(platform: Platform) -> None:
    with registry.register_temporarily(definition("explorer", "dev_tools")):
        mirror(apps)
        with pytest.raises(PermissionDenied):
            services.enable(platform=platform, module="explorer", origin=origin(may_switch_restricted=False))
        assert module_states(platform) == {}
        services.enable(platform=platform, module="explorer", origin=origin())
        assert module_states(platform) == {"dev_tools": True, "explorer": True}


def test_origin_of_request__token__is_named_and_bound(rf: RequestFactory, ann: User) -> None:
    token = ApiTokenFactory(user=ann, name="nightly", scopes=["admin"])
    request = rf.get("/")
    request.user, request.auth = ann, token
    made = services.origin_of_request(request, Change.Source.API, "why")
    assert (made.actor_id, made.actor_label, made.source, made.reason) == (ann.pk, "ann (token nightly)", "api", "why")
    assert made.actor_token == token.pk
    assert made.may_switch_restricted is True


def test_origin_of_request__nobody__may_not_switch_what_is_restricted(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = AnonymousUser()
    assert services.origin_of_request(request, Change.Source.ADMIN).may_switch_restricted is False


def test_origin_of_system__with_and_without_a_user__is_readable(ann: User) -> None:
    plain = services.origin_of_system("manage.py enable_module", Change.Source.COMMAND)
    assert (plain.actor_id, plain.actor_label, plain.may_switch_restricted) == (None, "manage.py enable_module", True)
    of_ann = services.origin_of_system("manage.py enable_module", Change.Source.COMMAND, user=ann)
    assert (of_ann.actor_id, of_ann.actor_label) == (ann.pk, "ann (manage.py enable_module)")
    of_bob = services.origin_of_system("x", Change.Source.COMMAND, user=UserFactory())
    assert of_bob.may_switch_restricted is False


# --- Secrets --------------------------------------------------------------------------------------------------------

SECRET = "hunter22-§§"


@pytest.fixture
def sealed(platform: Platform) -> Platform:
    """A platform whose billing has a secret."""
    services.enable(platform=platform, module="billing", config={"api_key": SECRET}, origin=origin(at=AT))
    return platform


def test_secret__set__is_encrypted_at_rest_and_nowhere_else(sealed: Platform, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    row = row_of(sealed, "billing")
    assert row.config == {}
    assert row.secrets.keys() == {"api_key"}
    kept = row.secrets["api_key"]
    assert kept.keys() == {"token", "fingerprint", "changed_at"}
    assert datetime.fromisoformat(kept["changed_at"]) == AT
    assert decrypt(kept["token"]) == SECRET
    assert SECRET not in repr(everything_written()) + caplog.text + repr(gate.state_of(sealed))
    outcome = services.configure(platform=sealed, module="billing", config={"api_key": SECRET + "!"}, origin=origin())
    assert outcome.plan.steps[0].action == "configure"
    assert SECRET not in repr(outcome) + repr(everything_written()) + caplog.text


def test_secret__history__says_by_fingerprint_that_it_changed(sealed: Platform) -> None:
    services.configure(platform=sealed, module="billing", config={"api_key": "another one"}, origin=origin())
    services.configure(platform=sealed, module="billing", config={"api_key": None}, origin=origin())
    marks = [row.secret_fingerprints for row in History.objects.filter(module="billing").order_by("change_number")]
    assert [list(mark) for mark in marks] == [["api_key"], ["api_key"], []]
    assert marks[0] != marks[1]
    assert "secrets" not in {field.name for field in History._meta.get_fields()}


@pytest.mark.parametrize("kept_by", [{}, {"api_key": ""}, {"default_trial_days": 30}])
@pytest.mark.parametrize("replaces", [False, True])
def test_secret__blank_or_not_named__is_kept(sealed: Platform, kept_by: dict[str, Any], replaces: bool) -> None:
    before = row_of(sealed, "billing").secrets
    services.configure(platform=sealed, module="billing", config=kept_by, replaces=replaces, origin=origin())
    assert row_of(sealed, "billing").secrets == before


def test_secret__null__removes_it(sealed: Platform) -> None:
    services.configure(platform=sealed, module="billing", config={"api_key": None}, origin=origin())
    assert row_of(sealed, "billing").secrets == {}


def test_secret__reset__removes_it(sealed: Platform) -> None:
    services.reset(platform=sealed, module="billing", origin=origin())
    assert row_of(sealed, "billing").secrets == {}


def test_secret__module_switched_off_and_on__is_kept(sealed: Platform) -> None:
    before = row_of(sealed, "billing").secrets
    services.disable(platform=sealed, module="billing", origin=origin())
    services.enable(platform=sealed, module="billing", origin=origin())
    assert row_of(sealed, "billing").secrets == before


def test_secret__invalid__is_in_no_message(sealed: Platform) -> None:
    before = everything_written()
    with pytest.raises(InvalidConfig) as refused:
        services.configure(platform=sealed, module="billing", config={"api_key": "§§"}, origin=origin())
    assert [error.code for error in refused.value.errors] == ["too_short"]
    assert "§" not in str(refused.value) + repr(refused.value.errors)
    assert everything_written() == before


def test_secret__key_lost__is_unreadable_and_never_empty(sealed: Platform, settings: Settings) -> None:
    settings.MODULE_CONFIG_KEYS = [Fernet.generate_key().decode()]
    schema = registry["billing"].config
    with pytest.raises(SecretUnreadable):
        gate.config_of(sealed, schema)
    # What does not touch the secret still works, and leaves it as it is.
    before = row_of(sealed, "billing").secrets
    services.configure(platform=sealed, module="billing", config={"default_trial_days": 3}, origin=origin())
    assert row_of(sealed, "billing").secrets == before


def test_secret__no_key_configured__is_refused_and_nothing_is_written(platform: Platform, settings: Settings) -> None:
    settings.MODULE_CONFIG_KEYS = []
    before = everything_written()
    with pytest.raises(ImproperlyConfigured):
        services.enable(platform=platform, module="billing", config={"api_key": SECRET}, origin=origin())
    assert everything_written() == before


# --- Every other way is closed --------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[Platform], Any]] = {
    "update": lambda p: PlatformModule.objects.update(is_enabled=False),
    "update of a filter": lambda p: PlatformModule.objects.filter(module="cms").update(is_enabled=False),
    "update through the platform": lambda p: p.platform_modules.update(is_enabled=False),
    "delete": lambda p: PlatformModule.objects.all().delete(),
    "delete of the enabled": lambda p: PlatformModule.objects.enabled().delete(),
    "bulk_create": lambda p: PlatformModule.objects.bulk_create([PlatformModule(platform=p, module_id="billing")]),
    "bulk_update": lambda p: PlatformModule.objects.bulk_update(list(PlatformModule.objects.all()), ["is_enabled"]),
    "create": lambda p: PlatformModule.objects.create(platform=p, module_id="billing"),
    "create through the platform": lambda p: p.platform_modules.create(module_id="billing"),
    "get_or_create": lambda p: PlatformModule.objects.get_or_create(platform=p, module_id="billing"),
    "update_or_create": lambda p: PlatformModule.objects.update_or_create(
        platform=p, module_id="cms", defaults={"is_enabled": False}
    ),
    "save": lambda p: row_of(p, "cms").save(),
    "save of a field": lambda p: row_of(p, "cms").save(update_fields=["is_enabled"]),
    "delete of a row": lambda p: row_of(p, "cms").delete(),
    "modules.add": lambda p: p.modules.add("billing"),
    "modules.remove": lambda p: p.modules.remove("cms"),
    "modules.set": lambda p: p.modules.set([]),
    "modules.clear": lambda p: p.modules.clear(),
    "platforms.add": lambda p: Module.objects.get(pk="billing").platforms.add(p.pk),
    "platforms.clear": lambda p: Module.objects.get(pk="cms").platforms.clear(),
    "platform_modules.add": lambda p: PlatformFactory().platform_modules.add(row_of(p, "cms")),
    "platform_modules.set": lambda p: PlatformFactory().platform_modules.set([row_of(p, "cms")]),
}


@pytest.mark.parametrize("way", WRITES)
def test_platform_module__written_past_the_services__is_refused(platform: Platform, way: str) -> None:
    enable(platform, "cms")
    before = everything_written()
    with pytest.raises(WriteRefused, match=r"Call modules\.services"), transaction.atomic():
        WRITES[way](platform)
    after = everything_written()
    assert {name: after[name] for name in ("rows", "history", "changes")} == {
        name: before[name] for name in ("rows", "history", "changes")
    }


def test_platform_module__rows_and_their_module__are_read_as_ever(platform: Platform) -> None:
    enable(platform, "billing")
    services.disable(platform=platform, module="billing", origin=origin())
    assert set(platform.modules.values_list("code", flat=True)) == {"customers", "billing"}
    assert [row.module_id for row in platform.platform_modules.enabled()] == ["customers"]
    row = row_of(platform, "billing")
    assert repr(row) == f"<PlatformModule(platform_id={platform.pk}, module='billing', disabled)>"
    assert str(row) == f"billing on platform {platform.pk}: off"
    assert repr(row_of(platform, "customers")).endswith("module='customers', enabled)>")


def test_platform_module__same_module_twice__is_refused_by_the_database(platform: Platform) -> None:
    enable(platform, "cms")
    row = row_of(platform, "cms")
    row.pk = None
    with pytest.raises(IntegrityError, match=r"(?i)unique"), transaction.atomic():
        super(PlatformModule, row).save()


# --- What outlives what ---------------------------------------------------------------------------------------------


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


# --- Locks and queries ----------------------------------------------------------------------------------------------


def statements(captured: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))]


@pytest.mark.parametrize("many", [False, True])
def test_change__first_of_all__locks_the_platform_and_then_reads(platform: Platform, many: bool) -> None:
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


def test_change__whatever_the_number_of_modules__takes_as_many_queries(
    platform: Platform, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    codes = [f"m{number}" for number in range(40)]
    with registry.register_temporarily(
        *(definition(code, *([codes[0]] if code != codes[0] else [])) for code in codes)
    ):
        mirror(apps)
        # Savepoint, lock, rows, module rows, history, change, revision, release.
        with django_assert_num_queries(8):
            services.enable(platform=platform, module="cms", origin=origin())
        # And the change before.
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
def test_change_many__whatever_the_number_of_platforms__takes_as_many_queries(
    db: None, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    platforms = PlatformFactory.create_batch(count)
    with django_assert_num_queries(8):
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


def test_change_many__platforms_of_which_some_need_nothing__writes_for_the_others(platform: Platform) -> None:
    other = PlatformFactory()
    enable(platform, "cms")
    wish = [Wish(module="cms", is_enabled=True)]
    entries = services.apply_many(wishes={other.pk: wish, platform.pk: wish, 0: wish}, origin=origin())
    assert [(entry.platform.pk, entry.change and entry.change.number) for entry in entries] == [
        (platform.pk, None),
        (other.pk, 1),
    ]


@pytest.mark.django_db(transaction=True)
def test_apply__author_deleted_before_it_is_written__is_a_collision_and_writes_nothing(ann: User) -> None:
    platform = PlatformFactory()
    before = everything_written()

    def leaves(*_: Any) -> None:
        User.objects.filter(pk=ann.pk).delete()

    with pytest.raises(services.Collision):
        services.enable(platform=platform, module="cms", origin=origin(ann), precondition=leaves)

    assert everything_written() == before
    assert User.objects.filter(pk=ann.pk).exists()


@pytest.mark.parametrize(
    "delete", [lambda p: p.delete(), lambda p: Platform.objects.filter(pk=p.pk).delete()], ids=["row", "queryset"]
)
def test_platform__deleted_past_the_service__is_refused_while_it_has_modules(
    platform: Platform, delete: Callable[[Platform], Any]
) -> None:
    enable(platform, "cms")
    before = everything_written()
    with pytest.raises(WriteRefused, match="delete_platform"), transaction.atomic():
        delete(platform)
    assert everything_written() == before


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"nope": None}, ("nope",)),
        ({"address": {"nope": None}}, ("address", "nope")),
        ({"nope": None, "default_trial_days": 5}, ("nope",)),
    ],
)
def test_configure__null_for_an_unknown_key__is_refused(
    platform: Platform, config: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidConfig) as refused:
        services.configure(platform=platform, module="billing", config=config, origin=origin())
    assert [(error.path, error.code) for error in refused.value.errors] == [(path, "unknown_field")]
    assert module_states(platform) == {}


@pytest.mark.parametrize("config", [{"address": {}}, {"address": {"city": None}}])
def test_configure__object_in_which_nothing_is_set__changes_nothing(platform: Platform, config: Any) -> None:
    outcome = services.configure(platform=platform, module="billing", config=config, origin=origin())
    assert (outcome.plan.steps, outcome.change, module_states(platform)) == ((), None, {})


def test_configure__last_key_of_an_object_removed__leaves_no_empty_object(platform: Platform) -> None:
    for city in ("Wien", None):
        services.configure(platform=platform, module="billing", config={"address": {"city": city}}, origin=origin())
    assert row_of(platform, "billing").config == {}


def test_apply__precondition_refuses__before_the_config_is_judged(platform: Platform) -> None:
    def refuse(*_: Any) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        services.configure(platform=platform, module="cms", config={"nope": 1}, origin=origin(), precondition=refuse)
