"""What a body may be: one JSON object, within bounds."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from platforms import json_input


class RequestTooLarge(APIException):
    """413: the body is larger than we read."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes."
    default_code = "request_too_large"


class StrictJSONParser(BaseParser):
    """Reads a JSON object (`platforms.json_input` says how strictly), and never more bytes than the limit."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the object; raise RequestTooLarge over the limit, ParseError for anything else that is wrong."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestTooLarge
        try:
            value = json_input.loads(body)
        except json_input.JSONInputError as error:
            raise ParseError(str(error)) from error
        if not isinstance(value, dict):
            raise ParseError("The body must be a JSON object.")
        return value
