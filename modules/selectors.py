"""How modules stand on a platform, and how they came to: what the admin, the API and the commands show.

Everything here reads and nothing writes; whoever calls has made sure that the asker may see the platform. No secret
leaves: of each, whether it is set, since when, and its fingerprint.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from modules import configs, differences
from modules.configs import Config
from modules.definition import Feature, MenuItem, ModuleDefinition, Permission
from modules.differences import Difference
from modules.models import Change, Module, PlatformModule
from modules.registry import registry
from platforms.models import Platform, User

History = PlatformModule.history.model


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A module as the catalogue has it; of one that is no longer installed only what the database remembers."""

    code: str
    name: str
    description: str
    version: str
    is_core: bool
    is_restricted: bool = False
    is_installed: bool
    requires: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
    permissions: tuple[Permission, ...] = ()
    menu: tuple[MenuItem, ...] = ()
    config_schema: dict[str, Any] = field(default_factory=dict)
    config_defaults: Config = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretState:
    """What may be known of a secret."""

    is_set: bool = False
    fingerprint: str | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleStateRow:
    """How a module stands on a platform, whether it has a row there or not.

    `is_enabled` is what the gate says: a core module is on, one that is not installed is off. `config` is what somebody
    set, `effective_config` that over the defaults. `requires` and `required_by` are the direct ones.
    """

    platform: str
    module: str
    name: str
    is_core: bool
    is_installed: bool
    is_enabled: bool
    enabled_at: datetime | None = None
    enabled_by: str | None = None
    disabled_at: datetime | None = None
    disabled_by: str | None = None
    config: Config = field(default_factory=dict)
    effective_config: Config = field(default_factory=dict)
    secrets: Mapping[str, SecretState] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One version of a platform's module: the change that made it, who and why, and what it changed."""

    module: str
    change: int | None
    at: datetime
    actor: str
    source: str
    reason: str
    is_enabled: bool
    config: Config
    diff: tuple[Difference, ...]


def catalogue() -> list[CatalogueEntry]:
    """Return every module: the installed ones, each after what it needs, then those that only left a row. One query."""
    gone = Module.objects.exclude(pk__in=[definition.code for definition in registry]).order_by("code")
    return [
        *(_catalogue_entry(definition) for definition in registry),
        *(_catalogue_entry_of_row(module) for module in gone),
    ]


def catalogue_entry(code: str) -> CatalogueEntry:
    """Return one module of the catalogue. No query where it is installed. Raises Module.DoesNotExist."""
    if code in registry:
        return _catalogue_entry(registry[code])
    return _catalogue_entry_of_row(Module.objects.get(pk=code))


def is_known(code: str) -> bool:
    """Whether the module is installed, or was once. No query where it is."""
    return code in registry or Module.objects.filter(pk=code).exists()


def unknown_among(codes: Iterable[str]) -> list[str]:
    """Return those of the codes that name no module, not even one that was. At most one query."""
    others = [code for code in codes if code not in registry]
    # All that are known, not the asked ones: a stranger may name more than a query can hold.
    known = set(Module.objects.values_list("pk", flat=True)) if others else set()
    return [code for code in others if code not in known]


def is_on() -> Q:
    """Return the condition for rows of `PlatformModule` under which the gate says on."""
    return Q(is_enabled=True, module__in=registry.runnable())


def stored_states() -> QuerySet[PlatformModule]:
    """Return the rows that somebody made, with all that `states_of_rows` needs: one query for any number of them."""
    return PlatformModule.objects.select_related("platform", "module", "enabled_by", "disabled_by")


def platforms_with_secrets(*, after: int = 0) -> QuerySet[PlatformModule, int]:
    """Return the numbers, in order, of the platforms beyond a number on which a module has a secret."""
    rows = PlatformModule.objects.filter(platform__gt=after).exclude(secrets={})
    # By the number itself: by "platform" would be in the order of the platforms, which is by code.
    return rows.order_by("platform_id").values_list("platform_id", flat=True).distinct()


def with_rows(platforms: QuerySet[Platform]) -> tuple[Platform, list[PlatformModule]] | None:
    """Return the one platform of a queryset and its rows, with all that `states_of` needs; None where there is none.

    One statement, so that the revision is that of the very rows, and a platform without any costs no other.
    """
    row_columns = [column.attname for column in PlatformModule._meta.concrete_fields]
    columns = [column.attname for column in Platform._meta.concrete_fields]
    around = ("module__name", "module__is_core", "enabled_by__username", "disabled_by__username")
    found = list(
        platforms.order_by().values_list(*columns, *(f"platform_modules__{name}" for name in (*row_columns, *around)))
    )
    if not found:
        return None
    platform = Platform.from_db(platforms.db, columns, found[0][: len(columns)])
    rows = []
    for line in found:
        values = line[len(columns) :]
        if values[0] is None:  # no row: the platform alone
            continue
        row = PlatformModule.from_db(platforms.db, row_columns, values[: len(row_columns)])
        name, is_core, enabled_by, disabled_by = values[len(row_columns) :]
        row.platform = platform
        row.module = Module.from_db(platforms.db, ["code", "name", "is_core"], [row.module_id, name, is_core])
        row.enabled_by = _user_named(platforms.db, row.enabled_by_id, enabled_by)
        row.disabled_by = _user_named(platforms.db, row.disabled_by_id, disabled_by)
        rows.append(row)
    return platform, rows


def _user_named(database: str, key: int | None, username: str) -> User | None:
    return None if key is None else User.from_db(database, ["id", "username"], [key, username])


def states_of(platform: Platform, stored: Iterable[PlatformModule] | None = None) -> list[ModuleStateRow]:
    """Return how every module stands on the platform: installed ones, then rows of those that are not.

    stored: the platform's rows, where `with_rows()` has read them; else it takes one query.
    """
    rows = {row.module_id: row for row in (_rows_of(platform) if stored is None else stored)}
    installed = [_state(platform, definition.code, rows.get(definition.code)) for definition in registry]
    gone = [_state(platform, code, rows[code]) for code in sorted(rows) if code not in registry]
    return installed + gone


def state_of(platform: Platform, module: str) -> ModuleStateRow:
    """Return how one module stands on the platform, in at most two queries. Raises Module.DoesNotExist if unknown."""
    return state_of_row(platform, module, _rows_of(platform).filter(module=module).first())


def state_of_row(platform: Platform, module: str, row: PlatformModule | None) -> ModuleStateRow:
    """Return how a module stands by its row, None where it has none. Raises Module.DoesNotExist if unknown."""
    if row is None and module not in registry:
        row = PlatformModule(platform=platform, module=Module.objects.get(pk=module))
    return _state(platform, module, row)


def states_of_rows(rows: Iterable[PlatformModule]) -> list[ModuleStateRow]:
    """Return how the modules of these rows of `stored_states()` stand. No query besides theirs."""
    return [_state(row.platform, row.module_id, row) for row in rows]


def history_rows(platform: Platform, module: str) -> QuerySet[Any]:
    """Return the versions of a platform's module, newest first, for pages of `history_entries`."""
    return _history().filter(platform=platform, module=module)


def history_rows_of_change(change: Change) -> QuerySet[Any]:
    """Return the versions that one change made, by module, for `history_entries`."""
    return _history().filter(platform=change.platform_id, change_number=change.number).order_by("module")


def history_entries(rows: Iterable[Any]) -> list[HistoryEntry]:
    """Return what these versions say and how each differs from the one before it, also where that is on another page.

    rows: of `history_rows()` or `history_rows_of_change()`, sliced as you like, all of one platform. Two queries
    besides theirs.
    """
    rows = list(rows)
    if not rows:
        return []
    known = {row.pk: row for row in rows}
    missing = {row.previous_pk for row in rows if row.previous_pk is not None} - known.keys()
    known |= History.objects.in_bulk(missing)
    numbers = {row.change_number for row in rows}
    changes = {
        change.number: change for change in Change.objects.filter(platform=rows[0].platform_id, number__in=numbers)
    }
    return [_history_entry(row, known.get(row.previous_pk), changes.get(row.change_number)) for row in rows]


def history_of(platform: Platform, module: str, limit: int | None = None) -> list[HistoryEntry]:
    """Return a platform's module's history, newest first, at most `limit` entries. Three queries."""
    return history_entries(history_rows(platform, module)[:limit])


def _catalogue_entry(definition: ModuleDefinition) -> CatalogueEntry:
    return CatalogueEntry(
        code=definition.code,
        name=definition.name,
        description=definition.description,
        version=definition.version,
        is_core=definition.is_core,
        is_restricted=definition.is_restricted,
        is_installed=True,
        requires=definition.requires,
        required_by=registry.direct_dependents_of(definition.code),
        features=definition.features,
        permissions=definition.permissions,
        menu=definition.menu,
        config_schema=configs.json_schema(definition.config),
        config_defaults=configs.defaults(definition.config),
    )


def _catalogue_entry_of_row(module: Module) -> CatalogueEntry:
    return CatalogueEntry(
        code=module.code,
        name=module.name,
        description=module.description,
        version=module.version,
        is_core=module.is_core,
        is_installed=False,
        required_by=registry.direct_dependents_of(module.code),
    )


def _rows_of(platform: Platform) -> QuerySet[PlatformModule]:
    return PlatformModule.objects.filter(platform=platform).select_related("module", "enabled_by", "disabled_by")


def _state(platform: Platform, code: str, row: PlatformModule | None) -> ModuleStateRow:
    definition = registry.get(code)
    says_on = row is not None and row.is_enabled
    config = _shown_config(code, row.config if row else {})
    return ModuleStateRow(
        platform=platform.code,
        module=code,
        name=definition.name if definition else row.module.name,  # type: ignore[union-attr]
        is_core=definition.is_core if definition else row.module.is_core,  # type: ignore[union-attr]
        is_installed=definition is not None,
        is_enabled=registry.is_on(code, switched_on=says_on),
        enabled_at=row.enabled_at if row else None,
        enabled_by=row.enabled_by.username if row and row.enabled_by else None,
        disabled_at=row.disabled_at if row else None,
        disabled_by=row.disabled_by.username if row and row.disabled_by else None,
        config=config,
        effective_config=configs.effective(definition.config, config) if definition else config,
        secrets=_secret_states(definition, row),
        requires=definition.requires if definition else (),
        required_by=registry.direct_dependents_of(code),
        revision=platform.revision,
    )


def _shown_config(code: str, config: Config) -> Config:
    """Return a stored config without what is a secret by now: an earlier schema may have kept it in the open."""
    definition = registry.get(code)
    hidden = configs.secret_fields(definition.config) if definition else frozenset()
    return {key: value for key, value in config.items() if key not in hidden}


def _secret_states(definition: ModuleDefinition | None, row: PlatformModule | None) -> dict[str, SecretState]:
    """Return every secret that the schema has, in its order, then what is kept from an earlier one."""
    names = configs.secret_fields(definition.config) if definition else frozenset()
    states = {name: SecretState() for name in (definition.config.model_fields if definition else ()) if name in names}
    for name, kept in sorted((row.secrets if row else {}).items()):
        # None where a state of the past is shown and nobody can tell any more since when it had this secret.
        changed_at = datetime.fromisoformat(kept["changed_at"]) if kept["changed_at"] else None
        states[name] = SecretState(is_set=True, fingerprint=kept["fingerprint"], changed_at=changed_at)
    return states


def _history() -> QuerySet[Any]:
    """Return all versions, newest first, each with the key of the one before it, which the index finds at once."""
    before = History.objects.filter(
        platform=OuterRef("platform"), module=OuterRef("module"), history_date__lte=OuterRef("history_date")
    ).exclude(history_date=OuterRef("history_date"), history_id__gte=OuterRef("history_id"))
    newest_before = before.order_by("-history_date", "-history_id").values("history_id")[:1]
    return History.objects.annotate(previous_pk=Subquery(newest_before)).order_by("-history_date", "-history_id")


def _history_entry(row: Any, previous: Any | None, change: Change | None) -> HistoryEntry:
    return HistoryEntry(
        module=row.module_id,
        change=row.change_number,
        at=row.history_date,
        actor=change.actor_label if change else "",
        source=change.source if change else "",
        reason=change.reason if change else "",
        is_enabled=row.is_enabled,
        config=_shown_config(row.module_id, row.config),
        diff=_differences(row, previous),
    )


def _differences(row: Any, previous: Any | None) -> tuple[Difference, ...]:
    definition = registry.get(row.module_id)
    untouched = {"is_enabled": definition is not None and definition.is_core}
    return differences.between(
        _keys(previous) if previous is not None else untouched, _keys(row) if row.history_type != "-" else {}
    )


def _keys(row: Any) -> dict[str, Any]:
    """Return what a version says, key by key."""
    config = _shown_config(row.module_id, row.config)
    return differences.keys_of(is_enabled=row.is_enabled, config=config, fingerprints=row.secret_fingerprints)
