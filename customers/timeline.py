"""What happened to a customer: written with the change, told to the other modules as an event."""

from collections.abc import Mapping
from typing import Any

from customers.models import Customer, CustomerEvent
from modules import events
from platforms.access import Actor


def record(customer: Customer, kind: CustomerEvent.Kind, by: Actor | None, **data: Any) -> CustomerEvent:
    """Write a line of the customer's timeline. data: names and ids, as in CustomerEvent."""
    return CustomerEvent.objects.create(
        platform_id=customer.platform_id,
        customer=customer,
        kind=kind,
        actor_label=by.label if by is not None else "",
        data=data,
    )


def tell(name: str, customer: Customer, by: Actor | None, data: Mapping[str, Any] | None = None) -> None:
    """Tell the other modules, in the transaction of the change."""
    events.emit(
        name,
        platform=customer.platform,
        actor_id=by.user_id if by is not None else None,
        data={"customer": str(customer.pk), **(data or {})},
    )
