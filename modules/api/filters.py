"""How the rows of all platforms are found, ordered and paged."""

from datetime import UTC, datetime
from typing import Any, ClassVar

import django_filters
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce
from django_filters.fields import IsoDateTimeField
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from modules import selectors
from modules.models import Module, PlatformModule
from platforms.api.filters import FilterSet, StrictBooleanFilter, TenantChoiceFilter
from platforms.api.pagination import Cursor
from platforms.models import Platform

_NEVER = Value(datetime(1970, 1, 1, tzinfo=UTC))


class MomentField(IsoDateTimeField):
    """An ISO 8601 time that is also one in UTC."""

    def to_python(self, value: Any) -> datetime | None:
        """Return the moment in UTC; raise ValidationError for none, or for one outside of the calendar."""
        moment = super().to_python(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError:
            raise DjangoValidationError(self.error_messages["invalid"], code="invalid") from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    """Compares with a moment."""

    field_class = MomentField


class PlatformModuleFilter(FilterSet):
    """By platform, module, state, and the time since when it is on.

    A platform that the asker may not see is refused like one that is not there.
    """

    platform = TenantChoiceFilter(queryset=Platform.objects.all(), to_field_name="code")
    module = django_filters.ModelChoiceFilter(queryset=Module.objects.all(), to_field_name="code")
    is_enabled = StrictBooleanFilter(method="filter_is_enabled")
    enabled_after = MomentFilter(field_name="enabled_at", lookup_expr="gte", help_text="At this time or later.")
    enabled_before = MomentFilter(field_name="enabled_at", lookup_expr="lt", help_text="Before this time.")

    class Meta:
        model = PlatformModule
        fields = ["platform", "module", "is_enabled"]

    def filter_is_enabled(self, queryset: QuerySet[PlatformModule], name: str, value: bool) -> QuerySet[PlatformModule]:
        """Narrow to what the gate says is on, or is not."""
        return queryset.filter(selectors.is_on()) if value else queryset.exclude(selectors.is_on())


class PlatformModuleOrdering(BaseFilterBackend):
    """`?ordering=platform,-enabled_at`: one or more keys, `-` for descending; what is no key is refused."""

    # What each key orders by; never null, because a cursor cannot stand on null: what was never on comes first.
    keys: ClassVar[dict[str, str]] = {
        "platform": "platform_code",
        "module": "module_id",
        "enabled_at": "enabled_or_never",
        "updated_at": "updated_at",
    }
    tie_break: ClassVar[tuple[str, ...]] = ("platform_code", "module_id")

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str, ...]:
        """Return what to order by, in the end always by what no two rows share. Raises ValidationError."""
        found: dict[str, str] = {}
        for word in filter(None, request.query_params.get("ordering", "").split(",")):
            key = word.removeprefix("-")
            if key not in self.keys:
                raise ValidationError({"ordering": f"Name one of {', '.join(self.keys)}."}, code="invalid_choice")
            found.setdefault(self.keys[key], "-" if word.startswith("-") else "")
        for name in self.tie_break:
            found.setdefault(name, "")
        return tuple(f"{sign}{name}" for name, sign in found.items())

    def filter_queryset(
        self, request: Request, queryset: QuerySet[PlatformModule], view: APIView
    ) -> QuerySet[PlatformModule]:
        """Give the rows what they may be ordered by; the page puts them in order."""
        return queryset.annotate(platform_code=F("platform__code"), enabled_or_never=Coalesce("enabled_at", _NEVER))

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Describe the parameter for OpenAPI."""
        pattern = "|".join(self.keys)
        return [
            {
                "name": "ordering",
                "required": False,
                "in": "query",
                "description": f"One or more of {', '.join(self.keys)}, by commas; a minus before it means descending.",
                "schema": {"type": "string", "pattern": f"^-?({pattern})(,-?({pattern}))*$"},
            }
        ]


class PlatformModuleCursor(Cursor):
    """Pages through rows of which a migration may have switched many in one moment: a cursor counts among those."""

    offset_cutoff = 1_000_000
