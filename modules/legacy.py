"""Brings what the old system kept in `Platform.settings` into rows, through the one way to change.

A batch of platforms is one transaction: its changes and what is taken out of its settings for them stand together or
not at all. So it may end anywhere and be run again; what was taken is gone from the settings and is not met again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DataError, IntegrityError, transaction
from django.db.models import CharField, Func, Q, QuerySet

from modules import services
from modules.legacy_reading import CONFIG_KEY, MODULES_KEY, Finding, Kind, Reading, Standing, read
from modules.models import Change
from modules.origins import Origin
from modules.plans import Plan, Step, plan
from modules.registry import registry
from modules.services import Blocked, Collision, InvalidConfig
from modules.tables import Tables, row_state_of
from platforms.database import first_line

__all__ = ["BATCH_SIZE", "Finding", "Kind", "Migrated", "Reading", "Standing", "migrate", "origin", "pending", "read"]

BATCH_SIZE = 200
REASON = "Taken over from the platform's old settings."
# What a rule or the database says to one platform, and what does not concern the others.
_REFUSALS = (Blocked, Collision, InvalidConfig, PermissionDenied, ValidationError, IntegrityError, DataError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What became of one platform: the steps of its change, whether its settings shrank, and what there is to know."""

    platform: str
    steps: tuple[Step, ...] = ()
    is_changed: bool = False
    configs: int = 0
    findings: tuple[Finding, ...] = ()


class _JSONType(Func):
    """What kind of JSON a field holds, in the database's own words: `object` and `null` in all of them."""

    arity = 1
    output_field = CharField()
    function = "JSON_TYPE"

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Sequence[Any]]:
        """Call it by PostgreSQL's name."""
        return self.as_sql(compiler, connection, function="jsonb_typeof", **context)


def origin(label: str) -> Origin:
    """Return who migrates. label: what it is, e.g. `manage.py migrate_enabled_modules`."""
    return services.origin_of_system(label, Change.Source.MIGRATION, REASON)


def pending(tables: Tables, platform: str | None = None) -> QuerySet[Any]:
    """Return the platforms in whose settings there is something to read, or the one of this code if there is."""
    rows = QuerySet(tables.platform).annotate(settings_type=_JSONType("settings"))
    rows = rows.filter(
        Q(settings__has_key=MODULES_KEY)
        | Q(settings__has_key=CONFIG_KEY)
        | (Q(settings_type__isnull=False) & ~Q(settings_type__in=["object", "null"]))
    )
    return rows if platform is None else rows.filter(code=platform)


def migrate(
    *,
    origin: Origin,
    tables: Tables | None = None,
    platform: str | None = None,
    dry_run: bool = False,
    batch_size: int = BATCH_SIZE,
) -> Iterator[Migrated]:
    """Bring the pending platforms along, batch by batch, and yield what became of each once that is committed.

    tables: the models to write with, for a data migration; today's otherwise. platform: only the one of this code.
    A platform that is refused, which nothing in its settings should bring about, is named as such, and the others go
    on. Memory and queries are those of a batch.
    """
    tables = tables or Tables.of(apps)
    last = 0
    while keys := list(
        pending(tables, platform).filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:batch_size]
    ):
        last = keys[-1]
        if dry_run:
            yield from _foreseen(keys, tables)
            continue
        try:
            done = _batch(keys, origin, tables)
        except _REFUSALS:
            done = [each for key in keys for each in _alone(key, origin, tables)]
        yield from done


def _readings(platforms: Sequence[Any], tables: Tables) -> Iterator[tuple[Any, Mapping[str, Any], Reading]]:
    """Yield every platform with its rows and its reading. One query."""
    rows_of = tables.rows_of([platform.pk for platform in platforms])
    for platform in platforms:
        rows = rows_of[platform.pk]
        standing = Standing(
            settings={code: row_state_of(row) for code, row in rows.items()},
            switched_off=frozenset(
                code for code, row in rows.items() if not row.is_enabled and row.disabled_at is not None
            ),
        )
        yield platform, rows, read(platform.settings, registry, standing)


def _batch(keys: Sequence[int], origin: Origin, tables: Tables) -> list[Migrated]:
    """Bring these platforms along in one transaction: lock, then read, then write both rows and settings."""
    with transaction.atomic():
        locked: QuerySet[Any] = (
            QuerySet(tables.platform).select_for_update(no_key=True).filter(pk__in=list(keys)).order_by("pk")
        )
        readings = {platform.pk: (platform, reading) for platform, _, reading in _readings(list(locked), tables)}
        wishes = {key: reading.wishes for key, (_, reading) in readings.items() if reading.wishes}
        plans: dict[int, Plan] = {}
        if wishes:
            for entry in services.apply_many(wishes=wishes, origin=origin, tables=tables):
                plans[entry.platform.pk] = entry.plan
        shrunk = []
        done = []
        for key, (platform, reading) in readings.items():
            is_changed = reading.remaining != platform.settings
            done.append(_migrated(platform, reading, plans.get(key), is_changed=is_changed))
            if is_changed:
                platform.settings = reading.remaining
                shrunk.append(platform)
        if shrunk:
            QuerySet(tables.platform).bulk_update(shrunk, ["settings"])
    return done


def _alone(key: int, origin: Origin, tables: Tables) -> list[Migrated]:
    """Bring one platform of a refused batch along, or say why that cannot be done."""
    try:
        return _batch([key], origin, tables)
    except _REFUSALS as error:
        # It may be gone by now, and then there is nothing to say of it.
        codes: QuerySet[Any, Any] = QuerySet(tables.platform).filter(pk=key).values_list("code", flat=True)
        return [_refused(code, error) for code in codes]


def _foreseen(keys: Sequence[int], tables: Tables) -> Iterator[Migrated]:
    """Yield what would become of these platforms. Locks and writes nothing."""
    platforms: list[Any] = list(QuerySet(tables.platform).filter(pk__in=list(keys)).order_by("pk"))
    for platform, rows, reading in _readings(platforms, tables):
        try:
            foreseen = plan(
                platform=platform.code,
                registry=registry,
                current={code: row_state_of(row) for code, row in rows.items()},
                wishes=reading.wishes,
            )
        except InvalidConfig as error:
            yield _refused(platform.code, error)
            continue
        if foreseen.blockers:
            yield _refused(platform.code, Blocked(foreseen))
            continue
        yield _migrated(platform, reading, foreseen, is_changed=reading.remaining != platform.settings)


def _refused(platform: str, error: Exception) -> Migrated:
    text = " ".join(error.messages) if isinstance(error, ValidationError) else first_line(str(error))
    finding = Finding(kind=Kind.REFUSED, path="settings", value=None, reason=" ".join(text.split()))
    return Migrated(platform=platform, findings=(finding,))


def _migrated(platform: Any, reading: Reading, made: Plan | None, *, is_changed: bool) -> Migrated:
    return Migrated(
        platform=platform.code,
        steps=made.steps if made else (),
        is_changed=is_changed,
        configs=sum(1 for wish in reading.wishes if wish.config is not None),
        findings=reading.findings,
    )
