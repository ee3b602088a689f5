"""The only addresses of allauth that there are, below `/admin/`. Their names are allauth's: it looks them up."""

from django.contrib import admin
from django.urls import path
from django.urls.resolvers import URLPattern
from django.views import View

from platforms.login import views


def _own(address: str, view: type[View], name: str) -> URLPattern:
    """Return a page for staff who are logged in."""
    return path(f"security/{address}", admin.site.admin_view(view.as_view()), name=name)


urlpatterns = [
    path("login/", views.StaffLoginView.as_view(), name="account_login"),
    path("login/code/", views.LoginByCodeView.as_view(), name="mfa_authenticate"),
    path("login/passkey/", views.LoginByPasskeyView.as_view(), name="mfa_login_webauthn"),
    _own("", views.SecurityView, "mfa_index"),
    _own("confirm/", views.ConfirmPasswordView, "account_reauthenticate"),
    _own("confirm/code/", views.ConfirmByCodeView, "mfa_reauthenticate"),
    _own("confirm/passkey/", views.ConfirmByPasskeyView, "mfa_reauthenticate_webauthn"),
    _own("app/add/", views.AddAppView, "mfa_activate_totp"),
    _own("app/remove/", views.RemoveAppView, "mfa_deactivate_totp"),
    _own("recovery-codes/", views.RecoveryCodesView, "mfa_view_recovery_codes"),
    _own("recovery-codes/renew/", views.RenewRecoveryCodesView, "mfa_generate_recovery_codes"),
    _own("passkeys/add/", views.AddPasskeyView, "mfa_add_webauthn"),
    _own("passkeys/<int:pk>/rename/", views.RenamePasskeyView, "mfa_edit_webauthn"),
    _own("passkeys/<int:pk>/remove/", views.RemovePasskeyView, "mfa_remove_webauthn"),
]
