"""What every request meets: a number that is logged, answered and kept with each change; refusals that need no view."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import get_resolver
from django.utils.encoding import escape_uri_path

from platforms.database import is_busy

_log = logging.getLogger(__name__)

_request_id: ContextVar[str] = ContextVar("request_id", default="")
# What a client may send: printable, short, and nothing that could forge a line in a log.
_ACCEPTABLE = re.compile(r"\A[A-Za-z0-9._-]{1,64}\Z")


def current_request_id() -> str:
    """Return the number of the request being served; empty outside of one."""
    return _request_id.get()


class RequestIdMiddleware:
    """Take `X-Request-ID` from the client, or make one, echo it, and log one line when the answer is there."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request with its number set for the time it takes.

        It stays on the request as `request_id`: Django logs what it refused once all middleware is done.
        """
        sent = request.headers.get("X-Request-ID", "")
        request_id = sent if _ACCEPTABLE.match(sent) else str(uuid.uuid4())
        request.request_id = request_id  # type: ignore[attr-defined]
        reset = _request_id.set(request_id)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            # Never the query, which may hold anything; the path escaped, so that it cannot forge a line.
            path, took = escape_uri_path(request.path), (time.perf_counter() - started) * 1000
            _log.info("%s %s %s %.0f ms", request.method, path, response.status_code, took)
        finally:
            _request_id.reset(reset)
        response["X-Request-ID"] = request_id
        return response


class PermissionsPolicyMiddleware:
    """Say that no page here uses the devices of who reads it, nor lets another site's script ask for them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request, with the header."""
        response = self.get_response(request)
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        return response


class RefuseNulMiddleware:
    """Answer 400 where the address holds NUL: nothing has one in its name, and PostgreSQL cannot be asked for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request, or refuse it as the URLs say that bad requests are refused (`handler400`)."""
        query = request.META.get("QUERY_STRING", "")
        if "\x00" in request.path_info or "%00" in query or "\x00" in query:
            # Not raised: in DEBUG Django would answer its own page, also under /api/.
            refuse = get_resolver().resolve_error_handler(400)
            return refuse(request, BadRequest("NUL in the address."))  # type: ignore[call-arg]
        return self.get_response(request)


class BusyMiddleware:
    """Answer 503 where a view was stopped because the database could not do it in time.

    What middleware itself runs into, `handler500` sees. Here it is seen first: in DEBUG, and before it is reported.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the answer to a view's exception, None where it is of another kind."""
        if not is_busy(exception):
            return None
        return get_resolver().resolve_error_handler(500)(request)


class RequestIdFilter(logging.Filter):
    """Put the request's number on every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `record.request_id`; let every record pass."""
        of_request = getattr(getattr(record, "request", None), "request_id", "")
        record.request_id = current_request_id() or of_request or "-"
        return True
