"""Customers and what hangs on them: for staff, for the vendors they bought from, and for who has a link from a mail."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers import consents, services
from customers.api.filters import AddressFilter, ConsentFilter, CustomerFilter, NoteFilter, TimelineFilter
from customers.api.serializers import (
    AddressSerializer,
    ConfirmedSerializer,
    ConfirmSerializer,
    ConsentSerializer,
    CustomerSerializer,
    NoteSerializer,
    TagSerializer,
    TimelineSerializer,
    VendorCustomerSerializer,
    VendorNoteSerializer,
    WhySerializer,
)
from customers.models import Address, ConsentRecord, Customer, CustomerEvent, CustomerQuerySet, Note, Tag
from modules.api.bases import AdminResource, PublicGate, VendorResource
from platforms.api.viewsets import BaseViewSet

_READ = ["get", "head"]
_ADD = [*_READ, "post"]


class CustomerViewSet(AdminResource):
    """Who buys."""

    http_method_names = [*_ADD, "patch"]
    queryset: QuerySet[Customer] = Customer.objects.prefetch_related("tags", "vendors")
    serializer_class = CustomerSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = CustomerFilter
    ordering = ("-created_at", "id")

    @extend_schema(request=WhySerializer, responses=CustomerSerializer)
    @action(detail=True, methods=["post"])
    def block(self, request: Request, **address: str) -> Response:
        """Have no marketing sent to the customer; who is blocked already stays so."""
        return self._switch(services.block_customer)

    @extend_schema(request=WhySerializer, responses=CustomerSerializer)
    @action(detail=True, methods=["post"])
    def unblock(self, request: Request, **address: str) -> Response:
        """Let a blocked customer be an active one again."""
        return self._switch(services.unblock_customer)

    def _switch(self, switch: Any) -> Response:
        with self.writing():
            customer = self.find_locked()
            said = self.read_body(WhySerializer).validated_data
            switch(customer=customer, by=self.actor, reason=said["reason"])
            answer = self.represent(self.find(pk=customer.pk))
        return Response(answer)


class TagViewSet(AdminResource):
    """The words that the platform puts on customers."""

    queryset = Tag.objects.all()
    serializer_class = TagSerializer
    ordering = ("name", "id")


class AddressViewSet(AdminResource):
    """Where things are sent to, and where invoices go."""

    queryset = Address.objects.select_related("customer__platform")
    serializer_class = AddressSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = AddressFilter
    ordering = ("-created_at", "id")

    def perform_destroy(self, row: Address, said: Mapping[str, Any]) -> None:
        """Have the service delete it."""
        services.delete_address(address=row, by=self.actor)


class NotesMixin:
    """Notes are written and deleted, and never changed."""

    http_method_names: Any = [*_ADD, "delete"]
    queryset: Any = Note.objects.select_related("customer", "vendor")
    filter_backends: Any = [DjangoFilterBackend]
    filterset_class = NoteFilter
    ordering: ClassVar[tuple[str, ...]] = ("-created_at", "id")

    def perform_destroy(self, row: Note, said: Mapping[str, Any]) -> None:
        """Have the service delete it."""
        services.delete_note(note=row)


class NoteViewSet(NotesMixin, AdminResource):
    """What staff and vendors wrote down."""

    serializer_class = NoteSerializer


class ConsentViewSet(AdminResource):
    """The ledger of what customers agreed to: lines are added, and never changed."""

    http_method_names = _ADD
    queryset = ConsentRecord.objects.select_related("customer")
    serializer_class = ConsentSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = ConsentFilter
    ordering = ("-at", "id")


class TimelineViewSet(AdminResource):
    """What happened to customers."""

    http_method_names = _READ
    queryset = CustomerEvent.objects.all()
    serializer_class = TimelineSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = TimelineFilter
    ordering = ("-at", "id")


class VendorCustomerViewSet(VendorResource):
    """Who bought from the vendor."""

    http_method_names = _READ
    queryset: CustomerQuerySet = Customer.objects.open().prefetch_related("addresses")
    serializer_class = VendorCustomerSerializer
    ordering = ("-created_at", "id")


class VendorNoteViewSet(NotesMixin, VendorResource):
    """What the vendor wrote down for itself, about its own customers."""

    serializer_class = VendorNoteSerializer


class ConfirmConsentViewSet(PublicGate, BaseViewSet):
    """The link in the mail that asks whether a consent was meant."""

    http_method_names = ["post"]
    serializer_class = ConfirmSerializer

    @extend_schema(request=ConfirmSerializer, responses={200: ConfirmedSerializer})
    def create(self, request: Request, **address: str) -> Response:
        """Confirm the consent that the link is about; confirmed already, it is answered as the first time."""
        with self.writing():
            said = self.read_body(ConfirmSerializer).validated_data
            line = consents.confirm(platform=self.platform, token=said["token"])
            answer = ConfirmedSerializer(line).data
        return Response(answer)
