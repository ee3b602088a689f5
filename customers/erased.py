"""Who was erased: a list for the day on which a backup from before is restored, in which they are there again."""

import uuid
from collections.abc import Collection, Iterator
from enum import StrEnum

from customers import privacy
from customers.keys import ids_of
from customers.models import Customer
from platforms.conflicts import Conflict

_REASON = "Erased again after a backup was restored."
_READ_AT_ONCE = 2000


class Outcome(StrEnum):
    """What became of a line of the list."""

    ERASED = "erased"
    ALREADY = "already"
    GONE = "gone"  # the backup is older than the customer


def listed() -> Iterator[str]:
    """Yield a line for each customer who was erased, on every platform: its code and their id.

    Who was merged into them and erased with them has a line, too: in an older backup they are a customer of their own.
    """
    erased = Customer.objects.filter(status=Customer.Status.ERASED).order_by("platform__code", "pk")
    for code, key in erased.values_list("platform__code", "pk").iterator(chunk_size=_READ_AT_ONCE):
        yield f"{code} {key}"


def read(line: str) -> tuple[str, uuid.UUID] | None:
    """Return the platform's code and the customer's id that a line of `listed` says; None for any other line."""
    words = line.split()
    # What cannot be printed is no code, and some databases fail when asked for it.
    if len(words) != 2 or not words[0].isprintable() or not (keys := ids_of(words[1:])):
        return None
    return words[0], keys[0]


def erase_again(*, code: str, customer: uuid.UUID, those: Collection[uuid.UUID], dry_run: bool = False) -> Outcome:
    """Erase somebody of the list as `privacy.erase_now` does, by the operator; erased already: nothing is written.

    those: all customers of the list. Raises Conflict as `erase_now` does, and with the code `not_listed` where the
    person is there a customer, too, who was not erased: a merge was undone after the backup was made.
    """
    found = Customer.objects.select_related("platform").filter(platform__code=code, pk=customer).first()
    if found is None:
        return Outcome.GONE
    if found.status == Customer.Status.ERASED:
        return Outcome.ALREADY
    person = privacy.people_of(found)
    if any(one.pk not in those for one in person):
        raise Conflict("They are merged with somebody who was not erased: undo that merge first.", code="not_listed")
    if not dry_run:
        privacy.erase_now(customer=person[0], reason=_REASON)
    return Outcome.ERASED
