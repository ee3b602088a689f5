"""How privacy requests look to staff."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import Direction, extend_schema_field
from rest_framework import serializers

from customers import privacy
from customers.api.serializers.people import ByMixin, CustomerField
from customers.models import PrivacyRequest
from platforms.api.fields import ReasonField, StrictCharField
from platforms.api.serializers import StrictModelSerializer, StrictSerializerMixin
from platforms.validators import MAX_REASON

# What staff say of how they were asked; the others are said by what asks by itself.
ASKED_BY = [
    (value, label)
    for value, label in PrivacyRequest.Source.choices
    if value not in (PrivacyRequest.Source.OPERATOR, PrivacyRequest.Source.INACTIVITY)
]


def _one_of(choices: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the schema of a choice, described on the spot: other modules' rows have others."""
    return {"oneOf": [{"const": value, "title": label} for value, label in choices]}


@extend_schema_field(_one_of(PrivacyRequest.Kind.choices))
class KindField(serializers.ChoiceField):
    """What is asked for."""

    def __init__(self) -> None:
        super().__init__(choices=PrivacyRequest.Kind.choices)


class SourceField(serializers.ChoiceField):
    """How it was asked for; `operator` and `inactivity` are only ever read."""

    def __init__(self) -> None:
        super().__init__(choices=ASKED_BY)

    def to_representation(self, value: Any) -> Any:
        """Return what is kept, whoever wrote it."""
        return value


class SourceSchema(OpenApiSerializerFieldExtension):
    """Offers to who writes what may be written."""

    target_class = SourceField

    def map_serializer_field(self, auto_schema: Any, direction: Direction) -> dict[str, Any]:
        """Return the schema of what is sent, or of what is answered."""
        return _one_of(ASKED_BY if direction == "request" else PrivacyRequest.Source.choices)


@extend_schema_field(_one_of(PrivacyRequest.Status.choices))
class RequestStatusField(serializers.ChoiceField):
    """How a request stands."""

    def __init__(self) -> None:
        super().__init__(choices=PrivacyRequest.Status.choices, read_only=True)


class ErasedField(serializers.ListField):
    """The ids of the customers whom an erasure erased: the person, and everybody who was merged into them."""

    child = serializers.UUIDField()

    def __init__(self) -> None:
        super().__init__(
            read_only=True, help_text="The customers whom it erased: the person, and who was merged into them."
        )


class PrivacyRequestSerializer(ByMixin, StrictModelSerializer):
    """Somebody wants to have their data, or to be forgotten. Why it is on hold, by whom and since when: while it is."""

    customer = CustomerField()
    kind = KindField()
    source = SourceField()  # type: ignore[assignment]  # DRF's own is where a field reads from
    status = RequestStatusField()
    reason = ReasonField()
    is_overdue = serializers.BooleanField(read_only=True)
    erased = ErasedField()

    class Meta:
        model = PrivacyRequest
        fields = [
            "id",
            "kind",
            "customer",
            "status",
            "source",
            "reason",
            "actor",
            "created_at",
            "due_at",
            "is_overdue",
            "not_before",
            "hold_reason",
            "held_by",
            "held_at",
            "done_at",
            "erased",
        ]
        read_only_fields = ["created_at", "due_at", "not_before", "hold_reason", "held_at", "done_at"]
        extra_kwargs = {
            "actor": {"source": "actor_label", "read_only": True},
            "held_by": {"source": "held_by_label", "read_only": True},
        }

    def to_representation(self, instance: PrivacyRequest) -> dict[str, Any]:
        """Return how it stands: a hold that was released is history."""
        shown = super().to_representation(instance)
        if instance.status != PrivacyRequest.Status.ON_HOLD:
            shown |= {"hold_reason": "", "held_by": "", "held_at": None}
        return shown

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Leave it to the service, which makes the row and has the model judge."""
        return attrs

    def create(self, validated_data: dict[str, Any]) -> PrivacyRequest:
        """Have the service note it."""
        validated_data.pop("platform")
        is_erasure = validated_data.pop("kind") == PrivacyRequest.Kind.ERASURE
        ask = privacy.request_erasure if is_erasure else privacy.request_export
        return ask(**validated_data, by=self.by)


class HoldSerializer(StrictSerializerMixin, serializers.Serializer):
    """Why an erasure has to wait."""

    reason = StrictCharField(max_length=MAX_REASON)


@extend_schema_field(_one_of(PrivacyRequest.CalledOff.choices))
class CalledOffField(serializers.ChoiceField):
    """Why a request was called off."""

    def __init__(self) -> None:
        super().__init__(choices=PrivacyRequest.CalledOff.choices, read_only=True)


class CalledOffSerializer(serializers.Serializer):
    """Why a request was called off, in a word for programs and a sentence for people, and by whom."""

    why = CalledOffField()
    detail = serializers.CharField()
    by = serializers.CharField(help_text="Empty where nobody called it off, but it was by itself.")


class ReportSerializer(serializers.Serializer):
    """What was done, or would be."""

    status = RequestStatusField()
    modules = serializers.DictField(
        child=serializers.DictField(),
        help_text="By module. Of an erasure: how many rows were deleted and anonymised, and what was kept and why; "
        "as it would be, while it waits. Of an export: how many rows of each kind.",
    )
    erased = ErasedField()
    called_off = CalledOffSerializer(allow_null=True)


class PersonalDataSerializer(serializers.Serializer):
    """All that the modules hold on a person."""

    platform = serializers.CharField()
    request = serializers.UUIDField()
    made_at = serializers.DateTimeField()
    customers = serializers.ListField(
        child=serializers.DictField(),
        help_text="The person, and everybody who was merged into them: `customer`, and `modules` with the rows of each "
        "kind. In a dry run how many rows of each kind, and nothing of what they say.",
    )
