"""What customers does by itself."""

from django.utils import timezone

from customers import duplicates, imports, privacy, retention
from customers.models import PrivacyRequest
from modules.events import Envelope
from modules.tasks import enqueue, task
from modules.work import Skip
from platforms.conflicts import Conflict
from platforms.models import Platform

# How many are erased in an hour at most.
_AT_ONCE = 1000


@task("customers.find_duplicates")
def find_duplicates(*, platform: Platform) -> None:
    """Find who may be the same person twice."""
    duplicates.find(platform=platform)


def find_duplicates_after_import(event: Envelope) -> None:
    """Look at once for those whom an import brought a second time."""
    enqueue(find_duplicates, platform=event.platform)


@task("customers.import")
def import_customers(*, platform: Platform | None, run: str) -> None:
    """Check or write what is left of an import. Called again it goes on where it stopped."""
    imports.work_on(run)


# --- Duties: also where the module is off --------------------------------------------------------------------------


@task("customers.erase", is_duty=True)
def erase(*, platform: Platform, request: str) -> None:
    """Erase whom the request is about. Raises Skip where it was called off or has to wait after all."""
    found = PrivacyRequest.objects.select_related("customer__platform").filter(pk=request).first()
    if found is None:
        raise Skip("The request is gone.")
    try:
        privacy.execute(request=found)
    except Conflict as why:
        raise Skip(str(why)) from None


@task("customers.erase_due", is_duty=True)
def erase_due(*, platform: Platform | None) -> None:
    """Have everybody erased whose time has come, each by a task of their own, on every platform, active or not."""
    hour = f"{timezone.now():%Y-%m-%dT%H}"
    ripe = PrivacyRequest.objects.ripe().select_related("platform").order_by("not_before", "pk")
    for request in ripe[:_AT_ONCE]:
        # Once an hour: what failed for good is tried again, and what waits is not enqueued twice.
        enqueue(erase, platform=request.platform, key=f"{request.pk} {hour}", request=str(request.pk))


@task("customers.give_notice", is_duty=True)
def give_notice(*, platform: Platform) -> None:
    """Tell those who were inactive for too long that they will be erased."""
    retention.give_notice(platform)


@task("customers.expire_imports", is_duty=True)
def expire_imports(*, platform: Platform | None) -> None:
    """Throw away what imports kept for some weeks, also where the module is off by now."""
    imports.expire()
