"""allauth's forms, closed to what nobody types: each is answered with an error, whatever was sent."""

import struct
from typing import Any

from allauth.account.forms import LoginForm, ReauthenticateForm
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as ReauthenticateByCodeForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator

from platforms import json_input
from platforms.cipher import SecretUnreadable
from platforms.validators import validate_name

MAX_USERNAME = 150
MAX_PASSWORD = 4096
MAX_CODE = 32
MAX_PASSKEY_NAME = 60
MAX_CREDENTIAL = 32_768

# How the readers of CBOR, COSE keys and signatures fail on what no authenticator ever made.
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


def _password_field() -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
    return forms.CharField(label="Password", strip=False, max_length=MAX_PASSWORD, widget=widget)


class StaffLoginForm(LoginForm):
    """Username and password, under the names that Django's own form has: scripts and password managers know them."""

    password = _password_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["login"]
        field.widget.attrs = {"autocomplete": "username", "autocapitalize": "none", "autofocus": True}
        # One fault, one error: what Django's field would say of NUL, validate_name says too.
        field.validators = [MaxLengthValidator(MAX_USERNAME), validate_name]

    def add_prefix(self, field_name: str) -> str:
        """Return the name of the field in the page."""
        return super().add_prefix("username" if field_name == "login" else field_name)


class ConfirmPasswordForm(ReauthenticateForm):
    """The password once more, before something that matters."""

    password = _password_field()


class CodeField(forms.CharField):
    """A code of an authenticator app, or a recovery code."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"})
        super().__init__(label="Code", widget=widget, **kwargs)
        self.validators = [MaxLengthValidator(MAX_CODE), validate_name]


class _ByCode(forms.Form):
    authenticator: Authenticator

    code = CodeField(help_text="From your authenticator app, or one of your recovery codes.")

    def clean_code(self) -> str:
        """Check the code; where the stored secret cannot be read nobody is let in, and the reason is said."""
        try:
            code = super().clean_code()  # type: ignore[misc]
        except SecretUnreadable:
            message = "What is stored of your second factor cannot be read here. Ask an operator to reset it."
            raise ValidationError(message, code="unreadable") from None
        if self.authenticator.type == Authenticator.Type.TOTP and not self._is_first_use(code):
            raise get_adapter().validation_error("incorrect_code")
        return code

    def _is_first_use(self, code: str) -> bool:
        """Note that an app's code is used for as long as it could be used again (RFC 6238, 5.2).

        allauth notes it for half a minute, which is too short where clocks may differ.
        """
        digits = "".join(filter(str.isdigit, code))
        seconds = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 1)
        return cache.add(f"second_factor.used:{self.authenticator.user_id}:{digits}", True, timeout=seconds)


class LoginByCodeForm(_ByCode, AuthenticateForm):
    """The second step of a login."""


class ConfirmByCodeForm(_ByCode, ReauthenticateByCodeForm):
    """A code, before something that matters."""


class AddAppForm(ActivateTOTPForm):
    """The first code of a new authenticator app."""

    code = CodeField(help_text="The six digits that the app shows now.")


class CredentialField(forms.CharField):
    """What the browser made of an authenticator's answer, as JSON."""

    widget = forms.HiddenInput

    def __init__(self) -> None:
        super().__init__()
        self.validators = []

    def to_python(self, value: Any) -> Any:
        """Return the object. Raises ValidationError for anything else."""
        text = super().to_python(value) or ""
        if text in self.empty_values:
            return text
        try:
            if len(text) > MAX_CREDENTIAL or not isinstance(data := json_input.loads(text), dict):
                raise _refused()
        except json_input.JSONInputError:
            raise _refused() from None
        return data


def _refused() -> ValidationError:
    return ValidationError("The passkey was not accepted. Try again.", code="passkey")


class AddPasskeyForm(AddWebAuthnForm):
    """A new passkey, and what its owner calls it."""

    name = forms.CharField(label="Name", required=False, max_length=MAX_PASSKEY_NAME, validators=[validate_name])
    credential = CredentialField()
    # Ours can always log in by themselves: there is nothing to choose.
    passwordless = None

    def clean(self) -> dict[str, Any]:
        """Have the answer checked against what was asked."""
        try:
            return super().clean()
        except _UNREADABLE:
            raise _refused() from None

    def clean_name(self) -> str:
        """Return the name, or one made up."""
        return self.cleaned_data["name"] or get_adapter().generate_authenticator_name(
            self.user, Authenticator.Type.WEBAUTHN
        )


class _ByPasskey(forms.Form):
    credential = CredentialField()

    def clean_credential(self) -> Authenticator:
        """Have the answer checked against what was asked; return the passkey."""
        try:
            return super().clean_credential()  # type: ignore[misc]
        except _UNREADABLE:
            raise _refused() from None
        except ValidationError as error:
            raise _refused() if error.code == "incorrect_code" else error from None


class PasskeyForm(_ByPasskey, AuthenticateWebAuthnForm):
    """A passkey as the second step of a login."""


class LoginByPasskeyForm(_ByPasskey, LoginWebAuthnForm):
    """A passkey in the place of password and code."""


class ConfirmByPasskeyForm(_ByPasskey, ReauthenticateWebAuthnForm):
    """A passkey, before something that matters."""


class RenamePasskeyForm(EditWebAuthnForm):
    """What a passkey is called."""

    name = forms.CharField(label="Name", max_length=MAX_PASSKEY_NAME, validators=[validate_name])
