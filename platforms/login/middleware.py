"""Keeps out of the admin whoever has not shown the second factor that is required of staff."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url

from platforms.second_factor import Standing, standing

# What nobody needs a session for, and the way out.
_DOORS = {"account_login", "mfa_authenticate", "mfa_login_webauthn", "admin:login", "admin:logout"}
_ENROLMENT = {"mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "account_reauthenticate"}


class SecondFactorMiddleware:
    """Leads who has no second factor to where one is set up, and who has not shown theirs back to the login.

    Sessions at the API are for `AdminSessionAuthentication` to refuse, in the API's words.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Answer in the view's place where the session may not reach it."""
        assert request.resolver_match is not None
        name = request.resolver_match.view_name
        if name in _DOORS or request.path_info.startswith("/api/"):
            return None
        match standing(request):
            case Standing.ENROL if name not in _ENROLMENT:
                return redirect("mfa_index")
            case Standing.PROVE:
                logout(request)
                messages.info(request, "Log in again, with your second factor.")
                return redirect_to_login(request.get_full_path(), resolve_url("admin:login"))
        return None
