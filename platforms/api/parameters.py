"""What may stand behind the `?` of an address. What is not known is refused, wherever it is asked.

A filter that is misspelt would find everything, and a `dry_run` that is misspelt would write.
"""

from collections.abc import Iterator
from typing import Any

from django_filters import Filter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.settings import api_settings

from platforms.api.openapi import DRY_RUN
from platforms.choices import name_all


def refuse_unknown(view: Any) -> None:
    """Raise ValidationError with every parameter of the request that its action does not know: `unknown_filter`."""
    said = [name for name in view.request.query_params if name != api_settings.URL_FORMAT_OVERRIDE]
    known = known_parameters(view) if said else set()
    if unknown := [name for name in said if name not in known]:
        told = f" Known: {name_all(sorted(known))}." if known else ""
        raise ValidationError(dict.fromkeys(unknown, f"There is no such parameter here.{told}"), code="unknown_filter")


def known_parameters(view: Any) -> set[str]:
    """Return what the view's action takes: what the view declares in `parameters`, and what stands for all of them.

    A write takes `dry_run`, whatever lists takes the filters and pages of its view. That DRF lets an address name the
    format goes without saying.
    """
    known = {parameter.name for parameter in view.parameters.get(view.action, ())}
    if view.is_write:
        return known | {DRY_RUN.name}
    if view.action == "retrieve":
        return known
    # An action of one row filters nothing, but may have pages.
    filters = () if view.detail else _filters(view)
    pages = view.paginator.get_schema_operation_parameters(view) if view.paginator is not None else ()
    return known.union(filters, (page["name"] for page in pages))


def _filters(view: Any) -> Iterator[str]:
    for backend in (backend_class() for backend_class in view.filter_backends):
        if isinstance(backend, DjangoFilterBackend):
            filterset = backend.get_filterset_class(view, view.queryset)
            for name, one in getattr(filterset, "base_filters", {}).items():
                yield from _names(name, one)
        else:
            yield from (parameter["name"] for parameter in backend.get_schema_operation_parameters(view))


def _names(name: str, one: Filter) -> Iterator[str]:
    """Yield the parameters that a filter reads: of a range, say, two."""
    widget = one.extra.get("widget", one.field_class.widget)
    for suffix in getattr(widget, "suffixes", [None]):
        yield f"{name}_{suffix}" if suffix else name
