"""Which form field stands for which part of a config: native inputs with the admin's own classes.

What a field's `clean()` returns is what JSON would hold, or None where it was left empty. Whether that is right is for
the schema to say: a field only reads.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib.admin.widgets import (
    AdminEmailInputWidget,
    AdminIntegerFieldWidget,
    AdminTextareaWidget,
    AdminTextInputWidget,
    AdminURLFieldWidget,
)
from django.core.exceptions import ValidationError

from platforms import json_input

Node = Mapping[str, Any]

LONG_TEXT = 255
MOST_ROWS = 12
_INPUT_TYPES = {"date": "date", "time": "time"}
_PLAIN_ITEMS = ("string", "integer", "number")
_INTEGER = re.compile(r"\A[-+]?[0-9]{1,100}\Z")


def as_json(value: Any) -> str:
    """Return a value as JSON that people can read and edit; empty for None."""
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def words(name: str) -> str:
    """Return a name of code as people write it: `max_attempts` → Max attempts."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


class TextField(forms.CharField):
    """Text; the line ends of browsers are made one character again."""

    def __init__(self, *, long: bool = False, widget: forms.Widget | None = None) -> None:
        default = AdminTextareaWidget({"rows": 6}) if long else AdminTextInputWidget()
        super().__init__(required=False, empty_value=None, widget=widget or default)

    def to_python(self, value: Any) -> str | None:
        """Return the text; None where there is none."""
        text = super().to_python(value)
        return text.replace("\r\n", "\n") if text else None


class IntegerField(forms.IntegerField):
    """A whole number. Its bounds are hints for the browser: the schema refuses what is outside of them."""

    def __init__(self, node: Node) -> None:
        super().__init__(required=False, widget=AdminIntegerFieldWidget(_bounds(node, step=1)))

    def to_python(self, value: Any) -> int | None:
        """Return the number; None where there is none."""
        if isinstance(value, str) and len(value) > 100:
            raise ValidationError("A number of more than 100 digits.", code="invalid")
        return super().to_python(value)


class FloatField(forms.FloatField):
    """A number."""

    def __init__(self, node: Node) -> None:
        super().__init__(required=False, widget=AdminIntegerFieldWidget(_bounds(node, step="any")))


class DecimalField(forms.DecimalField):
    """An exact number, which JSON keeps as a text."""

    def __init__(self, node: Node) -> None:
        super().__init__(required=False, widget=AdminIntegerFieldWidget(_bounds(node, step="any")))

    def clean(self, value: Any) -> str | None:
        """Return the number as it is stored; None where there is none."""
        number = super().clean(value)
        return None if number is None else str(number)

    @staticmethod
    def same(one: Any, other: Any) -> bool:
        """Whether two values are the same number: 1.5 and 1.50 are; what is no number is the same as nothing."""
        try:
            return None not in (one, other) and Decimal(str(one)) == Decimal(str(other))
        except InvalidOperation:
            return False  # one of them is no number: stored under an earlier schema, or sent by no page of ours


class CheckField(forms.BooleanField):
    """Yes or no."""

    def __init__(self) -> None:
        super().__init__(required=False)


class ChoiceField(forms.TypedChoiceField):
    """One of a few values, which need not be texts; the empty choice stands for the default."""

    def __init__(self, values: list[Any], empty: str, labels: Mapping[Any, str] | None = None) -> None:
        by_text = {str(value): value for value in values}
        named = [(text, (labels or {}).get(value, words(text))) for text, value in by_text.items()]
        super().__init__(
            choices=[("", empty), *named],
            coerce=by_text.__getitem__,
            empty_value=None,
            required=False,
        )


class ChoicesField(forms.TypedMultipleChoiceField):
    """Some of a few values, as checkboxes. None ticked is a statement, as with a single one, and no empty field."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, values: list[Any]) -> None:
        by_text = {str(value): value for value in values}
        super().__init__(
            choices=[(text, words(text)) for text in by_text],
            coerce=by_text.__getitem__,
            empty_value=[],
            required=False,
        )


class LinesField(TextField):
    """A list, one entry on a line."""

    hint = "One per line."

    def __init__(self, node: Node, value: Any = None) -> None:
        self.item_type = node["items"]["type"]
        rows = len(value) + 1 if isinstance(value, list) else 0
        super().__init__(
            widget=AdminTextareaWidget({"rows": max(3, min(rows, MOST_ROWS)), "class": "vLargeTextField lines"})
        )

    def to_python(self, value: Any) -> list[Any] | None:  # type: ignore[override]
        """Return the entries, numbers as numbers; what is not one stays a text, for the schema to point at."""
        text = super().to_python(value) or ""
        return [self._entry(line.strip()) for line in text.splitlines() if line.strip()] or None

    def _entry(self, line: str) -> Any:
        if self.item_type == "integer" and _INTEGER.match(line):
            return int(line)
        if self.item_type == "number":
            try:
                return json_input.loads(line)
            except json_input.JSONInputError:
                return line
        return line

    def prepare_value(self, value: Any) -> Any:
        """Show a list as its lines."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def validate(self, value: Any) -> None:
        """Leave it to the schema."""

    def run_validators(self, value: Any) -> None:
        """Refuse what no database keeps."""
        super().run_validators("\n".join(map(str, value)) if value else value)


class JsonField(TextField):
    """Whatever has no input of its own, as JSON."""

    def __init__(self) -> None:
        super().__init__(
            widget=AdminTextareaWidget({"rows": 6, "class": "vLargeTextField json", "spellcheck": "false"})
        )

    def to_python(self, value: Any) -> Any:
        """Return the value. Raises ValidationError for what is not JSON."""
        text = super().to_python(value)
        if text is None:
            return None
        try:
            return json_input.loads(text)
        except json_input.JSONInputError as error:
            raise ValidationError(str(error), code="not_json") from None

    def prepare_value(self, value: Any) -> Any:
        """Show a value as JSON; what was typed, as it was typed."""
        return value if isinstance(value, Typed) else as_json(value)

    def validate(self, value: Any) -> None:
        """Leave it to the schema."""

    def run_validators(self, value: Any) -> None:
        """Leave it to the schema; what no database keeps the reader has refused."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Mark what was typed, so that it is shown as it was."""
        return Typed(data or "")


class Typed(str):
    """What somebody typed, as against a text that is a value."""

    __slots__ = ()


class SecretField(forms.CharField):
    """A secret: typed, never shown. Left empty it stays as it is."""

    def __init__(self, node: Node) -> None:
        super().__init__(
            required=False,
            strip=False,
            widget=forms.PasswordInput(
                {"class": "vTextField", "autocomplete": "new-password", "spellcheck": "false"}, render_value=False
            ),
        )


def field_for(node: Node, *, is_optional: bool, default: Any, value: Any) -> forms.Field:
    """Return the form field for one part of a schema.

    node: its JSON Schema, references resolved and null taken out. default, value: decide what an empty choice is
    called, and whether a text needs more than a line.
    """
    kind, many = node.get("type"), node.get("items", {})
    if values := _choices(node):
        return ChoiceField(values, _empty_choice(default))
    if kind == "boolean":
        if is_optional:
            return ChoiceField([True, False], _empty_choice(default), {True: "Yes", False: "No"})
        return CheckField()
    if kind == "integer":
        return IntegerField(node)
    if kind == "number":
        return FloatField(node)
    if {branch.get("type") for branch in node.get("anyOf", ())} == {"number", "string"}:
        return DecimalField(node)
    if kind == "string":
        return _text_field(node, value)
    if kind == "array" and (values := _choices(many)):
        return ChoicesField(values)
    if kind == "array" and many.get("type") in _PLAIN_ITEMS and "prefixItems" not in node:
        return LinesField(node, value)
    return JsonField()


def _text_field(node: Node, value: Any) -> forms.Field:
    length = node.get("maxLength")
    if node.get("writeOnly"):
        return SecretField(node)
    match node.get("format"):
        case "email":
            return TextField(widget=AdminEmailInputWidget())
        case "uri":
            return TextField(widget=AdminURLFieldWidget())
        case "date" | "time" as kind:
            return TextField(widget=AdminTextInputWidget({"type": _INPUT_TYPES[kind]}))
    is_long = (length or 0) > LONG_TEXT or (isinstance(value, str) and "\n" in value)
    field = TextField(long=is_long)
    if length:
        field.widget.attrs["maxlength"] = length
    return field


def _choices(node: Node) -> list[Any]:
    return [node["const"]] if "const" in node else list(node.get("enum", ()))


def _empty_choice(default: Any) -> str:
    return "Not set" if default is None else f"Default ({words(shown(default))})"


def _bounds(node: Node, step: Any) -> dict[str, Any]:
    """Return what the browser may know of a number's range; for a whole number also of open ends."""
    branch = next((part for part in node.get("anyOf", ()) if part.get("type") == "number"), node)
    low, high = branch.get("minimum"), branch.get("maximum")
    if step == 1:
        low = branch["exclusiveMinimum"] + 1 if "exclusiveMinimum" in branch else low
        high = branch["exclusiveMaximum"] - 1 if "exclusiveMaximum" in branch else high
    found = {"min": low, "max": high, "step": branch.get("multipleOf", step)}
    return {name: value for name, value in found.items() if value is not None}


def range_text(node: Node) -> str:
    """Return between which bounds a whole number lies, in words; empty where it has not both."""
    bounds = _bounds(node, step=1) if node.get("type") == "integer" else {}
    return f"{bounds['min']} to {bounds['max']}." if {"min", "max"} <= bounds.keys() else ""


def shown(value: Any) -> str:
    """Return a value of a config as a person reads it; empty where there is nothing to read."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(shown(item) if not isinstance(item, (dict, list)) else as_json(item) for item in value)
        case dict():
            return json.dumps(value, ensure_ascii=False) if value else ""
        case _:
            return str(value)
