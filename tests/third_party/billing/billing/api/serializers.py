"""How plans, invoices and payments look in the API."""

from rest_framework import serializers

from billing.models import Invoice, Payment, Plan
from platforms.api.serializers import StrictModelSerializer, TenantRelatedField, VendorOfPlatformField


class PlanSerializer(StrictModelSerializer):
    """What a vendor can book."""

    fixed_fields = frozenset({"code"})
    field_of_code = {"unique_together": "code"}

    class Meta:
        model = Plan
        fields = ["id", "code", "name", "price", "is_public"]


class PublicPlanSerializer(serializers.ModelSerializer):
    """A line of the price list."""

    class Meta:
        model = Plan
        fields = ["code", "name", "price"]
        read_only_fields = fields


class InvoiceSerializer(StrictModelSerializer):
    """What a vendor owes for a month."""

    fixed_fields = frozenset({"number", "vendor"})
    field_of_code = {"unique_together": "number"}
    vendor = VendorOfPlatformField(help_text="The vendor's code.")
    plan = TenantRelatedField(
        slug_field="code", queryset=Plan.objects.all(), required=False, allow_null=True, help_text="The plan's code."
    )

    class Meta:
        model = Invoice
        fields = ["id", "vendor", "plan", "number", "amount", "currency", "status", "issued_on"]
        read_only_fields = ["status"]


class VendorInvoiceSerializer(serializers.ModelSerializer):
    """An invoice as the vendor sees it."""

    class Meta:
        model = Invoice
        fields = ["id", "number", "amount", "currency", "status", "issued_on"]
        read_only_fields = fields


class PaymentSerializer(StrictModelSerializer):
    """Money that came in."""

    fixed_fields = frozenset({"invoice"})
    invoice = TenantRelatedField(slug_field="number", queryset=Invoice.objects.all(), help_text="The invoice's number.")

    class Meta:
        model = Payment
        fields = ["id", "invoice", "amount", "reference", "received_on"]
