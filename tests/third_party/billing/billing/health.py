"""Whether a platform's billing can work as it is configured."""

from billing.definition import BillingConfig
from modules import gate
from modules.ports import Finding, Level
from platforms.models import Platform


def findings(platform: Platform) -> list[Finding]:
    """Return one finding: that the key is there where real money moves, or that it is missing."""
    config = gate.config_of(platform, BillingConfig)
    if config.stripe_mode == "live" and config.api_key is None:
        return [Finding(code="no_api_key", level=Level.ERROR, detail="Stripe is live and has no API key.")]
    return [Finding(code="api_key", level=Level.OK)]
