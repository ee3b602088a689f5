"""Validation that forms, serializers and commands share."""

import unicodedata

from django.core.exceptions import ValidationError

MAX_REASON = 500


def validate_reason(value: str) -> None:
    """Accept why something is changed: at most 500 characters, line feeds among them but no other control characters.

    A reason is shown in terminals, tables and logs, where those could forge what stands beside it. Lone surrogates,
    which a shell passes on for bytes that are no UTF-8, cannot be stored at all. Raises ValidationError.
    """
    if len(value) > MAX_REASON:
        raise ValidationError(f"A reason has at most {MAX_REASON} characters.", code="max_length")
    if any(unicodedata.category(character) in ("Cc", "Cs") and character != "\n" for character in value):
        raise ValidationError("A reason has no control characters but line feeds.", code="control_characters")
