"""Many customers at once, in one body or in a file."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from customers.cells import ADDRESS_COLUMNS, join_names
from customers.models import BrokenRow, ErrorPolicy, ImportRun, Match
from customers.services import FIELDS
from customers.upserts import MAX_ROWS, Row, Seen
from platforms.api.fields import StrictCharField
from platforms.api.openapi import ErrorSerializer
from platforms.api.serializers import StrictSerializerMixin

_OUTCOMES = ("created", "updated", "unchanged", "failed")


class NamesField(serializers.ListField):
    """Names, each a text."""

    child = StrictCharField()


class BulkRowSerializer(StrictSerializerMixin, serializers.Serializer):
    """What is wanted of one customer. What is blank or left out stays as it is; tags and vendors are added.

    A row that finds its customer by what another was known by, who was merged into them, overwrites nothing.
    """

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return a text for each column of a file, and lists for what may be several."""
        texts = {
            name: StrictCharField(required=False, allow_blank=True, max_length=1000)
            for name in (*FIELDS, *ADDRESS_COLUMNS)
        }
        tags = NamesField(required=False, max_length=100, help_text="By name; one that is not there is made.")
        vendors = NamesField(required=False, max_length=100, help_text="Where they bought, by code.")
        return {**texts, "tags": tags, "vendors": vendors}


class BulkSerializer(StrictSerializerMixin, serializers.Serializer):
    """Up to 500 customers, and what becomes of them where something is wrong with one."""

    match = serializers.ChoiceField(choices=Match.choices, help_text="By what a row finds its customer.")
    error_policy = serializers.ChoiceField(choices=ErrorPolicy.choices, default=ErrorPolicy.ALL_OR_NOTHING)
    rows = BulkRowSerializer(many=True, allow_empty=False, max_length=MAX_ROWS)  # type: ignore[call-arg]  # of the list

    def wanted(self) -> Iterator[Row]:
        """Yield the rows, numbered from 0."""
        with Seen(place="row") as seen:
            for place, said in enumerate(self.validated_data["rows"]):
                values: Mapping[str, str] = {
                    name: join_names(value) if isinstance(value, list) else value for name, value in said.items()
                }
                yield seen.marked(Row(line=place, values={name: text for name, text in values.items() if text}))


@extend_schema_field({"enum": list(_OUTCOMES), "type": "string"})
class OutcomeField(serializers.CharField):
    """What became of a row."""


class BulkResultSerializer(serializers.Serializer):
    """What became of one row."""

    row = serializers.IntegerField(source="row.line", help_text="Its place in the body, from 0.")
    outcome = OutcomeField()
    customer = serializers.UUIDField(allow_null=True, help_text="Null where there is none: failed, or a dry run.")
    errors = ErrorSerializer(many=True, source="faults")  # type: ignore[assignment]  # DRF's own is for bound ones


class BulkOutcomeSerializer(serializers.Serializer):
    """What became of all rows."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    failed = serializers.IntegerField()
    results = BulkResultSerializer(many=True)


class ExportSerializer(StrictSerializerMixin, serializers.Serializer):
    """What kind of file is wanted."""

    file_format = serializers.ChoiceField(choices=ImportRun.Format.choices, default=ImportRun.Format.CSV)


class UploadSerializer(StrictSerializerMixin, serializers.Serializer):
    """A file of customers, and how it is to be taken."""

    file = serializers.FileField(help_text="CSV (UTF-8 or UTF-16; with commas, semicolons or tabs) or XLSX.")
    match = serializers.ChoiceField(choices=Match.choices, default=Match.EXTERNAL_REF)
    error_policy = serializers.ChoiceField(choices=ErrorPolicy.choices, default=ErrorPolicy.SKIP_ROW)
    dry_run = serializers.BooleanField(
        default=True, help_text="Only check it: it is written once it is started. False: write it at once."
    )


@extend_schema_field({"oneOf": [{"const": value, "title": label} for value, label in ImportRun.Status.choices]})
class ImportStatusField(serializers.ChoiceField):
    """How far an import is. Described on the spot: other modules' rows have a status of their own."""

    def __init__(self) -> None:
        super().__init__(choices=ImportRun.Status.choices, read_only=True)


class ImportSerializer(serializers.ModelSerializer):
    """An import: how it was asked for, and how far it is."""

    status = ImportStatusField()
    actor = serializers.CharField(source="actor_label", read_only=True)

    class Meta:
        model = ImportRun
        fields: ClassVar[list[str]] = [
            *("id", "status", "match", "error_policy", "file_name", "format", "columns", "total", "processed"),
            *_OUTCOMES,
            *("next_line", "problem", "actor", "created_at", "started_at", "finished_at", "heartbeat_at"),
        ]
        read_only_fields = fields


class BrokenRowSerializer(serializers.ModelSerializer):
    """A row with errors, as it stood in the file."""

    values = serializers.DictField(
        child=serializers.CharField(), help_text="By column; cells beyond the header as extra_1, extra_2, …"
    )
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]  # DRF's own is for bound serializers

    class Meta:
        model = BrokenRow
        fields: ClassVar[list[str]] = ["line", "is_taken", "values", "errors"]
        read_only_fields = fields


def refusals(results: Any) -> dict[str, Any]:
    """Return what is wrong with the rows that failed, as an error of the field `rows`."""
    found: dict[str, Any] = {}
    for result in results:
        for fault in result.faults if result.outcome == "failed" else ():
            row = found.setdefault(str(result.row.line), {})
            detail = serializers.ErrorDetail(fault.detail, code=fault.code)
            row.setdefault(fault.attr or "non_field_errors", []).append(detail)
    return {"rows": found}
