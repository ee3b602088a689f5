"""The OpenAPI document, of all that is installed or of what one platform has on."""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, cast

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.encoding import force_bytes
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from modules import gate
from modules.definition import CODE_PATTERN
from modules.registry import registry
from platforms import access
from platforms.access import Actor, Right
from platforms.models import Platform

# Where the code of a module stands in the addresses of the three trees.
_OF_MODULE = re.compile(
    r"\A/api/v1/(?:admin/platforms/{platform}|vendor/{platform}/{vendor}|public/{platform})/"
    rf"(?P<module>{CODE_PATTERN})/"
)


class GatedSchemaGenerator(SchemaGenerator):
    """Leaves out the routes of modules that are not among the enabled ones."""

    def __init__(self, *args: Any, enabled: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.enabled = enabled

    def _initialise_endpoints(self) -> None:
        super()._initialise_endpoints()
        self.endpoints = [endpoint for endpoint in self.endpoints or () if self._is_shown(endpoint[0])]

    def _is_shown(self, path: str) -> bool:
        found = _OF_MODULE.match(path)
        # Words such as vendors and tokens stand in the same place: no module is called so.
        return found is None or found["module"] not in registry or found["module"] in self.enabled


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is sent, and the entity tag of it."""

    content: bytes
    etag: str


@lru_cache(maxsize=32)
def _document(generation: int, enabled: frozenset[str] | None, media_type: str) -> Document:
    """Return the document of everything, or of these modules: making it takes a second, and anybody may ask for it.

    It says the same to everybody. `generation` is the registry's: what is registered then gets a document of its own.
    """
    generator = SchemaGenerator() if enabled is None else GatedSchemaGenerator(enabled=enabled)
    [renderer] = [one for one in SchemaView.renderer_classes if one.media_type == media_type]
    content = force_bytes(renderer().render(generator.get_schema(public=True), renderer_context={}))
    return Document(content=content, etag=f'"{sha256(content).hexdigest()[:32]}"')


class SchemaView(SpectacularAPIView):
    """The document; with `?platform=` that of what is on there, for those who may see the platform."""

    @extend_schema(exclude=True)  # the document does not describe itself
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer the document; 304 to who has it already."""
        renderer = request.accepted_renderer
        document = _document(registry.generation, self._enabled_for(request), renderer.media_type)
        charset = f"; charset={renderer.charset}" if renderer.charset else ""
        answer = HttpResponse(document.content, content_type=f"{renderer.media_type}{charset}")
        answer["Content-Disposition"] = f'inline; filename="{self._get_filename(request, "")}"'
        answer["ETag"] = document.etag
        return cast(HttpResponseBase, get_conditional_response(request, etag=document.etag, response=answer))

    def _enabled_for(self, request: Request) -> frozenset[str] | None:
        code = request.query_params.get("platform")
        if code is None:
            return None
        if not request.user.is_authenticated:
            raise NotAuthenticated
        platform = access.get(Actor.of(request), Platform.objects.all(), Right.VIEW, code=code)
        return gate.state_of(platform).enabled
