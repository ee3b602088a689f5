"""A platform's time in the admin: its changes in a row, a moment, a comparison, and the way back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from modules.definition import ModuleConfig
from modules.models import Change
from platforms.models import Platform, User
from tests.admin.pages import Answer, configure, form_on, logged_in, messages_of, row_of, send, text_of
from tests.factories import MembershipFactory, PlatformFactory
from tests.fixtures.module_fixtures import Unchanged, installed
from tests.modules.building import definition, enable, module_states

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 16, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = "sk_live_do_not_print"


def at(page: str, platform: str = "kestrel") -> str:
    """Return the address of a page of a platform's time."""
    return reverse(f"admin:modules_change_{page}", args=[platform])


def back(number: int, platform: str = "kestrel") -> str:
    """Return the address of the way back to a change."""
    return reverse("admin:modules_change_back", args=[platform, number])


@pytest.fixture
def story(kestrel: Platform, ann: User) -> Platform:
    """Billing on at nine, 30 days at ten, 31 days and a secret at eleven, cms on at noon."""
    enable(kestrel, "billing", user=ann, at=AT, reason="Launch")
    configure(kestrel, {"default_trial_days": 30}, user=ann, at=AT + HOUR)
    configure(kestrel, {"default_trial_days": 31, "address": {"city": "Kiel"}}, user=ann, at=AT + 2 * HOUR)
    enable(kestrel, "cms", user=ann, at=AT + 3 * HOUR)
    return kestrel


def differences(answer: Answer) -> list[tuple[str, str, str, str]]:
    """Return what a comparison shows, one line a key."""
    return [
        (line["module"]["code"], item["key"], item["old"], item["new"])
        for line in answer.context["lines"]
        for item in line["diff"]
    ]


# --- the timeline ----------------------------------------------------------------------------------------------------


def test_timeline__changes__newest_first_with_the_ways_from_each(ann_in: Client, story: Platform) -> None:
    answer = ann_in.get(at("timeline"))

    lines = answer.context["lines"]
    assert [line["number"] for line in lines] == [4, 3, 2, 1]
    assert [bool(line["back_url"]) for line in lines] == [False, True, True, True]
    assert lines[3]["back_url"] == back(1)
    assert lines[3]["moment_url"] == f"{at('moment')}?change=1"
    assert lines[3]["compare_url"] == f"{at('compare')}?change=1"
    assert "“Launch”" in text_of(answer)
    assert at("timeline") in text_of(ann_in.get(reverse("admin:platforms_platform_change", args=[story.pk])))


def test_timeline__long__paged_by_number_in_constant_queries(
    ann_in: Client, kestrel: Platform, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(26):
        configure(kestrel, {"default_trial_days": number + 1})
    pages = []
    for page in (1, 2, 99):
        ann_in.get(at("timeline"))  # the content types of the menu are remembered
        with django_assert_num_queries(10):
            pages.append(ann_in.get(at("timeline"), {"page": page}))

    assert [[line["number"] for line in answer.context["lines"]] for answer in pages] == [
        list(range(26, 1, -1)),
        [1],
        [1],
    ]
    assert "26 changes" in text_of(pages[0])


def test_timeline__nothing_yet__says_so(ann_in: Client, kestrel: Platform) -> None:
    answer = ann_in.get(at("timeline"))
    assert answer.context["lines"] == []
    assert "Nothing was changed yet" in text_of(answer)


def test_change__page_of_one__leads_to_its_moment_and_back(ann_in: Client, vic_in: Client, story: Platform) -> None:
    page = reverse("admin:modules_change_change", args=[Change.objects.get(number=2).pk])

    assert {f"{at('moment')}?change=2", f"{at('compare')}?change=2", back(2)} == set(
        ann_in.get(page).context["ways"].values()
    )
    assert vic_in.get(page).context["ways"]["back_url"] == ""


# --- a moment --------------------------------------------------------------------------------------------------------


def stood(answer: Answer) -> dict[str, Any]:
    """Return what a moment's page shows of billing."""
    assert answer.status_code == 200
    return next(line for line in answer.context["lines"] if line["module"]["code"] == "billing")


def test_moment__time_typed__modules_as_they_stood(ann_in: Client, story: Platform) -> None:
    answer = ann_in.get(at("moment"), {"at": "2026-03-16T10:30"})

    line = stood(answer)
    assert (line["since"], line["by"]) == (AT, "ann")
    assert line["set"] == [{"key": "default_trial_days", "text": "30"}]
    assert answer.context["heading"] == "16 Mar 2026, 10:30:00 UTC"
    assert answer.context["ways"]["back_url"] == back(2)
    assert form_on(answer, "moment_form").data == {"at": ["2026-03-16T10:30"]}
    assert "Change 2 was the newest." in text_of(answer)


def test_moment__change_named__right_after_it(ann_in: Client, story: Platform) -> None:
    answer = ann_in.get(at("moment"), {"change": 3})

    assert {"key": "default_trial_days", "text": "31"} in stood(answer)["set"]
    assert answer.context["heading"] == "16 Mar 2026, 11:00:00 UTC, after change 3"
    assert form_on(answer, "moment_form").data == {"at": ["2026-03-16T11:00:00"]}


def test_moment__none_named__now_and_nowhere_to_go_back_to(ann_in: Client, story: Platform) -> None:
    answer = ann_in.get(at("moment"))

    assert answer.context["heading"] == "now"
    assert (answer.context["ways"]["back_url"], answer.context["compare_url"]) == ("", "")


def test_moment__before_anything__untouched(ann_in: Client, story: Platform) -> None:
    answer = ann_in.get(at("moment"), {"at": "2020-01-01T00:00"})

    assert stood(answer)["set"] == []
    assert "Nothing had been changed." in text_of(answer)
    assert answer.context["ways"] == {"moment_url": "", "compare_url": "", "back_url": ""}


def test_moment__microseconds_in_a_change__nothing_left_out_by_the_form(ann_in: Client, kestrel: Platform) -> None:
    enable(kestrel, "billing", at=AT + timedelta(microseconds=1))

    form = form_on(ann_in.get(at("moment"), {"change": 1}), "moment_form")

    assert form.data == {"at": ["2026-03-16T09:00:01"]}


def test_moment__secret_of_then__by_fingerprint_only(ann_in: Client, story: Platform) -> None:
    configure(story, {"api_key": SECRET}, at=AT + 4 * HOUR)
    mark = row_of(story).secrets["api_key"]["fingerprint"]
    configure(story, {"api_key": None})

    answer = ann_in.get(at("moment"), {"change": 5})

    assert {"key": "secrets.api_key", "text": f"fingerprint {mark}"} in stood(answer)["set"]
    assert SECRET not in text_of(answer)


@pytest.mark.parametrize("text", ["yesterday", "9999-01-01T00:00", "0001-01-01T00:00+14:00", "9" * 3000])
def test_moment__no_time_of_the_past__told_at_the_field(ann_in: Client, story: Platform, text: str) -> None:
    for page, field in (("moment", "at"), ("compare", "at"), ("compare", "other_at")):
        answer = ann_in.get(at(page), {field: text})
        assert answer.status_code == 200
        assert list(answer.context["form"].errors) == [field]
        assert "lines" not in answer.context


@pytest.mark.parametrize("number", ["0", "5", "x", "-1", "9" * 30, "9" * 4400, "٣", ""])
def test_change__named_that_is_none__404(ann_in: Client, story: Platform, tidewater: Platform, number: str) -> None:
    enable(tidewater, "cms", "analytics", "messaging", "billing", "subscriptions")
    for page in ("moment", "compare"):
        assert ann_in.get(at(page), {"change": number}).status_code == 404


# --- comparing -------------------------------------------------------------------------------------------------------


def test_compare__change_with_now__then_on_the_left(ann_in: Client, story: Platform) -> None:
    answer = ann_in.get(at("compare"), {"change": 2})

    assert (answer.context["left"], answer.context["right"]) == ("16 Mar 2026, 10:00:00 UTC, after change 2", "Now")
    assert sorted(differences(answer)) == [
        ("billing", "address.city", "default", "Kiel"),
        ("billing", "default_trial_days", "30", "31"),
        ("cms", "state", "off", "on"),
    ]


def test_compare__two_times_typed__what_differs(ann_in: Client, story: Platform) -> None:
    answer = ann_in.get(at("compare"), {"at": "2026-03-16T11:00", "other_at": "2026-03-16T09:00:00", "other": ""})

    assert differences(answer) == [
        ("billing", "address.city", "Kiel", "default"),
        ("billing", "default_trial_days", "31", "default"),
    ]


def test_compare__two_platforms__each_named(ann_in: Client, story: Platform, ann: User) -> None:
    quarry = PlatformFactory.create(code="quarry", name="Quarry Trade")
    MembershipFactory.create(user=ann, platform=quarry)
    enable(quarry, "customers", at=AT)

    answer = ann_in.get(at("compare"), {"at": "2026-03-16T09:00", "other": "quarry"})

    assert answer.context["left"] == "Kestrel Rewards, 16 Mar 2026, 09:00:00 UTC"
    assert answer.context["right"] == "Quarry Trade, now"
    assert differences(answer) == [("billing", "state", "on", "off")]


def test_compare__nothing_typed__asks_and_compares_nothing(ann_in: Client, story: Platform) -> None:
    answer = ann_in.get(at("compare"))

    assert "Both sides are the same." in text_of(answer)
    assert list(form_on(answer, "compare_form").data) == ["at", "other", "other_at"]


@pytest.mark.parametrize("code", ["tidewater", "nowhere", "x" * 3000])
def test_compare__platform_foreign_or_missing__told_alike_and_not_offered(
    ann_in: Client, story: Platform, tidewater: Platform, code: str
) -> None:
    answer = ann_in.get(at("compare"), {"other": code})

    assert answer.context["form"].errors == {"other": ["There is no platform of this code."]}
    assert [platform.code for platform in answer.context["form"].offered()] == ["kestrel"]
    assert "Tidewater" not in text_of(answer)


# --- back to here ----------------------------------------------------------------------------------------------------


def test_back__plan_shown__then_applied_with_the_reason(ann_in: Client, story: Platform, unchanged: Unchanged) -> None:
    with unchanged():
        asked = ann_in.get(back(2))
    assert [(step["what"], step["why"]) for step in asked.context["steps"]] == [
        ("Switch off Content", "You asked for it"),
        ("Configure Billing", "You asked for it"),
    ]
    assert "no-store" in asked["Cache-Control"]

    answer = send(ann_in, asked, "back_form", {"reason": "As in the morning"}, "Go back")

    assert (answer.status_code, answer["Location"]) == (302, at("timeline"))
    change = Change.objects.get(number=5)
    assert (change.reason, change.source, change.actor_label, change.undoes) == ("As in the morning", "admin", "ann", 3)
    assert row_of(story).config == {"default_trial_days": 30}
    assert module_states(story)["cms"] is False
    assert "back to before change 3" in text_of(ann_in.get(at("timeline")))


def test_back__one_module__from_its_history_and_back_there(ann_in: Client, story: Platform) -> None:
    history = reverse("admin:modules_platformmodule_history", args=["kestrel", "billing"])
    ways = [line["back_url"] for line in ann_in.get(history).context["entries"]]
    assert ways == [f"{back(number)}?module=billing" for number in (3, 2, 1)]

    asked = ann_in.get(ways[1])
    assert [step["what"] for step in asked.context["steps"]] == ["Configure Billing"]
    answer = send(ann_in, asked, "back_form", button="Go back")

    assert answer["Location"] == history
    assert module_states(story)["cms"] is True
    assert Change.objects.get(number=5).undoes == 3


def test_back__something_changed_meanwhile__new_plan_and_nothing_done(
    ann_in: Client, story: Platform, unchanged: Unchanged
) -> None:
    asked = ann_in.get(back(2))
    configure(story, {"stripe_mode": "live"})
    with unchanged():
        again = send(ann_in, asked, "back_form", {"reason": "Now"}, "Go back")
    assert "Something changed since you saw the plan." in text_of(again)
    assert form_on(again, "back_form").data["reason"] == ["Now"]

    assert send(ann_in, again, "back_form", button="Go back").status_code == 302
    assert row_of(story).config == {"default_trial_days": 30}


@pytest.mark.parametrize("typed", [{"digest": "0" * 64}, {"digest": ""}, {"digest": None}, {"keep_secrets": "1"}])
def test_back__altered_on_its_way__never_more_than_was_shown(
    ann_in: Client, story: Platform, unchanged: Unchanged, typed: dict[str, Any]
) -> None:
    configure(story, {"api_key": SECRET})
    asked = ann_in.get(back(2))
    data = form_on(asked, "back_form").data | {"confirm": ["Go back"]}
    for name, value in typed.items():
        data.pop(name, None)
        if value is not None and name != "keep_secrets":
            data[name] = [value]
    with unchanged():
        answer = ann_in.post(back(2), data)
    assert answer.status_code == 200
    assert "Something changed since you saw the plan." in text_of(answer)


def test_back__others_need_it__named_and_taken_along(ann_in: Client, kestrel: Platform) -> None:
    enable(kestrel, "cms", "billing")
    asked = ann_in.get(f"{back(1)}?module=customers")

    assert [item["code"] for item in asked.context["blockers"]] == ["required_by"]
    assert [step["what"] for step in asked.context["steps"]] == ["Switch off Billing", "Switch off Customers"]
    send(ann_in, asked, "back_form", button="Go back")

    assert module_states(kestrel) == {"cms": True, "customers": False, "billing": False}


def test_back__secret_that_was_not_kept__named_and_left_as_it_is(ann_in: Client, story: Platform) -> None:
    configure(story, {"api_key": SECRET, "default_trial_days": 5})
    configure(story, {"api_key": f"{SECRET}_2", "default_trial_days": 6})
    stored = row_of(story).secrets
    asked = ann_in.get(back(5))

    assert [item["detail"] for item in asked.context["blockers"]] == [
        "Billing had another secret api_key then: it was not kept and cannot be brought back."
    ]
    assert "Secrets stay as they are now." in text_of(asked)
    assert SECRET not in text_of(asked)
    send(ann_in, asked, "back_form", button="Go back")

    row = row_of(story)
    assert (row.config["default_trial_days"], row.secrets) == (5, stored)


def test_back__only_a_secret_is_otherwise__said_and_nothing_to_confirm(ann_in: Client, story: Platform) -> None:
    for secret in (SECRET, f"{SECRET}_2"):
        configure(story, {"api_key": secret})
    asked = ann_in.get(back(5))
    assert len(asked.context["blockers"]) == 1
    assert form_on(asked, "back_form").buttons == {}


def test_back__so_already__nothing_to_confirm_and_nothing_done(
    ann_in: Client, story: Platform, unchanged: Unchanged
) -> None:
    with unchanged():
        asked = ann_in.get(back(4))
        assert "There is nothing to change" in text_of(asked)
        assert form_on(asked, "back_form").buttons == {}
        answer = send(ann_in, asked, "back_form", {"reason": "x"})
    assert messages_of(answer) == ["Nothing to change: all of it is so already."]


def test_back__config_that_fits_no_more__said_where(ann_in: Client, kestrel: Platform, unchanged: Unchanged) -> None:
    class Wide(ModuleConfig):
        days: int = 1

    class Narrow(ModuleConfig):
        weeks: int = 1

    with installed(definition("parcels", name="Parcels", config=Wide)):
        configure(kestrel, {"days": 3}, module="parcels")
        configure(kestrel, {"days": None}, module="parcels")
    with installed(definition("parcels", name="Parcels", config=Narrow)), unchanged():
        asked = ann_in.get(back(1))
        assert [item["detail"] for item in asked.context["blockers"]] == [
            "What was set then no longer fits: Parcels, days: There is no setting of this name."
        ]
        assert form_on(asked, "back_form").buttons == {}
        assert send(ann_in, asked, "back_form", {"reason": "x"}).status_code == 200


def test_back__restricted_module_would_move__for_superusers(
    ann_in: Client, root_in: Client, kestrel: Platform, unchanged: Unchanged
) -> None:
    enable(kestrel, "cms", "dev_tools")
    with unchanged():
        asked = ann_in.get(back(1))
        assert [item["detail"] for item in asked.context["blockers"]] == [
            "Developer tools: Only superusers switch or configure this module."
        ]
        digest = form_on(root_in.get(back(1)), "back_form").data["digest"]
        answer = ann_in.post(back(1), {"digest": digest})
        assert "Only superusers may switch or configure dev_tools." in messages_of(answer)
    assert send(root_in, root_in.get(back(1)), "back_form", button="Go back").status_code == 302
    assert module_states(kestrel)["dev_tools"] is False


def test_back__reason_that_cannot_be_kept__told_and_nothing_done(
    ann_in: Client, story: Platform, unchanged: Unchanged
) -> None:
    with unchanged():
        answer = send(ann_in, ann_in.get(back(2)), "back_form", {"reason": "x" * 501}, "Go back")
    assert answer.context["reason_form"].errors
    assert len(answer.context["steps"]) == 2


@pytest.mark.parametrize("number", [0, 5, 10**18, 10**30])
def test_back__no_such_change_or_module__404(
    ann_in: Client, story: Platform, unchanged: Unchanged, number: int
) -> None:
    with unchanged():
        for method in (ann_in.get, ann_in.post):
            assert method(back(number)).status_code == 404
            for module in ("nothing", "x" * 300):
                assert method(back(2), {"module": module}).status_code == 404
        assert ann_in.post(back(2), {"module": "\0"}).status_code == 404


# --- who may ---------------------------------------------------------------------------------------------------------


def test_pages__viewer__sees_all_but_the_way_back(vic_in: Client, story: Platform, unchanged: Unchanged) -> None:
    timeline, moment = vic_in.get(at("timeline")), vic_in.get(at("moment"), {"change": 2})
    assert [line["back_url"] for line in timeline.context["lines"]] == [""] * 4
    assert timeline.context["lines"][2]["compare_url"]
    assert moment.context["ways"]["back_url"] == ""
    assert "Back to here" not in text_of(timeline) + text_of(moment)
    assert vic_in.get(at("compare"), {"change": 2}).status_code == 200
    history = vic_in.get(reverse("admin:modules_platformmodule_history", args=["kestrel", "billing"]))
    assert {line["back_url"] for line in history.context["entries"]} == {""}
    with unchanged():
        assert vic_in.get(back(2)).status_code == 403
        assert vic_in.post(back(2), {"digest": ""}).status_code == 403


def test_pages__foreign_or_missing_platform__404(ann_in: Client, story: Platform, tidewater: Platform) -> None:
    enable(tidewater, "cms", "analytics")
    for platform in ("tidewater", "nowhere"):
        for address in (*(at(page, platform) for page in ("timeline", "moment", "compare")), back(1, platform)):
            assert ann_in.get(address).status_code == 404
        assert ann_in.post(back(1, platform), {}).status_code == 404


def test_pages__nobody_logged_in_or_a_vendor__not_let_in(
    client: Client, bea: User, story: Platform, unchanged: Unchanged
) -> None:
    bea.is_staff = True
    bea.save()
    addresses = [*(at(page) for page in ("timeline", "moment", "compare")), back(2)]
    with unchanged():
        for address in addresses:
            assert client.get(address).status_code == 302
            assert logged_in(bea).get(address).status_code == 403


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_pages__anything_but_reading__405(ann_in: Client, story: Platform, unchanged: Unchanged, method: str) -> None:
    with unchanged():
        for page in ("timeline", "moment", "compare"):
            assert getattr(ann_in, method)(at(page)).status_code == 405


def test_pages__now_typed_in_a_hurry__taken(ann_in: Client, story: Platform) -> None:
    now = timezone.now().strftime("%Y-%m-%dT%H:%M:%S")
    assert ann_in.get(at("moment"), {"at": now}).context["standing"].revision == 4
