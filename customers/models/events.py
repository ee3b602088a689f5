"""What happened to customers."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from customers.models.people import MAX_LABEL, Customer, OfCustomer


class CustomerEvent(OfCustomer):
    """One thing that happened to a customer. `data` says which, by names and ids, and why, if somebody said so.

    Of an e-mail address, a phone number and a reference that were changed it also says what they were (`before`).
    """

    class Kind(models.TextChoices):
        CREATED = "created", "Created"
        UPDATED = "updated", "Changed"
        BLOCKED = "blocked", "Blocked"
        UNBLOCKED = "unblocked", "Unblocked"
        CONSENT = "consent", "Consent"
        NOTE = "note", "Note"
        MERGED = "merged", "Merged"
        UNMERGED = "unmerged", "Merge undone"
        EXPORTED = "exported", "Data exported"
        ASKED = "asked", "Privacy request"
        HELD = "held", "Legal hold"
        RELEASED = "released", "Legal hold released"
        CALLED_OFF = "called_off", "Privacy request called off"
        ERASED = "erased", "Erased"

    # What is done with their data, and says nothing of whether they still do something.
    OF_PRIVACY: ClassVar[tuple[str, ...]] = (
        Kind.EXPORTED,
        Kind.ASKED,
        Kind.HELD,
        Kind.RELEASED,
        Kind.CALLED_OFF,
    )

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="events", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    at = models.DateTimeField(default=timezone.now)
    actor_label = models.CharField(max_length=MAX_LABEL, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at"]
        verbose_name = "event"
        indexes = [
            models.Index(fields=["platform", "-at"], name="idx_customers_event_at"),
            models.Index(fields=["customer", "-at"], name="idx_customers_event"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.at:%Y-%m-%d %H:%M}"
