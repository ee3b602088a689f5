"""Whom one may write to: what customers provide to the other modules, as `modules.ports` asks for it."""

import uuid
from collections.abc import Iterable, Sequence

from django.db.models import QuerySet

from customers import consents, segments
from customers.keys import email_key
from customers.models import Customer, Segment
from modules.ports import MARKETING, Recipient, Selector
from platforms.models import Platform


def recipients(*, platform: Platform, selector: Selector) -> Sequence[Recipient]:
    """Return who is meant, each mailbox once: customers of the platform who have one, then addresses by themselves.

    An id that is nobody's here, or of somebody who was merged or erased, is nobody; one that is no segment's here has
    no members. One query, where segments are named another one, and for each what `segments.members` asks.
    """
    named = Segment.objects.filter(platform=platform, pk__in=_ids(selector.segments)).select_related("platform")
    groups: list[QuerySet[Customer]] = [
        Customer.objects.open().filter(platform=platform, pk__in=_ids(selector.people)),
        *(segments.members_of(segment) for segment in named.order_by("created_at", "pk")),
    ]
    found: dict[str, Recipient] = {}
    for people in groups:
        for person in people.exclude(email_key="").order_by("created_at", "pk").iterator():
            recipient = Recipient(address=person.email, person=str(person.pk), locale=person.locale)
            found.setdefault(person.email_key, recipient)
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
