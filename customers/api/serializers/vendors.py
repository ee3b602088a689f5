"""How customers look to the vendors they bought from."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers

from customers.api.serializers.people import NoteSerializer, StatusField
from customers.definition import CustomersConfig
from customers.models import Address, Customer
from modules import gate


class VendorNoteSerializer(NoteSerializer):
    """A note of the vendor's own."""

    class Meta(NoteSerializer.Meta):
        fields = ["id", "customer", "text", "author", "created_at"]


class VendorCustomerSerializer(serializers.ModelSerializer):
    """A customer as a vendor sees it: as much as the platform's `vendor_visible_fields` say."""

    shown_as: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "name": ("first_name", "last_name"),
        "email": ("email",),
        "phone": ("phone",),
        "city": ("city",),
        "country": ("country",),
        "locale": ("locale",),
    }
    first_name = serializers.CharField(required=False)
    last_name = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    phone = serializers.CharField(required=False)
    locale = serializers.CharField(required=False)
    city = serializers.CharField(required=False, help_text="Of the first address that goods go to.")
    country = serializers.CharField(required=False, help_text="Likewise.")
    status = StatusField()

    class Meta:
        model = Customer
        fields = [
            "id",
            "first_name",
            "last_name",
            "email",
            "phone",
            "locale",
            "city",
            "country",
            "status",
            "created_at",
        ]
        read_only_fields = ["id", "created_at"]

    def to_representation(self, instance: Customer) -> dict[str, Any]:
        """Return what is always shown, and what the platform lets vendors see."""
        config = gate.config_of(self.context["view"].platform, CustomersConfig)
        address = next((one for one in instance.addresses.all() if one.kind == Address.Kind.SHIPPING), None)
        instance.city = address.city if address else ""  # type: ignore[attr-defined]
        instance.country = address.country.code if address else ""  # type: ignore[attr-defined]
        shown = super().to_representation(instance)
        visible = {name for field in config.vendor_visible_fields for name in self.shown_as[field]}
        hideable = {name for names in self.shown_as.values() for name in names}
        return {name: value for name, value in shown.items() if name in visible or name not in hideable}
