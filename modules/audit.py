"""What a change says, in one canonical form, and the hash that chains it to the one before."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Model

from modules.canonical import canonical_json

# Every column of both tables but their own keys, by the version of the content that a change carries: a column that
# comes later belongs to a new version, or the hashes of old changes could not be made again.
CHANGE_FIELDS = {
    1: (
        "platform_id",
        "platform_code",
        "number",
        "at",
        "actor_id",
        "actor_label",
        "actor_token",
        "source",
        "reason",
        "request_id",
        "undoes",
        "steps",
        "content_version",
        "previous_hash",
    )
}
HISTORY_FIELDS = {
    1: (
        "id",
        "platform_id",
        "module_id",
        "change_number",
        "history_type",
        "history_date",
        "history_user_id",
        "history_change_reason",
        "is_enabled",
        "enabled_at",
        "enabled_by_id",
        "disabled_at",
        "disabled_by_id",
        "config",
        "config_version",
        "secret_fingerprints",
        "created_at",
        "updated_at",
    )
}
CONTENT_VERSION = max(CHANGE_FIELDS)


def _plain(value: Any) -> Any:
    """Return a time as text in UTC, to the microsecond, and a UUID as text; anything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value


def change_hash(change: Model, history: Iterable[Model]) -> str:
    """Return the SHA-256, in hex, of everything that a change and its history rows say.

    The rows count in the order of their module codes; `previous_hash` is part of the content, so that the hashes of a
    platform's changes form a chain.
    """
    rows = sorted(history, key=lambda row: row.module_id)  # type: ignore[attr-defined]
    version = change.content_version  # type: ignore[attr-defined]
    content = {
        "change": {name: _plain(getattr(change, name)) for name in CHANGE_FIELDS[version]},
        "history": [{name: _plain(getattr(row, name)) for name in HISTORY_FIELDS[version]} for row in rows],
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
