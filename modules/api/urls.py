"""Below `/api/v1/admin/`: the catalogue, what is on where, and who changed it."""

from typing import Any

from django.urls import path

from modules import converters  # noqa: F401  (registers <module:…>)
from modules.api.viewsets import (
    CatalogueViewSet,
    ChangeViewSet,
    ModuleStateViewSet,
    PlatformModuleViewSet,
    PlatformStateViewSet,
)
from platforms.api.pagination import Cursor

ONE = "module-config/<code:platform>/<module:module>/"
STATE: dict[str, Any] = {"get": "retrieve", "put": "update", "patch": "partial_update"}

app_name = "modules-api"
urlpatterns = [
    path("modules/", CatalogueViewSet.as_view({"get": "list"}), name="modules"),
    path("modules/<module:module>/", CatalogueViewSet.as_view({"get": "retrieve"}), name="module"),
    path("platforms/<code:platform>/changes/", ChangeViewSet.as_view({"get": "list"}), name="changes"),
    path("platforms/<code:platform>/changes/<int:number>/", ChangeViewSet.as_view({"get": "retrieve"}), name="change"),
    path("module-config/", PlatformModuleViewSet.as_view({"get": "list"}), name="platform-modules"),
    path(
        "module-config/<code:platform>/",
        PlatformStateViewSet.as_view({"get": "retrieve", "put": "update"}),
        name="platform-state",
    ),
    path(
        "module-config/<code:platform>/revert/",
        PlatformStateViewSet.as_view({"post": "revert"}),
        name="platform-revert",
    ),
    path(ONE, ModuleStateViewSet.as_view(STATE), name="module-state"),
    path(f"{ONE}enable/", ModuleStateViewSet.as_view({"post": "enable"}), name="enable"),
    path(f"{ONE}disable/", ModuleStateViewSet.as_view({"post": "disable"}), name="disable"),
    path(f"{ONE}reset/", ModuleStateViewSet.as_view({"post": "reset"}), name="reset"),
    path(f"{ONE}revert/", ModuleStateViewSet.as_view({"post": "revert"}), name="revert"),
    path(
        f"{ONE}history/",
        ModuleStateViewSet.as_view({"get": "history"}, pagination_class=Cursor),
        name="history",
    ),
]
