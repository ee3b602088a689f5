"""Who asks: the bearer of a token, or somebody logged in to the admin."""

from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from platforms import second_factor, services
from platforms.api.throttling import count_bad_credentials
from platforms.models import ApiToken, User
from platforms.tokens import Standing, standing_of, with_standing


class ApiTokenAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`, found by its digest, with all that it hangs on, in one query.

    knox's own looks for the first characters, then queries the user's other tokens and deletes expired ones: an expired
    token is still to be seen by who has to explain a failure. What a read writes is once in some minutes that the token
    was used.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return user and token; None where no bearer token was sent.

        Raises AuthenticationFailed for a bad one, Throttled where too many bad ones come from one address.
        """
        try:
            return super().authenticate(request)
        except AuthenticationFailed as error:
            refusal = error
        except UnicodeError:
            refusal = AuthenticationFailed("Invalid token.")
        count_bad_credentials(request)
        raise refusal

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        """Return the user and the token that this is; raise AuthenticationFailed if it is no good, or no longer."""
        found = with_standing(ApiToken.objects.filter(digest=hash_token(token.decode("ascii")))).first()
        if found is None or standing_of(found) is not Standing.VALID:
            raise AuthenticationFailed("Invalid token.")
        services.note_token_use(token=found)
        return found.user, found


class AdminSessionAuthentication(SessionAuthentication):
    """The session of somebody logged in to the admin, with Django's CSRF check on every write."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """Return the user; None where there is no session.

        Raises PermissionDenied where a second factor is required and was not shown: no way around the admin's login.
        """
        try:
            found = super().authenticate(request)
        except PermissionDenied:
            count_bad_credentials(request)
            raise
        if found is not None and second_factor.standing(request._request) is not second_factor.Standing.PASSED:
            message = "This session has not shown a second factor. Log in to the admin with one, or use a token."
            count_bad_credentials(request)
            raise PermissionDenied(message, code="second_factor_required")
        return found
