"""What a vendor sees of its platform: its menu, what is on, and its own rows of each module."""

import pytest
from billing.models import Invoice

from modules import services
from tests.factories import InvoiceFactory, VendorFactory
from tests.modules.building import origin

pytestmark = pytest.mark.django_db

CUSTOMERS = {"key": "customers.customers", "label": "Customers", "module": "customers", "path": None}
HERE = "/api/v1/vendor/kestrel/brindle/"


def test_menu__vendor__lines_for_vendors(as_vendor, kestrel_on):
    assert as_vendor.get(f"{HERE}menu/").json() == {
        "platform": "kestrel",
        "vendor": "brindle",
        "items": [CUSTOMERS, {"key": "billing.invoices", "label": "Invoices", "module": "billing", "path": None}],
    }


def test_modules__what_is_on__with_its_features(as_vendor, kestrel_on):
    answer = as_vendor.get(f"{HERE}modules/").json()
    assert [module["code"] for module in answer] == ["customers", "messaging", "monitoring", "billing", "subscriptions"]
    features = {module["code"]: module["features"] for module in answer}
    assert features.pop("customers") == ["import_export", "merge", "privacy", "segments"]
    assert set(map(tuple, features.values())) == {()}


def test_rows__of_the_vendor__and_of_nobody_else(as_vendor, as_admin, kestrel_on, brindle):
    mine = InvoiceFactory(vendor=brindle)
    InvoiceFactory(vendor=brindle, status=Invoice.Status.DRAFT)
    InvoiceFactory(vendor__platform=kestrel_on)
    theirs = InvoiceFactory()
    for client in (as_vendor, as_admin):
        assert [row["id"] for row in client.get(f"{HERE}billing/invoices/").json()["results"]] == [str(mine.pk)]
    assert as_vendor.get(f"{HERE}billing/invoices/{mine.pk}/").json()["number"] == mine.number
    assert as_vendor.get(f"{HERE}billing/invoices/{theirs.pk}/").status_code == 404


def test_rows__of_another_vendor_of_the_platform__is_no_address_of_mine(as_vendor, kestrel_on):
    beside = VendorFactory(platform=kestrel_on)
    for there in (beside.code, "nowhere"):
        answer = as_vendor.get(f"/api/v1/vendor/kestrel/{there}/billing/invoices/")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "not_found")


@pytest.mark.parametrize("inactive", ["vendor", "platform"])
def test_inactive__vendor_or_platform__is_dark(inactive, as_vendor, as_admin, kestrel_on, brindle):
    row = brindle if inactive == "vendor" else kestrel_on
    row.is_active = False
    row.save()
    for client in (as_vendor, as_admin):
        assert client.get(f"{HERE}menu/").status_code == 404
        assert client.get(f"{HERE}billing/invoices/").status_code == 404


def test_module_off__says_so_to_the_vendor(as_vendor, as_stranger, kestrel_on, brindle):
    services.disable(platform=kestrel_on, module="billing", origin=origin(), cascade=True)
    answer = as_vendor.get(f"{HERE}billing/invoices/")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "module_disabled")
    assert as_stranger.get(f"{HERE}billing/invoices/").status_code == 404
    assert as_vendor.get(f"{HERE}menu/").json()["items"] == [CUSTOMERS]


def test_write__where_nothing_is_written__405(as_vendor, kestrel_on, brindle):
    assert as_vendor.post(f"{HERE}billing/invoices/", {}).status_code == 405


def test_queries__warm__vendor_and_rows_only(as_vendor, kestrel_on, brindle, django_assert_num_queries):
    InvoiceFactory.create_batch(3, vendor=brindle)
    as_vendor.get(f"{HERE}billing/invoices/")
    # The session and its user, the vendor with its platform, the gate (cold inside of a test), the rows.
    with django_assert_num_queries(5):
        as_vendor.get(f"{HERE}billing/invoices/")
