"""Customers in tests: kestrel with the module on, beside tidewater, which has it too."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.apps import apps

from customers.models import Customer
from modules.models import Event
from platforms.models import Platform, Vendor
from tests.factories import CustomerFactory
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
