"""What may stand beside an operator in a segment's rule: each kind reads what was sent, and says what it would take."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol

from django.core.exceptions import ValidationError

from customers.keys import email_key, name_key
from customers.models import ConsentRecord
from platforms.choices import name_all
from platforms.validators import MOST_ECHOED, validate_code, validate_name

MAX_VALUES = 100
MAX_TEXT = 100
MAX_DAYS = 3650
_DOMAIN = re.compile(r"\A[^\s@]+\.[^\s@.]+\Z")


class Kind(Protocol):
    """A kind of value."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """What it takes, as a JSON Schema."""

    def read(self, value: object) -> Any:
        """Return the value in its one form; raise ValidationError for what is none of this kind."""

    def show(self, value: Any) -> str:
        """Return the value in words."""


def _refuse(message: str) -> ValidationError:
    return ValidationError(message, code="invalid_value")


def _read_text(value: object, check: Callable[[str], None] = validate_name) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MAX_TEXT:
        raise _refuse(f"Name a text of 1 to {MAX_TEXT} characters.")
    try:
        for validate in (validate_name, check):
            validate(text)
    except ValidationError as error:
        raise _refuse(f"{text[:MOST_ECHOED]}: {error.messages[0]}") from None
    return text


class Text:
    """A text on one line, without white space around it."""

    schema: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}

    def read(self, value: object) -> str:
        """Return the text."""
        return _read_text(value)

    def show(self, value: str) -> str:
        """Return the text."""
        return value


class NameStart(Text):
    """How a name starts."""

    def read(self, value: object) -> str:
        """Return the text; one of nothing but accents starts every name, and so none."""
        text = super().read(value)
        if not name_key(text):
            raise _refuse("Name a letter or more.")
        return text


class Domain(Text):
    """The domain of an e-mail address, as keys of addresses have it; its subdomains are others."""

    def read(self, value: object) -> str:
        """Return the domain, without the @ that somebody may have written before it."""
        domain = email_key(super().read(value)).removeprefix("@")
        if not _DOMAIN.match(domain):
            raise _refuse("Name a domain, such as example.com.")
        return domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One to `most` texts, each once: `key` says which are the same, `choices` (code → label) which there are."""

    check: Callable[[str], None] = validate_name
    key: Callable[[str], str] = str
    choices: Mapping[str, str] = field(default_factory=dict)
    most: int = MAX_VALUES

    @property
    def schema(self) -> Mapping[str, Any]:
        """What it takes."""
        items: Mapping[str, Any] = {"type": "string", "enum": list(self.choices)} if self.choices else Text.schema
        return {"type": "array", "items": items, "minItems": 1, "maxItems": self.most}

    def read(self, value: object) -> list[str]:
        """Return the texts in their order, or in that of the choices."""
        if not isinstance(value, list) or not 1 <= len(value) <= self.most:
            raise _refuse(f"Name 1 to {self.most}, as a list.")
        found: dict[str, str] = {}
        for item in value:
            text = _read_text(item, self.check)
            if self.choices and text not in self.choices:
                raise _refuse(f"“{text[:MOST_ECHOED]}” is none of {name_all(self.choices)}.")
            found.setdefault(self.key(text), text)
        return [text for text in self.choices if text in found] if self.choices else list(found.values())

    def show(self, value: Sequence[str]) -> str:
        """Return them with commas between them."""
        return ", ".join(self.choices.get(text, text) for text in value)


class Day:
    """A day of the calendar, in UTC."""

    schema: Mapping[str, Any] = {"type": "string", "format": "date"}

    def read(self, value: object) -> str:
        """Return the day as ISO 8601 has it."""
        try:
            # fromisoformat() takes weeks and basic forms, too.
            if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
                return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
        raise _refuse("Name a day, such as 2026-03-16.")

    def show(self, value: str) -> str:
        """Return the day."""
        return value


class Days:
    """A number of days."""

    schema: Mapping[str, Any] = {"type": "integer", "minimum": 1, "maximum": MAX_DAYS}

    def read(self, value: object) -> int:
        """Return the number."""
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_DAYS:
            raise _refuse(f"Name a number of days from 1 to {MAX_DAYS}.")
        return value

    def show(self, value: int) -> str:
        """Return the number with its unit."""
        return f"{value} day" if value == 1 else f"{value} days"


class ConsentOf:
    """A channel and a purpose that somebody may agree to."""

    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "channel": {"type": "string", "enum": ConsentRecord.Channel.values},
            "purpose": {"type": "string", "minLength": 1, "maxLength": 50},
        },
        "required": ["channel", "purpose"],
        "additionalProperties": False,
    }

    def read(self, value: object) -> dict[str, str]:
        """Return both."""
        if not isinstance(value, dict) or set(value) != {"channel", "purpose"}:
            raise _refuse("Name a channel and a purpose.")
        channel, purpose = value["channel"], _read_text(value["purpose"], validate_code)
        if not isinstance(channel, str) or channel not in ConsentRecord.Channel.values:
            raise _refuse(f"The channel is one of {', '.join(ConsentRecord.Channel.values)}.")
        if len(purpose) > 50:
            raise _refuse("A purpose has at most 50 characters.")
        return {"channel": channel, "purpose": purpose}

    def show(self, value: dict[str, str]) -> str:
        """Return both in words."""
        return f"{value['purpose']} by {ConsentRecord.Channel(value['channel']).label}"


def start_of(day: str) -> datetime:
    """Return when a day begins."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
