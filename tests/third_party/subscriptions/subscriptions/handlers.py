"""What subscriptions do when others did something."""

from modules import ports
from modules.events import Envelope


def on_invoice_paid(event: Envelope) -> None:
    """Have the renewal counted."""
    assert event.platform is not None
    ports.record(event.platform, "subscription.renewed", {"event": str(event.id), **event.data})
