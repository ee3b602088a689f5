"""What customers do by themselves."""

from customers import duplicates
from modules.events import Envelope
from modules.tasks import enqueue, task
from platforms.models import Platform


@task("customers.find_duplicates")
def find_duplicates(*, platform: Platform) -> None:
    """Find who may be the same person twice."""
    duplicates.find(platform=platform)


def find_duplicates_after_import(event: Envelope) -> None:
    """Look at once for those whom an import brought a second time."""
    enqueue(find_duplicates, platform=event.platform)
