"""A module's page on a platform: the form, the plan that is confirmed, two people at once, secrets, who may."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from modules import gate, services
from modules.admin import proposals
from modules.models import Change, PlatformModule
from modules.registry import registry
from platforms.models import Platform, User
from tests.admin.pages import address, form_on, messages_of, save, send, text_of
from tests.fixtures.module_fixtures import Install, Unchanged
from tests.modules.building import definition, enable, origin

pytestmark = pytest.mark.django_db

SECRET = "sk_live_do_not_print"


@pytest.fixture
def ann_in(client: Client, ann: User) -> Client:
    """The browser of kestrel's admin."""
    client.force_login(ann)
    return client


@pytest.fixture
def root_in(operator: User) -> Client:
    """The browser of a superuser."""
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def vic_in(vic: User) -> Client:
    """The browser of kestrel's viewer."""
    client = Client()
    client.force_login(vic)
    return client


def configure(platform: Platform, config: dict[str, Any], module: str = "billing", **fields: Any) -> None:
    """Configure as somebody else."""
    services.configure(platform=platform, module=module, config=config, origin=origin(**fields))


def row_of(platform: Platform, module: str = "billing") -> PlatformModule:
    return PlatformModule.objects.get(platform=platform, module=module)


# --- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", sorted(item.code for item in registry))
def test_page__no_row_yet__form_with_every_default(root_in: Client, kestrel: Platform, module: str) -> None:
    answer = root_in.get(address("configure", module=module))

    assert answer.status_code == 200
    form = form_on(answer, "platformmodule_form")
    assert ("is_enabled" in answer.context["form"].fields) is not registry[module].is_core
    assert form.data["reason"] == [""]
    assert PlatformModule.objects.count() == 0


def test_page__nothing_typed__nothing_to_change(ann_in: Client, kestrel_on: Platform, unchanged: Unchanged) -> None:
    with unchanged():
        answer = save(ann_in, {})

    assert (answer.status_code, answer["Location"]) == (302, address("configure"))
    assert messages_of(answer) == ["Nothing to change."]


def test_save__settings_typed__only_these_are_set_in_one_change(
    ann_in: Client, kestrel_on: Platform, ann: User
) -> None:
    answer = save(
        ann_in,
        {
            "config.default_trial_days": "30",
            "config.allowed_currencies": "EUR\r\nGBP",
            "config.address.city": "Kiel",
            "reason": "New office",
        },
    )

    change = Change.objects.get(platform=kestrel_on, number=2)
    assert answer["Location"] == address("configure")
    assert row_of(kestrel_on).config == {
        "default_trial_days": 30,
        "allowed_currencies": ["EUR", "GBP"],
        "address": {"city": "Kiel"},
    }
    assert (change.source, change.reason, change.actor_id, change.actor_label) == ("admin", "New office", ann.pk, "ann")
    assert change.request_id == answer["X-Request-ID"]
    link = reverse("admin:modules_change_change", args=[change.pk])
    assert messages_of(answer) == [f'{kestrel_on.name}: Billing configured (<a href="{link}">change 2</a>).']


def test_save__field_emptied__back_to_its_default(ann_in: Client, kestrel_on: Platform) -> None:
    configure(kestrel_on, {"default_trial_days": 30, "stripe_mode": "live"})

    save(ann_in, {"config.default_trial_days": ""})

    assert row_of(kestrel_on).config == {"stripe_mode": "live"}


def test_save__switched_off_alone__at_once(ann_in: Client, kestrel_on: Platform) -> None:
    answer = save(ann_in, {"is_enabled": None}, module="subscriptions")

    assert answer["Location"] == address("configure", module="subscriptions")
    assert not gate.is_enabled(Platform.objects.get(pk=kestrel_on.pk), "subscriptions")


def test_save__core_module__configured_without_a_switch(ann_in: Client, kestrel: Platform) -> None:
    save(ann_in, {"config.fail_n": "3", "is_enabled": None}, module="monitoring")

    row = row_of(kestrel, "monitoring")
    assert (row.config, row.is_enabled) == ({"fail_n": 3}, True)


# --- mistakes --------------------------------------------------------------------------------------------------------


def test_save__schema_refuses__errors_at_their_fields_and_input_kept(
    ann_in: Client, kestrel_on: Platform, unchanged: Unchanged
) -> None:
    typed = {
        "config.default_trial_days": "400",
        "config.allowed_currencies": "EUR\r\nEuro",
        "config.address.country": "Germany",
        "config.address.city": "Kiel",
        "config.support_email": "nobody",
        "reason": "Try",
    }
    with unchanged():
        answer = save(ann_in, typed)

    errors = answer.context["form"].errors
    assert answer.status_code == 200
    assert set(errors) == {
        "config.default_trial_days",
        "config.allowed_currencies",
        "config.address.country",
        "config.support_email",
    }
    assert errors["config.allowed_currencies"][0].startswith("Entry 2: ")
    assert {name: form_on(answer, "platformmodule_form").data[name] for name in typed} == {
        name: [value] for name, value in typed.items()
    }


def test_save__reason_too_long__refused(ann_in: Client, kestrel_on: Platform, unchanged: Unchanged) -> None:
    with unchanged():
        answer = save(ann_in, {"config.default_trial_days": "30", "reason": "x" * 501})

    assert list(answer.context["form"].errors) == ["reason"]


def test_save__rule_over_two_fields__said_at_the_field(ann_in: Client, kestrel: Platform, unchanged: Unchanged) -> None:
    with unchanged():
        answer = save(ann_in, {"config.fail_n": "5"}, module="monitoring")

    assert list(answer.context["form"].errors) == ["config.window_m"]


def test_save__requirement_missing__form_error_names_it(
    root_in: Client, kestrel: Platform, install: Install, unchanged: Unchanged
) -> None:
    install(definition("loyalty", "cards"))
    with unchanged():
        answer = save(root_in, {"is_enabled": "on"}, module="loyalty")

    assert [item["code"] for item in answer.context["blockers"]] == ["missing_requirement"]
    assert "Loyalty needs cards, which is not installed." in text_of(answer)


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


# --- who may ---------------------------------------------------------------------------------------------------------


def test_viewer__reads_everything_writes_nothing(
    vic_in: Client, root_in: Client, kestrel_on: Platform, unchanged: Unchanged
) -> None:
    configure(kestrel_on, {"default_trial_days": 30, "api_key": SECRET})
    page = vic_in.get(address("configure"))
    sent = form_on(root_in.get(address("configure")), "platformmodule_form").data
    pending = form_on(root_in.get(address("switch_off", module="subscriptions")), "plan_form").data

    with unchanged():
        answers = [
            vic_in.post(address("configure"), {**sent, "config.default_trial_days": "9"}),
            vic_in.post(address("confirm", module="subscriptions"), pending),
            *(vic_in.get(address(one)) for one in ("switch_on", "switch_off", "reset")),
        ]

    html = text_of(page)
    assert page.status_code == 200
    assert page.context["form"] is None
    assert "platformmodule_form" not in html
    assert "<dt>Trial (days)</dt><dd>30</dd>" in html
    assert SECRET not in html
    assert [answer.status_code for answer in answers] == [403] * 5


def test_viewer__platform_page__no_buttons(vic_in: Client, kestrel_on: Platform) -> None:
    html = text_of(vic_in.get(reverse("admin:platforms_platform_change", args=[kestrel_on.pk])))

    assert address("history") in html
    assert address("switch_off") not in html
    assert address("switch_on", module="cms") not in html


@pytest.mark.parametrize("page", ["configure", "history", "switch_on", "switch_off", "reset", "confirm"])
def test_foreign_platform__same_as_missing(
    ann_in: Client, tidewater: Platform, unchanged: Unchanged, page: str
) -> None:
    with unchanged():
        answers = [
            ann_in.get(address(page, platform="tidewater")),
            ann_in.get(address(page, platform="nowhere")),
            ann_in.get(address(page, module="nothing")),
            ann_in.post(address(page, platform="tidewater"), {"is_enabled": "on"}),
        ]

    allowed = [404, 404, 404, 405 if page in ("history", "switch_on", "switch_off", "reset") else 404]
    assert [answer.status_code for answer in answers] == allowed


def test_restricted__platform_admin__sees_it_and_is_refused(
    ann_in: Client, root_in: Client, kestrel: Platform, unchanged: Unchanged
) -> None:
    sent = form_on(root_in.get(address("configure", module="dev_tools")), "platformmodule_form").data
    page = ann_in.get(address("configure", module="dev_tools"))

    with unchanged():
        posted = ann_in.post(address("configure", module="dev_tools"), {**sent, "is_enabled": "on"})
        asked = ann_in.get(address("switch_on", module="dev_tools"))

    assert page.context["form"] is None
    for answer in (posted, asked):
        assert answer["Location"] == address("configure", module="dev_tools")
        assert messages_of(answer)[-1] == "Only superusers switch or configure this module."


def test_restricted__superuser__switches_it(root_in: Client, kestrel: Platform) -> None:
    save(root_in, {"is_enabled": "on"}, module="dev_tools")

    assert row_of(kestrel, "dev_tools").is_enabled


def test_anonymous__sent_to_the_login(client: Client, kestrel: Platform) -> None:
    assert client.get(address("configure")).status_code == 302
    assert client.post(address("confirm")).status_code == 302


# --- what is not installed any more ----------------------------------------------------------------------------------


def test_left_behind__page_and_panel__unknown_without_buttons(
    root_in: Client, kestrel: Platform, left_behind: str, unchanged: Unchanged
) -> None:
    with unchanged():
        page = root_in.get(address("configure", module=left_behind))
        posted = root_in.post(address("configure", module=left_behind), {"is_enabled": "on", "reason": ""})
        asked = root_in.get(address("switch_on", module=left_behind))
    platform_page = text_of(root_in.get(reverse("admin:platforms_platform_change", args=[kestrel.pk])))

    assert page.context["form"] is None
    assert "pill--unknown" in text_of(page)
    assert posted.status_code in (200, 302)
    assert [item["code"] for item in asked.context["blockers"]] == ["not_installed"]
    assert "pill--unknown" in platform_page
    assert address("switch_on", module=left_behind) not in platform_page


# --- methods, addresses, costs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["history", "switch_on", "switch_off", "reset"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_reading_pages__anything_but_reading__405(
    root_in: Client, kestrel_on: Platform, unchanged: Unchanged, page: str, method: str
) -> None:
    with unchanged():
        answer = getattr(root_in, method)(address(page))

    assert answer.status_code == 405


def test_stock_addresses__lead_to_the_page_or_are_refused(
    root_in: Client, ann_in: Client, kestrel_on: Platform, tidewater: Platform, unchanged: Unchanged
) -> None:
    enable(tidewater, "cms")
    row, foreign = row_of(kestrel_on), row_of(tidewater, "cms")

    def stock(page: str, pk: int) -> str:
        return (
            reverse(f"admin:modules_platformmodule_{page}", args=[pk]) if page != "history" else f"{base}{pk}/history/"
        )

    base = reverse("admin:modules_platformmodule_changelist")
    with unchanged():
        assert root_in.get(stock("change", row.pk))["Location"] == address("configure")
        assert root_in.get(stock("history", row.pk))["Location"] == address("history")
        assert root_in.post(stock("change", row.pk), {"is_enabled": ""}).status_code == 405
        assert root_in.post(stock("history", row.pk)).status_code == 405
        assert root_in.post(stock("delete", row.pk), {"post": "yes"}).status_code == 405
        assert root_in.post(f"{base}add/", {}).status_code == 405
        for pk in (foreign.pk, 999_999, 10**30):
            assert ann_in.get(stock("change", pk)).status_code == 404
            assert ann_in.get(stock("history", pk)).status_code == 404


def test_history__entries__diff_who_why_and_pages(ann_in: Client, kestrel_on: Platform) -> None:
    for days in range(1, 31):
        configure(kestrel_on, {"default_trial_days": days}, reason=f"Try {days}")

    first, second = (ann_in.get(address("history"), {"page": page}) for page in (1, 2))

    assert len(first.context["entries"]) == 25
    newest = first.context["entries"][0]
    assert newest["diff"] == [{"key": "default_trial_days", "old": "29", "new": "30"}]
    assert (newest["entry"].change, newest["entry"].reason) == (31, "Try 30")
    assert second.context["entries"][-1]["diff"] == [{"key": "state", "old": "off", "new": "on"}]


@pytest.mark.parametrize("changes", [30, 60])
def test_page_and_history__many_versions__same_queries(
    ann_in: Client,
    kestrel_on: Platform,
    chain: list[str],
    changes: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for days in range(changes):
        configure(kestrel_on, {"default_trial_days": days + 1})

    with django_assert_num_queries(13):
        ann_in.get(address("configure"))
    with django_assert_num_queries(14):
        ann_in.get(address("history"))
