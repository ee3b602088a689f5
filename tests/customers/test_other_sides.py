"""Customers over HTTP, for the vendors they bought from, and for who has a link from a mail."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from customers import consents
from customers.models import ConsentRecord, Customer
from modules import services as module_services
from platforms.models import Vendor
from tests.customers.conftest import Untouched
from tests.factories import AddressFactory, CustomerFactory, NoteFactory, VendorFactory
from tests.modules.building import origin

pytestmark = pytest.mark.django_db

# --- the vendor ----------------------------------------------------------------------------------------------------

VENDOR = "/api/v1/vendor/kestrel/brindle/customers/"


def test_vendor__its_own_customers__as_much_as_the_platform_lets_it_see(
    maelle: Customer, brindle: Vendor, as_vendor: APIClient, as_admin: APIClient
) -> None:
    AddressFactory(customer=maelle, kind="billing", city="Paris")
    AddressFactory(customer=maelle, city="Brest", is_default=True)
    beside = VendorFactory(platform=maelle.platform)
    CustomerFactory(vendor=beside)
    maelle.vendors.add(beside)
    for client in (as_vendor, as_admin):
        [row] = client.get(f"{VENDOR}customers/").json()["results"]
        assert row == {
            "id": str(maelle.pk),
            "first_name": "Maëlle",
            "last_name": "Dubois",
            "city": "Brest",
            "status": "active",
            "created_at": row["created_at"],
        }
        assert client.get(f"{VENDOR}customers/{maelle.pk}/").json() == row
    module_services.configure(
        platform=maelle.platform,
        module="customers",
        config={"vendor_visible_fields": ["email", "country"]},
        origin=origin(),
    )
    assert {"email", "country"} == set(as_vendor.get(f"{VENDOR}customers/{maelle.pk}/").json()) - {
        "id",
        "status",
        "created_at",
    }


def test_vendor__customer_of_another_or_closed__is_not_there(
    maelle: Customer, as_vendor: APIClient, untouched: Untouched
) -> None:
    other = CustomerFactory(platform=maelle.platform)
    Customer.objects.filter(pk=maelle.pk).update(status="erased")
    with untouched():
        for customer in (other, maelle):
            assert as_vendor.get(f"{VENDOR}customers/{customer.pk}/").status_code == 404
            answer = as_vendor.post(f"{VENDOR}notes/", {"customer": str(customer.pk), "text": "Mine."})
            assert answer.status_code in (400, 409)


def test_vendor__notes__its_own_and_nobody_elses(
    maelle: Customer, brindle: Vendor, as_vendor: APIClient, as_admin: APIClient
) -> None:
    staffs = NoteFactory(customer=maelle)
    beside = NoteFactory(vendor=VendorFactory(platform=maelle.platform))
    made = as_vendor.post(f"{VENDOR}notes/", {"customer": str(maelle.pk), "text": "Likes it dark."})
    assert made.status_code == 201, made.content
    assert set(made.json()) == {"id", "customer", "text", "author", "created_at"}
    assert [row["id"] for row in as_vendor.get(f"{VENDOR}notes/").json()["results"]] == [made.json()["id"]]
    for note in (staffs, beside):
        assert as_vendor.delete(f"{VENDOR}notes/{note.pk}/").status_code == 404
    assert as_vendor.delete(f"{VENDOR}notes/{made.json()['id']}/").status_code == 204


# --- the link in the mail ------------------------------------------------------------------------------------------

CONFIRM = "/api/v1/public/kestrel/customers/consents/confirm/"


def test_confirm__link_from_the_mail__anybody_who_has_it_once_or_twice(maelle: Customer, client: Any) -> None:
    line = consents.give(customer=maelle, channel="email", purpose="marketing", source="checkout")
    body = {"token": consents.confirmation_token(line, maelle)}
    for _ in range(2):
        answer = client.post(CONFIRM, body, content_type="application/json")
        assert answer.status_code == 200, answer.content
        assert (answer.json()["action"], set(answer.json())) == ("confirmed", {"channel", "purpose", "action", "at"})
    assert consents.is_given(customer=maelle, channel="email", purpose="marketing")
    assert ConsentRecord.objects.count() == 2


def test_confirm__anything_else__refused_and_nothing_written(
    maelle: Customer, client: Any, untouched: Untouched
) -> None:
    with untouched():
        for token in ("", "x", "a:b:c", "x" * 501, 1, None):
            answer = client.post(CONFIRM, {"token": token}, content_type="application/json")
            assert answer.status_code == 400, answer.content
        assert client.get(CONFIRM).status_code == 405
