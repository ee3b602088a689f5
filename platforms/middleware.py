"""Gives every request a number that is logged, answered and kept with each change it makes."""

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

_request_id: ContextVar[str] = ContextVar("request_id", default="")
# What a client may send: printable, short, and nothing that could forge a line in a log.
_ACCEPTABLE = re.compile(r"\A[A-Za-z0-9._-]{1,64}\Z")


def current_request_id() -> str:
    """Return the number of the request being served; empty outside of one."""
    return _request_id.get()


class RequestIdMiddleware:
    """Take `X-Request-ID` from the client, or make one, and echo it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request with its number set for the time it takes."""
        sent = request.headers.get("X-Request-ID", "")
        request_id = sent if _ACCEPTABLE.match(sent) else str(uuid.uuid4())
        reset = _request_id.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            _request_id.reset(reset)
        response["X-Request-ID"] = request_id
        return response


class RequestIdFilter(logging.Filter):
    """Put the request's number on every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `record.request_id`; let every record pass."""
        record.request_id = current_request_id() or "-"
        return True
