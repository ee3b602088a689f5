"""The one shape of an API error: `{"type", "errors": [{"code", "detail", "attr"}]}`, from wherever it comes."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import (
    NON_FIELD_ERRORS,
    BadRequest,
    ObjectDoesNotExist,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DatabaseError, InterfaceError
from django.http.multipartparser import MultiPartParserError
from drf_standardized_errors.formatter import ExceptionFormatter as StandardExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler as StandardExceptionHandler
from drf_standardized_errors.types import Error
from rest_framework import exceptions, status
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import get_error_detail
from rest_framework.response import Response
from rest_framework.settings import api_settings

from platforms.api.parsers import RequestTooLarge
from platforms.conflicts import Conflict
from platforms.database import RETRY_AFTER, is_busy
from platforms.json_input import JSONInputError

MAX_ERRORS = 100


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


class Busy(exceptions.APIException):
    """503: the database could not do it in time; nothing was changed."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Too busy just now. Nothing was changed: try again in a moment."
    default_code = "busy"
    wait = RETRY_AFTER


class ExceptionHandler(StandardExceptionHandler):
    """Turns what models, services and Django raise into errors of the API; what nobody foresaw stays a 500."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Return the API's exception for one of Django's or ours."""
        match exc:
            case ObjectDoesNotExist():
                return exceptions.NotFound()
            case Conflict():
                return Refused(ErrorDetail(str(exc), code=exc.code))
            case DjangoValidationError():
                return exceptions.ValidationError(get_error_detail(exc))
            case RequestDataTooBig():
                return RequestTooLarge()
            case JSONInputError():
                return exceptions.ParseError(str(exc))
            case BadRequest() | SuspiciousOperation() | MultiPartParserError():
                return exceptions.ParseError()
            case DatabaseError() | InterfaceError() if is_busy(exc):
                return Busy()
        return super().convert_known_exceptions(exc)

    def report_exception(self, exc: exceptions.APIException, response: Response) -> None:
        """Report our mistakes; that the database was busy is none, and is in the log as every answer is."""
        if not isinstance(exc, Busy):
            super().report_exception(exc, response)


class ExceptionFormatter(StandardExceptionFormatter):
    """Says what is wrong, one entry an error, in the order of what was sent.

    Of very many errors the first are told: what has 100,000 unknown keys deserves no answer several times its size.
    """

    def get_errors(self) -> list[Error]:
        """Return the errors; one of no field in particular has the attr null."""
        return list(islice(_flat(self.exc.detail), MAX_ERRORS))


def _flat(detail: Any, attr: str | None = None) -> Iterator[Error]:
    match detail:
        case ErrorDetail():
            yield Error(str(detail.code), str(detail), _field_path(attr))
        case dict():
            for key, value in detail.items():
                yield from _flat(value, f"{attr}.{key}" if attr else str(key))
        case list():
            for index, item in enumerate(detail):
                is_leaf = isinstance(item, ErrorDetail)
                yield from _flat(item, attr if is_leaf else f"{attr}.{index}" if attr else str(index))


def _field_path(attr: str | None) -> str | None:
    *parents, last = (attr or "").split(".")
    if last in (NON_FIELD_ERRORS, api_settings.NON_FIELD_ERRORS_KEY):
        return ".".join(parents) or None
    return attr


def error_body(error_type: str, code: str, detail: str) -> dict[str, Any]:
    """Return the one shape for a single error, for places that no REST view reaches."""
    return {"type": error_type, "errors": [{"code": code, "detail": detail, "attr": None}]}
