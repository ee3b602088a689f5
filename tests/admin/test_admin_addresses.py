"""What addresses, lists and autocompletes of the admin answer to what nobody meant: words, and never a crash."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.urls import reverse

from modules.models import Module, PlatformModule
from platforms.models import ApiToken, Platform, User, Vendor
from tests.admin.pages import address, logged_in, row_of, text_of
from tests.factories import ApiTokenFactory, VendorFactory
from tests.fixtures.module_fixtures import Unchanged
from tests.modules.building import enable

pytestmark = pytest.mark.django_db

ADMINS = sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label)
NONSENSE = ("\0", "a\0b", "9" * 30, "9" * 4400, "-1", "٣", "_00", "\ufffd", "x" * 3000, "'\"<>", "../..", "%25", " ")


def list_of(model: type[Model]) -> str:
    """Return the address of a model's list."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


# --- what a list may be asked ----------------------------------------------------------------------------------------


def not_declared() -> Iterator[Any]:
    """Yield every column and every relation of every model that its list has no filter for."""
    for model, model_admin in ADMINS:
        named = [item[0] if isinstance(item, tuple) else item for item in model_admin.list_filter]
        for field in model._meta.get_fields():
            path = field.name
            if path not in named:
                yield pytest.param(model, f"{path}__isnull=1", id=f"{model._meta.label_lower}-{path}")
            if field.is_relation:
                for end in ("pk=1", "pk__gt=5") if path not in named else ():
                    yield pytest.param(model, f"{path}__{end}", id=f"{model._meta.label_lower}-{path}-{end}")
            else:
                yield pytest.param(model, f"{path}__startswith=a", id=f"{model._meta.label_lower}-{path}-startswith")


@pytest.mark.parametrize(("model", "query"), list(not_declared()))
def test_list__lookup_not_declared__refused(
    model: type[Model], query: str, operator: User, kestrel_on: Platform
) -> None:
    assert logged_in(operator).get(f"{list_of(model)}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("vendor", "platform=1"),
        ("vendor", "platform__gt=1"),
        ("vendor", "platform__settings__contains=secret"),
        ("vendor", "platform__tokens__digest__startswith=a"),
        ("membership", "user__password__startswith=pbkdf2"),
        ("apitoken", "digest__startswith=a"),
        ("platform", "settings__has_key=x"),
        ("user", "password__startswith=pbkdf2"),
        ("user", "memberships__platform=1"),
    ],
)
def test_list__path_to_another_table__refused(model: str, query: str, operator: User) -> None:
    answer = logged_in(operator).get(f"{reverse(f'admin:platforms_{model}_changelist')}?{query}")

    assert answer.status_code == 400


@pytest.mark.parametrize("lookup", ["platforms", "platforms__id__exact", "platform_modules__platform", "modules"])
def test_catalogue__asked_of_a_foreign_platform__refused(
    lookup: str, ann: User, kestrel: Platform, tidewater: Platform
) -> None:
    enable(tidewater, "cms")

    assert logged_in(ann).get(list_of(Module), {lookup: tidewater.pk}).status_code == 400


# --- addresses that Django made itself -------------------------------------------------------------------------------


def test_catalogue__code_with_an_underscore__its_link_leads_to_it(ann: User, kestrel: Platform) -> None:
    client = logged_in(ann)

    assert f"{list_of(Module)}dev_5Ftools/change/" in text_of(client.get(list_of(Module)))
    for code in ("dev_5Ftools", "dev_tools"):
        answer = client.get(f"{list_of(Module)}{code}/change/")
        assert (answer.status_code, answer.context["entry"].code) == (200, "dev_tools")


# --- nonsense --------------------------------------------------------------------------------------------------------


@pytest.fixture
def rows(kestrel_on: Platform) -> None:
    """A row of every kind on kestrel."""
    VendorFactory(platform=kestrel_on)
    ApiTokenFactory(platform=kestrel_on)


def refused(answer: Any) -> bool:
    """Whether an answer is one that nonsense may get: said in words, led away or simply not there."""
    return answer.status_code in (200, 302, 400, 403, 404, 405)


@pytest.mark.parametrize("text", NONSENSE, ids=ascii)
def test_addresses__nonsense_in_the_path__no_crash(text: str, operator: User, rows: None, unchanged: Unchanged) -> None:
    client = logged_in(operator)
    of_module = ContentType.objects.get_for_model(Module).pk
    paths = [f"{list_of(model)}{{}}/{page}/" for model, _ in ADMINS for page in ("change", "delete", "history")]
    paths += [f"{list_of(model)}{{}}/" for model, _ in ADMINS]
    paths += [path.replace("kestrel", "{}") for path in map(address, ("configure", "history", "switch_on", "confirm"))]
    paths += [path.replace("billing", "{}") for path in map(address, ("configure", "history", "switch_on", "confirm"))]
    paths += [f"/admin/r/{of_module}/{{}}/", "/admin/r/{}/billing/", "/admin/{}/"]

    with unchanged():
        for path in paths:
            filled = path.format(quote(text, safe=""))
            assert refused(client.get(filled)), path
            assert refused(client.post(filled, {"post": "yes"})), path


ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@pytest.mark.parametrize("view", ["change", "delete", "history"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_row__number_in_other_digits__no_way_round_its_pages(
    view: str, method: str, operator: User, kestrel_on: Platform, unchanged: Unchanged
) -> None:
    number = str(row_of(kestrel_on).pk).translate(ARABIC_DIGITS)

    with unchanged():
        answer = getattr(logged_in(operator), method)(
            f"{list_of(PlatformModule)}{number}/{view}/", {"post": "yes", "is_enabled": ""}
        )

    assert answer.status_code == (404 if method == "get" and view != "delete" else 405)


def queries() -> Iterator[tuple[type[Model], str]]:
    """Yield what every list can be asked: its search, its pages, its order, and each of its filters."""
    for model, model_admin in ADMINS:
        yield from ((model, name) for name in ("q", "p", "o", "e", "all", "_popup", "_to_field", "_facets"))
        for item in model_admin.list_filter:
            name = item[0] if isinstance(item, tuple) else item
            yield from ((model, f"{name}{end}") for end in ("", "__exact", "__id__exact", "__isnull", "__gte", "__lt"))


@pytest.mark.parametrize("text", NONSENSE, ids=ascii)
def test_lists__nonsense_in_the_query__no_crash(text: str, operator: User, rows: None, unchanged: Unchanged) -> None:
    client = logged_in(operator)

    with unchanged():
        for model, name in queries():
            assert refused(client.get(list_of(model), {name: text})), (model, name)
        assert refused(client.get(address("history"), {"page": text}))


@pytest.mark.parametrize("text", NONSENSE, ids=ascii)
@pytest.mark.parametrize("name", ["term", "page", "platform", "app_label", "model_name", "field_name"])
def test_autocomplete__nonsense__no_crash(text: str, name: str, ann: User, rows: None) -> None:
    asked = {"app_label": "platforms", "model_name": "membership", "field_name": "vendor", "term": "", name: text}

    assert refused(logged_in(ann).get(reverse("admin:autocomplete"), asked))


def test_autocomplete__platform_of_too_many_digits__every_vendor_in_scope(ann: User, brindle: Vendor) -> None:
    asked = {"app_label": "platforms", "model_name": "membership", "field_name": "vendor", "platform": "9" * 4400}

    answer = logged_in(ann).get(reverse("admin:autocomplete"), asked)

    assert [row["id"] for row in answer.json()["results"]] == [str(brindle.pk)]


@pytest.mark.parametrize("key", ["x", "9" * 30, "9" * 4400, "-", "\ufffd"])
@pytest.mark.parametrize(
    ("label", "action"),
    [
        ("platforms_platform", "switch_on"),
        ("platforms_vendor", "delete_selected"),
        ("platforms_apitoken", "delete_selected"),
        ("modules_platformmodule", "switch_off"),
        ("platforms_user", "delete_selected"),
    ],
)
def test_actions__what_is_no_key_of_a_row__nothing_done(
    label: str, action: str, key: str, operator: User, rows: None, unchanged: Unchanged
) -> None:
    counts = [model.objects.count() for model in (Vendor, ApiToken, User)]

    with unchanged():
        answer = logged_in(operator).post(
            reverse(f"admin:{label}_changelist"), {"action": action, "_selected_action": [key], "post": "yes"}
        )

    assert answer.status_code == 302
    assert [model.objects.count() for model in (Vendor, ApiToken, User)] == counts
