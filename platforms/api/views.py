"""Platforms, and what stands on them: vendors, members, tokens."""

from collections.abc import Mapping
from typing import Any, cast

from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from platforms import services
from platforms.access import Right
from platforms.api.filters import PlatformFilter
from platforms.api.serializers import (
    DeletePlatformSerializer,
    IssuedTokenSerializer,
    IssueTokenSerializer,
    MembershipSerializer,
    PlatformSerializer,
    TokenSerializer,
    VendorSerializer,
)
from platforms.api.viewsets import ResourceViewSet
from platforms.models import ApiToken, Membership, Platform, User, Vendor


class PlatformViewSet(ResourceViewSet):
    """Platforms. Operators create and delete them; their admins change the rest."""

    is_nested = False
    rights = {"create": Right.OPERATE, "destroy": Right.OPERATE}
    queryset = Platform.objects.all()
    serializer_class = PlatformSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = PlatformFilter
    ordering = ("code",)
    lookup_field = "code"
    lookup_url_kwarg = "platform"
    delete_serializer_class = DeletePlatformSerializer

    def perform_destroy(self, row: Platform, said: Mapping[str, Any]) -> None:
        """Delete the platform and all that is on it."""
        services.delete_platform(platform=row, actor=self.actor, source="api", reason=said["reason"])


class VendorViewSet(ResourceViewSet):
    """The vendors of a platform."""

    queryset = Vendor.objects.all()
    serializer_class = VendorSerializer
    ordering = ("code",)
    lookup_field = "code"
    lookup_url_kwarg = "vendor"


class MembershipViewSet(ResourceViewSet):
    """Who belongs to a platform, and as what."""

    read_right = write_right = Right.MEMBERS
    queryset = Membership.objects.select_related("user", "vendor")
    serializer_class = MembershipSerializer
    ordering = ("created_at", "id")
    lookup_field = "id"


@extend_schema_view(create=extend_schema(request=IssueTokenSerializer, responses={201: IssuedTokenSerializer}))
class TokenViewSet(ResourceViewSet):
    """The API tokens of a platform. The secret is in the answer to POST and nowhere else."""

    read_right = write_right = Right.MEMBERS
    queryset = ApiToken.objects.select_related("user", "vendor")
    serializer_class = TokenSerializer
    ordering = ("-created", "-id")
    lookup_field = "id"

    def get_serializer(self, *args: Any, **kwargs: Any) -> serializers.BaseSerializer:
        """Return the serializer that reads a wish where there is a body, and shows a token elsewhere."""
        if "data" in kwargs:
            return IssueTokenSerializer(*args, **kwargs, context=self.get_serializer_context())
        return super().get_serializer(*args, **kwargs)

    def perform_create(self, serializer: serializers.BaseSerializer) -> ApiToken:
        """Issue the token in the name of who asks."""
        wish = serializer.validated_data
        token, self.secret = services.issue_token(
            user=cast(User, self.actor.user),  # nobody else has the right
            platform=self.platform,
            vendor=wish.get("vendor"),
            name=wish["name"],
            scopes=wish["scopes"],
            days=wish["expires_in_days"],
        )
        return token

    def represent_created(self, row: ApiToken) -> Mapping[str, Any]:
        """Show the secret this once; what a dry run issued never lived."""
        row.token = None if self.dry_run else self.secret
        return IssuedTokenSerializer(row).data

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Issue a token."""
        response = super().create(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response
