"""Logging in, and the page on which staff look after their second factors: allauth's views in the admin's look."""

import json
from typing import Any, ClassVar

from allauth.account.views import LoginView, ReauthenticateView
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.base.views import ReauthenticateView as ReauthenticateByCodeView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import (
    AddWebAuthnView,
    EditWebAuthnView,
    LoginWebAuthnView,
    ReauthenticateWebAuthnView,
    RemoveWebAuthnView,
)
from django.contrib import admin, messages
from django.contrib.auth import logout
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from platforms import second_factor
from platforms.login import forms
from platforms.second_factor import Standing, standing


def too_many_requests(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 429 (`handler429`), where allauth refuses before there is a form to say so in."""
    context = {**admin.site.each_context(request), "title": "Too many attempts"}
    return render(request, "admin/security/too_many.html", context, status=429)


class AdminPage:
    """A page of the admin: its frame, and what one simple form on it says."""

    request: HttpRequest
    title: ClassVar[str] = ""
    lead: ClassVar[str] = ""
    button: ClassVar[str] = ""
    is_dangerous: ClassVar[bool] = False

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Bring along what every page of the admin shows."""
        frame = admin.site.each_context(self.request)
        is_enrolling = standing(self.request) is Standing.ENROL
        if is_enrolling:
            # Nothing there can be gone to yet.
            frame["available_apps"] = []
        words = {"title": self.title, "lead": self.lead, "button": self.button, "is_dangerous": self.is_dangerous}
        own = super().get_context_data(**kwargs)  # type: ignore[misc]
        asked = own.get("js_data", {})
        # What the browser is to ask an authenticator: in an attribute, as no script stands in a page.
        options = asked.get("creation_options") or asked.get("request_options")
        passkey_options = json.dumps(options, cls=DjangoJSONEncoder) if options else ""
        return {**frame, **words, "is_enrolling": is_enrolling, **own, "passkey_options": passkey_options}


# --- in --------------------------------------------------------------------------------------------------------------


@method_decorator(never_cache, name="dispatch")
class StaffLoginView(AdminPage, LoginView):
    """The one door: `/admin/login/`."""

    form_class = forms.StaffLoginForm
    template_name = "admin/login.html"
    title = "Log in"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send staff on who are in already; let others in by another name."""
        if request.user.is_authenticated:
            if admin.site.has_permission(request):
                return redirect("admin:index")
            username = request.user.get_username()
            logout(request)
            messages.error(request, f"You were logged out: {username} is not staff.")
        return super().dispatch(request, *args, **kwargs)


class LoginByCodeView(AdminPage, AuthenticateView):
    """The second step, for those who have a second factor: a code, or a passkey."""

    form_class = forms.LoginByCodeForm
    webauthn_form_class = forms.PasskeyForm
    template_name = "admin/login_code.html"
    title = "Second step"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Say which of the two this person has."""
        rows = Authenticator.objects.filter(user=self.stage.login.user)
        kinds = set(rows.values_list("type", flat=True))
        has = {"has_passkey": Authenticator.Type.WEBAUTHN in kinds, "has_code": kinds != {Authenticator.Type.WEBAUTHN}}
        return {**super().get_context_data(**kwargs), **has}


class LoginByPasskeyView(LoginWebAuthnView):
    """A passkey alone: the browser has asked for finger, face or PIN, so it is two factors in one."""

    form_class = forms.LoginByPasskeyForm


# --- once more, before something that matters ------------------------------------------------------------------------


class ConfirmPasswordView(AdminPage, ReauthenticateView):
    """Ask for the password again."""

    form_class = forms.ConfirmPasswordForm
    template_name = "admin/security/confirm.html"
    title = "Confirm that it is you"
    button = "Confirm"


class ConfirmByCodeView(AdminPage, ReauthenticateByCodeView):
    """Ask for a code, of those who have no password."""

    form_class = forms.ConfirmByCodeForm
    template_name = "admin/security/confirm.html"
    title = "Confirm that it is you"
    button = "Confirm"


class ConfirmByPasskeyView(AdminPage, ReauthenticateWebAuthnView):
    """Ask for a passkey."""

    form_class = forms.ConfirmByPasskeyForm
    template_name = "admin/security/confirm_passkey.html"
    title = "Confirm that it is you"

    def form_invalid(self, form: Form) -> HttpResponse:
        """Say so, and ask again."""
        messages.error(self.request, str(form.errors["credential"][0]))
        return HttpResponseRedirect(self.request.get_full_path())


# --- one's own factors -----------------------------------------------------------------------------------------------


class SecurityView(AdminPage, IndexView):
    """What somebody logs in with beside the password."""

    template_name = "admin/security/index.html"
    title = "Security"


class AddAppView(AdminPage, ActivateTOTPView):
    """Set an authenticator app up."""

    form_class = forms.AddAppForm
    template_name = "admin/security/add_app.html"
    title = "Set up an authenticator app"

    def form_valid(self, form: Form) -> HttpResponse:
        """Keep it, unless another window was first: there is one app for each person."""
        try:
            answer = super().form_valid(form)
        except IntegrityError:
            messages.error(self.request, "An authenticator app was set up meanwhile. This one was not kept.")
            return redirect("mfa_index")
        second_factor.remember_newest(self.request)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Show the key in groups that can be typed."""
        context = super().get_context_data(**kwargs)
        secret = context["form"].secret
        return {**context, "groups": [secret[start : start + 4] for start in range(0, len(secret), 4)]}


class _ChangesFactors:
    """A form after which the session stays as it stood, where there is still something to have shown."""

    request: HttpRequest

    def form_valid(self, form: Form) -> HttpResponse:
        """Do it."""
        answer = super().form_valid(form)  # type: ignore[misc]
        second_factor.stay_passed(self.request)
        return answer


class RemoveAppView(AdminPage, _ChangesFactors, DeactivateTOTPView):
    """Remove the authenticator app."""

    template_name = "admin/security/form.html"
    title = "Remove the authenticator app"
    lead = "Its codes will not be accepted any more. Recovery codes go with the last factor."
    button = "Remove"
    is_dangerous = True


class RecoveryCodesView(AdminPage, ViewRecoveryCodesView):
    """The codes for the day on which the device is gone."""

    template_name = "admin/security/recovery_codes.html"
    title = "Recovery codes"


class RenewRecoveryCodesView(AdminPage, _ChangesFactors, GenerateRecoveryCodesView):
    """New codes in the place of the old ones."""

    template_name = "admin/security/form.html"
    title = "Make new recovery codes"
    lead = "The codes that you have now will not be accepted any more."
    button = "Make new codes"


class AddPasskeyView(AdminPage, AddWebAuthnView):
    """Add a passkey."""

    form_class = forms.AddPasskeyForm
    template_name = "admin/security/add_passkey.html"
    title = "Add a passkey"

    def form_valid(self, form: Form) -> HttpResponse:
        """Keep it."""
        answer = super().form_valid(form)
        second_factor.remember_newest(self.request)
        return answer


class RenamePasskeyView(AdminPage, EditWebAuthnView):
    """Call a passkey something else."""

    form_class = forms.RenamePasskeyForm
    template_name = "admin/security/form.html"
    success_url = reverse_lazy("mfa_index")
    title = "Rename the passkey"
    button = "Save"


class RemovePasskeyView(AdminPage, _ChangesFactors, RemoveWebAuthnView):
    """Remove a passkey."""

    template_name = "admin/security/form.html"
    success_url = reverse_lazy("mfa_index")
    title = "Remove the passkey"
    lead = "It will not be accepted any more. Recovery codes go with the last factor."
    button = "Remove"
    is_dangerous = True
