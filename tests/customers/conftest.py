"""Customers in tests: kestrel with the module on, beside tidewater, which has it too."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.apps import apps

from customers import services
from customers.models import Customer
from modules.models import Event
from platforms.models import Platform, Vendor
from tests.factories import (
    AddressFactory,
    ConsentFactory,
    CustomerFactory,
    NoteFactory,
    TagFactory,
    VendorFactory,
)
from tests.modules.building import enable

Untouched = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def shop(kestrel: Platform, tidewater: Platform) -> Platform:
    """Kestrel with customers on; tidewater has it on too."""
    for platform in (tidewater, kestrel):
        enable(platform, "customers")
    Event.objects.all().delete()
    return kestrel


@pytest.fixture
def maelle(shop: Platform, brindle: Vendor) -> Customer:
    """A customer of Brindle on kestrel. What making her told is forgotten."""
    customer = CustomerFactory.create(
        vendor=brindle, email="Maelle@Example.com", first_name="Maëlle", last_name="Dubois", external_ref="C-1"
    )
    Event.objects.all().delete()
    return customer


@pytest.fixture
def double(maelle: Customer, brindle: Vendor) -> Customer:
    """Maëlle once more, with something of everything, some of which she has already."""
    platform = maelle.platform
    gold, silver = (TagFactory(platform=platform, name=name, key=name.lower()) for name in ("Gold", "Silver"))
    services.update_customer(customer=maelle, values={"tags": [gold]})
    AddressFactory(customer=maelle, is_default=True)
    customer = CustomerFactory.create(
        platform=platform,
        email="m.dubois@example.com",
        phone="+493023125042",
        first_name="M.",
        last_name="Dubois",
        locale="fr",
        external_ref="C-2",
        tags=[gold, silver],
        vendors=[brindle, VendorFactory(platform=platform, code="fernhill")],
    )
    AddressFactory(customer=customer)
    AddressFactory(customer=customer, is_default=True, line1="1 quai de la Fosse", city="Nantes")
    AddressFactory(customer=customer, is_default=True, kind="billing")
    NoteFactory(customer=customer, vendor=brindle)
    ConsentFactory(customer=customer)
    Event.objects.all().delete()
    return customer


@pytest.fixture
def untouched(db: None) -> Untouched:
    """Make a `with` block after which every row of customers, and every event, is as it was."""

    def rows() -> dict[str, list[dict[str, object]]]:
        models = [*apps.get_app_config("customers").get_models(include_auto_created=True), Event]
        return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in models}

    @contextmanager
    def guard() -> Iterator[None]:
        before = rows()
        yield
        assert rows() == before

    return guard


@pytest.fixture
def old(maelle: Customer) -> Customer:
    """Another profile of Maëlle's, merged into hers; with a note."""
    old = CustomerFactory(platform=maelle.platform, email="old@example.com", first_name="Maëlle")
    NoteFactory(customer=old)
    Customer.objects.filter(pk=old.pk).update(status="merged", merged_into=maelle)
    return Customer.objects.get(pk=old.pk)
