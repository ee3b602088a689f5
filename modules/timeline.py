"""How a platform's modules stood at a moment, and what differs between two: asked of history, which is never rewritten.

Everything here reads and nothing writes; whoever calls has made sure that the asker may see the platform. Which modules
are installed is no change of a platform, so it is today's answer everywhere: a module that is gone is shown as off.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections, models
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from modules import differences, selectors
from modules.differences import Difference
from modules.models import Change, Module, PlatformModule
from modules.plans import RowState
from modules.selectors import History, ModuleStateRow
from platforms.models import Platform, User

# How far ahead of ours a clock may go before its "now" is a moment that has not come.
CLOCK_SKEW = timedelta(minutes=1)
# Of the newest versions PostgreSQL fetches the rows as it finds them; SQLite, without LATERAL, by their keys.
_NEWEST = """
    FROM platform_modules_history
    WHERE platform_id = %s AND module_code = module.code AND history_date <= %s AND change_number <= %s
    ORDER BY history_date DESC, history_id DESC LIMIT 1
"""
_BY_LATERAL = "CROSS JOIN LATERAL (SELECT * {newest}) AS newest"
_BY_SUBQUERY = "JOIN platform_modules_history AS newest ON newest.history_id = (SELECT history_id {newest})"
_VERSIONS = """
    SELECT newest.*, module.name AS module_name, module.is_core AS module_is_core,
        enabled_by.username AS enabled_by_name, disabled_by.username AS disabled_by_name
    FROM modules_module AS module {join}
    LEFT JOIN platforms_user AS enabled_by ON enabled_by.id = newest.enabled_by_user_id
    LEFT JOIN platforms_user AS disabled_by ON disabled_by.id = newest.disabled_by_user_id
"""
# Above every number of a change: a time alone leaves none out.
_NO_CHANGE = models.BigIntegerField.MAX_BIGINT
_COLUMNS = [field.attname for field in PlatformModule._meta.concrete_fields if field.name != "secrets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time, and all that had happened by then; with `change`, the moment right after that change.

    Several changes may bear the same time, where clocks are coarse or disagree: the number tells them apart.
    """

    at: datetime
    change: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How every module of a platform stood at a moment; None is now. `revision`: the newest change by then."""

    platform: Platform
    moment: Moment | None
    revision: int
    states: list[ModuleStateRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDifferences:
    """What one module says otherwise in one standing (`old`) than in another (`new`)."""

    module: str
    name: str
    differences: tuple[Difference, ...]


def validate_moment(moment: datetime) -> None:
    """Refuse a time that has not come: nobody knows how things will stand. Raises ValidationError."""
    if moment > timezone.now() + CLOCK_SKEW:
        raise ValidationError("This time has not come yet.", code="in_the_future")


def moment_of(text: str) -> Moment:
    """Return the moment that an ISO 8601 time names, in UTC where it names no offset. Raises ValidationError."""
    try:
        at = parse_datetime(text)
        if at is not None:
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        at = None
    if at is None:
        raise ValidationError("Write a time as in ISO 8601, e.g. 2026-03-16T09:00:00Z.", code="invalid")
    validate_moment(at)
    return Moment(at=at)


def after_change(platform: Platform, number: int) -> Moment:
    """Return the moment right after one of the platform's changes. One query. Raises Change.DoesNotExist."""
    change = Change.objects.only("at").get(platform=platform, number=number)
    return Moment(at=change.at, change=number)


def standing(platform: Platform, moment: Moment | None) -> Standing:
    """Return how every module stood at the moment, or stands now. One query; two where a secret was set then."""
    if moment is None:
        states = selectors.states_of(platform)
        return Standing(platform=platform, moment=None, revision=platform.revision, states=states)
    then, rows = _as_of(platform, moment)
    return Standing(
        platform=platform, moment=moment, revision=then.revision, states=selectors.states_of(then, rows.values())
    )


def states_at(platform: Platform, moment: Moment) -> list[ModuleStateRow]:
    """Return how every module stood on the platform at the moment, in the words of `selectors.states_of`."""
    return standing(platform, moment).states


def state_at(platform: Platform, module: str, moment: Moment) -> ModuleStateRow:
    """Return how one module stood at the moment. Raises Module.DoesNotExist if there never was such a module."""
    then, rows = _as_of(platform, moment)
    return selectors.state_of_row(then, module, rows.get(module))


def settings_at(platform: Platform, moment: Moment) -> dict[str, RowState]:
    """Return what the row of each module said at the moment: module code → setting. One query."""
    return {
        version.module_id: RowState(
            is_enabled=version.is_enabled,
            config=version.config,
            config_version=version.config_version,
            secrets=version.secret_fingerprints,
        )
        for version in _newest_versions(platform, moment)
    }


def compare(old: Standing, new: Standing) -> list[ModuleDifferences]:
    """Return the modules that stand otherwise in one than in the other, and how."""
    sides = [{state.module: state for state in side.states} for side in (old, new)]
    names = {state.module: state.name for side in (old, new) for state in side.states}
    found = [
        ModuleDifferences(
            module=module,
            name=name,
            differences=differences.between(*(_keys(side.get(module)) for side in sides)),
        )
        for module, name in names.items()
    ]
    return [item for item in found if item.differences]


def first_change_after(platform: Platform, number: int, modules: Iterable[str]) -> int | None:
    """Return the number of the first change after `number` that touched one of the modules. One query."""
    later = History.objects.filter(platform=platform, change_number__gt=number, module__in=list(modules))
    return later.order_by("change_number").values_list("change_number", flat=True).first()


def _newest_versions(platform: Platform, moment: Moment) -> list[Any]:
    """Return the version of each module that was the newest at the moment, none of one that nobody had touched.

    One step down the index `idx_platform_module_history` per module, whatever lies above and below: simple-history's
    `as_of()` reads every version of the platform, and returns two of a module where their dates are the same.
    """
    connection = connections[History.objects.db]
    at = History._meta.get_field("history_date").get_db_prep_value(moment.at, connection)
    join = _BY_LATERAL if connection.vendor == "postgresql" else _BY_SUBQUERY
    parameters = [platform.pk, at, _NO_CHANGE if moment.change is None else moment.change]
    versions = History.objects.raw(_VERSIONS.format(join=join.format(newest=_NEWEST)), parameters)
    return [version for version in versions if version.history_type != "-"]


def _as_of(platform: Platform, moment: Moment) -> tuple[Platform, dict[str, PlatformModule]]:
    """Return the platform with its revision of then, and its rows as they stood.

    Every change leaves a version of what it touched, so the newest change is that of the newest versions: no look at
    the changes, of which there may be any number.
    """
    versions = _newest_versions(platform, moment)
    then = copy(platform)
    then.revision = max((version.change_number for version in versions), default=0)
    kept = _kept_secrets(platform, [version.module_id for version in versions if version.secret_fingerprints])
    return then, {
        version.module_id: _row_of(then, version, kept.get(version.module_id, {}), moment.at) for version in versions
    }


def _kept_secrets(platform: Platform, modules: list[str]) -> dict[str, dict[str, Any]]:
    """Return what is stored now of these modules' secrets: module code → name → secret."""
    if not modules:
        return {}
    rows = PlatformModule.objects.filter(platform=platform, module__in=modules)
    return dict(rows.values_list("module", "secrets"))


def _row_of(platform: Platform, version: Any, kept: dict[str, Any], at: datetime) -> PlatformModule:
    """Return a version as the row that it is a copy of. Of its secrets there is no more than the fingerprints."""
    row = PlatformModule(
        **{name: getattr(version, name) for name in _COLUMNS},
        secrets={
            name: {"fingerprint": mark, "changed_at": _changed_at(kept.get(name), mark, at)}
            for name, mark in version.secret_fingerprints.items()
        },
    )
    row.platform = platform
    row.module = Module(code=version.module_id, name=version.module_name, is_core=version.module_is_core)
    # By nobody where there is no such user any more.
    row.enabled_by = User(pk=row.enabled_by_id, username=name) if (name := version.enabled_by_name) else None
    row.disabled_by = User(pk=row.disabled_by_id, username=name) if (name := version.disabled_by_name) else None
    return row


def _changed_at(kept: dict[str, Any] | None, fingerprint: str, at: datetime) -> str | None:
    """Return since when a secret was that of the moment; None where it has been changed since, and nobody knows."""
    if kept is None or kept["fingerprint"] != fingerprint or datetime.fromisoformat(kept["changed_at"]) > at:
        return None
    return kept["changed_at"]


def _keys(state: ModuleStateRow | None) -> dict[str, Any]:
    if state is None:
        return differences.keys_of(is_enabled=False, config={}, fingerprints={})
    fingerprints = {name: secret.fingerprint for name, secret in state.secrets.items() if secret.fingerprint}
    return differences.keys_of(is_enabled=state.is_enabled, config=state.config, fingerprints=fingerprints)
