"""What people asked about their own data."""

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from customers.models.people import MAX_LABEL, Customer, OfCustomer
from platforms.validators import MAX_REASON, validate_reason


class PrivacyRequestQuerySet(models.QuerySet["PrivacyRequest"]):
    """Reads of privacy requests."""

    def pending(self) -> "PrivacyRequestQuerySet":
        """Return those that are still to be done, on hold or not."""
        return self.filter(status__in=PrivacyRequest.PENDING)

    def overdue(self, at: datetime | None = None) -> "PrivacyRequestQuerySet":
        """Return those that should have been done by now. While one is on hold, its time stands still."""
        return self.filter(status=PrivacyRequest.Status.OPEN, due_at__lt=at or timezone.now())

    def open_exports(self) -> "PrivacyRequestQuerySet":
        """Return the exports that nobody has fetched yet."""
        return self.filter(kind=PrivacyRequest.Kind.EXPORT, status=PrivacyRequest.Status.OPEN)

    def with_export(self) -> "PrivacyRequestQuerySet":
        """Have each say whether its customer waits for an export, as `has_open_export`."""
        return self.annotate(has_open_export=_export_of_customer())

    def ripe(self) -> "PrivacyRequestQuerySet":
        """Return the erasures whose grace is over, and which wait for no export."""
        return self._out_of_grace().filter(~_export_of_customer())

    def behind_export(self) -> "PrivacyRequestQuerySet":
        """Return the erasures whose grace is over, and which wait until an export is fetched or called off."""
        return self._out_of_grace().filter(_export_of_customer())

    def _out_of_grace(self) -> "PrivacyRequestQuerySet":
        return self.filter(
            kind=PrivacyRequest.Kind.ERASURE, status=PrivacyRequest.Status.OPEN, not_before__lte=timezone.now()
        )


def _export_of_customer() -> Exists:
    return Exists(PrivacyRequest.objects.open_exports().filter(customer=OuterRef("customer")))


class PrivacyRequest(OfCustomer):
    """Somebody wants to have their data, or to be forgotten: by when, whether it may be done, and what was done.

    An erasure is not done before its grace is over, until which it can be called off, nor while it is on hold, nor
    before an export that its customer waits for was fetched. `report` says by module what was exported or erased, in
    numbers, and which customers were; of one that was called off why, and by whom. Once its customer is erased, the
    request says nothing of them: reasons are blanked.
    """

    class Kind(models.TextChoices):
        EXPORT = "export", "Export"
        ERASURE = "erasure", "Erasure"

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ON_HOLD = "on_hold", "On hold"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Called off"

    class Source(models.TextChoices):
        EMAIL = "email", "E-mail"
        PHONE = "phone", "Phone"
        POST = "post", "Post"
        IN_PERSON = "in_person", "In person"
        AUTHORITY = "authority", "Authority"
        OPERATOR = "operator", "Operator"
        INACTIVITY = "inactivity", "Inactivity"

    class CalledOff(models.TextChoices):
        BY_STAFF = "called_off", "Somebody called it off."
        ERASED = "erased", "The person was erased by another request."
        RETENTION_OFF = "retention_off", "The platform does not erase for inactivity any more."
        CLOSED = "closed", "The customer was merged into another meanwhile."
        ACTIVE_AGAIN = "active_again", "They did something since the notice."

    PENDING = (Status.OPEN, Status.ON_HOLD)

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="privacy_requests", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN, editable=False)
    source = models.CharField("asked by", max_length=10, choices=Source.choices, help_text="How it was asked for.")
    reason = models.CharField(max_length=MAX_REASON, blank=True, validators=[validate_reason])
    actor_label = models.CharField(max_length=MAX_LABEL, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    due_at = models.DateTimeField("due", editable=False)
    not_before = models.DateTimeField(editable=False)
    hold_reason = models.CharField(max_length=MAX_REASON, blank=True, validators=[validate_reason], editable=False)
    held_by_label = models.CharField(max_length=MAX_LABEL, blank=True, editable=False)
    held_at = models.DateTimeField(null=True, blank=True, editable=False)
    done_at = models.DateTimeField(null=True, blank=True, editable=False)
    report = models.JSONField(default=dict, blank=True, editable=False)

    objects = PrivacyRequestQuerySet.as_manager()

    class Meta:
        ordering = ["due_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "kind"],
                condition=Q(status__in=("open", "on_hold")),
                name="uq_customers_privacy_pending",
                violation_error_code="pending",
                violation_error_message="They asked for this already, and it is not done yet.",
            ),
            models.CheckConstraint(
                condition=Q(status="done", done_at__isnull=False) | (~Q(status="done") & Q(done_at__isnull=True)),
                name="ck_customers_privacy_done",
                violation_error_message="What is done was done at some time, and nothing else was.",
            ),
            models.CheckConstraint(
                condition=~Q(status="on_hold") | Q(kind="erasure", held_at__isnull=False),
                name="ck_customers_privacy_hold",
                violation_error_message="Only an erasure is on hold, since some time.",
            ),
        ]
        indexes = [
            models.Index(fields=["platform", "due_at"], name="idx_customers_privacy_due"),
            models.Index(fields=["customer", "-created_at"], name="idx_customers_privacy"),
            models.Index(
                fields=["not_before"], condition=Q(kind="erasure", status="open"), name="idx_customers_privacy_ripe"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.created_at:%Y-%m-%d}"

    @property
    def is_pending(self) -> bool:
        """Whether it is still to be done, on hold or not."""
        return self.status in self.PENDING

    @property
    def outcome(self) -> dict[str, Any]:
        """What was exported or erased, by module; {} while it is not done."""
        return self.report.get("modules", {})

    @property
    def erased(self) -> list[str]:
        """The ids of the customers whom it erased: the person, and everybody who was merged into them."""
        return self.report.get("erased", [])

    @property
    def called_off(self) -> dict[str, str] | None:
        """Why it was called off, in a word and in a sentence, and by whom, if it was somebody; None: it was not."""
        if self.status != self.Status.CANCELLED:
            return None
        why = self.CalledOff(self.report["why"])
        return {"why": why.value, "detail": why.label, "by": self.report["by"]}

    @property
    def is_overdue(self) -> bool:
        """Whether it should have been done by now, as in `PrivacyRequestQuerySet.overdue`."""
        return self.status == self.Status.OPEN and self.due_at < timezone.now()

    @property
    def is_in_grace(self) -> bool:
        """Whether it is an erasure that is too early to be done."""
        return self.kind == self.Kind.ERASURE and self.not_before > timezone.now()
