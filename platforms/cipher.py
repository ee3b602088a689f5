"""How what must be read again is kept from those who read the database: encrypted with keys from the environment."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class SecretUnreadable(Exception):
    """A stored secret that none of the configured keys opens. Never taken for an empty one."""


def _cipher() -> MultiFernet:
    """Return the cipher of MODULE_CONFIG_KEYS, newest key first: it encrypts, all of them decrypt.

    Raises ImproperlyConfigured where there is no key or one that is not a Fernet key.
    """
    try:
        return MultiFernet([Fernet(key) for key in settings.MODULE_CONFIG_KEYS])
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(
            "MODULE_CONFIG_KEYS must name at least one Fernet key (32 bytes, url-safe base64), the newest first."
        ) from error


def encrypt(value: str) -> str:
    """Return the value as a Fernet token."""
    return _cipher().encrypt(value.encode()).decode()


def decrypt(token: str, *, max_age: int | None = None) -> str:
    """Return what `encrypt` was given.

    max_age: seconds after which the token is refused as well. Raises SecretUnreadable where no key opens it.
    """
    try:
        return _cipher().decrypt(token.encode(), ttl=max_age).decode()
    except InvalidToken as error:
        raise SecretUnreadable("None of the keys in MODULE_CONFIG_KEYS opens this value.") from error


def resealed(token: str) -> str:
    """Return what says the same, encrypted with the newest key: the token itself where it is already.

    Raises SecretUnreadable where no key opens it.
    """
    value = decrypt(token)
    try:
        Fernet(settings.MODULE_CONFIG_KEYS[0]).decrypt(token.encode())
    except InvalidToken:
        return encrypt(value)
    return token
