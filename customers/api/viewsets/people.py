"""Customers and what hangs on them, for staff."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers import services
from customers.api.filters import AddressFilter, CustomerFilter, NoteFilter, TimelineFilter
from customers.api.serializers.people import (
    AddressSerializer,
    CustomerSerializer,
    NoteSerializer,
    TagSerializer,
    TimelineSerializer,
    WhySerializer,
)
from customers.api.viewsets import ADD, READ
from customers.api.viewsets.many import ManyCustomersMixin
from customers.models import Address, Customer, CustomerEvent, Note, Tag
from modules.api.bases import AdminResource


class CustomerViewSet(ManyCustomersMixin, AdminResource):
    """Who buys."""

    http_method_names = [*ADD, "patch"]
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

    http_method_names: Any = [*ADD, "delete"]
    queryset: Any = Note.objects.select_related("customer", "vendor")
    filter_backends: Any = [DjangoFilterBackend]
    filterset_class = NoteFilter
    ordering: ClassVar[tuple[str, ...]] = ("-created_at", "id")
    actor: Any

    def perform_destroy(self, row: Note, said: Mapping[str, Any]) -> None:
        """Have the service delete it."""
        services.delete_note(note=row, by=self.actor)


class NoteViewSet(NotesMixin, AdminResource):
    """What staff and vendors wrote down."""

    serializer_class = NoteSerializer


class TimelineViewSet(AdminResource):
    """What happened to customers."""

    http_method_names = READ
    queryset = CustomerEvent.objects.all()
    serializer_class = TimelineSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = TimelineFilter
    ordering = ("-at", "id")
