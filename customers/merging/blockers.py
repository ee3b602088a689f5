"""What stands in the way of a merge: each rule is a function, and a new one is a line in BLOCKERS."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from customers.models import Customer, PrivacyRequest
from platforms.conflicts import Conflict


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that stands in the way, in a word for programs and a sentence for people."""

    code: str
    detail: str


class Blocked(Conflict):
    """Something stands in the way; nothing was changed."""

    def __init__(self, blockers: Sequence[Blocker]) -> None:
        super().__init__(" ".join(blocker.detail for blocker in blockers), code=blockers[0].code)
        self.blockers = tuple(blockers)


def _same_customer(kept: Customer, merged: Customer) -> Iterator[Blocker]:
    if kept.pk == merged.pk:
        yield Blocker("same_customer", "This is one customer: name two.")


def _other_platform(kept: Customer, merged: Customer) -> Iterator[Blocker]:
    if kept.platform_id != merged.platform_id:
        yield Blocker("other_platform", "The two are on different platforms.")


def _closed(kept: Customer, merged: Customer) -> Iterator[Blocker]:
    for side, customer in (("kept", kept), ("merged", merged)):
        if not customer.is_open:
            yield Blocker("closed", f"The {side} customer was {customer.status}: nothing of it is changed any more.")


def asked_about(kept: Customer, merged: Customer) -> Iterator[Blocker]:
    """Who asked to be forgotten, or is on legal hold, is one person for that: nothing of them goes to another."""
    for request in PrivacyRequest.objects.pending().filter(customer__in=[kept.pk, merged.pk]).order_by("created_at"):
        side = "kept" if request.customer_id == kept.pk else "merged"
        yield Blocker("privacy_request", f"The {side} customer has an open {request.kind} request: see to that first.")


BLOCKERS: tuple[Callable[[Customer, Customer], Iterator[Blocker]], ...] = (
    _same_customer,
    _other_platform,
    _closed,
    asked_about,
)


def blockers_of(kept: Customer, merged: Customer) -> tuple[Blocker, ...]:
    """Return all that keeps the second from being merged into the first."""
    return tuple(blocker for rule in BLOCKERS for blocker in rule(kept, merged))
