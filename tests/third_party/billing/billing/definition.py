from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr, StringConstraints

from modules.declarations import EventType, Provider, Schedule
from modules.definition import MenuItem, ModuleConfig, ModuleDefinition, Permission
from modules.registry import registry

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Address(BaseModel):
    """Where invoices come from."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    street: str = Field("", max_length=200, title="Street")
    postal_code: str = Field("", max_length=20, title="Postal code")
    city: str = Field("", max_length=100, title="City")
    country: Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$")] = Field(
        "", title="Country", description="Two letters, ISO 3166-1, e.g. DE."
    )


class BillingConfig(ModuleConfig):
    """How a platform bills its vendors."""

    stripe_mode: Literal["test", "live"] = Field("test", title="Stripe mode", description="Live moves real money.")
    default_trial_days: int = Field(14, ge=0, le=365, title="Trial (days)")
    support_email: EmailStr | None = Field(None, title="Support address", description="Printed on every invoice.")
    api_key: SecretStr | None = Field(None, title="Stripe API key", min_length=8, max_length=200)
    allowed_currencies: tuple[Currency, ...] = Field(("EUR",), min_length=1, title="Currencies")
    address: Address = Field(default_factory=Address, title="Invoice address")


registry.register(
    ModuleDefinition(
        code="billing",
        name="Billing",
        description="Invoices and payments of vendors.",
        version="2.1",
        requires=("customers",),
        config=BillingConfig,
        permissions=(Permission(code="void", name="Void an invoice"),),
        menu=(
            MenuItem(
                key="billing.invoices",
                label="Invoices",
                audiences=("staff", "vendor"),
                page="admin:billing_invoice_changelist",
            ),
            MenuItem(key="billing.plans", label="Plans", permission="manage", page="admin:billing_plan_changelist"),
        ),
        admin_router="billing.api.routers.admin_router",
        vendor_router="billing.api.routers.vendor_router",
        public_router="billing.api.routers.public_router",
        events=(EventType(name="billing.invoice_paid"),),
        schedules=(Schedule(task="billing.check_key", cron="0 7 * * *"),),
        provides=(Provider(port="health", provider="billing.health.findings"),),
    )
)
