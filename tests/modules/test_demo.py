from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from billing.models import Invoice, Plan
from django.core.management import CommandError, call_command

from modules import gate, legacy, services
from modules.models import Change, PlatformModule
from modules.registry import registry
from platforms.access import Actor, Right, may
from platforms.models import Membership, Platform, User, Vendor
from tests.access.world import everything
from tests.modules.building import origin

pytestmark = pytest.mark.django_db

PASSWORD = "harbour-and-vale"


@pytest.fixture
def demo() -> Callable[..., str]:
    """Load the demo and return what it prints."""

    def load(**options: Any) -> str:
        out = StringIO()
        call_command("demo", stdout=out, **options)
        return out.getvalue()

    return load


def on(code: str) -> frozenset[str]:
    return gate.state_of(Platform.objects.get(code=code)).enabled


def test_demo__platforms__are_those_of_the_story(demo: Callable[..., str]) -> None:
    demo()
    assert list(Platform.objects.order_by("pk").values_list("code", "name", "kind", "currency", "locales")) == [
        ("kestrel", "Kestrel Rewards", "loyalty", "EUR", ["en", "de", "fr"]),
        ("tidewater", "Tidewater Market", "marketplace", "EUR", ["en", "fr"]),
        ("quarry", "Quarry Trade", "b2b", "GBP", ["en"]),
        ("larkspur", "Larkspur Club", "loyalty", "CHF", ["de", "en"]),
    ]
    assert set(Vendor.objects.filter(platform__code="kestrel").values_list("name", flat=True)) == {
        "Brindle Coffee",
        "Fernhill Books",
        "Oak & Anvil",
    }
    assert (Vendor.objects.count(), Vendor.objects.filter(code="brindle-coffee").count()) == (9, 2)


def test_demo__modules__are_on_as_the_story_says(demo: Callable[..., str]) -> None:
    demo()
    assert on("kestrel") == {"customers", "cms", "analytics", "messaging", "monitoring"}
    assert on("tidewater") == {definition.code for definition in registry}
    assert on("quarry") == {"customers", "messaging", "monitoring"}
    assert on("larkspur") == {"monitoring"}


def test_demo__history__has_a_beginning_reasons_and_several_sources(demo: Callable[..., str]) -> None:
    demo()
    changes = Change.objects.filter(platform_code="kestrel").order_by("number")
    assert [change.number for change in changes] == list(range(1, len(changes) + 1))
    assert changes[0].at.isoformat() == "2026-03-16T09:00:00+00:00"
    assert sorted(change.at for change in changes) == [change.at for change in changes]
    assert {change.source for change in changes} == {"admin", "api", "command"}
    assert {change.actor_label for change in changes} == {
        "admin",
        "ann",
        "ann (token set-up script)",
        "admin (manage.py disable_module)",
    }
    first = Change.objects.get(platform_code="tidewater", number=1)
    assert {"module": "customers", "action": "enable", "cause": "required by billing"} in first.steps


def test_demo__people__log_in_and_may_what_the_story_says(demo: Callable[..., str], client: Any) -> None:
    demo()
    kestrel, tidewater = Platform.objects.get(code="kestrel"), Platform.objects.get(code="tidewater")
    people = {user.username: Actor(user) for user in User.objects.all()}
    for username in ("admin", "ann", "vic", "bea", "theo"):
        assert client.login(username=username, password=PASSWORD)
    assert may(people["admin"], Right.OPERATE)
    assert [may(people["ann"], Right.SWITCH, each) for each in (kestrel, tidewater)] == [True, False]
    assert [may(people["theo"], Right.SWITCH, each) for each in (kestrel, tidewater)] == [False, True]
    assert [may(people["vic"], right, kestrel) for right in (Right.VIEW, Right.SWITCH)] == [True, False]
    assert [may(people["bea"], right, kestrel) for right in (Right.BELONG, Right.VIEW)] == [True, False]
    assert User.objects.get(username="bea").is_staff is False


def test_demo__module_from_elsewhere__tells_its_part_where_it_is_on(demo: Callable[..., str]) -> None:
    demo()
    assert set(Invoice.objects.values_list("platform__code", "vendor__code").distinct()) == {
        ("tidewater", vendor.code) for vendor in Vendor.objects.filter(platform__code="tidewater")
    }
    assert set(Invoice.objects.values_list("status", flat=True)) == {"paid", "open"}
    assert Plan.objects.filter(is_public=True).count() == 2


def test_demo__twice__changes_nothing(demo: Callable[..., str]) -> None:
    first = demo()
    before = everything()
    assert demo() == first
    assert everything() == before


def test_demo__again_after_people_worked_with_it__leaves_their_work(demo: Callable[..., str]) -> None:
    demo()
    kestrel = Platform.objects.get(code="kestrel")
    services.disable(platform=kestrel, module="cms", origin=origin())
    Vendor.objects.filter(code="oak-and-anvil").delete()
    Platform.objects.filter(code="quarry").update(name="Renamed")
    User.objects.filter(username="ann").update(password="other")
    Membership.objects.filter(user__username="vic").delete()
    list(legacy.migrate(origin=legacy.origin("tests")))
    before = everything()
    demo()
    assert everything() == before


def test_demo__legacy_platform__has_something_to_say_to_the_migration(demo: Callable[..., str]) -> None:
    demo()
    [done] = legacy.migrate(origin=legacy.origin("tests"), dry_run=True)
    assert done.platform == "larkspur"
    assert {step.module for step in done.steps} == {"customers", "cms", "messaging"}
    assert {str(finding.kind) for finding in done.findings} == {
        "unknown_module",
        "normalised",
        "duplicate",
        "invalid_config",
    }


def test_demo__without_modules_from_elsewhere__tells_the_same_story(demo: Callable[..., str]) -> None:
    six = [definition for definition in registry if not definition.requires]
    everyone = list(registry)
    with registry.register_temporarily():
        for definition in everyone:
            if definition not in six:
                del registry._definitions[definition.code]
        demo()
        assert on("tidewater") == {definition.code for definition in six}
    assert PlatformModule.objects.filter(module__in=["billing", "subscriptions"]).count() == 0


def test_demo__prints_address_and_logins(demo: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8123")
    assert "http://127.0.0.1:8123/admin/" in demo()
    monkeypatch.delenv("PORT")
    text = demo()
    assert "http://127.0.0.1:8000/admin/" in text
    assert PASSWORD in text
    assert [line.split()[0] for line in text.splitlines()[-5:]] == ["admin", "ann", "vic", "bea", "theo"]


def test_demo__where_it_is_not_allowed__plants_nothing(demo: Callable[..., str], settings: Any) -> None:
    settings.DEMO_ALLOWED = False
    with pytest.raises(CommandError, match="DEMO_ALLOWED is off here"):
        demo()
    assert (User.objects.count(), Platform.objects.count()) == (0, 0)
    demo(force=True)
    assert User.objects.count() == 5
