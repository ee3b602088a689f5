"""What a change says, in one canonical form, and the hash that chains it to the one before."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model

from modules.canonical import canonical_json

# What a history row claims. Who is kept as a number, so that nothing need be joined.
HASHED_HISTORY_FIELDS = (
    "id",
    "platform_id",
    "module_id",
    "history_type",
    "history_date",
    "history_user_id",
    "is_enabled",
    "enabled_at",
    "enabled_by_id",
    "disabled_at",
    "disabled_by_id",
    "config",
    "config_version",
    "secret_fingerprints",
)
HASHED_CHANGE_FIELDS = (
    "platform_id",
    "platform_code",
    "number",
    "at",
    "actor_id",
    "actor_label",
    "source",
    "reason",
    "request_id",
    "undoes",
    "steps",
    "previous_hash",
)


def _in_utc(value: Any) -> Any:
    """Return a time as text in UTC, to the microsecond; anything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value


def change_hash(change: Model, history: Iterable[Model]) -> str:
    """Return the SHA-256, in hex, of everything that a change and its history rows say.

    The rows count in the order of their module codes; `previous_hash` is part of the content, so that the hashes of a
    platform's changes form a chain.
    """
    rows = sorted(history, key=lambda row: row.module_id)  # type: ignore[attr-defined]
    content = {
        "change": {field: _in_utc(getattr(change, field)) for field in HASHED_CHANGE_FIELDS},
        "history": [{field: _in_utc(getattr(row, field)) for field in HASHED_HISTORY_FIELDS} for row in rows],
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
