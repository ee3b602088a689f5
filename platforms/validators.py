"""Validation that forms, serializers and commands share."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

validate_code = RegexValidator(
    r"\A[a-z0-9]+(?:[-_][a-z0-9]+)*\Z",
    "Use lower-case letters, digits and single hyphens or underscores between them.",
    code="invalid_code",
)
validate_currency = RegexValidator(
    r"\A[A-Z]{3}\Z", "Use a three-letter ISO 4217 code, e.g. EUR.", code="invalid_currency"
)

_LOCALE = re.compile(r"\A[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?\Z")


def validate_locales(value: Any) -> None:
    """Accept a list of at least one distinct BCP 47 language tag (`en`, `de-AT`, `zh-Hant-TW`).

    Raises ValidationError for anything else.
    """
    if not isinstance(value, list) or not value:
        raise ValidationError("Name at least one locale, as a list.", code="invalid_locales")
    for locale in value:
        if not isinstance(locale, str) or not _LOCALE.match(locale):
            raise ValidationError(
                "%(locale)s is not a language tag such as en or de-AT.",
                code="invalid_locales",
                params={"locale": locale},
            )
    if len(set(value)) != len(value):
        raise ValidationError("A locale is named twice.", code="invalid_locales")
