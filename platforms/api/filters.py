"""Filters that refuse what they do not understand."""

from typing import Any, cast

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.request import Request

from platforms.choices import refusal
from platforms.models import Platform


class FilterSet(django_filters.FilterSet):
    """Filters of a list; those that are a choice refuse by naming what there is to choose from."""

    def get_form_class(self) -> type[forms.Form]:
        """Return the form that reads the query."""
        form_class: type[forms.Form] = super().get_form_class()
        for field in form_class.base_fields.values():
            if isinstance(field, forms.ModelChoiceField):
                field.error_messages["invalid_choice"] = "There is none of this name or id here."
            elif isinstance(field, forms.ChoiceField):
                field.error_messages["invalid_choice"] = refusal(value for value, _ in cast(Any, field).choices)
        return form_class


@extend_schema_field(OpenApiTypes.BOOL)
class StrictBooleanFilter(django_filters.TypedChoiceFilter):
    """`true` or `false`; anything else is refused, where django-filter's own boolean would quietly not filter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("choices", [("true", "true"), ("false", "false")])
        kwargs.setdefault("coerce", "true".__eq__)
        super().__init__(*args, **kwargs)


class TenantChoiceFilter(django_filters.ModelChoiceFilter):
    """By another row of the tenant of whom the address speaks; anybody else's is refused like one that is not there."""

    def get_queryset(self, request: Request | None) -> QuerySet[Any]:
        """Return the rows that the asking person may name here."""
        queryset: QuerySet[Any] = super().get_queryset(request)
        return queryset.none() if request is None else request.parser_context["view"].in_scope(queryset)


class PlatformFilter(FilterSet):
    """By kind and state, and by a part of code or name."""

    kind = django_filters.ChoiceFilter(choices=Platform.Kind.choices)
    is_active = StrictBooleanFilter()
    search = django_filters.CharFilter(method="filter_search", max_length=200, help_text="A part of code or name.")

    class Meta:
        model = Platform
        fields = ["kind", "is_active"]

    def filter_search(self, queryset: QuerySet[Platform], name: str, value: str) -> QuerySet[Platform]:
        """Narrow to platforms whose code or name holds the text."""
        return queryset.filter(Q(code__icontains=value) | Q(name__icontains=value))
