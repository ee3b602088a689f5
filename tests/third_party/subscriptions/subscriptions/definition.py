from typing import Literal

from pydantic import Field

from modules.declarations import Handler, Provider
from modules.definition import ModuleConfig, ModuleDefinition
from modules.registry import registry


class SubscriptionsConfig(ModuleConfig):
    """How a platform's recurring orders run."""

    interval: Literal["week", "month", "year"] = Field("month", title="Interval")
    grace_days: int = Field(3, ge=0, le=30, title="Grace after a failed payment (days)")
    remind_before_days: int = Field(7, ge=0, le=60, title="Remind before renewal (days)")


registry.register(
    ModuleDefinition(
        code="subscriptions",
        name="Subscriptions",
        description="Orders that come again by themselves.",
        version="1.3",
        requires=("billing", "messaging"),
        config=SubscriptionsConfig,
        handlers=(Handler(event="billing.invoice_paid", handler="subscriptions.handlers.on_invoice_paid"),),
        provides=(
            Provider(port="personal_data.export", provider="subscriptions.personal_data.export"),
            Provider(port="personal_data.erase", provider="subscriptions.personal_data.erase"),
        ),
    )
)
