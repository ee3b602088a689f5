"""Going back: a new change, through the same plan, to what one module or all of them said once."""

from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied

from modules import secrets, services, timeline
from modules.canonical import canonical_json
from modules.configs import InvalidConfig
from modules.definition import ModuleConfig
from modules.mirror import mirror
from modules.models import Change, Module
from modules.plans import RowState
from modules.registry import registry
from modules.services import Blocked, Outcome, StalePlan
from modules.timeline import Moment
from platforms.models import Platform, User
from tests.factories import PlatformFactory
from tests.fixtures.module_fixtures import Unchanged, installed
from tests.modules.building import definition, enable, module_states, origin, row_of

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 16, 9, tzinfo=UTC)
SECRET = "sk_live_first"


def configure(platform: Platform, module: str = "billing", **config: object) -> None:
    """Configure a module: one change."""
    services.configure(platform=platform, module=module, config=config, origin=origin())


def revert(platform: Platform, to: int, module: str | None = "billing", **options: object) -> Outcome:
    """Go back."""
    return services.revert(platform=platform, to=to, module=module, origin=origin(), **options)


def steps(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Return what was done."""
    return [(str(step.action), step.module, step.cause) for step in outcome.plan.steps]


def settings(platform: Platform, number: int) -> dict[str, RowState]:
    """Return what the rows said after a change."""
    return timeline.settings_at(platform, timeline.after_change(platform, number))


def obstacles(refused: pytest.ExceptionInfo[Blocked]) -> list[tuple[str, str, str | None]]:
    """Return what stood in the way."""
    return [(blocker.module, str(blocker.code), blocker.by) for blocker in refused.value.blockers]


# --- One module ------------------------------------------------------------------------------------------------------


def test_revert__state_and_config__as_after_that_change_as_a_new_one(platform: Platform, ann: User) -> None:
    enable(platform, "billing")
    configure(platform, default_trial_days=30, address={"city": "Kiel"})
    configure(platform, address={"city": "Bonn"}, stripe_mode="live")
    services.disable(platform=platform, module="billing", origin=origin())

    outcome = services.revert(platform=platform, to=2, module="billing", origin=origin(ann, reason="As in spring"))

    assert steps(outcome) == [("enable", "billing", "requested"), ("configure", "billing", "requested")]
    assert (platform.revision, outcome.change.number) == (5, 5)
    change = Change.objects.get(number=5)
    assert (change.actor_label, change.reason, change.undoes) == ("ann", "As in spring", 3)
    assert settings(platform, 5)["billing"] == settings(platform, 2)["billing"]
    assert row_of(platform, "billing").enabled_by == ann


def test_revert__the_newest_change__undoes_that_one(platform: Platform) -> None:
    configure(platform, default_trial_days=30)
    configure(platform, default_trial_days=31)
    enable(platform, "cms")

    assert revert(platform, to=1).change.undoes == 2
    assert row_of(platform, "billing").config == {"default_trial_days": 30}
    # And that can be undone like any other.
    assert revert(platform, to=3).change.undoes == 4
    assert row_of(platform, "billing").config == {"default_trial_days": 31}
    assert module_states(platform)["cms"]


def test_revert__before_it_was_touched__untouched_again(platform: Platform) -> None:
    enable(platform, "cms")
    services.enable(platform=platform, module="billing", config={"default_trial_days": 3}, origin=origin())

    assert steps(revert(platform, to=1)) == [("disable", "billing", "requested"), ("configure", "billing", "requested")]
    row = row_of(platform, "billing")
    assert (row.is_enabled, row.config) == (False, {})


def test_revert__is_so_already__nothing_is_written(platform: Platform, unchanged: Unchanged) -> None:
    configure(platform, default_trial_days=30)
    configure(platform, default_trial_days=31)
    configure(platform, default_trial_days=30)
    with unchanged():
        for number in (1, 3):
            outcome = revert(platform, to=number)
            assert (outcome.change, steps(outcome)) == (None, [])


def test_revert__what_it_needs__comes_along_with_its_cause(platform: Platform) -> None:
    enable(platform, "billing")
    services.disable(platform=platform, module="customers", cascade=True, origin=origin())

    assert steps(revert(platform, to=1)) == [
        ("enable", "customers", "required by billing"),
        ("enable", "billing", "requested"),
    ]


def test_revert__others_need_it__blocked_unless_they_go_along(platform: Platform, unchanged: Unchanged) -> None:
    enable(platform, "cms", "billing")
    with unchanged(), pytest.raises(Blocked) as refused:
        revert(platform, to=1, module="customers")
    assert obstacles(refused) == [("customers", "required_by", "billing")]

    assert steps(revert(platform, to=1, module="customers", cascade=True)) == [
        ("disable", "billing", "requires customers"),
        ("disable", "customers", "requested"),
    ]


def test_revert__config_that_fits_no_more__refused_with_paths(platform: Platform, unchanged: Unchanged) -> None:
    class Wide(ModuleConfig):
        days: int = 1

    class Narrow(ModuleConfig):
        weeks: int = 1

    with installed(definition("parcels", config=Wide)):
        configure(platform, "parcels", days=400)
        configure(platform, "parcels")
        configure(platform, "parcels", days=3)
    with installed(definition("parcels", config=Narrow)), unchanged():
        with pytest.raises(InvalidConfig) as refused:
            revert(platform, to=1, module="parcels")
        assert [(error.module, error.path, error.code) for error in refused.value.errors] == [
            ("parcels", ("days",), "unknown_field")
        ]
        # What is as it was then is in nobody's way, though it would not fit either.
        assert steps(revert(platform, to=2, module="parcels")) == []


def test_revert__module_that_is_gone__blocked(platform: Platform, unchanged: Unchanged) -> None:
    with registry.register_temporarily(definition("loyalty_cards")):
        mirror(apps)
        enable(platform, "loyalty_cards")
        services.disable(platform=platform, module="loyalty_cards", origin=origin())
    mirror(apps)
    with unchanged():
        with pytest.raises(Blocked) as refused:
            revert(platform, to=1, module="loyalty_cards")
        assert obstacles(refused) == [("loyalty_cards", "not_installed", None)]
        assert steps(revert(platform, to=2, module="loyalty_cards")) == []


@pytest.mark.parametrize("number", [0, 2, 10**18])
def test_revert__no_such_change__does_not_exist(platform: Platform, unchanged: Unchanged, number: int) -> None:
    enable(platform, "billing")
    enable(PlatformFactory(code="quarry"), "cms", "analytics")
    with unchanged(), pytest.raises(Change.DoesNotExist):
        revert(platform, to=number)


def test_revert__restricted_module__for_superusers(platform: Platform, unchanged: Unchanged) -> None:
    enable(platform, "cms", "dev_tools")
    ordinary = origin(may_switch_restricted=False)
    with unchanged():
        for module in ("dev_tools", None):
            with pytest.raises(PermissionDenied):
                services.revert(platform=platform, to=1, module=module, origin=ordinary)
    # One that stays as it is keeps nobody from going back with the others.
    enable(platform, "analytics")
    assert services.revert(platform=platform, to=2, origin=ordinary).change.undoes == 3


def test_revert__dry_run_and_digest__as_of_any_change(platform: Platform, unchanged: Unchanged) -> None:
    configure(platform, default_trial_days=30)
    configure(platform, default_trial_days=31)
    with unchanged():
        tried = revert(platform, to=1, dry_run=True)
        assert tried.plan == services.preview_revert(platform=platform, to=1, module="billing")
    configure(platform, default_trial_days=32)
    with unchanged(), pytest.raises(StalePlan):
        revert(platform, to=1, digest=tried.plan.digest)


# --- Secrets ---------------------------------------------------------------------------------------------------------


def test_revert__secret_of_then__kept(platform: Platform) -> None:
    configure(platform, api_key=SECRET, default_trial_days=3)
    configure(platform, default_trial_days=4)
    stored = row_of(platform, "billing").secrets

    revert(platform, to=1)

    row = row_of(platform, "billing")
    assert (row.config, row.secrets) == ({"default_trial_days": 3}, stored)
    assert secrets.decrypt(row.secrets["api_key"]["token"]) == SECRET


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (SECRET, "sk_live_other", "Billing had another secret api_key then: it was not kept"),
        (SECRET, None, "Billing had the secret api_key then and has none now: it was not kept"),
        (None, SECRET, "Billing has the secret api_key now and had none then: once removed"),
    ],
)
def test_revert__another_secret__blocked_by_name_or_kept_as_it_is(
    platform: Platform, unchanged: Unchanged, then: str | None, now: str | None, said: str
) -> None:
    configure(platform, default_trial_days=3, **{"api_key": then} if then else {})
    configure(platform, default_trial_days=4, api_key=now)
    stored = row_of(platform, "billing").secrets
    with unchanged(), pytest.raises(Blocked, match=said) as refused:
        revert(platform, to=1)
    assert obstacles(refused) == [("billing", "secret_changed", "api_key")]
    assert SECRET not in str(refused.value)

    outcome = revert(platform, to=1, keep_secrets=True)

    row = row_of(platform, "billing")
    assert steps(outcome) == [("configure", "billing", "requested")]
    assert (row.config, row.secrets) == ({"default_trial_days": 3}, stored)


def test_revert__only_a_secret_changed__blocked_and_nothing_to_do_without(
    platform: Platform, unchanged: Unchanged
) -> None:
    configure(platform, api_key=SECRET)
    configure(platform, api_key="sk_live_other")
    with unchanged():
        with pytest.raises(Blocked):
            revert(platform, to=1)
        assert revert(platform, to=1, keep_secrets=True).change is None


def test_revert__secret_by_now_that_stood_in_the_open__not_taken_from_there(platform: Platform) -> None:
    class Open(ModuleConfig):
        api_key: str = ""
        days: int = 1

    billing = registry["billing"].config
    with installed(definition("parcels", config=Open)):
        configure(platform, "parcels", api_key="plain as day", days=2)
    with installed(
        definition("parcels", config=type("Sealed", (billing,), {"__annotations__": {"days": int}, "days": 1}))
    ):
        configure(platform, "parcels", days=3, api_key=None)
        assert canonical_json(row_of(platform, "parcels").config) == '{"days":3}'
        revert(platform, to=1, module="parcels")
        row = row_of(platform, "parcels")
        assert (row.config, row.secrets) == ({"days": 2}, {})


# --- The whole platform ----------------------------------------------------------------------------------------------


def test_revert__platform__all_modules_in_one_change(platform: Platform) -> None:
    enable(platform, "subscriptions")
    configure(platform, default_trial_days=30)
    configure(platform, "messaging", max_attempts=3)
    services.disable(platform=platform, module="customers", cascade=True, origin=origin())
    enable(platform, "cms")
    configure(platform, default_trial_days=31)

    outcome = revert(platform, to=2, module=None)

    assert steps(outcome) == [
        ("disable", "cms", "requested"),
        ("enable", "customers", "requested"),
        ("enable", "billing", "requested"),
        ("enable", "subscriptions", "requested"),
        ("configure", "messaging", "requested"),
        ("configure", "billing", "requested"),
    ]
    assert (outcome.change.number, outcome.change.undoes) == (7, 3)
    then, now = settings(platform, 2), settings(platform, 7)
    assert {code: now[code] for code in then} == then
    assert now["cms"] == RowState()
    # There and back again.
    assert revert(platform, to=6, module=None).change.undoes == 7
    assert settings(platform, 8) == settings(platform, 6)


def test_revert__platform_in_a_tie__to_the_change_that_was_named(platform: Platform) -> None:
    for days in (1, 2, 3):
        services.configure(
            platform=platform, module="billing", config={"default_trial_days": days}, origin=origin(at=AT)
        )
    outcome = services.revert(platform=platform, to=2, origin=origin(at=AT))
    assert (row_of(platform, "billing").config, outcome.change.undoes) == ({"default_trial_days": 2}, 3)
    assert timeline.settings_at(platform, Moment(at=AT))["billing"].config == {"default_trial_days": 2}


def test_revert__platform_with_a_gone_module_that_is_as_it_was__goes_back(
    platform: Platform, gone_module: Module
) -> None:
    enable(platform, "cms")

    assert steps(revert(platform, to=1, module=None)) == [("disable", "cms", "requested")]
    assert module_states(platform) == {"gone": True, "cms": False}


def test_revert__platform__one_obstacle_and_nothing_moves(platform: Platform, unchanged: Unchanged) -> None:
    configure(platform, api_key=SECRET)
    enable(platform, "cms")
    configure(platform, api_key=None)
    with unchanged(), pytest.raises(Blocked) as refused:
        revert(platform, to=1, module=None)
    assert obstacles(refused) == [("billing", "secret_changed", "api_key")]
