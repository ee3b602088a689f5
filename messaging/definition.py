from typing import Annotated

from pydantic import EmailStr, Field, SecretStr, StringConstraints

from modules.definition import ModuleConfig, ModuleDefinition
from modules.registry import registry

HeaderText = Annotated[str, StringConstraints(pattern=r"^[^\r\n]*$", max_length=200)]
Domain = Annotated[str, StringConstraints(pattern=r"^$|^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$", max_length=253)]
Topic = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]*$", max_length=50)]


class MessagingConfig(ModuleConfig):
    """How a platform sends and receives messages."""

    from_name: HeaderText = Field("", title="Sender's name", description="Shown beside the address in a mailbox.")
    from_email: EmailStr | None = Field(None, title="Sender's address")
    inbound_domain: Domain = Field(
        "", title="Inbound domain", description="Replies to addresses of this domain come back into the inbox."
    )
    max_attempts: int = Field(6, ge=1, le=20, title="Attempts per message")
    backoff_seconds: tuple[Annotated[int, Field(ge=1, le=604_800)], ...] = Field(
        (30, 300, 1800, 7200, 28_800),
        min_length=1,
        title="Wait between attempts (seconds)",
        description="The last one is repeated.",
    )
    auto_resolve_days: int = Field(14, ge=0, le=365, title="Resolve silent conversations after (days)")
    webhook_timeout_seconds: int = Field(10, ge=1, le=30, title="Webhook time-out (seconds)")
    webhook_disable_after: int = Field(
        20, ge=1, le=1000, title="Switch a webhook off after (failures)", description="Counted in a row."
    )
    keep_body_days: int = Field(180, ge=1, le=3650, title="Keep message texts (days)")
    mandatory_topics: tuple[Topic, ...] = Field(
        ("security", "privacy"), title="Mandatory topics", description="Nobody can unsubscribe from these."
    )
    smtp_password: SecretStr | None = Field(None, title="SMTP password", max_length=500)


registry.register(
    ModuleDefinition(
        code="messaging",
        name="Messaging",
        description="Every word that leaves or enters, accounted for: inbox, outbox, templates, webhooks.",
        version="1.0",
        uses=("customers",),
        config=MessagingConfig,
    )
)
