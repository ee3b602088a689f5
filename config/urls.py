"""Where everything is served."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from modules.api.docs import SchemaView
from platforms.api.docs import DocsView
from platforms.api.error_views import unknown_path

handler400 = "platforms.api.error_views.bad_request"
handler404 = "platforms.api.error_views.page_not_found"
# Django knows no such handler; allauth asks for it.
handler429 = "platforms.login.views.too_many_requests"
handler500 = "platforms.api.error_views.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", include("platforms.login.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/schema/", SchemaView.as_view(), name="schema"),
    path("api/v1/docs/", DocsView.as_view(url_name="schema"), name="docs"),
    path("api/v1/admin/", include("platforms.api.urls")),
    path("api/v1/", include("modules.api.urls")),
    # Last under /api/, so that a wrong address gets the API's own 404, also where DEBUG would show a page.
    re_path("^api/", unknown_path),
]
