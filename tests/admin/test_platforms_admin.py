"""The admin of platforms, vendors, memberships, tokens and users: who sees, chooses and changes what."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from knox.crypto import hash_token
from pytest_django import DjangoAssertNumQueries

from platforms.admin import PlatformAdmin
from platforms.admin_panels import Column, Panel
from platforms.models import ApiToken, Membership, Platform, User, Vendor
from tests.factories import (
    ApiTokenFactory,
    MembershipFactory,
    PlatformFactory,
    UserFactory,
    VendorFactory,
)

pytestmark = pytest.mark.django_db

LISTS = ("platform", "vendor", "membership", "apitoken")


def url(page: str, *args: Any) -> str:
    """Return the address of an admin page, e.g. `vendor_change`."""
    return reverse(f"admin:platforms_{page}", args=args)


def as_user(user: User) -> Client:
    """Return a browser in which this user is logged in."""
    client = Client()
    client.force_login(user)
    return client


def shown(client: Client, page: str) -> list[Any]:
    """Return the rows that a list shows."""
    return list(client.get(url(f"{page}_changelist")).context["cl"].result_list)


def form_of(client: Client, address: str) -> dict[str, Any]:
    """Return what a browser would send back if nobody typed anything."""
    form = client.get(address).context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in data.items() if value not in (None, False)}


@pytest.fixture
def rows(kestrel: Platform, tidewater: Platform) -> dict[str, dict[str, Any]]:
    """One row of each kind on kestrel and on tidewater."""
    made = {}
    for platform in (kestrel, tidewater):
        made[platform.code] = {
            "platform": platform,
            "vendor": VendorFactory(platform=platform),
            "membership": MembershipFactory(platform=platform),
            "apitoken": ApiTokenFactory(platform=platform),
        }
    return made


# --- scope -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", LISTS)
def test_list__platform_admin__own_rows_only(model: str, ann: User, rows: dict[str, dict[str, Any]]) -> None:
    listed = shown(as_user(ann), model)

    assert rows["kestrel"][model] in listed
    assert rows["tidewater"][model] not in listed


@pytest.mark.parametrize("model", LISTS)
def test_list__superuser__every_row(model: str, operator: User, rows: dict[str, dict[str, Any]]) -> None:
    listed = shown(as_user(operator), model)

    assert {rows["kestrel"][model], rows["tidewater"][model]} <= set(listed)


@pytest.mark.parametrize("model", LISTS)
@pytest.mark.parametrize("view", ["change", "delete", "history"])
def test_object_pages__foreign_row__same_as_missing(
    model: str, view: str, ann: User, rows: dict[str, dict[str, Any]]
) -> None:
    client = as_user(ann)
    foreign = rows["tidewater"][model]
    key = foreign.pk
    missing = key + 1000 if isinstance(key, int) else "00000000-0000-4000-8000-000000000000"
    if view == "delete" and model == "platform":
        return  # refused before anything is looked up: see test_platform__platform_admin__neither_adds_nor_deletes

    answers = [client.get(url(f"{model}_{view}", number)) for number in (key, missing)]

    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(302, reverse("admin:index"))] * 2


@pytest.mark.parametrize("model", LISTS)
@pytest.mark.parametrize("key", ["no-such-key", "-1", "9" * 40, "_00"])
def test_object_pages__nonsense_for_a_key__same_as_missing(key: str, model: str, operator: User) -> None:
    client = as_user(operator)

    for view in ("change", "delete", "history"):
        assert client.get(url(f"{model}_{view}", key)).status_code == 302
    assert client.post(url(f"{model}_change", key)).status_code == (403 if model == "apitoken" else 302)
    assert client.post(url(f"{model}_delete", key), {"post": "yes"}).status_code == 302


def test_viewer__platform_page__reads_and_writes_nothing(vic: User, kestrel: Platform) -> None:
    client = as_user(vic)
    address = url("platform_change", kestrel.pk)

    page = client.get(address)
    answer = client.post(address, {"name": "Taken over", "kind": "b2b", "currency": "EUR", "locales": "en"})

    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert answer.status_code == 403
    kestrel.refresh_from_db()
    assert kestrel.name == "Kestrel Rewards"


@pytest.mark.parametrize("model", ["membership", "apitoken"])
def test_viewer__members_and_tokens__not_for_them(model: str, vic: User) -> None:
    assert as_user(vic).get(url(f"{model}_changelist")).status_code == 403


def test_vendor__admin__shows_nothing(brindle: Vendor) -> None:
    user = MembershipFactory(vendor=brindle, user__is_staff=True).user
    client = as_user(user)

    start = client.get(reverse("admin:index"))

    assert start.status_code == 200
    assert start.context["app_list"] == []
    assert list(start.context["platforms"]) == []
    assert "Kestrel" not in start.content.decode()
    assert client.get(url("platform_changelist")).status_code == 403


def test_former_member__still_logged_in__sees_nothing(ann: User) -> None:
    client = as_user(ann)
    Membership.objects.filter(user=ann).delete()

    assert client.get(url("platform_changelist")).status_code == 403


def test_start_page__platform_admin__own_platforms_first(ann: User, kestrel: Platform, tidewater: Platform) -> None:
    page = as_user(ann).get(reverse("admin:index"))

    assert [card["platform"] for card in page.context["platforms"]] == [kestrel]
    assert page.context["app_list"][0]["app_label"] == "platforms"
    names = [model["object_name"] for model in page.context["app_list"][0]["models"]]
    assert names == ["Platform", "Vendor", "Membership", "ApiToken"]


def test_superuser__no_platform_yet__can_make_the_first(operator: User) -> None:
    client = as_user(operator)

    assert client.get(url("platform_changelist")).status_code == 200
    assert client.get(url("platform_add")).status_code == 200


# --- what an address may ask -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("vendor", "platform__id__exact={kestrel}&is_active__exact=1"),
        ("membership", "role__exact=admin"),
        ("platform", "kind__exact=loyalty"),
    ],
)
def test_list__own_filters__answered(model: str, query: str, ann: User, kestrel: Platform) -> None:
    answer = as_user(ann).get(f"{url(f'{model}_changelist')}?{query.format(kestrel=kestrel.pk)}")

    assert answer.status_code == 200


def test_filter_by_platform__platform_admin__offers_own_only(
    ann: User, brindle: Vendor, tidewater: Platform, kestrel: Platform
) -> None:
    VendorFactory(platform=kestrel)
    page = as_user(ann).get(url("vendor_changelist")).content.decode()

    assert "Tidewater" not in page


@pytest.mark.parametrize(
    ("model", "field", "term", "found"),
    [
        ("vendor", "platform", "", ["Kestrel Rewards"]),
        ("membership", "vendor", "", ["Brindle Coffee · Kestrel Rewards"]),
        ("apitoken", "vendor", "foreign", []),
    ],
)
def test_autocomplete__platform_admin__own_rows_only(
    model: str, field: str, term: str, found: list[str], ann: User, brindle: Vendor, tidewater: Platform
) -> None:
    VendorFactory(platform=tidewater, name="Foreign vendor")
    query = {"app_label": "platforms", "model_name": model, "field_name": field, "term": term}

    answer = as_user(ann).get(reverse("admin:autocomplete"), query)

    assert [row["text"] for row in answer.json()["results"]] == found


def test_autocomplete__users__superusers_only(ann: User, operator: User) -> None:
    query = {"app_label": "platforms", "model_name": "membership", "field_name": "user", "term": "a"}

    assert as_user(ann).get(reverse("admin:autocomplete"), query).status_code == 403
    assert as_user(operator).get(reverse("admin:autocomplete"), query).status_code == 200


def test_autocomplete__form_names_a_platform__its_vendors_only(
    operator: User, brindle: Vendor, tidewater: Platform
) -> None:
    other = VendorFactory(platform=tidewater, name="Saltmarsh Ceramics")
    query = {"app_label": "platforms", "model_name": "membership", "field_name": "vendor", "platform": tidewater.pk}

    answer = as_user(operator).get(reverse("admin:autocomplete"), query)

    assert [row["id"] for row in answer.json()["results"]] == [str(other.pk)]


def test_autocomplete__viewer__may_see_platform_but_offers_nothing_to_change(vic: User) -> None:
    query = {"app_label": "platforms", "model_name": "vendor", "field_name": "platform", "term": ""}

    assert as_user(vic).get(reverse("admin:autocomplete"), query).json()["results"] == []


# --- platforms -------------------------------------------------------------------------------------------------------


def test_platform__add__locales_as_people_type_them(operator: User) -> None:
    data = {"name": "Quarry Trade", "code": "quarry", "kind": "b2b", "currency": "GBP", "locales": "en, de-AT\nfr"}

    answer = as_user(operator).post(url("platform_add"), data)

    assert answer.status_code == 302
    made = Platform.objects.get(code="quarry")
    assert (made.locales, made.is_active, made.revision) == (["en", "de-AT", "fr"], False, 0)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"locales": "english"}, "locales"),
        ({"locales": " , "}, "locales"),
        ({"locales": "en en"}, "locales"),
        ({"code": "Not A Code"}, "code"),
        ({"code": "kestrel"}, "code"),
        ({"currency": "euro"}, "currency"),
        ({"name": "nul\x00"}, "name"),
    ],
)
def test_platform__add_with_wrong_input__error_at_its_field(
    wrong: dict[str, str], field: str, operator: User, kestrel: Platform
) -> None:
    data = {"name": "Quarry", "code": "quarry", "kind": "b2b", "currency": "GBP", "locales": "en", **wrong}

    answer = as_user(operator).post(url("platform_add"), data)

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert list(Platform.objects.all()) == [kestrel]


def test_platform__change_code__is_fixed(operator: User, kestrel: Platform) -> None:
    client, address = as_user(operator), url("platform_change", kestrel.pk)

    answer = client.post(address, {**form_of(client, address), "locales": "en", "code": "kite", "revision": 99})

    assert answer.status_code == 302
    kestrel.refresh_from_db()
    assert (kestrel.code, kestrel.revision, kestrel.locales) == ("kestrel", 0, ["en"])


def test_platform__saved_by_somebody_else_meanwhile__second_is_told(
    ann: User, operator: User, kestrel: Platform
) -> None:
    client, address = as_user(ann), url("platform_change", kestrel.pk)
    opened = {**form_of(client, address), "locales": "en, de"}
    Platform.objects.filter(pk=kestrel.pk).update(name="Kestrel Club")

    answer = client.post(address, {**opened, "name": "Kestrel Points"})

    assert answer.status_code == 200
    assert "Somebody else saved this" in answer.content.decode()
    kestrel.refresh_from_db()
    assert kestrel.name == "Kestrel Club"
    assert not LogEntry.objects.exists()


def test_platform__module_switched_meanwhile__own_fields_still_save(ann: User, kestrel: Platform) -> None:
    client, address = as_user(ann), url("platform_change", kestrel.pk)
    opened = {**form_of(client, address), "locales": "en, de"}
    Platform.objects.filter(pk=kestrel.pk).update(revision=4)

    answer = client.post(address, {**opened, "name": "Kestrel Points"})

    assert answer.status_code == 302
    kestrel.refresh_from_db()
    assert (kestrel.name, kestrel.revision) == ("Kestrel Points", 4)


def test_platform__platform_admin__neither_adds_nor_deletes(ann: User, kestrel: Platform) -> None:
    client = as_user(ann)

    assert client.get(url("platform_add")).status_code == 403
    assert client.post(url("platform_delete", kestrel.pk), {"post": "yes"}).status_code == 403
    assert Platform.objects.filter(pk=kestrel.pk).exists()


def test_platform__superuser_deletes__by_the_service(
    operator: User, kestrel: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int | None, str]] = []

    def before(*, platform: Platform, actor: Any, source: str, reason: str) -> None:
        told.append((platform.code, actor.user_id, source))

    monkeypatch.setattr("platforms.services.before_platform_delete", [before])

    answer = as_user(operator).post(url("platform_delete", kestrel.pk), {"post": "yes"})

    assert answer.status_code == 302
    assert told == [("kestrel", operator.pk, "admin")]
    assert not Platform.objects.filter(pk=kestrel.pk).exists()


def test_platform__bulk_delete__not_offered(operator: User, kestrel: Platform) -> None:
    client = as_user(operator)

    client.post(
        url("platform_changelist"), {"action": "delete_selected", "_selected_action": [kestrel.pk], "post": "yes"}
    )

    assert Platform.objects.filter(pk=kestrel.pk).exists()


def test_history__other_than_reading__405(operator: User, kestrel: Platform) -> None:
    client, address = as_user(operator), url("platform_history", kestrel.pk)

    assert client.get(address).status_code == 200
    answer = client.post(address)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


def test_panels_and_columns__added_by_another_app__shown(
    ann: User, kestrel: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    @admin.display(description="modules on")
    def modules_on(platform: Platform) -> str:
        return f"<{platform.code}>"

    monkeypatch.setattr(PlatformAdmin, "panels", [])
    monkeypatch.setattr(PlatformAdmin, "columns", [])
    PlatformAdmin.add_panel(Panel(template="admin/app_list.html", context=lambda request, platform: {"app_list": []}))
    PlatformAdmin.add_panel(Panel(template="no/such/template.html", context=lambda request, platform: None))
    PlatformAdmin.add_column(Column(display=modules_on, annotate=lambda rows: rows.exclude(code="tidewater")))
    client = as_user(ann)

    page = client.get(url("platform_change", kestrel.pk))
    listed = client.get(url("platform_changelist")).content.decode()
    start = client.get(reverse("admin:index")).content.decode()

    assert len(page.context["panels"]) == 1
    text = page.content.decode()
    assert text.index('class="panels"') < text.index('id="platform_form"')
    for place in (listed, start):
        assert escape("<kestrel>") in place
        assert "Modules on" in place


# --- vendors and memberships -----------------------------------------------------------------------------------------


def test_vendor__add_on_foreign_platform__not_a_choice(ann: User, tidewater: Platform) -> None:
    data = {"platform": tidewater.pk, "name": "Spy", "code": "spy", "is_active": "on"}

    answer = as_user(ann).post(url("vendor_add"), data)

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["platform"]
    assert not Vendor.objects.exists()


def test_vendor__same_code_twice_on_a_platform__form_error(ann: User, brindle: Vendor) -> None:
    data = {"platform": brindle.platform_id, "name": "Again", "code": "brindle", "is_active": "on"}

    answer = as_user(ann).post(url("vendor_add"), data)

    assert answer.status_code == 200
    assert Vendor.objects.count() == 1


def test_vendor__change__platform_and_code_stay(ann: User, brindle: Vendor, tidewater: Platform) -> None:
    client, address = as_user(ann), url("vendor_change", brindle.pk)

    answer = client.post(
        address, {**form_of(client, address), "name": "Brindle", "code": "b2", "platform": tidewater.pk}
    )

    assert answer.status_code == 302
    brindle.refresh_from_db()
    assert (brindle.name, brindle.code, brindle.platform.code) == ("Brindle", "brindle", "kestrel")


def test_membership__platform_admin_names_a_user__added(ann: User, kestrel: Platform) -> None:
    UserFactory(username="newcomer")

    answer = as_user(ann).post(
        url("membership_add"), {"user": "newcomer", "platform": kestrel.pk, "role": "viewer", "vendor": ""}
    )

    assert answer.status_code == 302
    assert Membership.objects.get(user__username="newcomer").role == "viewer"


def test_membership__unknown_user__form_error(ann: User, kestrel: Platform) -> None:
    answer = as_user(ann).post(url("membership_add"), {"user": "nobody", "platform": kestrel.pk, "role": "viewer"})

    assert answer.context["adminform"].form.errors == {"user": ["There is no active user of this name."]}
    assert Membership.objects.count() == 1


@pytest.mark.parametrize("role", ["viewer", "vendor"])
def test_membership__vendor_and_role_do_not_fit__form_error(
    role: str, operator: User, kestrel: Platform, tidewater: Platform, brindle: Vendor
) -> None:
    foreign = VendorFactory(platform=tidewater)
    vendor = brindle if role == "viewer" else foreign
    data = {"user": operator.pk, "platform": kestrel.pk, "role": role, "vendor": vendor.pk}

    answer = as_user(operator).post(url("membership_add"), data)

    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    assert not Membership.objects.exists()


def test_membership__change_to_a_vendor_held_already__form_error(operator: User, brindle: Vendor) -> None:
    member = MembershipFactory(vendor=brindle)
    other = MembershipFactory(user=member.user, vendor=VendorFactory(platform=brindle.platform))
    client, address = as_user(operator), url("membership_change", other.pk)

    answer = client.post(address, {**form_of(client, address), "vendor": brindle.pk})

    assert answer.status_code == 200
    assert "already belongs to this vendor" in answer.content.decode()
    other.refresh_from_db()
    assert other.vendor_id != brindle.pk


def test_membership__admin_demotes_themselves__allowed_to_others_only(ann: User) -> None:
    """After the save the row is looked up again: it has left what its editor may change, so nothing is saved."""
    own = Membership.objects.get(user=ann)
    client, address = as_user(ann), url("membership_change", own.pk)

    answer = client.post(address, {**form_of(client, address), "role": "viewer"})

    assert answer.status_code == 403
    own.refresh_from_db()
    assert own.role == "admin"
    assert not LogEntry.objects.exists()


# --- tokens ----------------------------------------------------------------------------------------------------------


def token_form(of: Platform, **changes: Any) -> dict[str, Any]:
    """Return what staff send for a new token."""
    return {
        "name": "Nightly export",
        "platform": of.pk,
        "vendor": "",
        "scopes": ["read", "write"],
        "expires_in_days": 30,
        **changes,
    }


def test_token__made__shown_once_and_kept_nowhere(ann: User, kestrel: Platform) -> None:
    client = as_user(ann)

    answer = client.post(url("apitoken_add"), token_form(kestrel))

    token = ApiToken.objects.get()
    plain = answer.context["plain_text"]
    assert answer.status_code == 200
    assert hash_token(plain) == token.digest
    assert answer.content.decode().count(plain) == 1
    assert "no-store" in answer["Cache-Control"]
    assert (token.user, token.platform, token.scopes, token.vendor) == (ann, kestrel, ["read", "write"], None)
    assert plain not in str(dict(client.session))
    assert all(plain not in cookie.value for cookie in answer.cookies.values())
    for page in (url("apitoken_changelist"), url("apitoken_change", token.pk), url("apitoken_history", token.pk)):
        assert plain not in client.get(page).content.decode()
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user) == (str(token.pk), ann)
    assert plain not in entry.object_repr + entry.change_message


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"expires_in_days": 3651}, "expires_in_days"),
        ({"platform": ""}, "platform"),
        ({"name": ""}, "name"),
    ],
)
def test_token__wrong_input__error_at_its_field(
    wrong: dict[str, Any], field: str, ann: User, kestrel: Platform
) -> None:
    answer = as_user(ann).post(url("apitoken_add"), token_form(kestrel, **wrong))

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not ApiToken.objects.exists()


def test_token__foreign_platform_or_vendor__not_a_choice(ann: User, kestrel: Platform, tidewater: Platform) -> None:
    client, foreign = as_user(ann), VendorFactory(platform=tidewater)

    for data in (token_form(tidewater), token_form(kestrel, vendor=foreign.pk)):
        assert client.post(url("apitoken_add"), data).context["adminform"].form.errors
    assert not ApiToken.objects.exists()


def test_token__page__nothing_to_edit_and_revoked_by_deleting(ann: User, kestrel: Platform) -> None:
    token = ApiTokenFactory(platform=kestrel, user=ann)
    client = as_user(ann)

    page = client.get(url("apitoken_change", token.pk))
    edit = client.post(url("apitoken_change", token.pk), {"name": "renamed"})
    revoke = client.post(url("apitoken_delete", token.pk), {"post": "yes"})

    assert token.token_key in page.content.decode()
    assert token.digest not in page.content.decode()
    assert edit.status_code == 403
    assert revoke.status_code == 302
    assert not ApiToken.objects.exists()


# --- users -----------------------------------------------------------------------------------------------------------


def test_users__platform_admin__not_for_them(ann: User, operator: User) -> None:
    client = as_user(ann)

    assert client.get(url("user_changelist")).status_code == 403
    assert client.post(url("user_change", ann.pk), {"is_superuser": "on"}).status_code == 403
    ann.refresh_from_db()
    assert not ann.is_superuser


def test_users__superuser_adds_staff__can_log_in(operator: User) -> None:
    data = {"username": "dee", "usable_password": "true", "password1": "a-Long-0ne", "password2": "a-Long-0ne"}

    answer = as_user(operator).post(url("user_add"), {**data, "is_staff": "on"})

    assert answer.status_code == 302
    dee = User.objects.get(username="dee")
    assert (dee.is_staff, dee.is_superuser, dee.check_password("a-Long-0ne")) == (True, False, True)


# --- queries ---------------------------------------------------------------------------------------------------------


def grow(count: int) -> None:
    """Make rows of every kind, all on platforms of their own."""
    for _ in range(count):
        platform = PlatformFactory()
        VendorFactory.create_batch(2, platform=platform)
        ApiTokenFactory(platform=platform)


@pytest.mark.parametrize(
    ("model", "queries"),
    [("platform", 5), ("vendor", 6), ("membership", 6), ("apitoken", 6), ("user", 5)],
)
def test_list__more_rows__same_queries(
    model: str, queries: int, operator: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = as_user(operator)
    for rows_more in (2, 10):
        grow(rows_more)
        with django_assert_num_queries(queries):
            assert client.get(url(f"{model}_changelist")).status_code == 200


def test_start_page__more_rows__same_queries(ann: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = as_user(ann)
    for _ in range(2):
        MembershipFactory.create_batch(3, user=ann)
        with django_assert_num_queries(10):
            assert client.get(reverse("admin:index")).status_code == 200
