"""How the ledger of consents looks, to staff and to who has a link from a mail."""

from typing import Any

from rest_framework import serializers

from customers import consents
from customers.api.serializers.people import ByMixin, CustomerField
from customers.models import ConsentRecord
from platforms.api.fields import StrictCharField
from platforms.api.serializers import (
    StrictModelSerializer,
    StrictSerializerMixin,
)

MAX_TOKEN = 500


class ConsentSerializer(ByMixin, StrictModelSerializer):
    """A line of the ledger: what a customer agreed to, or did not."""

    customer = CustomerField()
    action = serializers.ChoiceField(
        choices=ConsentRecord.Action.choices,
        error_messages={"invalid_choice": "Say given or withdrawn."},
        help_text="Written: given or withdrawn. Confirmed is what the customer does, from the mailbox.",
    )
    counts = serializers.BooleanField(read_only=True, help_text="Whether one may rely on it, if it is the newest.")

    class Meta:
        model = ConsentRecord
        fields = [
            "id",
            "customer",
            "channel",
            "purpose",
            "action",
            "counts",
            "source",
            "document_version",
            "actor",
            "at",
        ]
        read_only_fields = ["at"]
        extra_kwargs = {"actor": {"source": "actor_label", "read_only": True}}

    def validate_action(self, value: str) -> str:
        """Refuse what only the customer does."""
        if value == ConsentRecord.Action.CONFIRMED:
            raise serializers.ValidationError("Only the customer confirms.", code="not_yours")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Leave it to the service, which makes the line and has the model judge."""
        return attrs

    def create(self, validated_data: dict[str, Any]) -> ConsentRecord:
        """Have the service add the line."""
        validated_data.pop("platform")
        act = consents.give if validated_data.pop("action") == ConsentRecord.Action.GIVEN else consents.withdraw
        return act(**validated_data, by=self.by)


class ConfirmSerializer(StrictSerializerMixin, serializers.Serializer):
    """What the link in the mail carries."""

    token = StrictCharField(max_length=MAX_TOKEN)


class ConfirmedSerializer(serializers.ModelSerializer):
    """What was confirmed."""

    class Meta:
        model = ConsentRecord
        fields = ["channel", "purpose", "action", "at"]
        read_only_fields = fields
