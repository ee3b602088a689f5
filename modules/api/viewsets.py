"""The catalogue, what is on where and how it is configured, and who changed it."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from modules import selectors, services, timeline
from modules.api.filters import PlatformModuleCursor, PlatformModuleFilter, PlatformModuleOrdering
from modules.api.moments import AS_OF, COMPARE, moment_asked, standing_to_compare
from modules.api.permissions import MayReadCatalogue
from modules.api.refusals import as_api_errors
from modules.api.serializers import (
    CatalogueEntrySerializer,
    ChangeSerializer,
    ComparisonSerializer,
    ConfigureSerializer,
    DisableSerializer,
    EnableSerializer,
    HistoryEntrySerializer,
    ModuleStateSerializer,
    OutcomeSerializer,
    ResetSerializer,
    RevertSerializer,
    WantedStateSerializer,
    WriteSerializer,
)
from modules.models import Change, Module, PlatformModule
from modules.plans import RowState
from modules.services import Outcome
from platforms import access
from platforms.access import Right
from platforms.api.conditional import revision_tag
from platforms.api.viewsets import BaseViewSet, ResourceViewSet
from platforms.models import Platform


class CatalogueViewSet(BaseViewSet):
    """The modules that there are."""

    permission_classes = [IsAuthenticated, MayReadCatalogue]
    pagination_class = None
    serializer_class = CatalogueEntrySerializer

    @extend_schema(operation_id="modules_list", responses=CatalogueEntrySerializer(many=True))
    def list(self, request: Request) -> Response:
        """Answer every module, also those that are no longer installed."""
        return Response(self.get_serializer(selectors.catalogue(), many=True).data)

    @extend_schema(operation_id="modules_retrieve")
    def retrieve(self, request: Request, module: str) -> Response:
        """Answer one module."""
        return Response(self.get_serializer(selectors.catalogue_entry(module)).data)


class ChangeViewSet(ResourceViewSet):
    """The changes of a platform's modules: one for every plan that was applied, newest first."""

    queryset = Change.objects.all()
    serializer_class = ChangeSerializer
    ordering = ("-number",)
    lookup_field = "number"

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer one page."""
        self.etag = revision_tag(self.platform.revision)
        return super().list(request, *args, **kwargs)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer one change."""
        self.etag = revision_tag(self.platform.revision)
        return super().retrieve(request, *args, **kwargs)


class PlatformModuleViewSet(BaseViewSet):
    """What somebody set, on all platforms that the asker may see."""

    queryset = PlatformModule.objects.none()
    serializer_class = ModuleStateSerializer
    filter_backends = [DjangoFilterBackend, PlatformModuleOrdering]
    filterset_class = PlatformModuleFilter
    pagination_class = PlatformModuleCursor

    def get_queryset(self) -> QuerySet[PlatformModule]:
        """Return the rows in scope."""
        return self.in_scope(selectors.stored_states())

    @extend_schema(operation_id="module_config_list")
    def list(self, request: Request) -> Response:
        """Answer one page of rows; a module that nobody ever touched on a platform has none."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        states = selectors.states_of_rows(page or ())
        return self.get_paginated_response(self.get_serializer(states, many=True).data)


class SwitchingViewSet(BaseViewSet):
    """Base of what reads and changes a platform's modules. Its ETag is the platform's revision."""

    write_right = Right.SWITCH
    pagination_class = None
    serializer_class = ModuleStateSerializer
    if_match_required = frozenset({"revert"})

    def check_revision(self, platform: Platform, settings: Mapping[str, RowState]) -> None:
        """Refuse, under the lock, what was wished for in view of another revision."""
        self.check_if_match(revision_tag(platform.revision))

    def switch(self, service: Callable[..., Outcome], said: WriteSerializer, **wish: Any) -> Response:
        """Have a service do what was said, or try it; answer what became of it."""
        reason, digest = said.validated_data["reason"], said.validated_data["digest"]
        with as_api_errors(self.kwargs.get("module")):
            outcome = service(
                platform=self.platform,
                origin=services.origin_of_request(self.request, Change.Source.API, reason),
                digest=digest,
                precondition=self.check_revision,
                dry_run=self.dry_run,
                **wish,
            )
        self.etag = revision_tag(outcome.platform.revision)
        return Response(OutcomeSerializer(outcome).data)

    def go_back(self, said: WriteSerializer, module: str | None = None) -> Response:
        """Have the services go back to the change that was named."""
        wanted = {name: said.validated_data[name] for name in ("to", "cascade", "keep_secrets")}
        try:
            return self.switch(services.revert, said, module=module, **wanted)
        except Change.DoesNotExist:
            raise ValidationError({"to": "The platform has no such change."}, code="does_not_exist") from None


class PlatformStateViewSet(SwitchingViewSet):
    """All modules of one platform."""

    parameters = {"retrieve": (AS_OF, COMPARE)}

    @extend_schema(
        operation_id="module_config_of_platform",
        responses=PolymorphicProxySerializer(
            component_name="StatesOrComparison",
            serializers=[ModuleStateSerializer(many=True), ComparisonSerializer],
            resource_type_field_name=None,
            many=False,
        ),
    )
    def retrieve(self, request: Request, platform: str) -> Response:
        """Answer the state of every module, and of those that are no longer installed but left a row.

        With `compare` answer what differs instead.
        """
        if request.query_params.keys() & {AS_OF.name, COMPARE.name}:
            return self._of_the_past(request)
        in_scope = access.scope(self.actor, Platform.objects.filter(code=platform), self.right)
        read = selectors.with_rows(in_scope)
        # Not found in scope: `self.platform` says whether it is missing or withheld.
        found, rows = read or (self.platform, None)
        self.etag = revision_tag(found.revision)
        return Response(self.get_serializer(selectors.states_of(found, rows), many=True).data)

    def _of_the_past(self, request: Request) -> Response:
        platform, as_of = self.platform, moment_asked(request)
        right = standing_to_compare(request, platform, as_of)
        left = timeline.standing(platform, as_of)
        if right is None or right.platform.pk == platform.pk:
            self.etag = revision_tag(platform.revision)
        if right is None:
            return Response(self.get_serializer(left.states, many=True).data)
        comparison = {"left": left, "right": right, "modules": timeline.compare(left, right)}
        return Response(ComparisonSerializer(comparison).data)

    @extend_schema(
        operation_id="module_config_of_platform_revert", request=RevertSerializer, responses=OutcomeSerializer
    )
    def revert(self, request: Request, platform: str) -> Response:
        """Bring all modules back to how they stood after a change, as one new change."""
        _ = self.platform
        self.require_if_match()
        said = RevertSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        return self.go_back(said)

    @extend_schema(
        operation_id="module_config_of_platform_update", request=WantedStateSerializer, responses=OutcomeSerializer
    )
    def update(self, request: Request, platform: str) -> Response:
        """Bring the platform to the wanted state, all of it or nothing; modules left out stay as they are."""
        _ = self.platform
        self.require_if_match()
        said = self.read_body(WantedStateSerializer)
        return self.switch(services.apply, said, wishes=said.wishes(), cascade=said.validated_data["cascade"])


class ModuleStateViewSet(SwitchingViewSet):
    """One module on one platform."""

    ordering = ("-history_date", "-history_id")
    parameters = {"retrieve": (AS_OF,)}

    @property
    def module(self) -> str:
        """The code of the module that the address names.

        The platform comes first: raises what `self.platform` raises, and Module.DoesNotExist.
        """
        _ = self.platform
        code = self.kwargs["module"]
        if not selectors.is_known(code):
            raise Module.DoesNotExist
        return code

    @extend_schema(operation_id="module_config_retrieve")
    def retrieve(self, request: Request, platform: str, module: str) -> Response:
        """Answer the module's state."""
        self.etag = revision_tag(self.platform.revision)
        as_of = moment_asked(request)
        if as_of is None:
            state = selectors.state_of(self.platform, module)
        else:
            state = timeline.state_at(self.platform, module, as_of)
        return Response(self.get_serializer(state).data)

    @extend_schema(
        operation_id="module_config_partial_update", request=ConfigureSerializer, responses=OutcomeSerializer
    )
    def partial_update(self, request: Request, platform: str, module: str) -> Response:
        """Put config over what is stored; null removes a key, which is back at its default then."""
        return self._configure(replaces=False)

    @extend_schema(operation_id="module_config_update", request=ConfigureSerializer, responses=OutcomeSerializer)
    def update(self, request: Request, platform: str, module: str) -> Response:
        """Put config in the place of what is stored; secrets that it does not name stay."""
        return self._configure(replaces=True)

    @extend_schema(operation_id="module_config_enable", request=EnableSerializer, responses=OutcomeSerializer)
    def enable(self, request: Request, platform: str, module: str) -> Response:
        """Switch the module on, and with it all that it needs."""
        said = self._said(EnableSerializer)
        return self.switch(services.enable, said, module=module, config=said.validated_data["config"])

    @extend_schema(operation_id="module_config_disable", request=DisableSerializer, responses=OutcomeSerializer)
    def disable(self, request: Request, platform: str, module: str) -> Response:
        """Switch the module off; refused where others that are on need it, unless they may go along."""
        said = self._said(DisableSerializer)
        return self.switch(services.disable, said, module=module, cascade=said.validated_data["cascade"])

    @extend_schema(operation_id="module_config_reset", request=ResetSerializer, responses=OutcomeSerializer)
    def reset(self, request: Request, platform: str, module: str) -> Response:
        """Bring the module's config and secrets back to the defaults."""
        return self.switch(services.reset, self._said(ResetSerializer), module=module)

    @extend_schema(operation_id="module_config_revert", request=RevertSerializer, responses=OutcomeSerializer)
    def revert(self, request: Request, platform: str, module: str) -> Response:
        """Bring the module's state and config back to how they were after a change, as a new change."""
        return self.go_back(self._said(RevertSerializer), module)

    @extend_schema(operation_id="module_config_history", responses=HistoryEntrySerializer(many=True))
    def history(self, request: Request, platform: str, module: str) -> Response:
        """Answer one page of the module's versions, newest first: who, why, and what each changed."""
        self.etag = revision_tag(self.platform.revision)
        page = self.paginate_queryset(selectors.history_rows(self.platform, self.module))
        entries = HistoryEntrySerializer(selectors.history_entries(page or ()), many=True)
        return self.get_paginated_response(entries.data)

    def _said(self, serializer_class: type[WriteSerializer]) -> Any:
        _ = self.module
        self.require_if_match()
        return self.read_body(serializer_class)

    def _configure(self, *, replaces: bool) -> Response:
        said = self._said(ConfigureSerializer)
        config = said.validated_data["config"]
        return self.switch(services.configure, said, module=self.module, config=config, replaces=replaces)
