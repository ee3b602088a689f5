"""What vendors are billed, and what they paid."""

import uuid
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from platforms.models import Platform, Vendor, validate_vendor_of_platform
from platforms.validators import validate_code, validate_currency, validate_name


class Plan(models.Model):
    """What a vendor can book, and for how much a month."""

    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+")
    code = models.CharField(max_length=50, validators=[validate_code])
    name = models.CharField(max_length=100, validators=[validate_name])
    price = models.DecimalField(max_digits=10, decimal_places=2, validators=[MinValueValidator(0)])
    is_public = models.BooleanField("public", default=False, help_text="In the price list that everybody sees.")

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["platform", "code"], name="uq_billing_plan")]

    def __str__(self) -> str:
        return self.name


class Invoice(models.Model):
    """What a vendor owes for a month."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        OPEN = "open", "Open"
        PAID = "paid", "Paid"
        VOID = "void", "Void"

    tenant_path: ClassVar[str] = "platform"
    vendor_path: ClassVar[str] = "vendor"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+")
    vendor = models.ForeignKey(Vendor, on_delete=models.RESTRICT, related_name="+")
    plan = models.ForeignKey(Plan, on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    number = models.CharField(max_length=30, validators=[validate_name])
    amount = models.DecimalField(max_digits=10, decimal_places=2, validators=[MinValueValidator(0)])
    currency = models.CharField(max_length=3, validators=[validate_currency], default="EUR")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    issued_on = models.DateField()

    class Meta:
        ordering = ["-issued_on", "number"]
        constraints = [models.UniqueConstraint(fields=["platform", "number"], name="uq_billing_invoice")]

    def __str__(self) -> str:
        return self.number

    def clean(self) -> None:
        """Refuse a vendor of another platform."""
        validate_vendor_of_platform(self.vendor if self.vendor_id else None, self.platform_id)


class Payment(models.Model):
    """Money that came in for an invoice."""

    tenant_path: ClassVar[str] = "invoice__platform"
    vendor_path: ClassVar[str] = "invoice__vendor"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="payments")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    reference = models.CharField(max_length=50, blank=True, validators=[validate_name])
    received_on = models.DateField()

    class Meta:
        ordering = ["received_on", "id"]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="ck_billing_payment_amount")]

    def __str__(self) -> str:
        return f"{self.amount} for {self.invoice}"
