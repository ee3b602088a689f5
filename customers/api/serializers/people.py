"""How customers and what hangs on them look to staff. Their rules are the models' and services' own."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from phonenumber_field.serializerfields import PhoneNumberField
from rest_framework import serializers

from customers import services, tags
from customers.models import Address, Customer, CustomerEvent, Note, Tag
from customers.models.fields import COUNTRY_WANTED, PHONE_WANTED
from platforms.access import Actor
from platforms.api.fields import ReasonField
from platforms.api.serializers import (
    StrictModelSerializer,
    StrictSerializerMixin,
    TenantRelatedField,
    TenantRelatedListField,
)
from platforms.models import Vendor


class ByMixin:
    """Knows who asks: services write it down."""

    context: Mapping[str, Any]

    @property
    def by(self) -> Actor:
        """Who asks."""
        return self.context["view"].actor


@extend_schema_field({"oneOf": [{"const": value, "title": label} for value, label in Customer.Status.choices]})
class StatusField(serializers.ChoiceField):
    """Whether somebody is a customer still. Described on the spot: other modules' rows have a status of their own."""

    def __init__(self) -> None:
        super().__init__(choices=Customer.Status.choices, read_only=True)


class TagSerializer(StrictModelSerializer):
    """A word that the platform puts on customers."""

    field_of_code = {"taken": "name"}

    class Meta:
        model = Tag
        fields = ["id", "name"]

    def update(self, instance: Tag, validated_data: dict[str, Any]) -> Tag:
        """Have the service rename it."""
        return tags.rename_tag(tag=instance, name=validated_data.get("name", instance.name))

    def create(self, validated_data: dict[str, Any]) -> Tag:
        """Save the tag with its key."""
        tag = Tag(**validated_data)
        tag.clean()
        tag.save(force_insert=True)
        return tag


class CustomerSerializer(ByMixin, StrictModelSerializer):
    """Somebody whom the platform's vendors sell to."""

    field_of_code = {"email_taken": "email", "external_ref_taken": "external_ref"}
    phone = PhoneNumberField(
        required=False,
        allow_blank=True,
        max_length=40,
        error_messages={"invalid": PHONE_WANTED},
        help_text="With the country's code; answered as E.164.",
    )
    tags = TenantRelatedListField(slug_field="name", queryset=Tag.objects.all(), required=False, help_text="By name.")
    vendors = TenantRelatedListField(
        slug_field="code", queryset=Vendor.objects.all(), required=False, help_text="Where they bought, by code."
    )
    status = StatusField()
    merged_into = serializers.PrimaryKeyRelatedField[Customer](read_only=True, allow_null=True)

    class Meta:
        model = Customer
        fields = [
            "id",
            "email",
            "phone",
            "first_name",
            "last_name",
            "locale",
            "status",
            "external_ref",
            "tags",
            "vendors",
            "merged_into",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["created_at", "updated_at"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Have the model judge its own columns; a closed customer is refused as such, whatever was sent."""
        if self.instance is not None:
            services.lock_open(self.instance)
        super().validate({name: value for name, value in attrs.items() if name in services.FIELDS})
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Customer:
        """Have the service make the customer."""
        platform = validated_data.pop("platform")
        return services.create_customer(platform=platform, values=validated_data, by=self.by)

    def update(self, instance: Customer, validated_data: dict[str, Any]) -> Customer:
        """Have the service change the customer."""
        return services.update_customer(customer=instance, values=validated_data, by=self.by)


class WhySerializer(StrictSerializerMixin, serializers.Serializer):
    """What may be said when a customer is blocked or let in again."""

    reason = ReasonField()


class CustomerField(TenantRelatedField):
    """A customer, by id."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="id", queryset=Customer.objects.all(), **kwargs)


class AddressSerializer(ByMixin, StrictModelSerializer):
    """Where something is sent to, or an invoice goes."""

    fixed_fields = frozenset({"customer"})
    customer = CustomerField()

    class Meta:
        model = Address
        fields = [
            "id",
            "customer",
            "kind",
            "is_default",
            "recipient",
            "line1",
            "line2",
            "postal_code",
            "city",
            "region",
            "country",
            "created_at",
        ]
        read_only_fields = ["created_at"]
        extra_kwargs = {"country": {"error_messages": {"invalid_choice": COUNTRY_WANTED}}}

    def get_validators(self) -> list[Any]:
        """Return none: DRF would refuse a second default, which takes the first one's place."""
        return []

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Leave it to the service, which has the model judge once the default before it has made room."""
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Address:
        """Have the service save it."""
        return services.save_address(address=Address(**validated_data), by=self.by)

    def update(self, instance: Address, validated_data: dict[str, Any]) -> Address:
        """Have the service save it."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        return services.save_address(address=instance, by=self.by)


class NoteSerializer(ByMixin, StrictModelSerializer):
    """What staff wrote down about a customer, or a vendor for itself."""

    fixed_fields = frozenset({"customer", "text"})
    customer = CustomerField()
    vendor: serializers.SlugRelatedField[Vendor] = serializers.SlugRelatedField(
        slug_field="code", read_only=True, allow_null=True, help_text="Whose note it is; null for the staff's."
    )

    class Meta:
        model = Note
        fields = ["id", "customer", "vendor", "text", "author", "created_at"]
        read_only_fields = ["author", "created_at"]

    def create(self, validated_data: dict[str, Any]) -> Note:
        """Have the service write it."""
        validated_data.pop("platform")
        return services.add_note(**validated_data, by=self.by)


class TimelineSerializer(serializers.ModelSerializer):
    """One thing that happened to a customer."""

    actor = serializers.CharField(source="actor_label", read_only=True)
    data = serializers.DictField(read_only=True)  # type: ignore[assignment]  # DRF's own is what was serialized

    class Meta:
        model = CustomerEvent
        fields = ["id", "customer", "kind", "at", "actor", "data"]
        read_only_fields = fields
