"""Who asks: the bearer of a token, or somebody logged in to the admin."""

from django.utils import timezone
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from platforms.models import ApiToken, User
from platforms.second_factor import Standing, standing


class ApiTokenAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`, found by its digest in one query that writes nothing.

    knox's own looks for the first characters, then queries the user's other tokens and deletes expired ones: reading
    must not write, and an expired token is still to be seen by who has to explain a failure.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return user and token; None where no bearer token was sent. Raises AuthenticationFailed for a bad one."""
        try:
            return super().authenticate(request)
        except UnicodeError:
            raise AuthenticationFailed("Invalid token.") from None

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        """Return the user and the token that this is; raise AuthenticationFailed if it is no good, or no longer."""
        found = (
            ApiToken.objects.select_related("user", "platform", "vendor")
            .filter(digest=hash_token(token.decode("ascii")))
            .first()
        )
        if found is None or (found.expiry is not None and found.expiry <= timezone.now()):
            raise AuthenticationFailed("Invalid token.")
        return self.validate_user(found)


class AdminSessionAuthentication(SessionAuthentication):
    """The session of somebody logged in to the admin, with Django's CSRF check on every write."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """Return the user; None where there is no session.

        Raises PermissionDenied where a second factor is required and was not shown: no way around the admin's login.
        """
        found = super().authenticate(request)
        if found is not None and standing(request._request) is not Standing.PASSED:
            message = "This session has not shown a second factor. Log in to the admin with one, or use a token."
            raise PermissionDenied(message, code="second_factor_required")
        return found
