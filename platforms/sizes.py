"""What is too large to be read. Beside `platforms.middleware`, which logging needs before there are any apps."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from platforms.api.error_views import refuse_size
from platforms.api.parsers import RequestTooLarge

# Path and query. Servers and proxies have limits of their own, often smaller ones.
_MOST_ADDRESS = 8192


class SizeMiddleware:
    """Answer 413 to a body over the limit and 414 to an address over 8 KiB, before anybody reads them.

    Django's own limit counts fields only: a file in a form, also in that of somebody who is not logged in, would be
    written to the disk whole. A view that takes files says as `max_upload_bytes` how large a body may be; it sees to it
    itself that only those send one who may.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request, or refuse it."""
        if len(request.META.get("QUERY_STRING", "")) + len(request.path_info) > _MOST_ADDRESS:
            detail = f"The address is longer than {_MOST_ADDRESS} characters."
            return refuse_size(request, HTTPStatus.REQUEST_URI_TOO_LONG, "address_too_long", detail)
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if _is_over(limit, request) and _is_over(limit := max(limit, _upload_limit(request)), request):
            too_large, detail = RequestTooLarge, f"The body is larger than {limit} bytes."
            return refuse_size(request, too_large.status_code, too_large.default_code, detail)
        return self.get_response(request)


def _is_over(limit: int, request: HttpRequest) -> bool:
    announced = str(request.META.get("CONTENT_LENGTH", "")).strip().lstrip("0")
    # By its digits first: int() refuses thousands of them.
    return announced.isdecimal() and (len(announced) > len(str(limit)) or int(announced) > limit)


def _upload_limit(request: HttpRequest) -> int:
    """Return how large a body the view of this address takes; 0 where it says nothing, or there is none."""
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return 0
    return getattr(getattr(view, "cls", view), "max_upload_bytes", 0)
