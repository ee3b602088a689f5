"""Errors of requests that no REST view ever saw: under /api/ in the API's shape, elsewhere as Django has them."""

import sys

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect, JsonResponse
from django.template.loader import render_to_string
from django.urls import resolve
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from platforms.api.errors import Busy, error_body
from platforms.database import RETRY_AFTER, is_busy


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


@csrf_exempt
def unknown_path(request: HttpRequest) -> HttpResponse:
    """Answer 404 for a path under /api/ that leads nowhere; a reader who left out the last slash is sent on."""
    may_lack_slash = request.method in ("GET", "HEAD") and not request.path_info.endswith("/")
    if may_lack_slash and resolve(f"{request.path_info}/").func is not unknown_path:
        return HttpResponsePermanentRedirect(request.get_full_path(force_append_slash=True))
    return JsonResponse(error_body("client_error", "not_found", "Not found."), status=404)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    if _is_api(request):
        return JsonResponse(error_body("client_error", "not_found", "Not found."), status=404)
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    if _is_api(request):
        return JsonResponse(error_body("client_error", "parse_error", "Malformed request."), status=400)
    return defaults.bad_request(request, exception)


def busy(request: HttpRequest) -> HttpResponse:
    """Answer 503: the database could not do it in time."""
    if _is_api(request):
        body = error_body("server_error", Busy.default_code, Busy.default_detail)
        response: HttpResponse = JsonResponse(body, status=Busy.status_code)
    else:
        response = HttpResponse(render_to_string("503.html"), status=Busy.status_code)
    response["Retry-After"] = str(RETRY_AFTER)
    return response


def refuse_size(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    """Answer 413 or 414: what nobody is going to read."""
    if _is_api(request):
        return JsonResponse(error_body("client_error", code, detail), status=status)
    return HttpResponse(detail, status=status, content_type="text/plain; charset=utf-8")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 where all that is wrong with the error being handled is that the database was busy."""
    if is_busy(sys.exception()):
        return busy(request)
    if _is_api(request):
        return JsonResponse(error_body("server_error", "error", "Server Error (500)"), status=500)
    return defaults.server_error(request)
