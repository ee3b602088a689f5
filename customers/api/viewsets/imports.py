"""Files of customers on their way in."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from customers import exports, imports
from customers.api.serializers.many import BrokenRowSerializer, ImportSerializer, UploadSerializer
from customers.api.viewsets import ADD
from customers.api.viewsets.many import FileMixin, file_response
from customers.models import ErrorPolicy, ImportRun, Match
from modules.api.bases import AdminResource
from platforms.api.parsers import StrictJSONParser
from platforms.api.serializers import EmptySerializer


class ImportViewSet(FileMixin, AdminResource):
    """Imports: a file is uploaded and checked, then started; how far it is can be asked for at any time."""

    http_method_names = ADD
    queryset = ImportRun.objects.all()
    serializer_class = ImportSerializer
    ordering = ("-created_at", "id")
    # What a file holds is for those who could have sent it.
    action_permissions = dict.fromkeys(
        ("list", "retrieve", "create", "start", "cancel", "errors", "error_file"), "manage"
    )
    file_actions = frozenset({"error_file"})
    max_upload_bytes = imports.MAX_UPLOAD_BYTES

    def get_parsers(self) -> Sequence[BaseParser]:
        """Take a form with a file where an import is made; elsewhere, there is none to send."""
        return [StrictJSONParser()] if self.detail else [MultiPartParser(), StrictJSONParser()]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, and throw away what was read of a file for it."""
        with ExitStack() as self.held:
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Read a file before there is a transaction: with an Idempotency-Key it begins before `create` is called."""
        super().initial(request, *args, **kwargs)
        if self.action == "create":
            self.said = self.read_body(UploadSerializer).validated_data
            self.match = Match(self.said["match"])
            file = self.said["file"].file
            arriving = imports.received(platform=self.platform, file=file, match=self.match)
            self.received = self.held.enter_context(arriving)

    @extend_schema(request={"multipart/form-data": UploadSerializer}, responses={201: ImportSerializer})
    def create(self, request: Request, *args: Any, **address: str) -> Response:
        """Upload a file of up to 64 MiB, to be checked in the background."""
        with self.writing():
            run = imports.begin(
                platform=self.platform,
                received=self.received,
                file_name=self.said["file"].name[-200:],
                match=self.match,
                policy=ErrorPolicy(self.said["error_policy"]),
                by=self.actor,
                checks_first=self.said["dry_run"],
            )
            answer = self.represent(run)
        return Response(answer, status=status.HTTP_201_CREATED)

    @extend_schema(request=EmptySerializer, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, **address: str) -> Response:
        """Have an import that was checked written; one without a sign of life goes on where it stopped."""
        with self.writing():
            run = self.find_locked()
            self.read_body(EmptySerializer)
            answer = self.represent(imports.start(run=run, by=self.actor))
        return Response(answer)

    @extend_schema(request=EmptySerializer, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **address: str) -> Response:
        """Stop an import: what was written stays, the rest is thrown away."""
        with self.writing():
            run = self.find_locked()
            self.read_body(EmptySerializer)
            answer = self.represent(imports.cancel(run=run))
        return Response(answer)

    @extend_schema(responses=BrokenRowSerializer(many=True))
    @action(detail=True, methods=["get"])
    def errors(self, request: Request, **address: str) -> Response:
        """List the rows that have errors, in their order in the file."""
        rows = self.find(**self.address).broken_rows.all()
        self.ordering = ("line", "id")  # type: ignore[misc]  # of these rows, not of the imports
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(BrokenRowSerializer(page, many=True).data)

    @extend_schema(responses={(200, exports.CONTENT_TYPES[ImportRun.Format.CSV]): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"], url_path="error-file", pagination_class=None)
    def error_file(self, request: Request, **address: str) -> StreamingHttpResponse:
        """Answer the rows that have errors as a CSV file, to be corrected and sent again."""
        run = self.find(**self.address)
        name = f"errors-{run.pk}.csv"
        return file_response(imports.error_file(run), name, exports.CONTENT_TYPES[ImportRun.Format.CSV])
