"""Validation that forms, serializers and commands share."""

import re
import unicodedata
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.text import Truncator

# Of platforms and vendors, in addresses too.
CODE_PATTERN = "[a-z0-9]+(?:[-_][a-z0-9]+)*"
# A language tag as BCP 47 has it: en, de-AT, zh-Hant-TW.
LOCALE_PATTERN = "[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?"
MAX_REASON = 500
MAX_LOCALES = 100
# How much of what somebody sent an error repeats.
MOST_ECHOED = 40

validate_code = RegexValidator(
    rf"\A{CODE_PATTERN}\Z",
    "Use lower-case letters, digits and single hyphens or underscores between them.",
    code="invalid_code",
)
validate_currency = RegexValidator(
    r"\A[A-Z]{3}\Z", "Use a three-letter ISO 4217 code, e.g. EUR.", code="invalid_currency"
)

validate_locale = RegexValidator(
    rf"\A{LOCALE_PATTERN}\Z", "Use a language tag, such as en or de-AT.", code="invalid_locale"
)

_LOCALE = re.compile(rf"\A{LOCALE_PATTERN}\Z")


def validate_locales(value: Any) -> None:
    """Accept a list of 1 to 100 distinct BCP 47 language tags (`en`, `de-AT`, `zh-Hant-TW`).

    Raises ValidationError for anything else.
    """
    if not isinstance(value, list) or not value:
        raise ValidationError("Name at least one locale, as a list.", code="invalid_locales")
    if len(value) > MAX_LOCALES:
        raise ValidationError(f"Name at most {MAX_LOCALES} locales.", code="invalid_locales")
    for locale in value:
        if not isinstance(locale, str) or not _LOCALE.match(locale):
            raise ValidationError(
                "%(locale)s is not a language tag such as en or de-AT.",
                code="invalid_locales",
                params={"locale": Truncator(locale).chars(MOST_ECHOED)},
            )
    if len(set(value)) != len(value):
        raise ValidationError("A locale is named twice.", code="invalid_locales")


def _refuse_control_characters(value: str, *, but: str = "") -> None:
    """Refuse what could forge the text that stands beside it in a terminal, a table or a log.

    Lone surrogates, which a shell passes on for bytes that are no UTF-8, cannot be stored at all.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs") and character not in but for character in value):
        exception = " but line feeds" if but else ""
        raise ValidationError(f"No control characters{exception} here.", code="control_characters")


def validate_name(value: str) -> None:
    """Accept a name on one line, without control characters. Raises ValidationError."""
    _refuse_control_characters(value)


def validate_text(value: str) -> None:
    """Accept text of several lines: tabs and line breaks are its only control characters. Raises ValidationError."""
    _refuse_control_characters(value, but="\t\r\n")


def validate_reason(value: str) -> None:
    """Accept why something is changed: at most 500 characters, line feeds the only control characters among them.

    Raises ValidationError.
    """
    if len(value) > MAX_REASON:
        raise ValidationError(f"A reason has at most {MAX_REASON} characters.", code="max_length")
    _refuse_control_characters(value, but="\n")
