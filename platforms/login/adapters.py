"""What allauth asks of the project: who may log in here, how their secrets are kept, what errors say."""

import time
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from platforms import cipher
from platforms.models import User

NOT_LET_IN = (
    "Please enter the correct username and password for a staff account. Note that both fields may be case-sensitive."
)
TOO_MANY = "Too many attempts. Wait five minutes, then try again."


class StaffAccountAdapter(DefaultAccountAdapter):
    """Lets active staff in, and nobody else; whoever is refused is told the same."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": NOT_LET_IN,
        "too_many_login_attempts": TOO_MANY,
        "rate_limited": TOO_MANY,
    }

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Return the member of staff with these credentials, or None; raise ValidationError after too many failures.

        The right password of somebody else counts as a failure, too: no answer may tell that it was right.
        """
        user = super().authenticate(request, **credentials)
        if user is not None and not user.is_staff:
            self.pre_authenticate(request, **credentials)
            return None
        return user

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Refuse who is no (longer) active staff: a passkey says who somebody is, and nothing of that."""
        if user.is_active and user.is_staff:
            return super().pre_login(request, user, **kwargs)
        return self.respond_user_inactive(request, user)

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        """Say what a wrong password gets."""
        messages.error(request, NOT_LET_IN)
        return redirect("account_login")

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whether to ask for the password again; not of somebody who has just logged in with it."""
        records = get_authentication_records(self.request, self.request.user)
        age = time.time() - max((record["at"] for record in records if record["method"] == "password"), default=0.0)
        return age >= app_settings.REAUTHENTICATION_TIMEOUT and super().is_reauthentication_required(app=app, **kwargs)

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """Return the ways to confirm who one is; a security key is one kind of passkey."""
        methods = super().get_reauthentication_methods(user)
        words = {"mfa_reauthenticate:webauthn": "Use a passkey", "mfa_reauthenticate": "Use a code"}
        return [{**method, "description": words.get(method["id"], method["description"])} for method in methods]

    def is_ajax(self, request: HttpRequest) -> bool:
        """Whether a script asks: only the passkey's does; forms are answered with pages."""
        match = request.resolver_match
        return match is not None and match.url_name == "mfa_login_webauthn" and super().is_ajax(request)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Keeps what second factors are made of encrypted, and calls things what our pages call them."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This is not the right code, or it was used already.",
    }

    def encrypt(self, text: str) -> str:
        """Return the seed of an authenticator app or of recovery codes as it is stored."""
        return cipher.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return what `encrypt` was given. Raises SecretUnreadable where no configured key opens it."""
        return cipher.decrypt(encrypted_text)

    def get_totp_label(self, user: User) -> str:
        """Return how an authenticator app lists the account."""
        return user.get_username()

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        """Return how the browser lists the account among the passkeys of this site."""
        return {**super().get_public_key_credential_user_entity(user), "name": user.get_username()}

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002 - allauth's name
        """Return a name for a passkey that got none."""
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return f"Passkey {number}"
