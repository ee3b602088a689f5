"""What tests of merging ask of two customers: how their ledgers stand, what was told, what stood in the way."""

from typing import Any

import pytest

from customers import consents, merging
from customers.models import Customer
from modules.models import Event

STATES = ("nothing", "pending", "counts", "withdrawn")


def say(customer: Customer, state: str, channel: str) -> None:
    """Have a customer's ledger stand like this."""
    if state == "nothing":
        return
    line = consents.give(customer=customer, channel=channel, purpose="marketing", source="checkout")
    if state == "counts" and not line.counts:
        token = consents.confirmation_token(line, customer)
        consents.confirm(platform=customer.platform, token=token)
    if state == "withdrawn":
        consents.withdraw(customer=customer, channel=channel, purpose="marketing", source="mail")


def counts(customer: Customer, channel: str = "email") -> bool:
    return consents.is_given(customer=customer, channel=channel, purpose="marketing")


def told() -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, event.data) for event in Event.objects.order_by("at")]


def codes(refused: pytest.ExceptionInfo[merging.Blocked]) -> list[str]:
    return [blocker.code for blocker in refused.value.blockers]
