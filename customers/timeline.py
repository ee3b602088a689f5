"""What happened to a customer: written with the change, told to the other modules as an event."""

from collections.abc import Iterable, Mapping
from typing import Any

from customers.models import Customer, CustomerEvent, PrivacyRequest
from modules import events
from platforms.access import Actor

# The fields by which other systems, and files, know a customer.
KNOWN_BY = ("email", "phone", "external_ref")


def record(customer: Customer, kind: CustomerEvent.Kind, by: Actor | None, **data: Any) -> CustomerEvent:
    """Write a line of the customer's timeline. data: names and ids, as in CustomerEvent."""
    return CustomerEvent.objects.create(
        platform_id=customer.platform_id,
        customer=customer,
        kind=kind,
        actor_label=by.label if by is not None else "",
        data=data,
    )


def change(fields: Iterable[str], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a line of the timeline says of a change: which fields, and by what the customer was known before.

    before: what the fields said, at least those of KNOWN_BY. A file that still calls them so is found by it when they
    want to be forgotten.
    """
    changed = list(fields)
    was = {name: str(before[name]) for name in KNOWN_BY if name in changed and before[name]}
    return {"fields": changed, "before": was} if was else {"fields": changed}


def known_before(customer: Customer) -> list[Mapping[str, str]]:
    """Return by what a customer was known before, as `change` wrote it down."""
    lines = CustomerEvent.objects.filter(customer=customer, kind=CustomerEvent.Kind.UPDATED)
    return list(lines.filter(data__has_key="before").values_list("data__before", flat=True))


def asked(request: PrivacyRequest) -> CustomerEvent:
    """Return the line that says of a privacy request who wants what, how they asked and why. It is not saved yet."""
    return CustomerEvent(
        platform_id=request.platform_id,
        customer=request.customer,
        kind=CustomerEvent.Kind.ASKED,
        at=request.created_at,
        actor_label=request.actor_label,
        data={
            "request": str(request.pk),
            "wanted": str(request.kind),
            "source": str(request.source),
            "reason": request.reason,
        },
    )


def tell(name: str, customer: Customer, by: Actor | None, data: Mapping[str, Any] | None = None) -> None:
    """Tell the other modules, in the transaction of the change."""
    events.emit(
        name,
        platform=customer.platform,
        actor_id=by.user_id if by is not None else None,
        data={"customer": str(customer.pk), **(data or {})},
    )
