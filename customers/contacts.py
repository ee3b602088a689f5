"""Whom one may write to: what customers provide to the other modules, as `modules.ports` asks for it."""

from collections.abc import Iterable, Sequence
from itertools import chain

from customers import consents, segments
from customers.keys import email_key, ids_of
from customers.models import Customer, Segment
from modules.ports import MARKETING, Recipient, Selector
from platforms.models import Platform


def recipients(*, platform: Platform, selector: Selector) -> Sequence[Recipient]:
    """Return who is meant, each mailbox once: customers of the platform who have one, then addresses by themselves.

    Who was merged is the one they were merged into. An id that is nobody's here, or of somebody who was erased, is
    nobody; one that is no segment's here has no members. One query, where segments are named another one, and for each
    what `segments.members` asks.
    """
    named = Segment.objects.filter(platform=platform, pk__in=ids_of(selector.segments)).select_related("platform")
    groups: list[Iterable[Customer]] = [
        sorted(_people(platform, selector.people), key=lambda person: (person.created_at, person.pk))
    ]
    if selector.segments:
        members = [segments.members_of(segment) for segment in named.order_by("created_at", "pk")]
        groups += [people.exclude(email_key="").order_by("created_at", "pk").iterator() for people in members]
    found: dict[str, Recipient] = {}
    for person in chain.from_iterable(groups):
        if person.email:
            recipient = Recipient(address=person.email, person=str(person.pk), locale=person.locale)
            found.setdefault(person.email_key, recipient)
    for address in selector.addresses:
        found.setdefault(email_key(address), Recipient(address=address))
    return tuple(found.values())


def may_contact(*, platform: Platform, person: str, channel: str, purpose: str) -> bool:
    """Whether a customer may be written to on this channel for this purpose.

    Marketing needs a consent that counts, and nobody who is blocked gets it. What has to be told them anyway, an order
    say, needs none. Of who was merged it is asked as of the one they were merged into. Who is not a customer here, or
    was erased, is not written to.
    """
    customer = next(iter(_people(platform, [person])), None)
    if customer is None:
        return False
    if purpose != MARKETING:
        return True
    is_active = customer.status == Customer.Status.ACTIVE
    return is_active and consents.is_given(customer=customer, channel=channel, purpose=purpose)


def _people(platform: Platform, texts: Iterable[str]) -> list[Customer]:
    """Return the customers whom these ids mean, as far as they are open: who was merged is somebody else by now."""
    named = Customer.objects.filter(platform=platform, pk__in=ids_of(texts)).select_related("merged_into")
    meant = [customer.merged_into or customer for customer in named]
    return [customer for customer in meant if customer.is_open]
