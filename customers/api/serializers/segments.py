"""How segments look to staff. What a rule may ask is for `customers.rules` to say, and errors of rules are its own."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from customers import segments
from customers.models import Segment
from customers.rules import FIELDS, MAX_RULES
from modules.api.fields import AnyField
from platforms.api.serializers import StrictModelSerializer

_RULE = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "enum": list(FIELDS)},
        "operator": {"type": "string"},
        "value": {"description": "What the operator takes (see `segments/fields/`); none where it takes none."},
    },
    "required": ["field", "operator"],
    "additionalProperties": False,
}


@extend_schema_field({"type": "array", "items": _RULE, "minItems": 1, "maxItems": MAX_RULES})
class RulesField(serializers.JSONField):
    """What finds the members."""


class SegmentSerializer(StrictModelSerializer):
    """Customers whom rules find."""

    field_of_code = {"taken": "name"}
    rules = RulesField()

    class Meta:
        model = Segment
        fields = ["id", "name", "description", "match", "rules", "created_at", "updated_at"]
        read_only_fields = ["created_at", "updated_at"]

    def create(self, validated_data: dict[str, Any]) -> Segment:
        """Have the service save it."""
        return segments.save_segment(segment=Segment(**validated_data))

    def update(self, instance: Segment, validated_data: dict[str, Any]) -> Segment:
        """Have the service save it."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        return segments.save_segment(segment=instance)


class ToldSerializer(serializers.Serializer):
    """A rule in words."""

    text = serializers.CharField()
    gone = serializers.ListField(
        child=serializers.CharField(), help_text="What it names and the platform has no more: it finds nobody."
    )
    finds_nobody = serializers.BooleanField()


class SegmentSummarySerializer(serializers.Serializer):
    """How many members there are just now, and what the rules say."""

    count = serializers.IntegerField(source="found.number", help_text="As far as they are counted: 10,000.")
    is_count_cut = serializers.BooleanField(source="found.is_cut", help_text="Whether there are more than `count`.")
    rules = ToldSerializer(source="told", many=True)


class OperatorSerializer(serializers.Serializer):
    """What may be asked of a field."""

    operator = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF's own is what a form calls it
    value_schema = AnyField(help_text="What it takes, as a JSON Schema; null where it takes no value.")
    names = serializers.ChoiceField(
        choices=["tags", "vendors"], allow_null=True, help_text="Of which rows of the platform the value has names."
    )


class RuleFieldSerializer(serializers.Serializer):
    """Something that is known of customers, and what may be asked of it."""

    field = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    operators = OperatorSerializer(many=True)
