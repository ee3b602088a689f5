"""How long lists come: page by page, by cursor."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import connection
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView


class Cursor(CursorPagination):
    """`{"next", "previous", "results"}` in the order that the view declares as `ordering`."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering: Any = None  # the view's

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page for OpenAPI 3.1, which has no `nullable`: DRF's own description says it all the same."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "description": "Where the page after this one is; null on the last."},
                "previous": {**link, "description": "Where the page before this one is; null on the first."},
                "results": schema,
            },
        }

    def get_page_size(self, request: Request) -> int:
        """Return how many rows are wanted, at most 200; raise ValidationError for what is no count of rows."""
        wanted = request.query_params.get(self.page_size_query_param)
        if wanted is None:
            return self.page_size
        digits = wanted.lstrip("0")
        if not (wanted.isascii() and wanted.isdecimal() and digits):
            raise ValidationError({self.page_size_query_param: "Name a number from 1 to 200."}, code="invalid")
        # What has four digits or more is over the limit: no need to count how much.
        return min(int(digits[:4]), self.max_page_size)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str, ...]:
        """Return the view's own ordering, or that of its ordering filter."""
        self.ordering = getattr(view, "ordering", None)
        return super().get_ordering(request, queryset, view)

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """Return one page; raise NotFound for a cursor that we did not make."""
        self._query = queryset.query
        return super().paginate_queryset(queryset, request, view)

    def decode_cursor(self, request: Request) -> Any:
        """Return the cursor that was sent, its position checked before the database would choke on it."""
        cursor = super().decode_cursor(request)
        if cursor is None or cursor.position is None:
            return cursor
        position = str(cursor.position)
        # By the query, not the model: a view may page by what it annotates.
        field = self._query.chain().resolve_ref(self.ordering[0].lstrip("-")).output_field
        try:
            field.get_db_prep_value(field.to_python(position), connection)
        except (DjangoValidationError, ValueError, OverflowError):
            raise NotFound(self.invalid_cursor_message) from None
        if "\x00" in position:
            raise NotFound(self.invalid_cursor_message)
        return cursor
