"""A module's page on a platform: its form, its mistakes, who may use it, its history and its addresses."""

from decimal import Decimal
from typing import Any, Literal

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pydantic import create_model
from pytest_django import DjangoAssertNumQueries

from modules import gate
from modules.definition import ModuleConfig
from modules.models import Change, PlatformModule
from modules.registry import registry
from platforms.models import Platform, User
from tests.admin.pages import address, configure, form_on, messages_of, row_of, save, text_of
from tests.fixtures.module_fixtures import Install, Unchanged, installed
from tests.modules.building import definition, enable

pytestmark = pytest.mark.django_db

SECRET = "sk_live_do_not_print"


class Strict(ModuleConfig):
    """A field of every kind that is compared in its own way."""

    some: tuple[Literal["email", "name"], ...] = ("email",)
    exact: Decimal = Decimal("1.50")
    flag: bool = True
    numbers: tuple[int, ...] = (30,)
    mode: Literal["test", "live"] = "test"
    line: str = ""


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


@pytest.mark.parametrize("reason", ["x" * 501, "bell\x07", "nul\x00"])
def test_save__reason_that_cannot_be_kept__one_error(ann_in: Client, kestrel_on: Platform, reason: str) -> None:
    answer = save(ann_in, {"config.default_trial_days": "30", "reason": reason})

    assert len(answer.context["form"].errors["reason"]) == 1


@pytest.mark.parametrize("wrong", [5, True, "name", {"a": 1}, ["x", 1], [[]], 1.5, "NaN", "sNaN", ""], ids=repr)
def test_save__stored_under_another_schema__page_and_save_work(
    root_in: Client, kestrel: Platform, install: Install, wrong: Any
) -> None:
    names = list(Strict.model_fields)
    with installed(
        definition("shapes", config=create_model("Loose", __base__=ModuleConfig, **dict.fromkeys(names, (Any, None))))
    ):
        configure(kestrel, dict.fromkeys(names, wrong), module="shapes")
    install(definition("shapes", config=Strict))

    page = root_in.get(address("configure", module="shapes"))
    answer = save(root_in, {"config.some": ["email"], "config.exact": "2.50"}, module="shapes")

    assert page.status_code == 200
    assert answer.status_code in (200, 302)


CRAFTED = [
    "",
    "[]",
    "5",
    '{"is_enabled": true, "config": {"vendor_visible_fields": 5}}',
    '{"is_enabled": [], "config": {"vendor_visible_fields": "name", "import_max_rows": {}}}',
    '{"is_enabled": 1, "config": [["vendor_visible_fields", [[]]]]}',
    '{"is_enabled": null, "config": 5}',
]


@pytest.mark.parametrize("crafted", CRAFTED)
@pytest.mark.parametrize("module", sorted(item.code for item in registry))
def test_save__crafted_hidden_field__no_crash(root_in: Client, kestrel: Platform, module: str, crafted: str) -> None:
    answer = save(root_in, {"shown": crafted}, module=module)

    assert answer.status_code in (200, 302)


def test_page__configured_while_it_is_read__digest_and_values_agree(ann_in: Client, kestrel_on: Platform) -> None:
    """What the page says was shown is what its digest stands for, whatever somebody else saves meanwhile."""
    configure(kestrel_on, {"default_trial_days": 11})
    saved: list[bool] = []

    def meanwhile(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found = execute(sql, params, many, context)
        if sql.startswith("SELECT") and 'FROM "platform_modules"' in sql and not saved:
            saved.append(True)
            configure(Platform.objects.get(pk=kestrel_on.pk), {"default_trial_days": 33})
        return found

    with connection.execute_wrapper(meanwhile):
        page = ann_in.get(address("configure"))

    place = page.context["place"]
    assert saved
    assert (place.setting.config, place.state.effective_config["default_trial_days"]) == (
        {"default_trial_days": 11},
        11,
    )


def test_save__requirement_missing__form_error_names_it(
    root_in: Client, kestrel: Platform, install: Install, unchanged: Unchanged
) -> None:
    install(definition("loyalty", "cards"))
    with unchanged():
        answer = save(root_in, {"is_enabled": "on"}, module="loyalty")

    assert [item["code"] for item in answer.context["blockers"]] == ["missing_requirement"]
    assert "Loyalty needs cards, which is not installed." in text_of(answer)


@pytest.mark.django_db(transaction=True)
def test_save__module_that_the_database_does_not_know__told_and_nothing_written(
    root_in: Client, kestrel: Platform, unchanged: Unchanged
) -> None:
    with registry.register_temporarily(definition("fresh")), unchanged():
        answer = save(root_in, {"is_enabled": "on"}, module="fresh")

    assert answer["Location"] == address("configure", module="fresh")
    assert messages_of(answer)[0].startswith("Something that this change points at is missing")


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

    with django_assert_num_queries(14):
        ann_in.get(address("configure"))
    with django_assert_num_queries(15):
        ann_in.get(address("history"))
