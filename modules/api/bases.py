"""What a module's own viewsets start from: platform, vendor, gate, scope, pagination, errors and OpenAPI are theirs.

A module writes a viewset with a queryset and a serializer, registers it with a `ModuleRouter`, and names that router in
its definition. Below which address the router is served decides which base its viewsets have: `AdminResource`,
`VendorResource` or `PublicResource`; for what is no resource, `AdminGate`, `VendorGate` or `PublicGate` beside
`BaseViewSet`. Check `modules.E004` refuses any other.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter

from modules import gate
from modules.models import Module
from modules.permissions import Audience, right_for
from platforms import access
from platforms.access import Actor, Right
from platforms.api.throttling import PublicThrottle
from platforms.api.viewsets import ResourceViewSet, VendorSideMixin
from platforms.models import Platform, Vendor

M = TypeVar("M", bound=Model)


class ModuleDisabled(exceptions.PermissionDenied):
    """403: the module is off on this platform."""

    default_code = "module_disabled"
    default_detail = "This module is off on this platform."


class ModuleRouter(SimpleRouter):
    """The routes of a module, in one of the three trees. Rows are named by their UUID, if the viewset says no other.

    A viewset that takes a POST for an action of its own, and makes no rows, says so: `not_offered = {"create"}`.
    """

    def __init__(self) -> None:
        super().__init__(use_regex_path=False)

    def get_method_map(self, viewset: Any, method_map: Mapping[str, str]) -> dict[str, str]:
        """Return which action answers which method, without those that the viewset does not offer."""
        not_offered = getattr(viewset, "not_offered", ())
        bound = super().get_method_map(viewset, method_map)
        return {method: name for method, name in bound.items() if name not in not_offered}


class GateMixin:
    """Answers only where the module of the address is on. `kwargs["module"]` comes from the routes, not from a client.

    `action_permissions` says which of the module's permissions an action needs, where view and manage are not it.
    """

    audience: ClassVar[Audience] = "staff"
    action_permissions: ClassVar[Mapping[str, str]] = {}

    @property
    def module(self) -> str:
        """The code of the module whose route this is."""
        return self.kwargs["module"]  # type: ignore[attr-defined]

    @property
    def right(self) -> Right:
        """What this action needs."""
        permission = self.action_permissions.get(getattr(self, "action", None) or "")
        return super().right if permission is None else right_for(self.module, permission, self.audience)  # type: ignore[misc]

    def initial(self, *args: Any, **kwargs: Any) -> None:
        """Ask the gate before anything else is done, also where the action itself looks nothing up."""
        super().initial(*args, **kwargs)  # type: ignore[misc]
        if getattr(self, "action", None) is not None:
            _ = self.platform  # type: ignore[attr-defined]

    def ask_again(self) -> None:
        """Ask the gate, too, under the platform's lock: a module that went off meanwhile writes nothing more."""
        super().ask_again()  # type: ignore[misc]
        if not gate.is_enabled(self.platform, self.module):  # type: ignore[attr-defined]
            raise ModuleDisabled

    def get_through(self, rows: QuerySet[M], platform_of: Callable[[M], Platform], **address: str) -> M:
        """Return the row that the address names, on whose platform the module is on.

        Raises the model's DoesNotExist where the row is foreign or missing; where the module is off, ModuleDisabled to
        those who may see the row, and Module.DoesNotExist to everybody else; PermissionDenied without the right.
        """
        actor: Actor = self.actor  # type: ignore[attr-defined]
        try:
            row = access.get(actor, rows, self.right, **address)
        except PermissionDenied:
            if gate.is_enabled(platform_of(rows.get(**address)), self.module):
                raise
            see = right_for(self.module, "view", self.audience)
            sees = access.scope(actor, rows.filter(**address), see).exists()
            raise (ModuleDisabled if sees else Module.DoesNotExist) from None
        if not gate.is_enabled(platform_of(row), self.module):
            raise ModuleDisabled
        return row


class AdminGate(GateMixin):
    """A module's routes for a platform's staff, below `platforms/{platform}/{module}/`."""

    write_right: ClassVar[Right] = Right.MANAGE

    @cached_property
    def platform(self) -> Platform:
        """The platform that the address names; raises as `get_through` does."""
        code = self.kwargs["platform"]  # type: ignore[attr-defined]
        return self.get_through(Platform.objects.all(), lambda platform: platform, code=code)


class VendorGate(GateMixin, VendorSideMixin):
    """A module's routes for a vendor, below `vendor/{platform}/{vendor}/{module}/`."""

    audience: ClassVar[Audience] = "vendor"

    def get_vendor(self, vendors: QuerySet[Vendor], **address: str) -> Vendor:
        """Return the vendor of the address; raises as `get_through` does."""
        return self.get_through(vendors, lambda vendor: vendor.platform, **address)


class PublicGate(GateMixin):
    """A module's routes for anybody, below `public/{platform}/{module}/`: read only, unless a viewset says otherwise.

    A platform that is not there or inactive, and a module that is off, answer alike: 404. Counted by address; an action
    that needs a rate of its own says so in `throttle_rates`.
    """

    authentication_classes: Sequence[Any] = ()
    permission_classes: Sequence[Any] = (AllowAny,)
    throttle_classes: Sequence[Any] = (PublicThrottle,)
    http_method_names: Any = ["get", "head"]

    def still_may(self) -> bool:
        """Whoever asks may."""
        return True

    @cached_property
    def platform(self) -> Platform:
        """The active platform that the address names, with the module on. Raises Platform.DoesNotExist."""
        platform = Platform.objects.get(code=self.kwargs["platform"], is_active=True)  # type: ignore[attr-defined]
        if not gate.is_enabled(platform, self.module):
            raise Platform.DoesNotExist
        return platform


class AdminResource(AdminGate, ResourceViewSet):
    """Rows of a module that a platform's staff work with."""

    lookup_field = "id"
    lookup_value_converter = "uuid"


class VendorResource(VendorGate, ResourceViewSet):
    """Rows of a module that a vendor sees and works with: its own, by the model's `vendor_path`."""

    lookup_field = "id"
    lookup_value_converter = "uuid"


class PublicResource(PublicGate, ResourceViewSet):
    """Rows of a module that everybody may see: those of the platform that the viewset's queryset lets through."""

    lookup_field = "id"
    lookup_value_converter = "uuid"

    def in_scope(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """Narrow to the platform's rows: nobody in particular asks."""
        return self.of_tenant(queryset)

    def get_in_scope(self, queryset: QuerySet[M], **lookup: Any) -> M:
        """Return one of the platform's rows."""
        return self.of_tenant(queryset).get(**lookup)


GATES: Mapping[str, type[GateMixin]] = {"admin": AdminGate, "vendor": VendorGate, "public": PublicGate}
