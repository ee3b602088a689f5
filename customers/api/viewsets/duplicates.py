"""Possible duplicates, merging, and undoing it, for staff."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from customers import duplicates, merging, tasks
from customers.api.filters import DuplicatePairFilter, MergeFilter
from customers.api.serializers.duplicates import (
    DuplicatePairSerializer,
    MergedSerializer,
    MergeRequestSerializer,
    MergeSerializer,
    ScanSerializer,
    UndoneSerializer,
)
from customers.api.viewsets import ADD
from customers.models import DuplicatePair, Merge
from modules.api.bases import AdminGate, AdminResource
from modules.tasks import enqueue
from platforms.api.errors import Refused
from platforms.api.serializers import EmptySerializer
from platforms.api.viewsets import BaseViewSet


@contextmanager
def naming_blockers() -> Iterator[None]:
    """Refuse with one error for each thing that stands in the way."""
    try:
        yield
    except merging.Blocked as error:
        raise Refused([ErrorDetail(one.detail, code=one.code) for one in error.blockers]) from error


class DuplicatePairViewSet(AdminResource):
    """Who may be the same person twice."""

    http_method_names = ADD
    action_permissions = {"dismiss": "merge", "reopen": "merge"}
    not_offered = frozenset({"create"})
    queryset = DuplicatePair.objects.live().select_related("a", "b")
    serializer_class = DuplicatePairSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = DuplicatePairFilter
    ordering = ("id",)

    @extend_schema(request=EmptySerializer, responses=DuplicatePairSerializer)
    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, **address: str) -> Response:
        """Say that the two are not one person: no scan proposes them again."""
        return self._settle(duplicates.dismiss)

    @extend_schema(request=EmptySerializer, responses=DuplicatePairSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, **address: str) -> Response:
        """Have a pair that was dismissed looked at again."""
        return self._settle(duplicates.reopen)

    def _settle(self, settle: Any) -> Response:
        with self.writing():
            pair = self.find_locked()
            self.read_body(EmptySerializer)
            settle(pair=pair, by=self.actor)
            answer = self.represent(self.find(pk=pair.pk))
        return Response(answer)


class ScanViewSet(AdminGate, BaseViewSet):
    """The search for duplicates, which otherwise runs at night."""

    http_method_names = ["post"]
    action_permissions = {"create": "merge"}
    serializer_class = ScanSerializer

    @extend_schema(request=EmptySerializer, responses={202: ScanSerializer})
    def create(self, request: Request, **address: str) -> Response:
        """Look for duplicates, in the background."""
        with self.writing():
            self.read_body(EmptySerializer)
            # Once a minute: a scan looks at all customers, and a second one finds what the first does.
            minute = f"asked {timezone.now():%Y-%m-%dT%H:%M}"
            enqueue(tasks.find_duplicates, platform=self.platform, key=minute)
        return Response(ScanSerializer({"queued": not self.dry_run}).data, status=202)


class MergeViewSet(AdminResource):
    """Two customers become one."""

    http_method_names = ["post"]
    action_permissions = {"create": "merge"}
    queryset = Merge.objects.all()
    serializer_class = MergedSerializer

    @extend_schema(request=MergeRequestSerializer, responses={200: MergedSerializer})
    def create(self, request: Request, **address: str) -> Response:
        """Merge one customer into another; tried with `dry_run`, it also says what stands in the way."""
        with self.writing():
            said = dict(self.read_body(MergeRequestSerializer).validated_data)
            choices = said.pop("choices", None)
            pair = {"kept": said["kept"], "merged": said["merged"]}
            plan = merging.preview(**pair, choices=choices)
            trail = None
            if not self.dry_run:
                with naming_blockers():
                    trail = merging.merge(**said, choices=choices, by=self.actor)
            answer = MergedSerializer({"preview": plan, "merge": trail}).data
        return Response(answer)


class MergeTrailViewSet(AdminResource):
    """What was merged, when, by whom and why."""

    http_method_names = ADD
    action_permissions = {"undo": "merge"}
    not_offered = frozenset({"create"})
    queryset = Merge.objects.all()
    serializer_class = MergeSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = MergeFilter
    ordering = ("-at", "id")

    @extend_schema(request=EmptySerializer, responses=UndoneSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, **address: str) -> Response:
        """Make the two of them two again; a field that was changed since keeps what it says now."""
        with self.writing(), naming_blockers():
            trail = self.find(**self.address)
            self.read_body(EmptySerializer)
            undoing = merging.undo(trail=trail, by=self.actor)
            answer = UndoneSerializer(undoing).data
        return Response(answer)
