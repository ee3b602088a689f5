"""What customers agreed to."""

import uuid
from typing import ClassVar

from django.db import models

from customers.models.people import MAX_LABEL, Customer
from modules.guards import AppendOnly
from platforms.models import Platform
from platforms.validators import validate_code, validate_name


class ConsentRecord(models.Model):
    """One line of the ledger of consents: given, confirmed from the mailbox, or withdrawn. Never written again.

    The newest line of a customer, channel and purpose says how it stands. A line outlives its customer and platform:
    it is the proof that somebody once agreed, and holds nothing else about them.
    """

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        SMS = "sms", "SMS"
        PHONE = "phone", "Phone"
        POST = "post", "Post"

    class Action(models.TextChoices):
        GIVEN = "given", "Given"
        CONFIRMED = "confirmed", "Confirmed"
        WITHDRAWN = "withdrawn", "Withdrawn"

    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(
        Platform, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.DO_NOTHING, related_name="consents", db_constraint=False, db_index=False
    )
    channel = models.CharField(max_length=10, choices=Channel.choices)
    purpose = models.CharField(max_length=50, validators=[validate_code], help_text="A word, e.g. marketing.")
    action = models.CharField(max_length=10, choices=Action.choices)
    needs_confirmation = models.BooleanField(default=False)
    source = models.CharField(
        max_length=100, validators=[validate_name], help_text="Where they said so, e.g. checkout."
    )
    document_version = models.CharField(
        max_length=50, blank=True, validators=[validate_name], help_text="Of the text that they agreed to."
    )
    actor_label = models.CharField(max_length=MAX_LABEL, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at"]
        constraints = [
            AppendOnly(
                name="gd_customers_consent",
                what="Consents",
                instead="Call customers.consents: give() or withdraw(), which add a line.",
            )
        ]
        indexes = [
            models.Index(fields=["customer", "channel", "purpose", "-at"], name="idx_customers_consent"),
            models.Index(fields=["platform", "-at"], name="idx_customers_consent_at"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} by {self.get_channel_display()}: {self.get_action_display().lower()}"

    @property
    def counts(self) -> bool:
        """Whether one may rely on it, as long as it is the newest line."""
        return self.action == self.Action.CONFIRMED or (
            self.action == self.Action.GIVEN and not self.needs_confirmation
        )


class ConsentInForce(models.Model):
    """That a customer agreed, on a channel for a purpose, and still does: what the ledger comes to.

    There is a row while the newest line counts. It is written with the line, so that who agreed is found among a
    million without reading the ledger; that remains the proof.
    """

    tenant_path: ClassVar[str] = "platform"

    id = models.BigAutoField(primary_key=True)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+", db_index=False)
    channel = models.CharField(max_length=10, choices=ConsentRecord.Channel.choices)
    purpose = models.CharField(max_length=50)

    class Meta:
        ordering = ["channel", "purpose"]
        verbose_name_plural = "consents in force"
        constraints = [
            models.UniqueConstraint(fields=["customer", "channel", "purpose"], name="uq_customers_consent_in_force")
        ]
        indexes = [
            models.Index(fields=["platform", "channel", "purpose", "customer"], name="idx_customers_consent_in_force")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} by {self.get_channel_display()}"
