"""Many customers at once: written from one body, and taken out as a file."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from customers import exports
from customers.api.serializers.many import BulkOutcomeSerializer, BulkSerializer, ExportSerializer, refusals
from customers.models import ErrorPolicy, ImportRun, Match
from customers.upserts import upsert

FILE_FORMAT = OpenApiParameter(
    "file_format", enum=ImportRun.Format.values, default=ImportRun.Format.CSV.value, description="The kind of file."
)


def file_response(pieces: Iterator[bytes], name: str, content_type: str) -> StreamingHttpResponse:
    """Return a file to be kept, as it is made; nobody's cache keeps it, too."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamingHttpResponse(pieces, content_type=content_type, headers=headers)


class FileMixin:
    """Actions that answer a file, whatever the client says that it accepts."""

    file_actions: ClassVar[frozenset[str]] = frozenset()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Choose what errors are written in, where the answer itself is a file."""
        action = getattr(self, "action", None)
        return super().perform_content_negotiation(request, force or action in self.file_actions)  # type: ignore[misc]


class ManyCustomersMixin(FileMixin):
    """What a viewset of customers does with many of them."""

    action_permissions: ClassVar[Mapping[str, str]] = {"export": "export"}
    parameters: ClassVar[Mapping[str, tuple[OpenApiParameter, ...]]] = {"export": (FILE_FORMAT,)}
    file_actions = frozenset({"export"})

    @extend_schema(request=BulkSerializer, responses={200: BulkOutcomeSerializer})
    @action(detail=False, methods=["post"], filter_backends=[], pagination_class=None)
    def bulk(self, request: Request, **address: str) -> Response:
        """Make or change up to 500 customers, and say row by row what became of them.

        Under `all_or_nothing` an error of one row is 400, and nothing is written.
        """
        view: Any = self
        with view.writing():
            said = view.read_body(BulkSerializer)
            policy = said.validated_data["error_policy"]
            results = upsert(
                platform=view.platform,
                rows=list(said.wanted()),
                match=Match(said.validated_data["match"]),
                policy=ErrorPolicy(policy),
                by=view.actor,
            )
            counts = Counter(result.outcome for result in results)
            if counts["failed"] and policy == ErrorPolicy.ALL_OR_NOTHING:
                raise ValidationError(refusals(results))
        named = {name: counts[name] for name in ("created", "updated", "unchanged", "failed")}
        answer = BulkOutcomeSerializer({**named, "results": results}).data
        for result in answer["results"]:
            if view.dry_run and result["outcome"] == "created":
                result["customer"] = None
        return Response(answer)

    @extend_schema(
        filters=True,
        responses={(200, content_type): OpenApiTypes.BINARY for content_type in exports.CONTENT_TYPES.values()},
    )
    @action(detail=False, methods=["get"], pagination_class=None)
    def export(self, request: Request, **address: str) -> StreamingHttpResponse:
        """Answer a file of the customers that the filters of the list find, as an import reads it."""
        view: Any = self
        said = {name: text for name, text in request.query_params.items() if name == FILE_FORMAT.name}
        wanted = ExportSerializer(data=said)
        wanted.is_valid(raise_exception=True)
        file_format = ImportRun.Format(wanted.validated_data["file_format"])
        pieces = exports.export(
            platform=view.platform,
            customers=view.filter_queryset(view.get_queryset()),
            file_format=file_format,
            by=view.actor,
        )
        name = f"customers-{view.platform.code}.{file_format}"
        return file_response(pieces, name, exports.CONTENT_TYPES[file_format])
