"""What is not somebody's to name does not get in: by a body, a relation, a filter, a form, a list or an action."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from billing.models import Invoice, Payment, Plan
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from rest_framework import serializers

from modules.surface_checks import filters_of, relations_of
from platforms.api.serializers import StrictModelSerializer, TenantRelatedListField
from platforms.models import Platform, User, Vendor
from tests.access import world as worlds
from tests.access.routes import Route, api_routes
from tests.access.test_api_matrix import LET_IN, need_of, words_of
from tests.access.world import Place, World
from tests.admin.pages import form_on, logged_in

pytestmark = pytest.mark.django_db

BILLING = "/api/v1/admin/platforms/kestrel/billing/"


def errors_of(answer: Any) -> list[tuple[str, str | None]]:
    return [(error["code"], error["attr"]) for error in answer.json()["errors"]]


def browser(world: World, who: str) -> Client:
    person = world.people[who]
    assert isinstance(person, User)
    return logged_in(person)


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["superuser", "admin", "token write"])
def test_mass_assignment__owner_key_or_author_in_any_body__refused(who: str, world: World) -> None:
    """A key that is a field elsewhere: refused on every write, whatever else is in the body."""
    client, before = world.client(who), worlds.everything()
    smuggled = {
        "platform": world.foreign.platform.code,
        "platform_id": world.foreign.platform.pk,
        "vendor_id": world.foreign.vendor.pk,
        "id": "7b0f2a5e-0000-4000-8000-000000000000",
        "pk": 1,
        "history_user": 1,
        "actor": "root",
        "secrets": {},
        "revision": 99,
        "is_superuser": True,
    }
    wrong = []
    for route in api_routes():
        for method in set(route.methods) - {"get"}:
            if who not in LET_IN[need_of(route, method)]:
                continue
            address = route.address(words_of(world, route, "own"))
            answer = getattr(client, method)(address, smuggled, HTTP_IF_MATCH="*")
            refused = {attr for code, attr in errors_of(answer) if code in ("unknown_field", "fixed")}
            if answer.status_code != 400 or not smuggled.keys() <= refused:
                wrong.append(f"{method} {address}: {answer.status_code} {answer.content!r}")
    assert wrong == []
    assert worlds.everything() == before


def names_of(world: World, model: Any, by: str) -> dict[str, str]:
    """Return what a row of this model is called by this field: one's own, a foreign one, and one that is not there."""

    def name_in(place: Place) -> str:
        row = {Platform: place.platform, Vendor: place.vendor}.get(model) or place.rows[model]
        return str(getattr(row, "pk" if by == "pk" else by))

    return {"own": name_in(world.own), "foreign": name_in(world.foreign), "missing": str(uuid.uuid4())}


def said_of(answer: Any, attr: str, names: dict[str, str]) -> list[tuple[str, str]]:
    """Return what is said of one field, whatever the row was called."""
    found = []
    for error in answer.json().get("errors", []) if answer.status_code == 400 else []:
        if (error["attr"] or "").startswith(attr):
            detail = error["detail"]
            for name in names.values():
                detail = detail.replace(name, "it")
            found.append((error["code"], detail))
    return found


def related_routes() -> Iterator[tuple[Route, str, Any, Any]]:
    """Yield every relation that a POST of the API takes: route, name, field, model."""
    for route in api_routes():
        if "post" in route.methods and route.methods["post"] == "create":
            for name, field, model in relations_of(route.view):
                yield route, name, field, model
            serializer = getattr(route.view, "serializer_class", None)
            for name, field in serializer().fields.items() if serializer else ():
                if isinstance(field, TenantRelatedListField):
                    yield route, name, field, field.queryset.model


def test_relation__of_any_route__foreign_and_missing_are_refused_alike(world: World) -> None:
    """What a field says, it says of itself: the rest of the body may be wrong, too."""
    client, before = world.client("admin"), worlds.everything()
    walked, wrong = set(), []
    for route, name, field, model in related_routes():
        names = names_of(world, model, getattr(field, "slug_field", "pk"))
        is_list = isinstance(field, TenantRelatedListField)
        said = {}
        for which, one in names.items():
            address = f"{route.address(words_of(world, route, 'own'))}?dry_run=true"
            answer = client.post(address, {name: [one] if is_list else one})
            said[which] = said_of(answer, name, names)
        walked.add((model.__name__, type(field).__name__))
        if said["own"] or not said["missing"] or said["foreign"] != said["missing"]:
            wrong.append(f"{route.name} {name}: {said}")
    assert wrong == []
    assert worlds.everything() == before
    assert {
        ("Invoice", "TenantRelatedField"),
        ("Vendor", "VendorOfPlatformField"),
        ("Tag", "TenantRelatedListField"),
    } <= walked


def test_filter__of_any_route__foreign_and_missing_are_refused_alike(world: World) -> None:
    client, walked, wrong = world.client("admin"), set(), []
    for route in api_routes():
        if route.methods.get("get") != "list":
            continue
        for name, narrowing in filters_of(route.view):
            names = names_of(world, narrowing.extra["queryset"].model, narrowing.extra.get("to_field_name") or "pk")
            address = route.address(words_of(world, route, "own"))
            own, foreign, missing = (client.get(address, {name: one}) for one in names.values())
            walked.add(name)
            alike = said_of(foreign, name, names) == said_of(missing, name, names) != []
            if own.status_code != 200 or not alike:
                wrong.append(f"{address}?{name}=: {own.content!r} {foreign.content!r} {missing.content!r}")
    assert wrong == []
    assert {"vendor", "tag", "customer"} <= walked


def test_filter__own_vendor__narrows(world: World) -> None:
    found = world.client("admin").get(f"{BILLING}invoices/", {"vendor": "brindle"}).json()["results"]
    assert {row["vendor"] for row in found} == {"brindle"}


@pytest.mark.parametrize(
    "query",
    [
        {"config__contains": "a"},
        {"secrets__icontains": "g"},
        {"platform__tokens__digest__startswith": "a"},
        {"platform__settings": "{}"},
        {"search": "smtp_password"},
    ],
)
def test_filter__what_no_filter_is_named__refused(query: dict[str, str], world: World) -> None:
    answer = world.client("admin").get("/api/v1/admin/module-config/", query)
    assert errors_of(answer) == [("unknown_filter", *query)]


@pytest.mark.parametrize("key", ["secrets", "config", "config__api_key", "platform__settings", "enabled_by__password"])
def test_ordering__by_what_is_no_key__refused(key: str, world: World) -> None:
    answer = world.client("superuser").get("/api/v1/admin/module-config/", {"ordering": key})
    assert errors_of(answer) == [("invalid_choice", "ordering")]


# --- the admin -------------------------------------------------------------------------------------------------------


def page_of(row: Any, kind: str = "change") -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{kind}", args=[row.pk])


def list_of(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.parametrize("field", ["platform", "vendor", "plan"])
def test_form__foreign_choice__refused_and_nothing_saved(field: str, world: World) -> None:
    client, before = browser(world, "admin"), worlds.everything()
    foreign = {"platform": world.foreign.platform, "vendor": world.foreign.vendor, "plan": world.foreign.rows[Plan]}
    page = client.get(reverse("admin:billing_invoice_add"))
    typed = {
        **form_on(page, "invoice_form").data,
        "platform": world.own.platform.pk,
        "vendor": world.own.vendor.pk,
        "number": "N-1",
        "amount": "5",
        "currency": "EUR",
        "status": "open",
        "issued_on": "2026-03-01",
    }

    answer = client.post(reverse("admin:billing_invoice_add"), {**typed, field: foreign[field].pk})

    assert answer.status_code == 200
    assert answer.context["adminform"].form.has_error(field, "invalid_choice")
    assert worlds.everything() == before
    assert client.post(reverse("admin:billing_invoice_add"), typed).status_code == 302


def test_formset__foreign_row_in_an_inline__refused_and_nothing_saved(world: World) -> None:
    client, before = browser(world, "admin"), worlds.everything()
    address = page_of(world.own.rows[Payment].invoice)
    data = form_on(client.get(address), "invoice_form").data
    typed = {**data, "payments-0-id": str(world.foreign.rows[Payment].pk), "payments-0-amount": "1"}

    answer = client.post(address, typed)

    assert answer.status_code == 200
    assert answer.context["errors"]
    assert worlds.everything() == before


def test_list_editable__foreign_row__refused_and_nothing_saved(world: World) -> None:
    client, before = browser(world, "admin"), worlds.everything()
    data = form_on(client.get(list_of(Plan)), "changelist-form").data
    typed: dict[str, Any] = {**data, "form-0-id": str(world.foreign.rows[Plan].pk), "_save": "Save"}
    typed.pop("form-0-is_public")

    answer = client.post(list_of(Plan), typed)

    assert answer.status_code == 400
    assert worlds.everything() == before


def test_list_editable__row_that_may_only_be_seen__nothing_saved(world: World) -> None:
    """Somebody who is an admin here and a viewer there sees both platforms' rows in one list."""
    admin = world.people["admin"]
    world.foreign.platform.memberships.create(user=admin, role="viewer")
    client, before = browser(world, "admin"), worlds.everything()
    data = form_on(client.get(list_of(Plan)), "changelist-form").data
    seen = {data[f"form-{place}-id"][0] for place in range(3)}
    assert str(world.foreign.rows[Plan].pk) in seen
    typed: dict[str, Any] = {**data, "_save": "Save"}
    for place in range(3):
        typed.pop(f"form-{place}-is_public")

    answer = client.post(list_of(Plan), typed)

    assert answer.status_code == 403
    assert worlds.everything() == before


@pytest.mark.parametrize("model", [Plan, Invoice])
def test_action__own_and_foreign_rows__all_or_nothing(model: Any, world: World) -> None:
    client, before = browser(world, "admin"), worlds.everything()
    mine, theirs = (str(place.rows[model].pk) for place in (world.own, world.foreign))
    asked = {"action": "delete_selected", "post": "yes"}

    answer = client.post(list_of(model), {**asked, "_selected_action": [mine, theirs]})

    assert answer.status_code == 302
    assert worlds.everything() == before
    assert not LogEntry.objects.exists()
    client.post(list_of(model), {**asked, "_selected_action": [mine]})
    assert not model.objects.filter(pk=mine).exists()
    assert model.objects.filter(pk=theirs).exists()


@pytest.mark.parametrize(
    ("model", "field", "own", "foreign"),
    [
        ("invoice", "vendor", {"brindle", "fernhill"}, "saltmarsh"),
        ("invoice", "platform", {"kestrel"}, "tidewater"),
        ("plan", "platform", {"kestrel"}, "tidewater"),
        ("invoice", "plan", {"plan-of-brindle", "plan-of-fernhill"}, "plan-of-saltmarsh"),
    ],
)
def test_autocomplete__of_a_modules_form__own_rows_only(
    model: str, field: str, own: set[str], foreign: str, world: World
) -> None:
    asked = {"app_label": "billing", "model_name": model, "field_name": field, "term": ""}
    related = {"vendor": "vendor", "platform": "platform", "plan": "plan"}[field]

    def found(who: str) -> set[str]:
        rows = browser(world, who).get(reverse("admin:autocomplete"), asked).json()["results"]
        table = {"vendor": world.own.vendor, "platform": world.own.platform, "plan": world.own.rows[Plan]}[related]
        return set(type(table).objects.filter(pk__in=[row["id"] for row in rows]).values_list("code", flat=True))

    assert found("admin") == own
    assert foreign in found("superuser")
    worlds.switch_everything_off(world.own.platform)
    assert found("superuser") == {code for code in found("superuser") if code == foreign}


# --- on two platforms ------------------------------------------------------------------------------------------------


@pytest.fixture
def of_both(world: World) -> World:
    """The admin of kestrel is an admin of tidewater, too, and so sees the rows of both."""
    world.foreign.platform.memberships.create(user=world.people["admin"], role="admin")
    return world


def test_form__admin_of_both__relation_to_the_other_platform_refused(of_both: World) -> None:
    client, before = browser(of_both, "admin"), worlds.everything()
    typed = {
        "platform": of_both.own.platform.pk,
        "vendor": of_both.own.vendor.pk,
        "plan": str(of_both.foreign.rows[Plan].pk),
        "number": "N-1",
        "amount": "5",
        "currency": "EUR",
        "status": "open",
        "issued_on": "2026-03-01",
        "payments-TOTAL_FORMS": "0",
        "payments-INITIAL_FORMS": "0",
    }

    answer = client.post(reverse("admin:billing_invoice_add"), typed)

    assert answer.status_code == 200
    assert answer.context["adminform"].form.has_error("plan", "foreign")
    assert worlds.everything() == before


def test_form__row_that_is_there__stays_with_its_platform(of_both: World) -> None:
    client = browser(of_both, "admin")
    plan = of_both.own.rows[Plan]
    data = form_on(client.get(page_of(plan)), "plan_form").data
    assert "platform" not in data

    client.post(page_of(plan), {**data, "name": "Renamed", "platform": of_both.foreign.platform.pk})

    plan.refresh_from_db()
    assert (plan.name, plan.platform) == ("Renamed", of_both.own.platform)


def test_serializer__author_forgot_the_tenants_field__foreign_row_refused_all_the_same(of_both: World) -> None:
    class Forgetful(StrictModelSerializer):
        vendor = serializers.PrimaryKeyRelatedField(queryset=Vendor.objects.all())
        plan = serializers.PrimaryKeyRelatedField(queryset=Plan.objects.all())

        class Meta:
            model = Invoice
            fields = ["vendor", "plan", "number", "amount", "issued_on"]

    whole = {"vendor": of_both.own.vendor.pk, "number": "N-1", "amount": "1.00", "issued_on": "2026-03-01"}
    context = {"tenant": {"platform": of_both.own.platform}}
    for plan, is_valid in ((of_both.own.rows[Plan], True), (of_both.foreign.rows[Plan], False)):
        serializer = Forgetful(data={**whole, "plan": plan.pk}, context=context)
        assert serializer.is_valid() is is_valid
    assert [error.code for error in serializer.errors["plan"]] == ["does_not_exist"]
