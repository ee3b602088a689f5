"""How a platform's customers are looked after: what is late, and what is stuck. One function for each subject."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from django.utils import timezone

from customers import consents, imports
from customers.definition import CustomersConfig
from customers.models import ConsentRecord, PrivacyRequest
from modules import gate, ports
from modules.ports import Finding, Level
from platforms.models import Platform

# When a privacy request that is still open becomes a warning.
_SOON = timedelta(days=3)


def privacy_requests(platform: Platform) -> Finding:
    """Return whether requests are overdue, an error, or will be soon, a warning."""
    requests = PrivacyRequest.objects.filter(platform=platform)
    if late := requests.overdue().count():
        return Finding(code="privacy_overdue", level=Level.ERROR, detail=f"{late} privacy requests are overdue.")
    if soon := requests.overdue(timezone.now() + _SOON).count():
        detail = f"{soon} privacy requests are due within {_SOON.days} days."
        return Finding(code="privacy_due_soon", level=Level.WARNING, detail=detail)
    return Finding(code="privacy", level=Level.OK)


def erasures(platform: Platform) -> Finding:
    """Return whether people whose grace is over are kept for an export that nobody fetches; a warning."""
    if waiting := PrivacyRequest.objects.filter(platform=platform).behind_export().count():
        detail = f"{waiting} erasures wait until an export is fetched or called off."
        return Finding(code="erasure_behind_export", level=Level.WARNING, detail=detail)
    return Finding(code="erasures", level=Level.OK)


def notices(platform: Platform) -> Finding:
    """Return whether somebody sends the notices without which no inactive customer is erased."""
    if gate.config_of(platform, CustomersConfig).inactive_months and not ports.NOTIFY.is_served_on(platform):
        detail = "No module sends the notices of retention: inactive customers are kept."
        return Finding(code="nobody_told", level=Level.WARNING, detail=detail)
    return Finding(code="notices", level=Level.OK)


def confirmations(platform: Platform) -> Finding:
    """Return whether somebody sends the mails without which no consent that has to be confirmed ever counts."""
    if consents.has_to_be_confirmed(platform, ConsentRecord.Channel.EMAIL) and not ports.NOTIFY.is_served_on(platform):
        detail = "No module sends the mails that ask to confirm a consent: no new one to e-mail counts."
        return Finding(code="nobody_asked", level=Level.WARNING, detail=detail)
    return Finding(code="confirmations", level=Level.OK)


def stuck_imports(platform: Platform) -> Finding:
    """Return whether imports wait for a worker that is gone: somebody has to have them go on."""
    if stuck := len(imports.stuck_imports(platform)):
        return Finding(code="import_stuck", level=Level.ERROR, detail=f"{stuck} imports do not go on.")
    return Finding(code="imports", level=Level.OK)


# Each subject says one thing of itself.
_SUBJECTS: tuple[Callable[[Platform], Finding], ...] = (
    privacy_requests,
    erasures,
    notices,
    stuck_imports,
    confirmations,
)


def findings(platform: Platform) -> Sequence[Finding]:
    """Return what there is to say, subject by subject."""
    return [subject(platform) for subject in _SUBJECTS]
