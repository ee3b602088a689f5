"""How possible duplicates and merges look to staff."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from customers import services
from customers.api.serializers.people import CustomerField
from customers.merging import SIDES
from customers.models import ConsentRecord, Customer, DuplicatePair, Merge
from platforms.api.fields import ReasonField, StrictCharField
from platforms.api.serializers import StrictSerializerMixin


class BriefCustomerSerializer(serializers.ModelSerializer):
    """As much of a customer as it takes to tell them from another."""

    class Meta:
        model = Customer
        fields = ["id", "first_name", "last_name", "email", "phone", "external_ref"]
        read_only_fields = fields


@extend_schema_field({"oneOf": [{"const": value, "title": label} for value, label in DuplicatePair.Status.choices]})
class PairStatusField(serializers.ChoiceField):
    """What staff said of a pair. Described on the spot, as a customer's status is."""

    def __init__(self) -> None:
        super().__init__(choices=DuplicatePair.Status.choices, read_only=True)


class DuplicatePairSerializer(serializers.ModelSerializer):
    """Two customers who may be one."""

    a = BriefCustomerSerializer(read_only=True)
    b = BriefCustomerSerializer(read_only=True)
    why = serializers.ListField(
        child=serializers.ChoiceField(choices=list(DuplicatePair.WEIGHTS)), read_only=True, help_text="What they share."
    )
    status = PairStatusField()

    class Meta:
        model = DuplicatePair
        fields = ["id", "a", "b", "why", "strength", "status", "found_at", "dismissed_at", "dismissed_by"]
        read_only_fields = fields


class ScanSerializer(serializers.Serializer):
    """That a scan was asked for."""

    queued = serializers.BooleanField(help_text="Whether it will be done: not in a dry run.")


class MergeRequestSerializer(StrictSerializerMixin, serializers.Serializer):
    """Which two to merge, and whose value to take of each field."""

    kept = CustomerField(help_text="Who stays.")
    merged = CustomerField(help_text="Who is merged into them.")
    choices = serializers.DictField(
        child=StrictCharField(),
        required=False,
        help_text=f"kept or merged, for any of {', '.join(services.FIELDS)}; else the kept one's, unless it is blank.",
    )
    digest = StrictCharField(
        required=False, max_length=64, help_text="Of the dry run: refused as stale where the two changed since."
    )
    reason = ReasonField()


class FieldLineSerializer(serializers.Serializer):
    """A field on both sides."""

    name = serializers.CharField()
    kept = serializers.CharField()
    merged = serializers.CharField()
    taken = serializers.ChoiceField(choices=SIDES)
    value = serializers.CharField(help_text="What it will be.")


class ConsentOutcomeSerializer(serializers.Serializer):
    """What consents to one channel and purpose come to."""

    channel = serializers.CharField()
    purpose = serializers.CharField()
    kept = serializers.CharField(source="kept.action", default=None, allow_null=True)
    merged = serializers.CharField(source="merged.action", default=None, allow_null=True)
    adds = serializers.ChoiceField(
        choices=ConsentRecord.Action.choices, allow_null=True, help_text="The line that is added, if any."
    )
    counts = serializers.BooleanField(help_text="Whether one may rely on it after the merge.")


class BlockerSerializer(serializers.Serializer):
    """What stands in the way."""

    code = serializers.CharField()
    detail = serializers.CharField()


class PreviewSerializer(serializers.Serializer):
    """What a merge does."""

    values = FieldLineSerializer(many=True, source="fields")
    status = serializers.CharField(source="result.status", help_text="Blocked, where either was.")
    moves = serializers.DictField(child=serializers.IntegerField(), help_text="How many rows go over, by kind.")
    consents = ConsentOutcomeSerializer(many=True)
    blockers = BlockerSerializer(many=True)
    digest = serializers.CharField()


class MergeSerializer(serializers.ModelSerializer):
    """The trail of a merge."""

    kept = serializers.PrimaryKeyRelatedField[Customer](read_only=True)
    merged = serializers.PrimaryKeyRelatedField[Customer](read_only=True)
    actor = serializers.CharField(source="actor_label", read_only=True)
    choices = serializers.DictField(child=serializers.ChoiceField(choices=SIDES), read_only=True)
    moves = serializers.SerializerMethodField(help_text="How many rows went over, by kind.")
    is_forgotten = serializers.BooleanField(read_only=True, help_text="Whether one of the two was erased since.")

    class Meta:
        model = Merge
        fields = [
            "id",
            "kept",
            "merged",
            "at",
            "actor",
            "reason",
            "choices",
            "moves",
            "undone_at",
            "undone_by",
            "is_forgotten",
        ]
        read_only_fields = fields

    def get_moves(self, trail: Merge) -> dict[str, int]:
        """Count what went over."""
        return trail.moves


class MergedSerializer(serializers.Serializer):
    """What a merge did, or in a dry run would do."""

    preview = PreviewSerializer()
    merge = MergeSerializer(allow_null=True, help_text="The trail; null in a dry run.")


class UndoneSerializer(serializers.Serializer):
    """What undoing a merge did, or in a dry run would do."""

    merge = MergeSerializer(source="trail")
    restored = serializers.ListField(child=serializers.CharField(), help_text="Fields that say again what they said.")
    newer = serializers.ListField(child=serializers.CharField(), help_text="Fields that changed since, and stay so.")
