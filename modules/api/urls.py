"""What modules have below `/api/v1/`: for staff, for vendors, for everybody."""

from typing import Any

from django.urls import include, path

from modules import converters  # noqa: F401  (registers <module:…>)
from modules.api.menus import MenuViewSet, VendorMenuViewSet, VendorModulesViewSet
from modules.api.routes import module_routes
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

admin_urls = [
    path("modules/", CatalogueViewSet.as_view({"get": "list"}), name="modules"),
    path("modules/<module:module>/", CatalogueViewSet.as_view({"get": "retrieve"}), name="module"),
    path("platforms/<code:platform>/changes/", ChangeViewSet.as_view({"get": "list"}), name="changes"),
    path("platforms/<code:platform>/changes/<int:number>/", ChangeViewSet.as_view({"get": "retrieve"}), name="change"),
    path("platforms/<code:platform>/menu/", MenuViewSet.as_view({"get": "retrieve", "put": "update"}), name="menu"),
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
vendor_urls = [
    path("menu/", VendorMenuViewSet.as_view({"get": "retrieve"}), name="vendor-menu"),
    path("modules/", VendorModulesViewSet.as_view({"get": "list"}), name="vendor-modules"),
]

app_name = "modules-api"
urlpatterns = [
    path("admin/", include(admin_urls)),
    path("vendor/<code:platform>/<code:vendor>/", include(vendor_urls)),
    # After the words that stand there already: checks.RESERVED_CODES keeps modules from being called so.
    path("admin/platforms/<code:platform>/", include(module_routes("admin"))),
    path("vendor/<code:platform>/<code:vendor>/", include(module_routes("vendor"))),
    path("public/<code:platform>/", include(module_routes("public"))),
]
