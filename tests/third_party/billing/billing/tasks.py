"""What billing does by itself."""

from django.utils import timezone

from billing.health import findings
from modules import ports
from modules.ports import Level
from modules.tasks import task
from platforms.models import Platform


@task("billing.check_key")
def check_key(*, platform: Platform) -> None:
    """Say so, once a day, where billing cannot work."""
    for finding in findings(platform):
        if finding.level is not Level.OK:
            key = f"{finding.code} {timezone.now():%Y-%m-%d}"
            ports.notify(platform, "alert.billing", [], {"what": finding.detail}, key)
