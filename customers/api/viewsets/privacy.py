"""Privacy requests, for staff."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.core.exceptions import PermissionDenied
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers import privacy
from customers.api.filters import PrivacyRequestFilter
from customers.api.serializers.privacy import (
    HoldSerializer,
    PersonalDataSerializer,
    PrivacyRequestSerializer,
    ReportSerializer,
)
from customers.api.viewsets import ADD
from customers.models import PrivacyRequest
from modules.api.bases import AdminResource
from modules.permissions import right_for
from platforms import access
from platforms.api.serializers import EmptySerializer


class PrivacyRequestViewSet(AdminResource):
    """What people asked about their own data, what is due soonest first."""

    http_method_names = ADD
    queryset = PrivacyRequest.objects.select_related("customer__platform", "platform")
    serializer_class = PrivacyRequestSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = PrivacyRequestFilter
    ordering = ("due_at", "id")
    action_permissions = {
        "hold": "erase",
        "release": "erase",
        "cancel": "manage",
        "execute": "erase",
        "download": "export",
    }
    # What was erased is not to be had of an answer that was kept.
    answered_anew = frozenset({"download"})

    def perform_create(self, serializer: serializers.BaseSerializer) -> PrivacyRequest:
        """Have it noted, by who may do what is asked for. Raises PermissionDenied."""
        self._ask_for(serializer.validated_data["kind"])
        return super().perform_create(serializer)  # type: ignore[return-value]

    @extend_schema(request=HoldSerializer, responses=PrivacyRequestSerializer)
    @action(detail=True, methods=["post"])
    def hold(self, request: Request, **address: str) -> Response:
        """Have an erasure wait, as the law or a lawsuit wants the data kept."""
        return self._act(
            lambda row, said: privacy.hold(request=row, reason=said["reason"], by=self.actor), HoldSerializer
        )

    @extend_schema(request=EmptySerializer, responses=PrivacyRequestSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, **address: str) -> Response:
        """Let an erasure go on; its times move by as long as it was on hold."""
        return self._act(lambda row, said: privacy.release(request=row, by=self.actor))

    @extend_schema(request=EmptySerializer, responses=PrivacyRequestSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **address: str) -> Response:
        """Call it off."""

        def call_off(row: PrivacyRequest, said: Any) -> None:
            self._ask_for(row.kind)
            privacy.cancel(request=row, by=self.actor)

        return self._act(call_off)

    @extend_schema(request=EmptySerializer, responses=PrivacyRequestSerializer)
    @action(detail=True, methods=["post"])
    def execute(self, request: Request, **address: str) -> Response:
        """Erase the person now that the grace is over, before the worker does; it cannot be undone."""
        return self._act(lambda row, said: privacy.execute(request=row, by=self.actor))

    @extend_schema(request=EmptySerializer, responses=PersonalDataSerializer)
    @action(detail=True, methods=["post"])
    def download(self, request: Request, **address: str) -> Response:
        """Fetch all that the modules hold on the person: made on the spot, kept nowhere, written down."""
        with self.writing():
            row = self.find(**self.address)
            self.read_body(EmptySerializer)
            held = privacy.fetch(request=row, by=self.actor)
        if self.dry_run:
            # Nothing is written down of it, so nothing is said of anybody.
            return Response(privacy.counted(held))
        return Response(held, headers={"Content-Disposition": f'attachment; filename="{row.pk}.json"'})

    @extend_schema(responses=ReportSerializer)
    @action(detail=True, methods=["get"], pagination_class=None)
    def report(self, request: Request, **address: str) -> Response:
        """What was done by module, or why not; of an erasure that waits, what it would come to as things stand."""
        row = self.find(**self.address)
        modules = row.outcome
        if row.is_pending and row.kind == PrivacyRequest.Kind.ERASURE:
            modules = {code: asdict(outcome) for code, outcome in privacy.preview(row.customer).items()}
        said = {"status": row.status, "modules": modules, "erased": row.erased, "called_off": row.called_off}
        return Response(ReportSerializer(said).data)

    def _act(self, act: Callable[[PrivacyRequest, Any], object], body: Any = EmptySerializer) -> Response:
        with self.writing():
            # Not locked here: the service locks the customer first.
            row = self.find(**self.address)
            act(row, self.read_body(body).validated_data)
            answer = self.represent(self.find(pk=row.pk))
        return Response(answer)

    def _ask_for(self, kind: str) -> None:
        """Raise PermissionDenied where the actor may not do what is asked for."""
        permission = "erase" if kind == PrivacyRequest.Kind.ERASURE else "export"
        if not access.still_may(self.actor, right_for(self.module, permission), self.platform):
            raise PermissionDenied
