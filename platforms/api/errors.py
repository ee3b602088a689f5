"""The one shape of an API error: `{"type", "errors": [{"code", "detail", "attr"}]}`, from wherever it comes."""

from typing import Any

from django.core.exceptions import (
    NON_FIELD_ERRORS,
    BadRequest,
    ObjectDoesNotExist,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http.multipartparser import MultiPartParserError
from drf_standardized_errors.handler import ExceptionHandler as StandardExceptionHandler
from rest_framework import exceptions, status
from rest_framework.fields import get_error_detail
from rest_framework.settings import api_settings

from platforms.api.parsers import RequestTooLarge
from platforms.json_input import JSONInputError


class Refused(exceptions.APIException):
    """409: what stands forbids it.

    The detail is a text, or a mapping of attr to a list of ErrorDetail where several things stand in the way.
    """

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This conflicts with what is there."
    default_code = "conflict"


class PreconditionRequired(exceptions.APIException):
    """428: a write that could overwrite another's must say what it saw (RFC 6585)."""

    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_detail = "Send If-Match with the ETag of what you are changing."
    default_code = "precondition_required"


class PreconditionFailed(exceptions.APIException):
    """412: somebody else changed it since."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "It was changed since you read it: read it again."
    default_code = "precondition_failed"


class ExceptionHandler(StandardExceptionHandler):
    """Turns what models, services and Django raise into errors of the API; what nobody foresaw stays a 500."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Return the API's exception for one of Django's or ours."""
        match exc:
            case ObjectDoesNotExist():
                return exceptions.NotFound()
            case DjangoValidationError():
                return exceptions.ValidationError(get_error_detail(exc))
            case RequestDataTooBig():
                return RequestTooLarge()
            case JSONInputError():
                return exceptions.ParseError(str(exc))
            case BadRequest() | SuspiciousOperation() | MultiPartParserError():
                return exceptions.ParseError()
        return super().convert_known_exceptions(exc)

    def format_exception(self, exc: exceptions.APIException) -> dict[str, Any]:
        """Return the body; an error of no field in particular has the attr null."""
        data = super().format_exception(exc)
        for error in data["errors"]:
            error["attr"] = _field_path(error["attr"])
        return data


def _field_path(attr: str | None) -> str | None:
    *parents, last = (attr or "").split(".")
    if last in (NON_FIELD_ERRORS, api_settings.NON_FIELD_ERRORS_KEY):
        return ".".join(parents) or None
    return attr


def error_body(error_type: str, code: str, detail: str) -> dict[str, Any]:
    """Return the one shape for a single error, for places that no REST view reaches."""
    return {"type": error_type, "errors": [{"code": code, "detail": detail, "attr": None}]}
