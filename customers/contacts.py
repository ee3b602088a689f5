"""Whom one may write to: what customers provide to the other modules, as `modules.ports` asks for it."""

import uuid
from collections.abc import Iterable, Sequence

from customers import consents
from customers.keys import email_key
from customers.models import Customer
from modules.ports import MARKETING, Recipient, Selector
from platforms.models import Platform


def recipients(*, platform: Platform, selector: Selector) -> Sequence[Recipient]:
    """Return who is meant, each mailbox once: customers of the platform who have one, then addresses by themselves.

    An id that is nobody's here, or of somebody who was merged or erased, is nobody. One query.
    """
    people = Customer.objects.open().filter(platform=platform, pk__in=_ids(selector.people)).exclude(email="")
    found = {
        person.email_key: Recipient(address=person.email, person=str(person.pk), locale=person.locale)
        for person in people.order_by("created_at", "pk")
    }
    for address in selector.addresses:
        found.setdefault(email_key(address), Recipient(address=address))
    return tuple(found.values())


def may_contact(*, platform: Platform, person: str, channel: str, purpose: str) -> bool:
    """Whether a customer may be written to on this channel for this purpose.

    Marketing needs a consent that counts, and nobody who is blocked gets it. What has to be told them anyway, an order
    say, needs none. Who is not a customer here, or was merged or erased, is not written to.
    """
    customer = Customer.objects.open().filter(platform=platform, pk__in=_ids([person])).first()
    if customer is None:
        return False
    if purpose != MARKETING:
        return True
    is_active = customer.status == Customer.Status.ACTIVE
    return is_active and consents.is_given(customer=customer, channel=channel, purpose=purpose)


def _ids(texts: Iterable[str]) -> list[uuid.UUID]:
    found = []
    for text in texts:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found
