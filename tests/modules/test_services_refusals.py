"""What the services refuse, and that nothing is written then."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import RequestFactory

from modules import services
from modules.configs import InvalidConfig
from modules.mirror import mirror
from modules.models import Change, PlatformModule
from modules.plans import RowState, Wish
from modules.registry import registry
from platforms.models import Platform, User
from tests.factories import ApiTokenFactory, PlatformFactory, UserFactory
from tests.modules.building import definition, enable, everything_written, module_states, origin

pytestmark = pytest.mark.django_db

History = PlatformModule.history.model
AT = datetime(2026, 3, 16, 9, tzinfo=UTC)


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
def test_apply__refused__writes_nothing(platform: Platform, case: str) -> None:
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


def test_apply__plan_shown_and_then_overtaken__is_stale_and_shows_the_new_one(platform: Platform) -> None:
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


def test_apply__plan_shown_and_something_else_changed__is_not_stale(platform: Platform) -> None:
    wishes = [Wish(module="billing", is_enabled=True)]
    shown = services.preview(platform=platform, wishes=wishes)
    enable(platform, "cms")
    assert services.apply(platform=platform, wishes=wishes, origin=origin(), digest=shown.digest).change is not None


def test_apply__precondition__sees_the_locked_platform_and_its_settings(platform: Platform) -> None:
    stale = Platform.objects.get()
    services.enable(platform=platform, module="cms", config={"max_upload_mb": 9}, origin=origin())
    seen: list[Any] = []
    services.enable(
        platform=stale,
        module="analytics",
        origin=origin(),
        precondition=lambda locked, settings: seen.append((locked.revision, settings)),
    )
    assert seen == [(1, {"cms": RowState(is_enabled=True, config={"max_upload_mb": 9})})]


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
def test_apply__restricted_module__is_for_superusers_only(platform: Platform, wish: Wish) -> None:
    before = everything_written()
    with pytest.raises(PermissionDenied) as refused:
        services.apply(platform=platform, wishes=[wish], origin=origin(may_switch_restricted=False))
    assert str(refused.value) == "Only superusers may switch or configure dev_tools."
    assert everything_written() == before


def test_apply__restricted_module_that_would_come_along__is_for_superusers_only(platform: Platform) -> None:
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


@pytest.mark.django_db(transaction=True)
def test_apply__author_deleted_before_it_is_written__is_a_collision_and_writes_nothing(ann: User) -> None:
    platform = PlatformFactory()
    before = everything_written()

    def leaves(*_: Any) -> None:
        User.objects.filter(pk=ann.pk).delete()

    with pytest.raises(services.Collision, match="a user who was deleted meanwhile"):
        services.enable(platform=platform, module="cms", origin=origin(ann), precondition=leaves)

    assert everything_written() == before
    assert User.objects.filter(pk=ann.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_apply__row_was_written_past_the_services__says_what_the_database_refuses(platform: Platform) -> None:
    before = everything_written()

    def writes(*_: Any) -> None:
        PlatformModule(platform=platform, module_id="cms").save_base(raw=True, force_insert=True)

    with pytest.raises(services.Collision, match=r"refuses this change: .*platform.module"):
        services.enable(platform=platform, module="cms", origin=origin(), precondition=writes)

    assert everything_written() == before


if connection.vendor == "postgresql":

    @pytest.mark.django_db(transaction=True)
    def test_apply__another_row_was_written_past_the_services__says_what_the_guard_says(platform: Platform) -> None:
        enable(platform, "messaging")
        before = everything_written()

        def writes(*_: Any) -> None:
            connection.cursor().execute("UPDATE platform_modules SET is_enabled = false")

        with pytest.raises(services.Collision, match=r"newest history row of module messaging .* Call "):
            services.enable(platform=platform, module="cms", origin=origin(), precondition=writes)

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


def test_apply__precondition_refuses__before_the_config_is_judged(platform: Platform) -> None:
    def refuse(*_: Any) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        services.configure(platform=platform, module="cms", config={"nope": 1}, origin=origin(), precondition=refuse)
