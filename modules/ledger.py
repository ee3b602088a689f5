"""Writes applied plans: rows, their history, one change each. `modules.services` is the only one that may call it.

It writes many platforms in as many statements as one, because a migration of a million platforms and a click in the
admin are the same thing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps.registry import Apps
from django.db.models import Model, QuerySet
from django.utils import timezone

from modules import audit, secrets
from modules.plans import Action, Plan, Setting, Step

# Written by whoever holds the platform's lock; the foreign keys come from rows that are locked or were just read.
_UNCHECKED = ("platform", "module", "enabled_by", "disabled_by")
_WRITTEN = (
    "is_enabled",
    "enabled_at",
    "enabled_by",
    "disabled_at",
    "disabled_by",
    "config",
    "config_version",
    "secrets",
    "updated_at",
)
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who changes something, from where, and why.

    `may_switch_restricted` says whether restricted modules are theirs to switch. `at` is when; None means when it is
    written, under the lock.
    """

    actor_id: int | None
    actor_label: str
    may_switch_restricted: bool
    source: str
    reason: str = ""
    request_id: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tables:
    """The models to write with: today's, or those that a data migration sees."""

    platform: type[Model]
    platform_module: type[Model]
    history: type[Model]
    change: type[Model]

    @classmethod
    def of(cls, apps: Apps) -> "Tables":
        """Return the models of an app registry."""
        return cls(
            platform=apps.get_model("platforms", "Platform"),
            platform_module=apps.get_model("modules", "PlatformModule"),
            history=apps.get_model("modules", "HistoricalPlatformModule"),
            change=apps.get_model("modules", "Change"),
        )

    def rows_of(self, platform_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return the platform modules of these platforms: platform number → module code → row. One query."""
        found: dict[int, dict[str, Any]] = {platform_id: {} for platform_id in platform_ids}
        rows: QuerySet[Any] = QuerySet(self.platform_module)
        for row in rows.filter(platform_id__in=list(found)):
            found[row.platform_id][row.module_id] = row
        return found


def setting_of(row: Any) -> Setting:
    """Return what a row of PlatformModule says."""
    return Setting(
        is_enabled=row.is_enabled,
        config=row.config,
        config_version=row.config_version,
        secrets={name: kept["fingerprint"] for name, kept in row.secrets.items()},
    )


@dataclass(slots=True)
class Entry:
    """One plan to write, for a platform whose row is locked and whose rows were read under that lock."""

    platform: Any
    plan: Plan
    rows: Mapping[str, Any]
    origin: Origin
    undoes: int | None = None
    at: datetime = field(init=False)
    previous_hash: str = field(default="", init=False)
    change: Any = field(default=None, init=False)


def write(entries: Sequence[Entry], tables: Tables) -> None:
    """Write the plans that have steps, in one transaction that the caller has open; set each entry's `change`.

    Seven statements at the most for every 500 rows, whatever the number of platforms. Raises ValidationError where a
    row is not valid.
    """
    entries = [entry for entry in entries if entry.plan.steps]
    if not entries:
        return
    _follow_on(entries, tables)
    created: list[Any] = []
    updated: list[Any] = []
    written: list[tuple[Entry, list[tuple[str, Any]]]] = []
    for entry in entries:
        touched: list[tuple[str, Any]] = []
        for code, setting in entry.plan.outcome.items():
            row = entry.rows.get(code)
            is_new = row is None
            if row is None:
                row = tables.platform_module(
                    platform_id=entry.platform.pk, module_id=code, created_at=entry.at, secrets={}
                )
            _set(row, setting, entry)
            row.clean_fields(exclude=_UNCHECKED)
            (created if is_new else updated).append(row)
            touched.append(("+" if is_new else "~", row))
        written.append((entry, touched))
    QuerySet(tables.platform_module).bulk_create(created, batch_size=_BATCH)
    QuerySet(tables.platform_module).bulk_update(updated, _WRITTEN, batch_size=_BATCH)
    _record(written, tables)


def write_deletion(entry: Entry, tables: Tables) -> None:
    """Write a platform's last change: its rows go, each with a history row that says so."""
    steps = tuple(Step(module=code, action=Action.DELETE, cause="platform deleted") for code in sorted(entry.rows))
    entry.plan = Plan(platform=entry.platform.code, steps=steps)
    _follow_on([entry], tables)
    _record([(entry, [("-", row) for row in entry.rows.values()])], tables)
    rows: QuerySet[Any] = QuerySet(tables.platform_module).filter(platform_id=entry.platform.pk)
    # Raw, because simple-history's signal would add a second history row, one without a change.
    rows._raw_delete(rows.db)


def _follow_on(entries: Iterable[Entry], tables: Tables) -> None:
    """Set when each entry is written, and the hash that it follows. One query.

    No change is dated before the one it follows, even where two machines' clocks disagree: what was true at a time is
    found by date.
    """
    now = timezone.now()
    newest = {entry.platform.pk: entry.platform.revision for entry in entries if entry.platform.revision}
    before: dict[int, tuple[str, datetime]] = {}
    if newest:
        changes: QuerySet[Any] = QuerySet(tables.change)
        changes = changes.filter(platform_id__in=list(newest), number__in=set(newest.values()))
        for platform_id, number, hash_, at in changes.values_list("platform_id", "number", "hash", "at"):
            if newest[platform_id] == number:
                before[platform_id] = (hash_, at)
    for entry in entries:
        entry.at = entry.origin.at or now
        if entry.platform.pk in before:
            entry.previous_hash, previous_at = before[entry.platform.pk]
            entry.at = max(entry.at, previous_at)


def _set(row: Any, setting: Setting, entry: Entry) -> None:
    """Make the row say what the setting says, and when and by whom it was switched."""
    at, actor_id = entry.at, entry.origin.actor_id
    actions = {step.action for step in entry.plan.steps if step.module == row.module_id}
    if Action.ENABLE in actions:
        row.enabled_at, row.enabled_by_id = at, actor_id
        row.disabled_at, row.disabled_by_id = None, None
    elif Action.DISABLE in actions:
        row.disabled_at, row.disabled_by_id = at, actor_id
    row.is_enabled = setting.is_enabled
    row.config = setting.config
    row.config_version = setting.config_version
    for name, secret in entry.plan.new_secrets.get(row.module_id, {}).items():
        if secret is None:
            row.secrets.pop(name, None)
        else:
            row.secrets[name] = {
                "token": secrets.encrypt(secret.get_secret_value()),
                "fingerprint": setting.secrets[name],
                "changed_at": at.isoformat(),
            }
    row.updated_at = at


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
            source=origin.source,
            reason=origin.reason,
            request_id=origin.request_id,
            undoes=entry.undoes,
            steps=[step.as_json() for step in entry.plan.steps],
            previous_hash=entry.previous_hash,
        )
        change.hash = audit.change_hash(change, own)
        change.clean_fields(exclude=("platform", "actor"))
        entry.change = change
        history += own
        changes.append(change)
    QuerySet(tables.history).bulk_create(history, batch_size=_BATCH)
    QuerySet(tables.change).bulk_create(changes, batch_size=_BATCH)
    QuerySet(tables.platform).bulk_update(platforms, ["revision"], batch_size=_BATCH)


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
