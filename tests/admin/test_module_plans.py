"""What a save of a module's page comes to: a plan that is confirmed, two people at once, secrets that stay secret."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from modules import gate
from modules.admin import proposals
from modules.models import Change
from modules.registry import registry
from platforms.models import Platform, User
from tests.admin.pages import (
    address,
    configure,
    form_on,
    messages_of,
    row_of,
    save,
    send,
    text_of,
)
from tests.fixtures.module_fixtures import Install, Unchanged
from tests.modules.building import definition, enable

pytestmark = pytest.mark.django_db

SECRET = "sk_live_do_not_print"


# --- plans that move others ------------------------------------------------------------------------------------------


def test_confirm__others_move__steps_shown_then_applied_with_the_reason(ann_in: Client, kestrel: Platform) -> None:
    asked = save(ann_in, {"is_enabled": "on", "config.grace_days": "5", "reason": "Launch"}, module="subscriptions")

    assert asked.status_code == 200
    assert [(step["what"], step["why"]) for step in asked.context["steps"]] == [
        ("Switch on Customers", "required by Subscriptions"),
        ("Switch on Messaging", "required by Subscriptions"),
        ("Switch on Billing", "required by Subscriptions"),
        ("Switch on Subscriptions", "You asked for it"),
        ("Configure Subscriptions", "You asked for it"),
    ]
    assert form_on(asked, "plan_form").data["reason"] == ["Launch"]
    assert Change.objects.count() == 0

    answer = send(ann_in, asked, "plan_form", {"reason": "Launch day"}, "Confirm")

    change = Change.objects.get()
    assert answer["Location"] == address("configure", module="subscriptions")
    assert [step["module"] for step in change.steps][-2:] == ["subscriptions", "subscriptions"]
    assert change.reason == "Launch day"
    assert row_of(kestrel, "subscriptions").config == {"grace_days": 5}


def test_confirm__back__form_with_what_was_typed(ann_in: Client, kestrel: Platform, unchanged: Unchanged) -> None:
    with unchanged():
        asked = save(ann_in, {"is_enabled": "on", "config.default_trial_days": "30", "config.api_key": SECRET})
        answer = send(ann_in, asked, "plan_form", {"reason": "Hm"}, "Back")

    form = form_on(answer, "platformmodule_form")
    assert form.data["config.default_trial_days"] == ["30"]
    assert form.data["is_enabled"] == ["on"]
    assert form.data["reason"] == ["Hm"]
    assert SECRET not in text_of(answer)

    asked = send(ann_in, answer, "platformmodule_form", button="Save")
    send(ann_in, asked, "plan_form", button="Confirm")

    assert "api_key" in row_of(kestrel).secrets


def test_confirm__blocked_by_dependents__cascade_offered_named_and_applied(
    ann_in: Client, kestrel_on: Platform
) -> None:
    asked = save(ann_in, {"is_enabled": None, "reason": "Closing"}, module="customers")

    links = [item["link"]["url"] for item in asked.context["blockers"]]
    assert {item["code"] for item in asked.context["blockers"]} == {"required_by"}
    assert set(links) == {address("configure", module=module) for module in ("billing", "subscriptions")}
    assert [step["what"] for step in asked.context["steps"]] == [
        "Switch off Subscriptions",
        "Switch off Billing",
        "Switch off Customers",
    ]
    assert Change.objects.count() == 1

    answer = send(ann_in, asked, "plan_form", button="Switch off all 3")

    assert answer.status_code == 302
    assert gate.state_of(Platform.objects.get(pk=kestrel_on.pk)).enabled == {"messaging", "monitoring"}
    assert Change.objects.get(number=2).reason == "Closing"


def test_confirm__plan_is_stale__new_plan_shown_and_input_kept(ann_in: Client, kestrel: Platform) -> None:
    asked = save(ann_in, {"is_enabled": "on", "config.default_trial_days": "30"})
    enable(kestrel, "customers")

    again = send(ann_in, asked, "plan_form", {"reason": "Now"}, "Confirm")

    assert again.status_code == 200
    assert "Something changed since you saw the plan." in text_of(again)
    assert [step["what"] for step in again.context["steps"]] == ["Switch on Billing", "Configure Billing"]
    assert Change.objects.count() == 1

    send(ann_in, again, "plan_form", button="Confirm")

    assert row_of(kestrel).config == {"default_trial_days": 30}
    assert Change.objects.get(number=2).reason == "Now"


@pytest.mark.parametrize(
    "change_pending",
    [lambda text: text[:-4] + "AAAA", lambda text: "", lambda text: "x\x00y", lambda text: "ü"],
    ids=["altered", "missing", "nonsense", "not ascii"],
)
def test_confirm__pending_altered__told_so_and_nothing_done(
    ann_in: Client, kestrel: Platform, unchanged: Unchanged, change_pending: Any
) -> None:
    asked = save(ann_in, {"is_enabled": "on"})
    pending = form_on(asked, "plan_form").data["pending"][0]

    with unchanged():
        answer = send(ann_in, asked, "plan_form", {"pending": change_pending(pending)}, "Confirm")

    assert (answer.status_code, answer["Location"]) == (302, address("configure"))
    assert messages_of(answer) == [
        "That page was open for more than an hour, or was altered on its way. Nothing was saved. Look at it again."
    ]


def test_confirm__after_an_hour__told_so(
    ann_in: Client, kestrel: Platform, unchanged: Unchanged, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = save(ann_in, {"is_enabled": "on"})
    later = (timezone.now() + timedelta(seconds=proposals.MAX_AGE + 5)).timestamp()
    monkeypatch.setattr("time.time", lambda: later)
    monkeypatch.setattr("django.contrib.sessions.backends.base.timezone.now", timezone.now)

    with unchanged():
        answer = send(ann_in, asked, "plan_form", button="Confirm")

    assert "more than an hour" in messages_of(answer)[0]


def test_confirm__pending_of_somebody_else_or_elsewhere__refused(
    ann_in: Client, root_in: Client, kestrel: Platform, tidewater: Platform, unchanged: Unchanged
) -> None:
    theirs = form_on(save(ann_in, {"is_enabled": "on"}), "plan_form").data

    with unchanged():
        other_person = root_in.post(address("confirm"), theirs)
        other_module = ann_in.post(address("confirm", module="subscriptions"), theirs)
        other_platform = root_in.post(address("confirm", platform="tidewater"), theirs)

    for answer in (other_person, other_module, other_platform):
        assert answer.status_code == 302
        assert "Nothing was saved" in messages_of(answer)[0]


# --- links of the platform's page ------------------------------------------------------------------------------------


def test_switch_on__by_link__plan_first_then_back_to_the_platform(ann_in: Client, kestrel: Platform) -> None:
    asked = ann_in.get(address("switch_on", module="cms"))
    assert Change.objects.count() == 0

    answer = send(ann_in, asked, "plan_form", button="Confirm")

    assert answer["Location"] == reverse("admin:platforms_platform_change", args=[kestrel.pk])
    assert Change.objects.get().steps == [{"module": "cms", "action": "enable", "cause": "requested"}]


@pytest.mark.parametrize(("page", "module"), [("switch_on", "customers"), ("switch_off", "cms"), ("reset", "billing")])
def test_plan__nothing_to_do__said_so(ann_in: Client, kestrel_on: Platform, page: str, module: str) -> None:
    answer = ann_in.get(address(page, module=module))

    assert answer.status_code == 302
    assert messages_of(answer) == ["Nothing to change."]


def test_switch_off__core__refused_without_a_button(ann_in: Client, kestrel: Platform) -> None:
    answer = ann_in.get(address("switch_off", module="monitoring"))

    assert [item["code"] for item in answer.context["blockers"]] == ["core"]
    assert "Confirm" not in form_on(answer, "plan_form").buttons


def test_reset__plan_then_defaults(ann_in: Client, kestrel_on: Platform) -> None:
    configure(kestrel_on, {"default_trial_days": 30, "api_key": SECRET})

    asked = ann_in.get(address("reset"))
    assert [step["what"] for step in asked.context["steps"]] == ["Reset Billing to its defaults"]
    send(ann_in, asked, "plan_form", button="Confirm")

    row = row_of(kestrel_on)
    assert (row.config, row.secrets, row.is_enabled) == ({}, {}, True)


# --- two people ------------------------------------------------------------------------------------------------------


def test_save__somebody_else_saved_meanwhile__told_who_and_what_nothing_overwritten(
    ann_in: Client, kestrel_on: Platform, operator: User, unchanged: Unchanged
) -> None:
    page = ann_in.get(address("configure"))
    configure(kestrel_on, {"default_trial_days": 7, "stripe_mode": "live"}, user=operator, reason="Audit")

    with unchanged():
        answer = send(
            ann_in,
            page,
            "platformmodule_form",
            {
                "config.default_trial_days": "30",
                "config.address.city": "Kiel",
                "config.api_key": SECRET,
                "reason": "Mine",
            },
            "Save",
        )

    html = text_of(answer)
    assert "Somebody else changed Billing while you were editing" in html
    [line] = answer.context["changed"]
    assert (line["entry"].actor, line["entry"].reason, line["entry"].change) == ("root", "Audit", 2)
    assert {item["key"]: (item["old"], item["new"]) for item in line["diff"]} == {
        "default_trial_days": ("default", "7"),
        "stripe_mode": ("default", "live"),
    }
    form = form_on(answer, "platformmodule_form").data
    assert form["config.default_trial_days"] == ["30"]
    assert form["config.address.city"] == ["Kiel"]
    assert form["reason"] == ["Mine"]
    assert form["config.stripe_mode"] == ["live"], "what the person did not touch shows what is stored now"
    assert SECRET not in html

    send(ann_in, answer, "platformmodule_form", button="Save")

    row = row_of(kestrel_on)
    assert row.config == {"default_trial_days": 30, "stripe_mode": "live", "address": {"city": "Kiel"}}
    assert "api_key" in row.secrets


def test_confirm__somebody_else_saved_meanwhile__back_to_the_form(ann_in: Client, kestrel_on: Platform) -> None:
    asked = save(ann_in, {"is_enabled": None, "config.import_max_rows": "9"}, module="customers")
    configure(kestrel_on, {"import_max_rows": 7}, module="customers")

    answer = send(ann_in, asked, "plan_form", button="Switch off all 3")

    assert "Somebody else changed Customers" in text_of(answer)
    assert form_on(answer, "platformmodule_form").data["config.import_max_rows"] == ["9"]
    assert form_on(answer, "platformmodule_form").action == address("configure", module="customers")
    assert "is_enabled" not in form_on(answer, "platformmodule_form").data
    assert row_of(kestrel_on, "customers").config == {"import_max_rows": 7}


def test_confirm__no_longer_valid_over_what_somebody_else_saved__told_so(
    root_in: Client, kestrel: Platform, install: Install
) -> None:
    install(definition("watch", "customers", config=registry["monitoring"].config))
    asked = save(root_in, {"is_enabled": "on", "config.fail_n": "3"}, module="watch")
    configure(kestrel, {"window_m": 2}, module="watch")

    answer = send(root_in, asked, "plan_form", {"reason": "x" * 501}, "Confirm")

    assert "Somebody else changed" in text_of(answer)
    assert form_on(answer, "platformmodule_form").data["config.window_m"] == ["2"]
    assert row_of(kestrel, "watch").config == {"window_m": 2}


def test_save__other_module_changed_meanwhile__no_matter(ann_in: Client, kestrel_on: Platform) -> None:
    page = ann_in.get(address("configure"))
    enable(kestrel_on, "cms")

    answer = send(ann_in, page, "platformmodule_form", {"config.default_trial_days": "30"}, "Save")

    assert answer.status_code == 302
    assert row_of(kestrel_on).config == {"default_trial_days": 30}


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_secret__typed__stored_encrypted_and_in_no_page(ann_in: Client, kestrel: Platform) -> None:
    pages = [save(ann_in, {"config.api_key": SECRET, "config.default_trial_days": "400"})]
    pages.append(send(ann_in, pages[0], "platformmodule_form", {"config.default_trial_days": "30", "is_enabled": "on"}))
    send(ann_in, pages[1], "plan_form", button="Confirm")
    change = Change.objects.get()
    addresses = [
        address("configure"),
        address("history"),
        address("reset"),
        reverse("admin:modules_change_changelist"),
        reverse("admin:modules_change_change", args=[change.pk]),
        reverse("admin:platforms_platform_change", args=[kestrel.pk]),
    ]
    pages += [ann_in.get(one) for one in addresses]

    kept = row_of(kestrel).secrets["api_key"]
    assert [page.status_code for page in pages] == [200] * len(pages)
    assert [SECRET in page.content.decode() for page in pages] == [False] * len(pages)
    assert [kept["token"] in page.content.decode() for page in pages] == [False] * len(pages)
    assert f"{kept['fingerprint'][:4]}…" in text_of(pages[2])
    assert kept["fingerprint"] in text_of(pages[3])
    assert form_on(pages[2], "platformmodule_form").data["config.api_key"] == [""]


def test_secret__left_empty__kept_and_removed_when_ticked(ann_in: Client, kestrel_on: Platform) -> None:
    configure(kestrel_on, {"api_key": SECRET})
    before = row_of(kestrel_on).secrets

    save(ann_in, {"config.default_trial_days": "30"})
    assert row_of(kestrel_on).secrets == before

    save(ann_in, {"remove.api_key": "on"})
    assert row_of(kestrel_on).secrets == {}


def test_secret__kept_field_altered__asked_to_type_it_again(
    ann_in: Client, kestrel_on: Platform, unchanged: Unchanged
) -> None:
    page = save(ann_in, {"config.api_key": SECRET, "config.default_trial_days": "400"})

    with unchanged():
        answer = send(
            ann_in, page, "platformmodule_form", {"config.default_trial_days": "30", "kept": "altered"}, "Save"
        )

    assert answer.context["form"].errors == {"config.api_key": ["What you typed here was not kept. Type it again."]}


def test_secret__typed__kept_out_of_error_reports(ann_in: Client, kestrel: Platform) -> None:
    asked = save(ann_in, {"config.api_key": SECRET, "is_enabled": "on"})
    answer = send(ann_in, asked, "plan_form", button="Confirm")

    assert asked.wsgi_request.sensitive_post_parameters == "__ALL__"
    assert answer.wsgi_request.sensitive_post_parameters == "__ALL__"


def test_pages__never_kept_by_a_cache(ann_in: Client, kestrel: Platform) -> None:
    assert "no-store" in ann_in.get(address("configure"))["Cache-Control"]
