"""Switching modules on many platforms at once: the plan of each, and what became of each."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from modules.admin import bulk
from modules.models import Change, PlatformModule
from modules.registry import registry
from platforms.access import Actor
from platforms.models import Platform, User
from tests.admin.pages import (
    Answer,
    form_on,
    logged_in,
    messages_of,
    send,
    text_of,
)
from tests.factories import PlatformFactory
from tests.fixtures.module_fixtures import Install, Unchanged
from tests.modules.building import definition, enable

pytestmark = pytest.mark.django_db

ROWS = reverse("admin:modules_platformmodule_changelist")
CHANGES = reverse("admin:modules_change_changelist")
CATALOGUE = reverse("admin:modules_module_changelist")
PLATFORMS = reverse("admin:platforms_platform_changelist")
BULK = reverse("admin:modules_platformmodule_bulk")


def act(client: Client, address: str, action: str, rows: list[Any]) -> Answer:
    """Choose an action of a list for these rows."""
    return client.post(address, {"action": action, "_selected_action": [row.pk for row in rows], "index": 0})


def outcomes(answer: Answer) -> dict[str, tuple[bool, bool, str, int]]:
    """Return of each platform: done, stale, why refused, how many blockers."""
    return {
        line.platform.code: (line.outcome is not None, line.is_stale, line.refusal, len(line.blockers))
        for line in answer.context["lines"]
    }


# --- bulk ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def harbour(kestrel_on: Platform, tidewater: Platform) -> list[Platform]:
    """Kestrel with subscriptions on, tidewater with customers on, quarry with nothing on."""
    enable(tidewater, "customers")
    return [kestrel_on, tidewater, PlatformFactory.create(code="quarry", name="Quarry Trade")]


def chosen(client: Client, action: str, module: str, platforms: list[Platform]) -> Answer:
    """Choose platforms and a module, and see the plan."""
    return send(client, act(client, PLATFORMS, action, platforms), "bulk_form", {"module": module}, "Show the plan")


def test_bulk__on_for_platforms__plan_each_then_outcome_each(operator: User, harbour: list[Platform]) -> None:
    client = logged_in(operator)
    asked = chosen(client, "switch_on", "billing", harbour)

    steps = {line.platform.code: [step["what"] for step in line.steps] for line in asked.context["lines"]}
    assert steps == {
        "kestrel": [],
        "tidewater": ["Switch on Billing"],
        "quarry": ["Switch on Customers", "Switch on Billing"],
    }
    assert Change.objects.count() == 2

    answer = send(client, asked, "bulk_form", {"reason": "Everybody bills"}, "Confirm for 2 platforms")

    assert outcomes(answer) == {
        "kestrel": (False, False, "", 0),
        "tidewater": (True, False, "", 0),
        "quarry": (True, False, "", 0),
    }
    assert [answer.context[name] for name in ("done", "nothing", "refused")] == [2, 1, 0]
    assert set(Change.objects.filter(reason="Everybody bills").values_list("platform_code", "number")) == {
        ("tidewater", 2),
        ("quarry", 1),
    }


def test_bulk__off_with_dependents__mixed_results_and_cascade(operator: User, harbour: list[Platform]) -> None:
    client = logged_in(operator)
    asked = chosen(client, "switch_off", "customers", harbour)
    assert {line.platform.code: len(line.blockers) for line in asked.context["lines"]} == {
        "kestrel": 2,
        "tidewater": 0,
        "quarry": 0,
    }

    answer = send(client, asked, "bulk_form", button="Confirm for 1 platform")

    assert outcomes(answer) == {
        "kestrel": (False, False, "", 2),
        "tidewater": (True, False, "", 0),
        "quarry": (False, False, "", 0),
    }
    assert [answer.context[name] for name in ("done", "nothing", "refused")] == [1, 1, 1]
    assert "Billing is on and needs Customers." in text_of(answer)

    asked = send(client, asked, "bulk_form", {"cascade": "1"}, "Show the plan again")
    assert asked.context["ready"] == 1
    answer = send(client, asked, "bulk_form", button="Confirm for 1 platform")

    assert outcomes(answer)["kestrel"] == (True, False, "", 0)
    assert [step["module"] for step in Change.objects.get(platform=harbour[0], number=2).steps] == [
        "subscriptions",
        "billing",
        "customers",
    ]


def test_bulk__cascade_ticked_without_seeing_its_plan__plan_first(
    operator: User, harbour: list[Platform], unchanged: Unchanged
) -> None:
    client = logged_in(operator)
    asked = chosen(client, "switch_off", "customers", harbour)

    with unchanged():
        answer = send(client, asked, "bulk_form", {"cascade": "1", "reason": "Go"}, "Confirm for 1 platform")

    assert answer.context["is_new"] is True
    assert form_on(answer, "bulk_form").data["reason"] == ["Go"]


def test_bulk__one_platform_changed_meanwhile__that_one_is_stale(operator: User, harbour: list[Platform]) -> None:
    client = logged_in(operator)
    asked = chosen(client, "switch_on", "billing", harbour)
    enable(harbour[2], "customers")

    answer = send(client, asked, "bulk_form", button="Confirm for 2 platforms")

    assert outcomes(answer) == {
        "kestrel": (False, False, "", 0),
        "tidewater": (True, False, "", 0),
        "quarry": (False, True, bulk.STALE, 0),
    }
    assert Platform.objects.get(code="quarry").revision == 1


def test_bulk__on_chosen_rows__several_modules_in_one_change(ann: User, kestrel_on: Platform) -> None:
    client = logged_in(ann)
    rows = list(PlatformModule.objects.filter(module__in=["subscriptions", "messaging"]))

    asked = act(client, ROWS, "switch_off", rows)
    answer = send(client, asked, "bulk_form", button="Confirm for 1 platform")

    assert outcomes(answer) == {"kestrel": (True, False, "", 0)}
    assert [step["module"] for step in Change.objects.get(number=2).steps] == ["subscriptions", "messaging"]


def test_bulk__viewer__no_actions_and_refused(
    vic: User, kestrel_on: Platform, operator: User, unchanged: Unchanged
) -> None:
    client = logged_in(vic)
    asked = chosen(logged_in(operator), "switch_on", "cms", [kestrel_on])
    data = form_on(asked, "bulk_form").data

    with unchanged():
        answer = client.post(BULK, {**data, "apply": "Confirm"})
        acted = act(client, ROWS, "switch_off", list(PlatformModule.objects.all()))

    assert outcomes(answer) == {"kestrel": (False, False, bulk.NO_RIGHT, 0)}
    assert acted.status_code != 200 or "bulk_form" not in text_of(acted)
    assert "Switch a module on" not in text_of(client.get(PLATFORMS))
    assert "Switch off…" not in text_of(client.get(ROWS))


def test_bulk__foreign_platform_among_the_picks__not_there(
    ann: User, kestrel: Platform, tidewater: Platform, unchanged: Unchanged
) -> None:
    picks = [f"{tidewater.pk}:cms", "999999:cms", "x:cms", f"{10**30}:cms"]

    with unchanged():
        answer = logged_in(ann).post(BULK, {"action": "on", "pick": picks, "apply": "Confirm"})
        asked = logged_in(ann).post(BULK, {"action": "on", "pick": picks})

    assert answer.context["lines"] == []
    assert asked.status_code == 302


def test_bulk__restricted_module__only_superusers(ann: User, kestrel: Platform, unchanged: Unchanged) -> None:
    client = logged_in(ann)
    picks = [f"{kestrel.pk}:dev_tools"]

    with unchanged():
        offered = act(client, PLATFORMS, "switch_on", [kestrel])
        asked = client.post(BULK, {"action": "on", "pick": picks})
        answer = client.post(BULK, {"action": "on", "pick": picks, "apply": "Confirm", "planned_cascade": ""})

    assert "dev_tools" not in text_of(offered)
    assert outcomes(asked) == outcomes(answer)
    assert outcomes(answer)["kestrel"][2].startswith("Only superusers")


def test_bulk__unknown_and_core_modules__refused_in_words(
    operator: User, kestrel: Platform, left_behind: str, unchanged: Unchanged
) -> None:
    client = logged_in(operator)

    with unchanged():
        asked = client.post(
            BULK, {"action": "off", "pick": [f"{kestrel.pk}:{left_behind}", f"{kestrel.pk}:monitoring"]}
        )

    [line] = asked.context["lines"]
    assert {item["code"] for item in line.blockers} == {"not_installed", "core"}
    assert "Confirm" not in "".join(form_on(asked, "bulk_form").buttons)


def test_bulk__requirement_missing__named(
    operator: User, kestrel: Platform, install: Install, unchanged: Unchanged
) -> None:
    install(definition("loyalty", "cards"))

    with unchanged():
        asked = logged_in(operator).post(BULK, {"action": "on", "pick": f"{kestrel.pk}:loyalty"})

    assert "Loyalty needs cards, which is not installed." in text_of(asked)


@pytest.mark.django_db(transaction=True)
def test_bulk__module_that_the_database_does_not_know__refused_in_words(
    operator: User, kestrel: Platform, unchanged: Unchanged
) -> None:
    client = logged_in(operator)

    with registry.register_temporarily(definition("fresh")), unchanged():
        asked = client.post(BULK, {"action": "on", "pick": f"{kestrel.pk}:fresh"})
        answer = send(client, asked, "bulk_form", button="Confirm for 1 platform")

    assert outcomes(answer)["kestrel"][2].startswith("Something that this change points at is missing")


def test_bulk__step_that_is_restricted__only_superusers(
    ann: User, kestrel: Platform, install: Install, unchanged: Unchanged
) -> None:
    install(definition("loyalty", "dev_tools"))

    with unchanged():
        asked = logged_in(ann).post(BULK, {"action": "on", "pick": f"{kestrel.pk}:loyalty"})

    assert outcomes(asked)["kestrel"][2].startswith("Only superusers")
    assert asked.context["ready"] == 0


def test_bulk__reason_too_long__asked_again(operator: User, harbour: list[Platform], unchanged: Unchanged) -> None:
    client = logged_in(operator)
    asked = chosen(client, "switch_on", "billing", harbour)

    with unchanged():
        answer = send(client, asked, "bulk_form", {"reason": "x" * 501}, "Confirm for 2 platforms")

    assert answer.context["reason_form"].errors.keys() == {"reason"}


def test_bulk__too_many_platforms__asked_to_choose_fewer(
    operator: User, monkeypatch: pytest.MonkeyPatch, unchanged: Unchanged
) -> None:
    monkeypatch.setattr(bulk, "MAX_PLATFORMS", 2)
    platforms = PlatformFactory.create_batch(3)

    with unchanged():
        answer = act(logged_in(operator), PLATFORMS, "switch_on", platforms)

    assert answer.status_code == 302
    assert messages_of(answer) == ["Choose at most 2 platforms at once: a plan is made to be read."]


def test_bulk__more_platforms_sent_than_offered__led_to_the_list(
    operator: User, monkeypatch: pytest.MonkeyPatch, unchanged: Unchanged
) -> None:
    monkeypatch.setattr(bulk, "MAX_PLATFORMS", 2)
    client = logged_in(operator)

    with unchanged():
        answer = client.post(BULK, {"action": "on", "module": "cms", "platform": [1, 2, 3]})

    assert (answer.status_code, answer["Location"]) == (302, ROWS)
    assert client.get(answer["Location"]).status_code == 200


@pytest.mark.parametrize(("where", "action"), [(PLATFORMS, "switch_on"), (ROWS, "switch_off")])
def test_bulk__everything_selected__no_more_read_than_may_be_chosen(
    where: str, action: str, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MAX_PLATFORMS", 2)
    platforms = PlatformFactory.create_batch(5)
    for platform in platforms:
        enable(platform, "cms")
    chosen = (platforms[0] if where == PLATFORMS else PlatformModule.objects.first()).pk

    with CaptureQueriesContext(connection) as queries:
        answer = logged_in(operator).post(
            where, {"action": action, "select_across": "1", "_selected_action": [chosen], "index": 0}
        )

    assert answer["Location"] == where
    assert messages_of(answer) == ["Choose at most 2 platforms at once: a plan is made to be read."]
    assert sum(query["sql"].endswith("LIMIT 3") for query in queries) == 1


def test_bulk__plan__locks_nothing(operator: User, kestrel: Platform) -> None:
    client = logged_in(operator)

    with CaptureQueriesContext(connection) as queries:
        client.post(BULK, {"action": "on", "pick": f"{kestrel.pk}:cms"})

    assert [
        sql for sql in (query["sql"] for query in queries) if "FOR NO KEY UPDATE" in sql or "SAVEPOINT" in sql
    ] == []


def test_bulk__many_modules_on_many_platforms__one_field_each(operator: User, chain: list[str]) -> None:
    platforms = PlatformFactory.create_batch(3)
    picks = [f"{platform.pk}:{module}" for platform in platforms for module in chain]

    asked = logged_in(operator).post(BULK, {"action": "on", "pick": picks})
    answer = send(logged_in(operator), asked, "bulk_form", button="Confirm for 3 platforms")

    assert len(form_on(asked, "bulk_form").data["pick"]) == 3
    assert [answer.context[name] for name in ("done", "nothing", "refused")] == [3, 0, 0]
    assert PlatformModule.objects.filter(is_enabled=True).count() == 3 * len(chain)


def test_bulk__not_posted__405(operator: User) -> None:
    assert logged_in(operator).get(BULK).status_code == 405


@pytest.mark.parametrize("count", [2, 12])
def test_bulk__plan__queries_grow_with_the_platforms_only(
    operator: User, chain: list[str], count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    platforms = PlatformFactory.create_batch(count)
    picks = [f"{platform.pk}:{chain[-1]}" for platform in platforms]
    client = logged_in(operator)

    with django_assert_num_queries(5 + count):
        client.post(BULK, {"action": "on", "pick": picks})


def test_actor__of_a_bulk_change__is_who_asked(ann: User, kestrel: Platform) -> None:
    client = logged_in(ann)
    asked = chosen(client, "switch_on", "cms", [kestrel])

    send(client, asked, "bulk_form", button="Confirm for 1 platform")

    change = Change.objects.get()
    assert (change.actor_label, change.source) == (Actor(user=ann).label, "admin")
