"""Services at once, of one customer: what one of them wrote, the other does not take away."""

import pytest

from customers import services
from platforms.models import Platform
from tests.customers.test_merge_races import at_once
from tests.factories import CustomerFactory, VendorFactory
from tests.modules.building import enable

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5


def test_race__two_vendors_linked__both_stay(kestrel: Platform) -> None:
    enable(kestrel, "customers")
    before, one, two = VendorFactory.create_batch(3, platform=kestrel)
    for _ in range(ROUNDS):
        customer = CustomerFactory(vendor=before)
        outcomes = at_once(
            lambda customer=customer: services.link_vendor(customer=customer, vendor=one),
            lambda customer=customer: services.link_vendor(customer=customer, vendor=two),
        )
        assert outcomes == ["done"] * 2
        assert set(customer.vendors.all()) == {before, one, two}
        assert customer.events.filter(kind="updated").count() == 2
