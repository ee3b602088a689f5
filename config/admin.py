"""The admin site: Django's own, with our name and theme."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from platforms.admin_base import ScopedAutocomplete
from platforms.admin_panels import start_panels
from platforms.login.views import StaffLoginView
from platforms.models import Platform

# What staff come for stands first; every other app follows by its name.
FIRST_APPS = ("platforms", "modules")
FIRST_MODELS = {
    "platforms": ("Platform", "Vendor", "Membership", "ApiToken", "User"),
    "modules": ("PlatformModule", "Module", "Change", "TaskRun", "Delivery", "Event"),
}
PLATFORMS_ON_START_PAGE = 9


class SwitchyardAdminSite(admin.AdminSite):
    """The one admin site; every module registers its pages here."""

    site_title = "Switchyard"
    site_header = "Switchyard"
    index_title = "Back office"
    site_url = None
    # Django's sidebar is a table with a filter; ours (admin/site_nav.html) is a list, there on narrow screens too.
    enable_nav_sidebar = False

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return what the asking person may see: platforms, modules, then the rest; in each the most used first."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            order = FIRST_MODELS.get(app["app_label"], ())
            app["models"].sort(key=lambda model, order=order: _position(model["object_name"], order))
        return sorted(apps, key=lambda app: _position(app["app_label"], FIRST_APPS))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Draw the start page: the platforms of the asking person first."""
        platform_admin: Any = self.get_model_admin(Platform)
        rows = platform_admin.get_queryset(request).order_by("-is_active", "name")
        context = {
            "platform_count": rows.count(),
            "platforms": [
                {"platform": row, "facts": platform_admin.facts(row)} for row in rows[:PLATFORMS_ON_START_PAGE]
            ],
            "panels": [{"template": panel.template, **panel.context(request)} for panel in start_panels],
        }
        return super().index(request, {**context, **(extra_context or {})})

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """Log in as everywhere: with rate limits, and with the second factor of those who have one."""
        return StaffLoginView.as_view()(request)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponseBase:
        """Answer autocompletes with what the form they stand in would accept."""
        return ScopedAutocomplete.as_view(admin_site=self)(request)


def _position(name: str, order: tuple[str, ...]) -> int:
    return order.index(name) if name in order else len(order)
