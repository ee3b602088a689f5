"""Customers, for the vendors they bought from."""

from customers.api.serializers.vendors import VendorCustomerSerializer, VendorNoteSerializer
from customers.api.viewsets import READ
from customers.api.viewsets.people import NotesMixin
from customers.models import Customer, CustomerQuerySet
from modules.api.bases import VendorResource


class VendorCustomerViewSet(VendorResource):
    """Who bought from the vendor."""

    http_method_names = READ
    queryset: CustomerQuerySet = Customer.objects.open().prefetch_related("addresses")
    serializer_class = VendorCustomerSerializer
    ordering = ("-created_at", "id")


class VendorNoteViewSet(NotesMixin, VendorResource):
    """What the vendor wrote down for itself, about its own customers."""

    serializer_class = VendorNoteSerializer
