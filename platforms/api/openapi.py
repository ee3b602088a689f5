"""How the API describes itself: its conventions said once, on every operation."""

import inspect
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import Direction, OpenApiParameter
from drf_standardized_errors.openapi import AutoSchema
from rest_framework import serializers

from platforms.api import idempotency

REQUEST_ID = OpenApiParameter(
    "X-Request-ID",
    {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    OpenApiParameter.HEADER,
    description="Echoed, logged and kept with the change; made up where it is missing or not of this form.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="The ETag you have: 304 if it is still the one."
)
DRY_RUN = OpenApiParameter(
    "dry_run", bool, OpenApiParameter.QUERY, description="Answer as if it were done, and write nothing."
)
IDEMPOTENCY_KEY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "minLength": 1, "maxLength": idempotency.MAX_KEY, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="Made up by you for one thing to be done. The same request with the same key within 24 hours gets the "
    "first answer again and does nothing; another request with it gets 422. An error keeps no key: try again.",
)
KEY_OF_WHAT_IS_NOT_KEPT = OpenApiParameter(
    idempotency.HEADER,
    IDEMPOTENCY_KEY.type,
    OpenApiParameter.HEADER,
    description="Made up by you for one thing to be done. This answer is kept nowhere: the same request with the same "
    "key is done again, and answered as things stand then; another request with it gets 422.",
)
SAFE = ("GET", "HEAD")
NEEDS_IF_MATCH = ("PUT", "PATCH")
CRUD = ("list", "create", "retrieve", "partial_update", "destroy")
HAS_BODY = ("POST", "PUT", "PATCH")
COME_BACK = ("429", "503")
REFUSALS = {
    "400": "What was sent is not valid: one error per field.",
    "401": "No credentials, or bad ones.",
    "403": "No right to do this in your own platform.",
    "404": "Missing, or not yours: the same answer.",
    "405": "This method is not offered here.",
    "406": "The API answers JSON.",
    "409": "What stands forbids it: one error per obstacle.",
    "412": "Changed since you read it.",
    "413": "The body is too large.",
    "415": "The API reads JSON.",
    "422": "The Idempotency-Key came with another request before.",
    "428": "If-Match is missing.",
    "429": "Too often: try again after Retry-After seconds.",
    "500": "Our mistake.",
    "503": "The database is too busy. Nothing was changed: try again after Retry-After seconds.",
}


class ErrorSerializer(serializers.Serializer):
    """One thing that is wrong."""

    code = serializers.CharField(help_text="For programs, e.g. required.")
    detail = serializers.CharField(help_text="For people.")
    attr = serializers.CharField(allow_null=True, help_text="The dotted path of the field, or null.")


class ErrorResponseSerializer(serializers.Serializer):
    """The one shape of an error."""

    type = serializers.ChoiceField(choices=["validation_error", "client_error", "server_error"])
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]  # DRF's own attribute is for bound serializers


class Schema(AutoSchema):
    """Adds the parameters and refusals that hold everywhere, so that no view repeats them."""

    def get_tags(self) -> list[str]:
        """Group by what an address is about: `platforms`, `vendors`, `module-config`, …"""
        words = [word for word in self.path.removeprefix("/api/v1").strip("/").split("/") if not word.startswith("{")]
        tree, *resources = words
        if tree != "admin":
            return [f"{tree}: {resources[0]}"]
        if resources[:1] == ["platforms"] and len(resources) > 1:
            return resources[1:2]
        return resources[:1]

    def get_description(self) -> str:
        """Say what the action does, and of what, where the action alone is the same for every resource."""
        description = super().get_description()
        if getattr(self.view, "action", None) in CRUD:
            return f"{description} {inspect.getdoc(type(self.view)) or ''}".strip()
        return description

    def get_override_parameters(self) -> list[Any]:
        """Return the headers and flags of every operation, and what the view declares for its action."""
        own = getattr(self.view, "parameters", {}).get(getattr(self.view, "action", None), ())
        if self.method in SAFE:
            return [REQUEST_ID, IF_NONE_MATCH, *own]
        parameters = [REQUEST_ID, self._if_match(), DRY_RUN, *own]
        return [*parameters, self._key()] if self.method == "POST" else parameters

    def _key(self) -> OpenApiParameter:
        anew: frozenset[str] = getattr(self.view, "answered_anew", frozenset())
        return KEY_OF_WHAT_IS_NOT_KEPT if getattr(self.view, "action", None) in anew else IDEMPOTENCY_KEY

    def _if_match(self) -> OpenApiParameter:
        needed = self._needs_if_match()
        return OpenApiParameter(
            "If-Match",
            str,
            OpenApiParameter.HEADER,
            required=needed,
            description="The ETag of what you are changing: 412 if it is no longer the one."
            + (" 428 without." if needed else ""),
        )

    def _needs_if_match(self) -> bool:
        required: frozenset[str] = getattr(self.view, "if_match_required", frozenset())
        return self.method in NEEDS_IF_MATCH or getattr(self.view, "action", None) in required

    def _get_allowed_error_status_codes(self) -> list[str]:
        return list(REFUSALS)

    def _should_add_error_response(self, responses: dict[str, Any], status_code: str) -> bool:
        if status_code in responses or (status_code in ("401", "403") and not self.view.authentication_classes):
            return False
        writes = self.method not in SAFE
        match status_code:
            case "400" | "403" | "429" | "503":
                return True
            case "409" | "412":
                return writes
            case "413" | "415":
                return self.method in HAS_BODY
            case "422":
                return self.method == "POST"
            case "428":
                return self._needs_if_match()
            case _:
                return super()._should_add_error_response(responses, status_code)

    def _get_error_response_serializer(self, status_code: str) -> type[serializers.Serializer]:
        return ErrorResponseSerializer

    def _get_error_response_examples(self) -> list[Any]:
        return []

    def _get_request_body(self, direction: Direction = "request") -> dict[str, Any] | None:
        said = getattr(self.view, "delete_serializer_class", None)
        if self.method != "DELETE" or said is None or not said().fields:
            return super()._get_request_body(direction)
        # drf-spectacular gives DELETE no body.
        schema = self.resolve_serializer(said, direction).ref
        return {"content": {media_type: {"schema": schema} for media_type in self.map_parsers()}}

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction=direction)
        if direction != "response":
            return bodies
        if self.method in SAFE:
            bodies["304"] = {"description": "What you have is still so."}
        for status_code, body in bodies.items():
            if status_code in REFUSALS:
                body["description"] = REFUSALS[status_code]
                if status_code in COME_BACK:
                    body.setdefault("headers", {})["Retry-After"] = {"schema": {"type": "integer"}}
            elif status_code in ("200", "201", "304"):
                tag = {"schema": {"type": "string"}, "description": "Names this state: for If-Match, If-None-Match."}
                body.setdefault("headers", {})["ETag"] = tag
        return dict(sorted(bodies.items()))


class BearerScheme(OpenApiAuthenticationExtension):
    """Documents API tokens."""

    target_class = "platforms.api.authentication.ApiTokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the OpenAPI security scheme."""
        return {"type": "http", "scheme": "bearer"}


class SessionScheme(OpenApiAuthenticationExtension):
    """Documents the admin's session."""

    target_class = "platforms.api.authentication.AdminSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the OpenAPI security scheme."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
