"""The OpenAPI document, and the page to read and try it."""

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request


class SchemaView(SpectacularAPIView):
    """The document, as YAML or with `?format=json` as JSON."""

    def _get_version_parameter(self, request: Request) -> None:
        """Name no version but ours: the parameter would come back in a header, whatever it holds."""


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own host, in a page without the inline style that our CSP forbids."""

    template_name = "platforms/api_docs.html"
