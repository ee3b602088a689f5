"""Plans, invoices and payments: for staff, for the vendor that is billed, and the price list for everybody."""

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.serializers import (
    InvoiceSerializer,
    PaymentSerializer,
    PlanSerializer,
    PublicPlanSerializer,
    VendorInvoiceSerializer,
)
from billing.models import Invoice, Payment, Plan
from modules.api.bases import AdminResource, PublicResource, VendorResource
from platforms.api.filters import FilterSet, TenantChoiceFilter
from platforms.api.serializers import EmptySerializer
from platforms.models import Vendor


class InvoiceFilter(FilterSet):
    """By vendor and status."""

    vendor = TenantChoiceFilter(queryset=Vendor.objects.all(), to_field_name="code")
    status = django_filters.ChoiceFilter(choices=Invoice.Status.choices)

    class Meta:
        model = Invoice
        fields = ["vendor", "status"]


class PlanViewSet(AdminResource):
    """What vendors can book."""

    queryset = Plan.objects.all()
    serializer_class = PlanSerializer
    ordering = ("code",)


class InvoiceViewSet(AdminResource):
    """What vendors owe."""

    action_permissions = {"void": "void"}
    queryset = Invoice.objects.select_related("vendor", "plan")
    serializer_class = InvoiceSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = InvoiceFilter
    ordering = ("-issued_on", "number")

    @extend_schema(request=EmptySerializer, responses=InvoiceSerializer)
    @action(detail=True, methods=["post"])
    def void(self, request: Request, **address: str) -> Response:
        """Say that nothing is owed any more."""
        with self.writing():
            invoice = self.find_locked()
            self.read_body(EmptySerializer)
            invoice.status = Invoice.Status.VOID
            invoice.save(update_fields=["status"])
            answer = self.represent(self.find(pk=invoice.pk))
        return Response(answer)


class PaymentViewSet(AdminResource):
    """What vendors paid."""

    queryset = Payment.objects.select_related("invoice")
    serializer_class = PaymentSerializer
    ordering = ("-received_on", "id")


class VendorInvoiceViewSet(VendorResource):
    """What the vendor owes."""

    http_method_names = ["get", "head"]
    queryset = Invoice.objects.exclude(status=Invoice.Status.DRAFT)
    serializer_class = VendorInvoiceSerializer
    ordering = ("-issued_on", "number")


class PublicPlanViewSet(PublicResource):
    """The price list."""

    queryset: QuerySet[Plan] = Plan.objects.filter(is_public=True)
    serializer_class = PublicPlanSerializer
    ordering = ("code",)
    lookup_field = "code"
    lookup_value_converter = "code"
