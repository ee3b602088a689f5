"""A secret of a config: encrypted by the one cipher (`platforms.cipher`), known to others by its fingerprint."""

from django.utils.crypto import salted_hmac

from platforms.cipher import SecretUnreadable, decrypt, encrypt, resealed

__all__ = ["SecretUnreadable", "decrypt", "encrypt", "fingerprint", "resealed"]

_FINGERPRINT_CHARACTERS = 16


def fingerprint(value: str) -> str:
    """Return 16 hex digits that tell two secrets apart and nobody what they are: a keyed hash, not a plain one."""
    return salted_hmac("modules.secrets.fingerprint", value, algorithm="sha256").hexdigest()[:_FINGERPRINT_CHARACTERS]
