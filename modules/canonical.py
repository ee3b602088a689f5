"""One text for one meaning: what is hashed or compared reads the same from every database."""

import json
from decimal import Decimal
from typing import Any


def canonical_json(value: Any) -> str:
    """Return the value as JSON with sorted keys and without blanks, in which equal numbers are written alike.

    PostgreSQL's jsonb keeps a number, not how it was written: 1e16 comes back as the integer 10000000000000000 and
    -0.0 as 0.0. A whole float is therefore written as the integer it is (RFC 8785 does so too); true and 1, which
    Python takes for equal, stay apart.
    """
    return json.dumps(_plain_numbers(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain_numbers(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_numbers(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        # By way of its decimal text, which is what the database was given: int(1e23) is 99999999999999991611392.
        return int(Decimal(repr(value)))
    return value
