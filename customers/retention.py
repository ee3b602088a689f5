"""Customers who did nothing for so long that a platform does not keep them: given notice, and erased after it.

What somebody did last stands in their timeline, to which consents and purchases write too, and which has an index by
customer: who is inactive is asked of it once a night, in one statement, and kept nowhere. The notice is an erasure with
a grace of its own, so that staff see it in the queue, can call it off or put it on hold, and one task does both.
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from customers.definition import CustomersConfig
from customers.models import Customer, CustomerEvent, CustomerQuerySet, PrivacyRequest
from customers.timeline import asked
from modules import gate, ports
from modules.ports import Recipient
from platforms.models import Platform

NOTICE_TOPIC = "customers.retention_notice"
# How long somebody has after the notice, where the platform's grace is no longer.
LEAST_NOTICE = timedelta(days=14)
# Of one platform, in one night: a setting that was a mistake is seen before it has done much.
MOST_A_NIGHT = 1000


def inactive_since(platform: Platform, moment: datetime) -> CustomerQuerySet:
    """Return the customers who did nothing since then, the oldest first. Asking for their data is something, too."""
    did = CustomerEvent.objects.filter(customer=OuterRef("pk"), at__gte=moment).exclude(
        kind__in=CustomerEvent.OF_PRIVACY
    )
    wanted = PrivacyRequest.objects.filter(
        Q(created_at__gte=moment) | Q(status__in=PrivacyRequest.PENDING), customer=OuterRef("pk")
    )
    known = Customer.objects.open().filter(platform=platform, created_at__lt=moment)
    return known.filter(~Exists(did), ~Exists(wanted)).order_by("created_at", "pk")


def why_not(request: PrivacyRequest, person: Iterable[Customer]) -> PrivacyRequest.CalledOff | None:
    """Return why a person is not erased for doing nothing, although they were told so; None where they are.

    Their platform has stopped to erase anybody for it, they were merged into another customer in the very moment of the
    notice, or one of their profiles did something since.
    """
    if not gate.config_of(request.platform, CustomersConfig).inactive_months:
        return PrivacyRequest.CalledOff.RETENTION_OFF
    if not request.customer.is_open:
        return PrivacyRequest.CalledOff.CLOSED
    did = CustomerEvent.objects.filter(customer__in=person, at__gt=request.created_at)
    is_back = did.exclude(kind__in=CustomerEvent.OF_PRIVACY).exists()
    return PrivacyRequest.CalledOff.ACTIVE_AGAIN if is_back else None


@transaction.atomic
def give_notice(platform: Platform) -> int:
    """Give notice to those who were inactive for longer than the platform keeps them; return to how many.

    At most MOST_A_NIGHT, the oldest first. Who has no e-mail address cannot be told, and is erased after the same wait.
    Called twice, nobody is given notice twice.
    """
    config = gate.config_of(platform, CustomersConfig)
    # Asked once: a thousand times it would be the same answer.
    notify = ports.NOTIFY.on(platform)
    if not config.inactive_months or notify is ports.NOTIFY.null:
        return 0
    now = timezone.now()
    not_before = now + max(timedelta(days=config.erase_grace_days), LEAST_NOTICE)
    inactive = inactive_since(platform, _months_before(now, config.inactive_months))
    # Whom somebody is just changing or merging is doing something: the next night will tell.
    locked = inactive.select_for_update(no_key=True, skip_locked=True, of=("self",))
    people = list(locked[:MOST_A_NIGHT])
    requests = [
        PrivacyRequest(
            platform=platform,
            customer=customer,
            kind=PrivacyRequest.Kind.ERASURE,
            source=PrivacyRequest.Source.INACTIVITY,
            created_at=now,
            not_before=not_before,
            due_at=not_before + timedelta(days=config.privacy_due_days),
        )
        for customer in people
    ]
    # Who asked to be erased in this very moment is not told that nobody missed them.
    PrivacyRequest.objects.bulk_create(requests, batch_size=500, ignore_conflicts=True)
    made = set(PrivacyRequest.objects.filter(platform=platform, created_at=now).values_list("pk", flat=True))
    noted = [request for request in requests if request.pk in made]
    CustomerEvent.objects.bulk_create([asked(request) for request in noted], batch_size=500)
    for request in noted:
        if (customer := request.customer).email:
            notify(
                platform=platform,
                topic=NOTICE_TOPIC,
                recipients=[Recipient(address=customer.email, person=str(customer.pk), locale=customer.locale)],
                context={"erased_on": f"{not_before:%Y-%m-%d}"},
                key=f"retention {request.pk}",
            )
    return len(noted)


def _months_before(moment: datetime, months: int) -> datetime:
    """Return the same day so many months earlier; the month's last where it has no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
