"""What goes along with rows that are to be deleted: rows that have no page are counted, and never read one by one."""

from typing import Any

import pytest
from django.urls import reverse

from customers.models import Address, Customer, CustomerVendor, Note
from platforms import admin_deletions
from platforms.models import Membership, Platform, User, Vendor
from tests.admin.pages import logged_in, text_of
from tests.factories import AddressFactory, CustomerFactory, MembershipFactory, NoteFactory, VendorFactory
from tests.modules.building import enable

pytestmark = pytest.mark.django_db

VENDORS = reverse("admin:platforms_vendor_changelist")


def page_of(row: Platform | Vendor) -> str:
    return reverse(f"admin:platforms_{row._meta.model_name}_delete", args=[row.pk])


@pytest.fixture
def known(kestrel: Platform, brindle: Vendor) -> list[Customer]:
    """Three customers of Brindle, and a note that it wrote."""
    enable(kestrel, "customers")
    found = CustomerFactory.create_batch(3, vendor=brindle, last_name="Kerbrat")
    NoteFactory(customer=found[0], vendor=brindle)
    return found


@pytest.mark.parametrize("is_bulk", [False, True])
def test_delete__rows_without_a_page__are_counted_and_those_with_one_listed(
    is_bulk: bool, known: list[Customer], kestrel: Platform, brindle: Vendor, ann: User
) -> None:
    member = MembershipFactory(platform=kestrel, vendor=brindle, role=Membership.Role.VENDOR)
    other = VendorFactory(platform=kestrel)
    chosen = {"action": "delete_selected", "_selected_action": [str(brindle.pk), str(other.pk)]}
    client = logged_in(ann)
    page = text_of(client.post(VENDORS, chosen) if is_bulk else client.get(page_of(brindle)))
    assert f"<li>Vendors: {2 if is_bulk else 1}</li>" in page
    assert "<li>Customer vendors: 3</li> <li>Notes: 1</li>" in page
    assert "Kerbrat" not in page
    assert "Api tokens" not in page
    assert f'Vendor: <a href="{reverse("admin:platforms_vendor_change", args=[brindle.pk])}">{brindle}</a>' in page
    assert reverse("admin:platforms_membership_change", args=[member.pk]) in page

    answer = (
        client.post(VENDORS, {**chosen, "post": "yes"}) if is_bulk else client.post(page_of(brindle), {"post": "yes"})
    )
    assert answer.status_code == 302
    assert not Vendor.objects.filter(pk=brindle.pk).exists()
    assert [CustomerVendor.objects.count(), Note.objects.count(), Customer.objects.count()] == [0, 0, 3]


@pytest.mark.parametrize("count", [0, 1, 30])
def test_delete__vendor_of_many_customers__same_queries(
    count: int, kestrel: Platform, brindle: Vendor, ann: User, django_assert_num_queries: Any
) -> None:
    enable(kestrel, "customers")
    for customer in CustomerFactory.create_batch(count, vendor=brindle):
        NoteFactory(customer=customer, vendor=brindle)
    client = logged_in(ann)
    with django_assert_num_queries(17):
        assert client.get(page_of(brindle)).status_code == 200


def test_delete__very_many__are_counted_so_far_and_no_further(
    known: list[Customer], brindle: Vendor, ann: User, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for customer in known:
        AddressFactory(customer=customer)
    monkeypatch.setattr(admin_deletions, "MOST_COUNTED", 2)
    assert "<li>Customer vendors: more than 2</li>" in text_of(logged_in(ann).get(page_of(brindle)))
    assert "<li>Addresses: more than 2</li>" in text_of(logged_in(operator).get(page_of(brindle.platform)))
    monkeypatch.setattr(admin_deletions, "MOST_COUNTED", 3)
    assert "<li>Customer vendors: 3</li>" in text_of(logged_in(ann).get(page_of(brindle)))


def test_delete__rows_that_two_ways_lead_to__are_counted_once(
    known: list[Customer], kestrel: Platform, operator: User
) -> None:
    for customer in known:
        AddressFactory(customer=customer)
    page = text_of(logged_in(operator).get(page_of(kestrel)))
    assert f"<li>Addresses: {Address.objects.count()}</li>" in page
    assert "<li>Customers: 3</li>" in page


def test_delete__related_rows_that_one_may_not_delete__refused_and_nothing_deleted(
    known: list[Customer], brindle: Vendor, vic: User
) -> None:
    client = logged_in(vic)
    assert [client.get(page_of(brindle)).status_code, client.post(page_of(brindle), {"post": "yes"}).status_code] == [
        403,
        403,
    ]
    assert CustomerVendor.objects.count() == 3
