"""Writes applied plans: rows, their history, one change each. `modules.services` is the only one that may call it.

It writes many platforms in as many statements as one, because a migration of a million platforms and a click in the
admin are the same thing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from modules import audit, events, secrets
from modules.canonical import canonical_json
from modules.declarations import CONFIGURED, DISABLED, ENABLED
from modules.events import Happened
from modules.origins import Origin
from modules.plans import Action, Plan, RowState, Step
from modules.tables import Tables

# Written by whoever holds the platform's lock; the foreign keys come from rows that are locked or were just read.
_UNCHECKED = ("platform", "module", "enabled_by", "disabled_by")
# By whom is written only where it changes: who switched a module before may have been deleted since it was read.
_ALWAYS_WRITTEN = ("is_enabled", "config", "config_version", "secrets", "updated_at")
_WRITTEN = {
    Action.ENABLE: (*_ALWAYS_WRITTEN, "enabled_at", "enabled_by", "disabled_at", "disabled_by"),
    Action.DISABLE: (*_ALWAYS_WRITTEN, "disabled_at", "disabled_by"),
    None: _ALWAYS_WRITTEN,
}
# What each step is called when it is told to others; a platform that is deleted has nobody left to be told.
_TOLD = {
    Action.ENABLE: ENABLED,
    Action.DISABLE: DISABLED,
    Action.CONFIGURE: CONFIGURED,
    Action.RESET: CONFIGURED,
}
_BATCH = 500


@dataclass(slots=True)
class Entry:
    """One plan to write, for a platform whose row is locked and whose rows were read under that lock."""

    platform: Any
    rows: Mapping[str, Any]
    origin: Origin
    undoes: int | None = None
    plan: Plan = field(init=False)
    at: datetime = field(init=False)
    previous_hash: str = field(default="", init=False)
    # Module → names of the settings that the plan sets.
    keys: dict[str, list[str]] = field(default_factory=dict, init=False)
    change: Any = field(default=None, init=False)


def write(entries: Sequence[Entry], tables: Tables) -> None:
    """Write the plans that have steps, in one transaction that the caller has open; set each entry's `change`.

    Nine statements at the most for every 500 rows, whatever the number of platforms, and one more where somebody
    listens to what they tell. Raises ValidationError where a row is not valid.
    """
    entries = [entry for entry in entries if entry.plan.steps]
    if not entries:
        return
    _follow_on(entries, tables)
    created: list[Any] = []
    updated: dict[Action | None, list[Any]] = {}
    written: list[tuple[Entry, list[tuple[str, Any]]]] = []
    for entry in entries:
        touched: list[tuple[str, Any]] = []
        for code, state in entry.plan.outcome.items():
            row: Any = entry.rows.get(code)
            is_new = row is None
            if row is None:
                row = tables.platform_module(
                    platform_id=entry.platform.pk, module_id=code, created_at=entry.at, secrets={}
                )
            entry.keys[code] = _changed_keys(row.config, state.config, entry.plan.new_secrets.get(code, {}))
            switched = _set(row, state, entry)
            row.clean_fields(exclude=_UNCHECKED)
            (created if is_new else updated.setdefault(switched, [])).append(row)
            touched.append(("+" if is_new else "~", row))
        written.append((entry, touched))
    QuerySet(tables.platform_module).bulk_create(created, batch_size=_BATCH)
    for switched, rows in updated.items():
        # An upsert of rows that are there: bulk_update() makes a CASE of every field, which takes far longer.
        QuerySet(tables.platform_module).bulk_create(
            rows,
            batch_size=_BATCH,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=_WRITTEN[switched],
        )
    _record(written, tables)
    _tell(entries, tables)


def write_deletion(entry: Entry, tables: Tables) -> None:
    """Write a platform's last change: its rows go, each with a history row that says so."""
    steps = tuple(Step(module=code, action=Action.DELETE, cause="platform deleted") for code in sorted(entry.rows))
    entry.plan = Plan(platform=entry.platform.code, steps=steps)
    _follow_on([entry], tables)
    _record([(entry, [("-", row) for row in entry.rows.values()])], tables)
    rows: QuerySet[Any] = QuerySet(tables.platform_module).filter(platform_id=entry.platform.pk)
    # Raw, because the history refuses to see a row deleted in any other way.
    rows._raw_delete(rows.db)


def reseal(rows: Iterable[Any], tables: Tables) -> None:
    """Write the secrets of these rows, which say what they said, under other keys: no change, and no history.

    Called by whoever holds the locks of their platforms. One statement for every 500 rows.
    """
    QuerySet(tables.platform_module).bulk_update(rows, ["secrets"], batch_size=_BATCH)


def _follow_on(entries: Iterable[Entry], tables: Tables) -> None:
    """Set when each entry is written, and the hash that it follows.

    The rows, read under the lock, brought it along; a platform that has changes and no row is asked for, in one query.
    No change is dated before the one it follows, even where two machines' clocks disagree: what was true at a time is
    found by date.
    """
    now = timezone.now()
    brought = {entry.platform.pk: next(iter(entry.rows.values()), None) for entry in entries}
    before = {
        key: (row.newest_hash, row.newest_at) for key, row in brought.items() if row is not None and row.newest_at
    }
    begun = [entry.platform.pk for entry in entries if entry.platform.revision and entry.platform.pk not in before]
    if begun:
        changes: QuerySet[Any] = QuerySet(tables.change)
        newest = changes.filter(platform_id__in=begun, number=F("platform__revision"))
        before |= {key: (hash_, at) for key, hash_, at in newest.values_list("platform_id", "hash", "at")}
    for entry in entries:
        entry.at = entry.origin.at or now
        if entry.platform.pk in before:
            entry.previous_hash, previous_at = before[entry.platform.pk]
            entry.at = max(entry.at, previous_at)


def _set(row: Any, state: RowState, entry: Entry) -> Action | None:
    """Make the row say what the plan says, and when and by whom it was switched. Return how it was, None if not."""
    at, actor_id = entry.at, entry.origin.actor_id
    actions = {step.action for step in entry.plan.steps if step.module == row.module_id}
    switched = next((action for action in (Action.ENABLE, Action.DISABLE) if action in actions), None)
    if switched is Action.ENABLE:
        row.enabled_at, row.enabled_by_id = at, actor_id
        row.disabled_at, row.disabled_by_id = None, None
    elif switched is Action.DISABLE:
        row.disabled_at, row.disabled_by_id = at, actor_id
    row.is_enabled = state.is_enabled
    row.config = state.config
    row.config_version = state.config_version
    for name, secret in entry.plan.new_secrets.get(row.module_id, {}).items():
        if secret is None:
            row.secrets.pop(name, None)
        else:
            row.secrets[name] = {
                "token": secrets.encrypt(secret.get_secret_value()),
                "fingerprint": state.secrets[name],
                "changed_at": at.isoformat(),
            }
    row.updated_at = at
    return switched


def _record(written: Sequence[tuple[Entry, list[tuple[str, Any]]]], tables: Tables) -> None:
    """Write the history rows and the changes, and move the platforms' revisions."""
    history: list[Any] = []
    changes: list[Any] = []
    platforms: list[Any] = []
    for entry, touched in written:
        platform, origin = entry.platform, entry.origin
        platform.revision += 1
        platforms.append(platform)
        own = [_history_row(kind, row, entry, tables) for kind, row in touched]
        change: Any = tables.change(
            platform_id=platform.pk,
            platform_code=platform.code,
            number=platform.revision,
            at=entry.at,
            actor_id=origin.actor_id,
            actor_label=origin.actor_label,
            actor_token=origin.actor_token,
            source=origin.source,
            reason=origin.reason,
            request_id=origin.request_id,
            undoes=entry.undoes,
            steps=[step.as_json() for step in entry.plan.steps],
            content_version=audit.CONTENT_VERSION,
            previous_hash=entry.previous_hash,
        )
        change.hash = audit.change_hash(change, own)
        change.clean_fields(exclude=("platform", "actor"))
        entry.change = change
        history += own
        changes.append(change)
    QuerySet(tables.history).bulk_create(history, batch_size=_BATCH)
    QuerySet(tables.change).bulk_create(changes, batch_size=_BATCH)
    for start in range(0, len(platforms), _BATCH):
        numbers = [platform.pk for platform in platforms[start : start + _BATCH]]
        QuerySet(tables.platform).filter(pk__in=numbers).update(revision=F("revision") + 1)


def _history_row(kind: str, row: Any, entry: Entry, tables: Tables) -> Any:
    origin = entry.origin
    kept = {name.attname: getattr(row, name.attname) for name in row._meta.concrete_fields if name.name != "secrets"}
    return tables.history(
        **kept,
        change_number=entry.platform.revision,
        secret_fingerprints={name: secret["fingerprint"] for name, secret in row.secrets.items()},
        history_type=kind,
        history_date=entry.at,
        history_user_id=origin.actor_id,
        history_change_reason=origin.reason or None,
    )


def _changed_keys(before: Mapping[str, Any], after: Mapping[str, Any], secrets_set: Iterable[str]) -> list[str]:
    """Return the names of the settings, at the top level, that are another afterwards; of secrets the names only."""
    keys = before.keys() | after.keys()
    # As JSON: to Python, true and 1 are the same.
    changed = {key for key in keys if canonical_json(before.get(key)) != canonical_json(after.get(key))}
    return sorted(changed | set(secrets_set))


def _tell(entries: Sequence[Entry], tables: Tables) -> None:
    """Write the events of the changes, where there is a table for them yet."""
    if tables.event is None:
        return
    happened = [
        Happened(
            name=_TOLD[step.action].name,
            platform_id=entry.platform.pk,
            actor_id=entry.origin.actor_id,
            at=entry.at,
            data={
                "module": step.module,
                "keys": entry.keys[step.module] if _TOLD[step.action] is CONFIGURED else [],
            },
        )
        for entry in entries
        for step in entry.plan.steps
    ]
    events.emit_all(happened, tables.event, tables.delivery)
