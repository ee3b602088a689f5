"""Below `/api/v1/admin/`: platforms, and what stands on them."""

from typing import Any

from django.urls import path

from platforms import converters  # noqa: F401  (registers <code:…>)
from platforms.api.views import MembershipViewSet, PlatformViewSet, TokenViewSet, VendorViewSet

MANY: dict[str, Any] = {"get": "list", "post": "create"}
ONE: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

app_name = "platforms-api"
urlpatterns = [
    path("platforms/", PlatformViewSet.as_view(MANY), name="platforms"),
    path("platforms/<code:platform>/", PlatformViewSet.as_view(ONE), name="platform"),
    path("platforms/<code:platform>/vendors/", VendorViewSet.as_view(MANY), name="vendors"),
    path("platforms/<code:platform>/vendors/<code:vendor>/", VendorViewSet.as_view(ONE), name="vendor"),
    path("platforms/<code:platform>/members/", MembershipViewSet.as_view(MANY), name="members"),
    path("platforms/<code:platform>/members/<uuid:id>/", MembershipViewSet.as_view(ONE), name="member"),
    path("platforms/<code:platform>/tokens/", TokenViewSet.as_view(MANY), name="tokens"),
    path(
        "platforms/<code:platform>/tokens/<uuid:id>/",
        TokenViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="token",
    ),
]
