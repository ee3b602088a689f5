"""The page on which the OpenAPI document is read and tried."""

from drf_spectacular.views import SpectacularSwaggerSplitView


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own host, in a page without the inline style that our CSP forbids."""

    template_name = "platforms/api_docs.html"
