"""A file that goes out and comes in again: the same file, and nothing lost that has a column."""

import pytest

from customers.keys import name_key
from customers.models import Address, Customer
from customers.services import FIELDS
from platforms.models import Platform, User
from tests.customers.importing import begin, counts, exported, people, table, worked
from tests.factories import AddressFactory, CustomerFactory, TagFactory, VendorFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_round_trip__into_an_empty_platform__is_the_same_file(
    file_format: str, shop: Platform, tidewater: Platform, ann: User
) -> None:
    worked(begin(shop, ann, table(people(60)), checks_first=False))
    first = exported(shop, ann, file_format)
    run = worked(begin(tidewater, ann, first, checks_first=False))
    assert counts(run) == ("done", 58, 58, 0, 0, 0)
    assert exported(tidewater, ann, file_format) == first


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_round_trip__of_one_with_everything__each_field_that_is_typed_comes_back(
    file_format: str, shop: Platform, tidewater: Platform, ann: User
) -> None:
    address = {
        "kind": "billing",
        "recipient": "+Dubois & Fils, compta",
        "line1": "12 rue de Siam",
        "line2": "2e étage",
        "postal_code": "09200",
        "city": "Brest",
        "region": "Bretagne",
        "country": "FR",
    }
    said = {
        "email": "Maelle@Example.com",
        "phone": "+493023125042",
        "first_name": "=Maëlle",
        "last_name": 'd\'Arc; "x"',
        "locale": "fr-FR",
        "external_ref": "'007",
    }
    # What is not typed is not in a file: ids, times, and that it is the default, which the only one is made.
    assert {field.name for field in Address._meta.concrete_fields} - set(address) == {
        *("id", "platform", "customer", "is_default", "created_at")
    }
    assert set(FIELDS) == set(said)
    tags = [TagFactory(platform=shop, name=name, key=name_key(name)) for name in ("Gold", 'Paris, "Texas"')]
    vendors = [VendorFactory(platform=shop, code=code) for code in ("fernhill", "saltmarsh")]
    AddressFactory(customer=CustomerFactory(platform=shop, tags=tags, vendors=vendors, **said), **address)
    for code in ("fernhill", "saltmarsh"):
        VendorFactory(platform=tidewater, code=code)

    run = worked(begin(tidewater, ann, exported(shop, ann, file_format), checks_first=False))

    assert counts(run) == ("done", 1, 1, 0, 0, 0)
    came = Customer.objects.get(platform=tidewater)
    kept = came.addresses.get()
    assert {name: str(getattr(came, name)) for name in said} == said
    assert {name: str(getattr(kept, name)) for name in address} == address
    assert sorted(came.tags.values_list("name", flat=True)) == ["Gold", 'Paris, "Texas"']
    assert sorted(came.vendors.values_list("code", flat=True)) == ["fernhill", "saltmarsh"]
