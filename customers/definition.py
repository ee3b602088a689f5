from typing import Literal

from pydantic import Field

from modules.declarations import EventType, Handler, Provider, Schedule
from modules.definition import Feature, MenuItem, ModuleConfig, ModuleDefinition, Permission
from modules.registry import registry


class CustomersConfig(ModuleConfig):
    """How a platform keeps its customers."""

    duplicate_match: tuple[Literal["email", "phone", "name"], ...] = Field(
        ("email", "phone"),
        title="Duplicates share",
        description="Two customers who agree in one of these are shown as a possible duplicate.",
    )
    import_max_rows: int = Field(
        5000, ge=1, le=100_000, title="Rows per import", description="Longer files are refused."
    )
    privacy_due_days: int = Field(
        30,
        ge=1,
        le=90,
        title="Privacy requests due after (days)",
        description="How long an export or erasure may take.",
    )
    erase_grace_days: int = Field(
        7, ge=0, le=30, title="Grace before erasure (days)", description="For that long an erasure can be called off."
    )
    inactive_months: int = Field(
        0,
        ge=0,
        le=120,
        title="Erase after inactivity (months)",
        description="Customers who did nothing for so long are erased after notice. 0 keeps them.",
    )
    vendor_visible_fields: tuple[Literal["name", "email", "phone", "city", "country", "locale"], ...] = Field(
        ("name", "city"), title="Vendors see", description="What a vendor sees of its customers."
    )
    double_opt_in: bool = Field(
        True,
        title="Confirm consent by e-mail",
        description="A consent to e-mail counts once it was confirmed from the mailbox.",
    )


registry.register(
    ModuleDefinition(
        code="customers",
        name="Customers",
        description="Who buys, and what they agreed to: profiles, addresses, notes and consents.",
        version="1.0",
        config=CustomersConfig,
        features=(
            Feature(code="segments", name="Segments"),
            Feature(code="import_export", name="Import and export"),
            Feature(code="merge", name="Duplicates and merging"),
            Feature(code="privacy", name="Privacy requests"),
        ),
        permissions=(
            Permission(code="export", name="Export"),
            Permission(code="merge", name="Merge"),
            Permission(code="erase", name="Erase"),
        ),
        menu=(
            MenuItem(
                key="customers.customers",
                label="Customers",
                audiences=("staff", "vendor"),
                page="admin:customers_customer_changelist",
            ),
            MenuItem(
                key="customers.segments",
                label="Segments",
                page="admin:customers_segment_changelist",
                feature="segments",
            ),
            MenuItem(
                key="customers.duplicates",
                label="Duplicates",
                permission="merge",
                page="admin:customers_duplicatepair_changelist",
                feature="merge",
            ),
            MenuItem(
                key="customers.imports",
                label="Imports",
                permission="manage",
                page="admin:customers_importrun_changelist",
                feature="import_export",
            ),
            MenuItem(
                key="customers.privacy",
                label="Privacy requests",
                feature="privacy",
                page="admin:customers_privacyrequest_changelist",
            ),
            MenuItem(key="customers.tags", label="Tags", permission="manage", page="admin:customers_tag_changelist"),
        ),
        admin_router="customers.api.routers.admin_router",
        vendor_router="customers.api.routers.vendor_router",
        public_router="customers.api.routers.public_router",
        events=(
            EventType(name="customers.created"),
            EventType(name="customers.updated"),
            EventType(name="customers.merged"),
            EventType(name="customers.unmerged"),
            EventType(name="customers.erased"),
            EventType(name="customers.import_completed"),
            EventType(name="customers.consent_changed"),
        ),
        handlers=(Handler(event="customers.import_completed", handler="customers.tasks.find_duplicates_after_import"),),
        schedules=(
            Schedule(task="customers.find_duplicates", cron="11 2 * * *"),
            Schedule(task="customers.erase_due", cron="23 * * * *", each_platform=False),
            Schedule(task="customers.expire_imports", cron="41 3 * * *", each_platform=False),
            Schedule(task="customers.give_notice", cron="41 2 * * *"),
        ),
        provides=(
            Provider(port="health", provider="customers.health.findings"),
            Provider(port="recipients", provider="customers.contacts.recipients"),
            Provider(port="may_contact", provider="customers.contacts.may_contact"),
            Provider(port="personal_data.export", provider="customers.personal_data.export"),
            Provider(port="personal_data.erase", provider="customers.personal_data.erase"),
        ),
    )
)
