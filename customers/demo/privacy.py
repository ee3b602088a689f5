"""The demo story's privacy requests: an erasure due in six days, and one on legal hold.

Counted from the day on which the demo is loaded, and not from the story's start, as nobody would see "in six days"
otherwise. The grace ends a day before it is due, so that the demo's worker erases nobody for five days.
"""

import uuid
from datetime import datetime, timedelta

from django.utils import timezone

from customers.models import Customer, CustomerEvent, PrivacyRequest
from customers.timeline import asked
from modules import gate
from platforms.demo import Story
from platforms.models import Platform

_DAY = timedelta(days=1)


def load(story: Story) -> None:
    """Have two customers of Kestrel ask to be forgotten, where nobody asked for anything yet."""
    platform = Platform.objects.filter(code="kestrel").first()
    if platform is None or not gate.is_enabled(platform, "customers"):
        return
    if PrivacyRequest.objects.filter(platform=platform).exists():
        return
    # Not the first two, who are the duplicate.
    known = Customer.objects.open().filter(platform=platform, external_ref__gte="C-10002").exclude(email="")
    now = timezone.now()
    requests = [
        PrivacyRequest(
            id=uuid.uuid5(customer.pk, "erasure"),
            platform=platform,
            customer=customer,
            kind=PrivacyRequest.Kind.ERASURE,
            source=PrivacyRequest.Source.EMAIL,
            actor_label="ann",
            **said,
        )
        for customer, said in zip(
            known.order_by("external_ref"),
            (
                {
                    "reason": "Closed their account.",
                    "created_at": now - 24 * _DAY,
                    "not_before": now + 5 * _DAY,
                    "due_at": now + 6 * _DAY,
                },
                {
                    "status": PrivacyRequest.Status.ON_HOLD,
                    "created_at": now - 40 * _DAY,
                    "not_before": now - 33 * _DAY,
                    "due_at": now - 10 * _DAY,
                    "held_at": now - 35 * _DAY,
                    "held_by_label": "ann",
                    "hold_reason": "A dispute about a refund is before the court.",
                },
            ),
            strict=False,
        )
    ]
    PrivacyRequest.objects.bulk_create(requests)
    CustomerEvent.objects.bulk_create(
        [*map(asked, requests), *(_held(request, at) for request in requests if (at := request.held_at) is not None)]
    )


def _held(request: PrivacyRequest, at: datetime) -> CustomerEvent:
    return CustomerEvent(
        platform_id=request.platform_id,
        customer=request.customer,
        kind=CustomerEvent.Kind.HELD,
        at=at,
        actor_label=request.held_by_label,
        data={"request": str(request.pk), "reason": request.hold_reason},
    )
