"""Reading JSON that somebody else wrote: strictly, within bounds, and with errors that say what and where.

Python's own reader takes what RFC 8259 leaves open in the most generous way: the last of two equal keys wins, NaN is a
number, a lone surrogate is a string that no database and no response can carry, and deep nesting ends in a
RecursionError. What comes from outside is read here instead.
"""

import json
import math
import re
from typing import Any

MAX_DEPTH = 20
MAX_NUMBER_LENGTH = 100

# Strings (skipped whole, also one that never ends), brackets, and numbers that are too long. Possessive, so that the
# time stays linear whatever is sent.
_LANDMARK = re.compile(
    rf'"(?:[^"\\]|\\.)*+"?|[\[\]{{}}]|(?P<number>[-+.0-9eE]{{{MAX_NUMBER_LENGTH + 1},}}+)', re.DOTALL
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class JSONInputError(ValueError):
    """What was sent is not JSON that we take; the message says what is wrong, and where."""


def loads(data: bytes | str, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value that one JSON text holds.

    Raises JSONInputError for anything but UTF-8, for bad syntax and trailing text, for nesting deeper than
    `max_depth`, duplicate keys, NUL or lone surrogates in a string or key, NaN and Infinity (also as 1e999), and
    numbers of more than 100 characters.
    """
    text = data if isinstance(data, str) else _decode(data)
    _check_bounds(text, max_depth)
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_float=_finite_float, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise JSONInputError(f"Not JSON: {error.msg}, at line {error.lineno} column {error.colno}.") from None
    _check_strings(value, "")
    return value


def _decode(data: bytes) -> str:
    try:
        return bytes(data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise JSONInputError(f"Not UTF-8, at byte {error.start}.") from None


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line} column {position - text.rfind(chr(10), 0, position)}"


def _check_bounds(text: str, max_depth: int) -> None:
    """Refuse deep nesting and long numbers before the reader, which recurses, sees them."""
    depth = 0
    for landmark in _LANDMARK.finditer(text):
        match landmark[0][0]:
            case "[" | "{":
                depth += 1
                if depth > max_depth:
                    raise JSONInputError(f"Nested deeper than {max_depth} levels, at {_place(text, landmark.start())}.")
            case "]" | "}":
                depth -= 1
            case _ if landmark["number"]:
                raise JSONInputError(
                    f"A number of more than {MAX_NUMBER_LENGTH} characters, at {_place(text, landmark.start())}."
                )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise JSONInputError(f"The key {_shown(twice)} is there twice in one object.")
    return value


def _finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise JSONInputError(f"The number {text} is too large.")
    return number


def _refuse_constant(name: str) -> None:
    raise JSONInputError(f"{name} is not JSON.")


def _shown(text: str) -> str:
    """Return the text as JSON would escape it, shortened: safe to put into any answer or log."""
    return json.dumps(text if len(text) <= 50 else f"{text[:50]}…")


def _check_strings(value: Any, path: str) -> None:
    match value:
        case str():
            if bad := _UNSTORABLE.search(value):
                what = "NUL" if bad[0] == "\x00" else "a lone surrogate"
                raise JSONInputError(
                    f"The string at {_shown(path)} holds {what}." if path else f"The text holds {what}."
                )
        case dict():
            for key, item in value.items():
                if _UNSTORABLE.search(key):
                    raise JSONInputError(f"The key {_shown(key)} holds NUL or a lone surrogate.")
                _check_strings(item, f"{path}.{key}" if path else key)
        case list():
            for index, item in enumerate(value):
                _check_strings(item, f"{path}.{index}" if path else str(index))
