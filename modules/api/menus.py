"""The menus that modules fill: of a platform's staff, and of its vendors."""

from dataclasses import asdict
from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from modules import gate, menus
from modules.registry import registry
from platforms import access
from platforms.access import Right
from platforms.api.conditional import digest_tag
from platforms.api.fields import ReasonField, StrictCharField
from platforms.api.serializers import StrictSerializerMixin
from platforms.api.viewsets import BaseViewSet, VendorSideMixin
from platforms.models import Vendor

MAX_HIDDEN = 500


class MenuLineSerializer(serializers.Serializer):
    """A line of a menu."""

    key = serializers.CharField(help_text="e.g. `cms.media`.")
    label = serializers.CharField()  # type: ignore[assignment]  # shadows what DRF uses in forms only
    module = serializers.CharField()
    path = serializers.CharField(allow_null=True, help_text="The page of the admin that it leads to; null: none.")


class MenuSerializer(serializers.Serializer):
    """What somebody sees in the menu of a platform."""

    platform = serializers.CharField()
    items = MenuLineSerializer(many=True)
    hidden = serializers.ListField(child=serializers.CharField(), help_text="What the platform hides from everybody.")


class VendorMenuSerializer(serializers.Serializer):
    """What somebody sees in the menu of a vendor."""

    platform = serializers.CharField()
    vendor = serializers.CharField()
    items = MenuLineSerializer(many=True)


class HideSerializer(StrictSerializerMixin, serializers.Serializer):
    """Which lines the platform hides; those that are not named are shown."""

    hidden = serializers.ListField(child=StrictCharField(max_length=200), max_length=MAX_HIDDEN)
    reason = ReasonField()

    def validate_hidden(self, keys: list[str]) -> list[str]:
        """Refuse keys of lines that no installed module has, each at its place."""
        known = menus.known_items()
        errors: dict[Any, Any] = {
            place: [serializers.ErrorDetail("No installed module has this line.", code="unknown_item")]
            for place, key in enumerate(keys)
            if key not in known
        }
        if errors:
            raise serializers.ValidationError(errors)
        return keys


class HiddenSerializer(serializers.Serializer):
    """What became of the wish to hide lines."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    hidden = serializers.ListField(child=serializers.CharField())


class MenuViewSet(BaseViewSet):
    """The menu of a platform's staff."""

    serializer_class = MenuSerializer

    @extend_schema(operation_id="menu_retrieve")
    def retrieve(self, request: Request, platform: str) -> Response:
        """Answer the lines of the modules that are on, as far as they are the asking person's."""
        return Response(self.represent())

    @extend_schema(operation_id="menu_update", request=HideSerializer, responses=HiddenSerializer)
    def update(self, request: Request, platform: str) -> Response:
        """Hide these lines on the platform, and show all others again."""
        _ = self.platform
        self.require_if_match()
        said = self.read_body(HideSerializer)
        with self.writing():
            self.check_if_match(digest_tag(self.represent()))
            hidden = menus.hide(
                platform=self.platform,
                items=said.validated_data["hidden"],
                actor=self.actor,
                reason=said.validated_data["reason"],
            )
            self.etag = None if self.dry_run else digest_tag(self.represent())
        count = f"{len(hidden)} {'item' if len(hidden) == 1 else 'items'}"
        message = f"{count} would be hidden." if self.dry_run else f"{count} hidden."
        return Response({"success": True, "message": message, "hidden": hidden})

    def represent(self) -> dict[str, object]:
        """Return the menu as the asking person sees it."""
        hidden = menus.hidden_items(self.platform)
        lines = menus.lines(self.platform, "staff", partial(access.may, self.actor, platform=self.platform), hidden)
        return {
            "platform": self.platform.code,
            "items": [asdict(line) for line in lines],
            "hidden": hidden,
        }


class VendorMenuViewSet(VendorSideMixin, BaseViewSet):
    """The menu of a vendor."""

    serializer_class = VendorMenuSerializer

    @extend_schema(operation_id="vendor_menu_retrieve")
    def retrieve(self, request: Request, platform: str, vendor: str) -> Response:
        """Answer the lines that the modules which are on have for the vendor."""
        lines = menus.lines(self.platform, "vendor", self._may, menus.hidden_items(self.platform))
        return Response(
            {
                "platform": self.platform.code,
                "vendor": self.vendor.code,
                "items": [asdict(line) for line in lines],
            }
        )

    def _may(self, right: Right) -> bool:
        return access.scope(self.actor, Vendor.objects.filter(pk=self.vendor.pk), right).exists()


class VendorModuleSerializer(serializers.Serializer):
    """A module that is on for the vendor's platform."""

    code = serializers.CharField()
    name = serializers.CharField()
    features = serializers.ListField(child=serializers.CharField(), help_text="Those that are on.")


class VendorModulesViewSet(VendorSideMixin, BaseViewSet):
    """What a vendor's platform can do."""

    serializer_class = VendorModuleSerializer
    pagination_class = None

    @extend_schema(operation_id="vendor_modules_list", responses=VendorModuleSerializer(many=True))
    def list(self, request: Request, platform: str, vendor: str) -> Response:
        """Answer the modules that are on, each with its features that are on."""
        state = gate.state_of(self.platform)
        on = [
            {"code": definition.code, "name": definition.name, "features": sorted(state.features(definition.code))}
            for definition in registry
            if state.is_enabled(definition.code)
        ]
        return Response(on)
