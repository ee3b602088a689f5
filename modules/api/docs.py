"""The OpenAPI document, of all that is installed or of what one platform has on."""

import re
from functools import partial
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from modules import gate
from modules.definition import CODE_PATTERN
from modules.registry import registry
from platforms import access
from platforms.access import Actor, Right
from platforms.api import docs
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


class SchemaView(docs.SchemaView):
    """The document; with `?platform=` that of what is on there, for those who may see the platform."""

    @extend_schema(exclude=True)  # the document does not describe itself
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer the document."""
        code = request.query_params.get("platform")
        if code is not None:
            if not request.user.is_authenticated:
                raise NotAuthenticated
            platform = access.get(Actor.of(request), Platform.objects.all(), Right.VIEW, code=code)
            enabled = gate.state_of(platform).enabled
            self.generator_class = partial(GatedSchemaGenerator, enabled=enabled)  # type: ignore[assignment]
        return super().get(request, *args, **kwargs)
