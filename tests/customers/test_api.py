"""Customers over HTTP, for the platform's staff: what comes back, and that what is refused writes nothing."""

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customers.models import Address, Customer
from platforms.models import Platform, Vendor
from tests.customers.conftest import Untouched
from tests.factories import (
    AddressFactory,
    ConsentFactory,
    CustomerFactory,
    NoteFactory,
    TagFactory,
    VendorFactory,
)

pytestmark = pytest.mark.django_db

HERE = "/api/v1/admin/platforms/kestrel/customers/"
CUSTOMERS = f"{HERE}customers/"


def errors_of(answer: Any) -> set[tuple[str, str | None]]:
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["last_name"] for row in answer.json()["results"]]


def patch(client: APIClient, address: str, body: dict[str, Any]) -> Any:
    return client.patch(address, body, HTTP_IF_MATCH="*")


# --- customers -----------------------------------------------------------------------------------------------------


def test_create__whole__answered_as_it_is_kept(shop: Platform, brindle: Vendor, as_admin: APIClient) -> None:
    for name in ("Gold", "Silver"):
        TagFactory(platform=shop, name=name)
    body = {
        "email": "Maelle@Example.com",
        "phone": "+49 (30) 2312-5042",
        "first_name": "Maëlle",
        "last_name": "Dubois",
        "locale": "fr",
        "external_ref": "C-1",
        "tags": ["Silver", "Gold"],
        "vendors": ["brindle"],
    }
    answer = as_admin.post(CUSTOMERS, body)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made == {
        **body,
        "id": made["id"],
        "phone": "+493023125042",
        "tags": ["Gold", "Silver"],
        "status": "active",
        "merged_into": None,
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
    }
    assert as_admin.get(f"{CUSTOMERS}{made['id']}/").json() == made
    assert Customer.objects.get().events.get().actor_label == "ann"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {(None, "nobody")}),
        ({"email": "nobody", "phone": "12", "locale": "german"}, {("email", "invalid"), ("phone", "invalid")}),
        ({"email": "MAELLE@example.com"}, {("email", "unique")}),
        ({"first_name": "A", "external_ref": "C-1"}, {("external_ref", "unique")}),
        ({"first_name": "A\x1b[31m"}, {("first_name", "control_characters")}),
        ({"first_name": "x" * 10_000}, {("first_name", "max_length")}),
        ({"first_name": "A", "status": "erased"}, {("status", "unknown_field")}),
        ({"first_name": "A", "merged_into": str(uuid4())}, {("merged_into", "unknown_field")}),
        ({"first_name": "A", "tags": ["Nowhere"]}, {("tags", "does_not_exist")}),
        ({"first_name": "A", "tags": "Gold"}, {("tags", "not_a_list")}),
        ({"first_name": "A", "tags": [1]}, {("tags.0", "invalid")}),
        ({"first_name": "A", "vendors": ["saltmarsh"]}, {("vendors", "does_not_exist")}),
        ({"first_name": "A", "vendors": ["x"] * 101}, {("vendors", "max_length")}),
    ],
)
def test_create__bad_body__one_error_a_field_and_nothing_written(
    body: dict[str, Any],
    expected: set[tuple[str, str]],
    maelle: Customer,
    tidewater: Platform,
    as_admin: APIClient,
    untouched: Untouched,
) -> None:
    VendorFactory(platform=tidewater, code="saltmarsh")
    with untouched():
        answer = as_admin.post(CUSTOMERS, body)
        assert answer.status_code == 400, answer.content
    assert expected <= errors_of(answer)


def test_patch__some_fields__changed_and_what_is_left_out_stays(maelle: Customer, as_admin: APIClient) -> None:
    address = f"{CUSTOMERS}{maelle.pk}/"
    tag = as_admin.get(address)["ETag"]
    assert as_admin.patch(address, {"last_name": "Le Goff"}).status_code == 428
    answer = as_admin.patch(address, {"last_name": "Le Goff", "vendors": []}, HTTP_IF_MATCH=tag)
    assert answer.status_code == 200, answer.content
    assert (answer.json()["last_name"], answer.json()["vendors"]) == ("Le Goff", [])
    assert answer.json()["email"] == "Maelle@Example.com"
    assert as_admin.patch(address, {"last_name": "X"}, HTTP_IF_MATCH=tag).status_code == 412


@pytest.mark.parametrize("status", ["merged", "erased"])
def test_closed_customer__any_write__409_and_nothing_written(
    status: str, maelle: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    home, note = AddressFactory(customer=maelle), NoteFactory(customer=maelle)
    into = CustomerFactory(platform=maelle.platform) if status == "merged" else None
    Customer.objects.filter(pk=maelle.pk).update(status=status, merged_into=into)
    of = {"customer": str(maelle.pk)}
    said = {"channel": "post", "purpose": "marketing", "source": "desk", "action": "given"}
    lived = {"line1": "1 Mill Street", "city": "York", "country": "GB"}
    with untouched():
        answers = [
            patch(as_admin, f"{CUSTOMERS}{maelle.pk}/", {"first_name": "New"}),
            as_admin.post(f"{CUSTOMERS}{maelle.pk}/block/", {}),
            as_admin.post(f"{CUSTOMERS}{maelle.pk}/unblock/", {}),
            as_admin.post(f"{HERE}addresses/", {**of, **lived}),
            patch(as_admin, f"{HERE}addresses/{home.pk}/", {"city": "Leeds"}),
            as_admin.delete(f"{HERE}addresses/{home.pk}/"),
            as_admin.post(f"{HERE}notes/", {**of, "text": "New"}),
            as_admin.delete(f"{HERE}notes/{note.pk}/"),
            as_admin.post(f"{HERE}consents/", {**of, **said}),
        ]
    assert {(answer.status_code, *errors_of(answer)) for answer in answers} == {(409, (None, "closed"))}
    assert as_admin.get(f"{CUSTOMERS}{maelle.pk}/").json()["status"] == status


def test_block__and_unblock__answer_the_customer(maelle: Customer, as_admin: APIClient) -> None:
    answer = as_admin.post(f"{CUSTOMERS}{maelle.pk}/block/", {"reason": "Never pays."})
    assert (answer.status_code, answer.json()["status"]) == (200, "blocked")
    assert as_admin.post(f"{CUSTOMERS}{maelle.pk}/unblock/", {}).json()["status"] == "active"


def test_dry_run__create_and_block__answered_and_nothing_written(
    maelle: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    with untouched():
        assert as_admin.post(f"{CUSTOMERS}?dry_run=true", {"first_name": "Yann"}).status_code == 201
        answer = as_admin.post(f"{CUSTOMERS}{maelle.pk}/block/?dry_run=true", {})
        assert answer.json()["status"] == "blocked"


def test_customer__is_never_deleted_here(maelle: Customer, as_admin: APIClient, untouched: Untouched) -> None:
    with untouched():
        assert as_admin.delete(f"{CUSTOMERS}{maelle.pk}/", HTTP_IF_MATCH="*").status_code == 405


# --- finding -------------------------------------------------------------------------------------------------------


def test_list__filters__each_and_together(maelle: Customer, as_admin: APIClient) -> None:
    gold = TagFactory(platform=maelle.platform, name="Gold")
    other = CustomerFactory(platform=maelle.platform, last_name="Kerbrat", tags=[gold])
    Customer.objects.filter(pk=other.pk).update(status="blocked", created_at="2020-01-01T00:00:00Z")

    def found(**query: str) -> list[str]:
        return names(as_admin.get(CUSTOMERS, query))

    assert found() == ["Dubois", "Kerbrat"]
    assert found(status="blocked") == ["Kerbrat"]
    assert found(tag="Gold") == ["Kerbrat"]
    assert found(vendor="brindle") == ["Dubois"]
    assert found(created_before="2021-01-01T00:00:00Z") == ["Kerbrat"]
    assert found(created_after="2021-01-01T00:00:00Z") == ["Dubois"]
    assert found(search="ker") == found(search="Maëlle K") == ["Kerbrat"]
    assert found(search="ker", vendor="brindle") == []


def test_list__who_was_merged_or_erased__is_found_by_status_alone(maelle: Customer, as_admin: APIClient) -> None:
    platform = maelle.platform
    for status, name in (("active", "A"), ("blocked", "B"), ("merged", "M"), ("erased", "E")):
        into = maelle if status == "merged" else None
        one = CustomerFactory(platform=platform, first_name="", last_name=name)
        Customer.objects.filter(pk=one.pk).update(status=status, merged_into=into)

    def found(**query: Any) -> set[str]:
        return set(names(as_admin.get(CUSTOMERS, query)))

    assert found() == {"Dubois", "A", "B"}
    assert found(status="merged") == {"M"}
    assert found(status=["merged", "erased"]) == found(status=["erased", "merged"]) == {"M", "E"}
    assert found(status=["active", "merged"], search="m") == {"Dubois", "M"}
    assert found(search="m") == {"Dubois"}
    assert found(status=["active", "blocked", "merged", "erased"]) == {"Dubois", "A", "B", "M", "E"}
    for closed in Customer.objects.exclude(status__in=Customer.OPEN):
        assert as_admin.get(f"{CUSTOMERS}{closed.pk}/").json()["status"] == closed.status


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "asleep"}, ("status", "invalid_choice")),
        ({"status": ""}, ("status", "invalid_choice")),
        ({"status": "merged,erased"}, ("status", "invalid_choice")),
        ({"status": ["merged", "asleep"]}, ("status", "invalid_choice")),
        ({"tag": "Nowhere"}, ("tag", "invalid_choice")),
        ({"vendor": "saltmarsh"}, ("vendor", "invalid_choice")),
        ({"created_after": "soon"}, ("created_after", "invalid")),
        ({"search": "x" * 201}, ("search", "max_length")),
    ],
)
def test_list__bad_filter__refused(
    query: dict[str, Any], expected: tuple[str, str], shop: Platform, as_admin: APIClient
) -> None:
    answer = as_admin.get(CUSTOMERS, query)
    assert (answer.status_code, errors_of(answer)) == (400, {expected})


def test_list__pages__every_customer_once_whatever_their_number(
    shop: Platform, as_admin: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    made = {str(CustomerFactory(platform=shop).pk) for _ in range(7)}
    Customer.objects.update(created_at="2026-03-16T09:00:00Z")
    seen: list[str] = []
    address: str | None = f"{CUSTOMERS}?page_size=3"
    while address:
        # The session and its user, the platform, the gate (cold inside of a test), the rows, their tags, their vendors.
        with django_assert_num_queries(7):
            page = as_admin.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert (len(seen), set(seen)) == (7, made)


# --- what hangs on a customer --------------------------------------------------------------------------------------


def test_addresses__of_a_customer__made_changed_default_moved_deleted(maelle: Customer, as_admin: APIClient) -> None:
    body = {"customer": str(maelle.pk), "line1": "12 rue de Siam", "city": "Brest", "country": "FR", "is_default": True}
    first = as_admin.post(f"{HERE}addresses/", body).json()
    assert (first["kind"], first["country"], first["is_default"]) == ("shipping", "FR", True)
    second = as_admin.post(f"{HERE}addresses/", {**body, "line1": "1 quai de la Fosse"}).json()
    assert not Address.objects.get(pk=first["id"]).is_default
    answer = patch(as_admin, f"{HERE}addresses/{first['id']}/", {"is_default": True, "city": "Nantes"})
    assert (answer.status_code, answer.json()["city"]) == (200, "Nantes")
    assert not Address.objects.get(pk=second["id"]).is_default
    assert as_admin.delete(f"{HERE}addresses/{second['id']}/").status_code == 204
    AddressFactory(customer__platform=maelle.platform)
    found = as_admin.get(f"{HERE}addresses/", {"customer": str(maelle.pk)}).json()["results"]
    assert [row["id"] for row in found] == [first["id"]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"country": "Atlantis"}, ("country", "invalid_choice")),
        ({"country": "fr"}, ("country", "invalid_choice")),
        ({"city": ""}, ("city", "blank")),
        ({"kind": "office"}, ("kind", "invalid_choice")),
        ({"customer": "no id"}, ("customer", "does_not_exist")),
        ({"line1": "a\nb"}, ("line1", "control_characters")),
    ],
)
def test_address__bad_body__refused_and_nothing_written(
    body: dict[str, Any], expected: tuple[str, str], maelle: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    good = {"customer": str(maelle.pk), "line1": "12 rue de Siam", "city": "Brest", "country": "FR"}
    with untouched():
        answer = as_admin.post(f"{HERE}addresses/", {**good, **body})
    assert (answer.status_code, errors_of(answer)) == (400, {expected})


@pytest.mark.parametrize("resource", ["addresses", "notes", "consents"])
def test_related__foreign_customer__refused_like_a_missing_one(
    resource: str, maelle: Customer, tidewater: Platform, as_admin: APIClient, untouched: Untouched
) -> None:
    body = {
        "addresses": {"line1": "1 Mill Street", "city": "York", "country": "GB"},
        "notes": {"text": "New"},
        "consents": {"channel": "post", "purpose": "marketing", "source": "desk", "action": "given"},
    }[resource]
    foreign = CustomerFactory(platform=tidewater)
    with untouched():
        answers = [
            as_admin.post(f"{HERE}{resource}/", {**body, "customer": str(key)})
            for key in (foreign.pk, uuid4(), "no id")
        ]
        found = [as_admin.get(f"{HERE}{resource}/", {"customer": str(key)}) for key in (foreign.pk, uuid4())]
    assert [errors_of(answer) for answer in answers] == [{("customer", "does_not_exist")}] * 3
    assert [errors_of(answer) for answer in found] == [{("customer", "invalid_choice")}] * 2


def test_tags__another_spelling__is_the_same_tag(shop: Platform, as_admin: APIClient) -> None:
    made = as_admin.post(f"{HERE}tags/", {"name": "Gold"}).json()
    again = as_admin.post(f"{HERE}tags/", {"name": "GOLD"})
    assert (again.status_code, errors_of(again)) == (400, {("name", "unique")})
    renamed = patch(as_admin, f"{HERE}tags/{made['id']}/", {"name": "Silver"})
    assert renamed.json()["name"] == "Silver"
    assert as_admin.post(f"{HERE}tags/", {"name": "gold"}).status_code == 201
    assert as_admin.delete(f"{HERE}tags/{made['id']}/").status_code == 204


def test_notes__of_staff_and_vendor__both_seen_by_staff(maelle: Customer, brindle: Vendor, as_admin: APIClient) -> None:
    theirs = NoteFactory(customer=maelle, vendor=brindle)
    mine = as_admin.post(f"{HERE}notes/", {"customer": str(maelle.pk), "text": "Rang\ntwice."}).json()
    assert (mine["author"], mine["vendor"], mine["text"]) == ("ann", None, "Rang\ntwice.")
    found = as_admin.get(f"{HERE}notes/", {"customer": str(maelle.pk)}).json()["results"]
    assert [(row["id"], row["vendor"]) for row in found] == [(mine["id"], None), (str(theirs.pk), "brindle")]
    assert patch(as_admin, f"{HERE}notes/{mine['id']}/", {"text": "Other"}).status_code == 405
    assert as_admin.delete(f"{HERE}notes/{mine['id']}/").status_code == 204
    line = as_admin.get(f"{HERE}timeline/", {"customer": str(maelle.pk)}).json()["results"][0]
    assert (line["kind"], line["actor"]) == ("updated", "ann")
    assert line["data"] == {"fields": ["notes"], "note": mine["id"], "vendor": None}


def test_consents__given_and_withdrawn__lines_of_a_ledger(maelle: Customer, as_admin: APIClient) -> None:
    body = {"customer": str(maelle.pk), "channel": "email", "purpose": "marketing", "source": "checkout"}
    given = as_admin.post(f"{HERE}consents/", {**body, "action": "given", "document_version": "2026-01"})
    assert given.status_code == 201, given.content
    assert (given.json()["counts"], given.json()["actor"]) == (False, "ann")
    withdrawn = as_admin.post(f"{HERE}consents/", {**body, "action": "withdrawn"}).json()
    found = as_admin.get(f"{HERE}consents/", {"customer": str(maelle.pk), "channel": "email"}).json()["results"]
    assert [row["action"] for row in found] == ["withdrawn", "given"]
    address = f"{HERE}consents/{withdrawn['id']}/"
    assert as_admin.delete(address).status_code == patch(as_admin, address, {}).status_code == 405


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"action": "confirmed"}, ("action", "not_yours")),
        ({"channel": "pigeon"}, ("channel", "invalid_choice")),
        ({"purpose": "All of it"}, ("purpose", "invalid_code")),
        ({"at": "2020-01-01T00:00:00Z"}, ("at", "unknown_field")),
        ({"needs_confirmation": False}, ("needs_confirmation", "unknown_field")),
    ],
)
def test_consent__bad_body__refused_and_nothing_written(
    body: dict[str, Any], expected: tuple[str, str], maelle: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    good = {"channel": "post", "purpose": "marketing", "source": "desk", "action": "given"}
    with untouched():
        answer = as_admin.post(f"{HERE}consents/", {"customer": str(maelle.pk), **good, **body})
    assert (answer.status_code, errors_of(answer)) == (400, {expected})


def test_consent__no_mailbox_to_confirm_it__says_so(shop: Platform, as_admin: APIClient, untouched: Untouched) -> None:
    customer = CustomerFactory(platform=shop, email="")
    body = {"channel": "email", "purpose": "marketing", "source": "desk", "action": "given"}
    with untouched():
        answer = as_admin.post(f"{HERE}consents/", {"customer": str(customer.pk), **body})
    assert (answer.status_code, errors_of(answer)) == (400, {("channel", "no_email")})


def test_timeline__of_a_customer__newest_first(maelle: Customer, as_admin: APIClient) -> None:
    as_admin.post(f"{CUSTOMERS}{maelle.pk}/block/", {})
    ConsentFactory(customer=maelle)
    found = as_admin.get(f"{HERE}timeline/", {"customer": str(maelle.pk)}).json()["results"]
    assert [(row["kind"], row["actor"]) for row in found] == [("consent", ""), ("blocked", "ann"), ("created", "")]
    assert len(as_admin.get(f"{HERE}timeline/", {"kind": "blocked"}).json()["results"]) == 1
