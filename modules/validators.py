"""Validation that forms, serializers and commands share."""

import unicodedata

from django.core.exceptions import ValidationError

MAX_REASON = 500


def validate_reason(value: str) -> None:
    """Accept why something is changed: at most 500 characters, line feeds among them but no other control characters.

    A reason is shown in terminals, tables and logs, where those could forge what stands beside it.
    Raises ValidationError.
    """
    if len(value) > MAX_REASON:
        raise ValidationError(f"At most {MAX_REASON} characters.", code="max_length")
    if any(unicodedata.category(character) == "Cc" and character != "\n" for character in value):
        raise ValidationError("No control characters but line feeds.", code="control_characters")
