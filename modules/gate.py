"""The one answer to "is this module on for this platform?", exact and without a query once warm.

The platform row, which every request has read anyway, carries the revision; the frozen state of that revision is kept
in the process. After a change by anybody, anywhere, the next request reads another revision and so another state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet

from modules import configs, secrets
from modules.definition import ModuleConfig
from modules.models import PlatformModule
from modules.registry import registry
from platforms import access
from platforms.models import Platform

C = TypeVar("C", bound=ModuleConfig)
M = TypeVar("M", bound=Model)

_CAPACITY = 10_000
# The newest state of each platform, and the registry's generation at which it was read.
_states: dict[int, tuple[int, "ModuleState"]] = {}


@dataclass(frozen=True)
class ModuleState:
    """Which modules are on for a platform at one revision, and how each is configured. Never changes."""

    platform_id: int
    revision: int
    enabled: frozenset[str]
    configs: Mapping[str, Mapping[str, Any]] = field(repr=False)
    sealed_secrets: Mapping[str, Mapping[str, str]] = field(repr=False)

    def is_enabled(self, module: str) -> bool:
        """Whether the module is on."""
        return module in self.enabled

    def config_of(self, schema: type[C]) -> C:
        """Return a module's config as its typed object, defaults and secrets included.

        Raises LookupError where no installed module has this schema, InvalidConfig where what is stored no longer fits
        it, SecretUnreadable where a key is missing.
        """
        known = self._typed.get(schema)
        if known is None:
            code = registry.of_config(schema).code
            known = self._typed[schema] = configs.load(
                schema, _thawed(self.configs.get(code, {})), self._opened_secrets(code)
            )
        return known  # type: ignore[return-value]

    def features(self, module: str) -> frozenset[str]:
        """Return the codes of the module's features that are on; none where the module is off."""
        if module not in self.enabled:
            return frozenset()
        definition = registry[module]
        values = configs.effective(definition.config, _thawed(self.configs.get(module, {})))
        return frozenset(
            feature.code
            for feature in definition.features
            if self.enabled.issuperset(feature.requires) and (feature.switch is None or values[feature.switch])
        )

    def _opened_secrets(self, module: str) -> dict[str, str]:
        opened = {}
        for name, token in self.sealed_secrets.get(module, {}).items():
            try:
                opened[name] = secrets.decrypt(token)
            except secrets.SecretUnreadable as error:
                raise secrets.SecretUnreadable(
                    f"The secret {name} of {module} on platform {self.platform_id} cannot be opened: none of the keys "
                    "in MODULE_CONFIG_KEYS sealed it. Put the key back, or enter the secret again."
                ) from error
        return opened

    @cached_property
    def _typed(self) -> dict[type[ModuleConfig], ModuleConfig]:
        return {}


def state_of(platform: Platform) -> ModuleState:
    """Return the state of a platform at the revision that the given row carries.

    Warm: no query. Cold: one, which reads the revision with the rows: the state is that of the revision which the
    database has, and is kept under that one. A row in memory may carry one that was rolled back.

    A state read inside a transaction is kept only once that is committed, so that nothing rolled back is ever
    remembered.
    """
    generation = registry.generation
    known = _states.get(platform.pk)
    if known is not None and known[0] == generation and known[1].revision == platform.revision:
        return known[1]
    state = _read(platform)
    transaction.on_commit(partial(_remember, generation, state))
    return state


def is_enabled(platform: Platform, module: str) -> bool:
    """Whether the module is on for the platform."""
    return module in state_of(platform).enabled


def platforms_with(module: str) -> QuerySet[Platform]:
    """Return the platforms on which the module is on: narrows rows of many platforms within their own query."""
    if not registry.can_run(module):
        return Platform.objects.none()
    if registry[module].is_core:
        return Platform.objects.all()
    # Not a join: a platform would come once for each of its rows.
    on = PlatformModule.objects.filter(module=module, is_enabled=True).order_by()
    return Platform.objects.filter(pk__in=on.values("platform"))


def narrow(queryset: QuerySet[M], module: str) -> QuerySet[M]:
    """Narrow the rows of any tenant's model to those of platforms on which the module is on."""
    return queryset.filter(**{f"{access.tenant_path(queryset.model)}__in": platforms_with(module)})


def enabled_on_any(platforms: QuerySet[Platform]) -> frozenset[str]:
    """Return the codes of all modules that are on for at least one of these platforms. One query."""
    rows = PlatformModule.objects.filter(platform__in=platforms.order_by(), is_enabled=True).order_by()
    on = set(rows.values_list("module_id", flat=True).distinct())
    return frozenset(d.code for d in registry if registry.is_on(d.code, switched_on=d.code in on))


def config_of(platform: Platform, schema: type[C]) -> C:
    """Return how a module is configured on the platform, as its typed object; errors as in `ModuleState.config_of`."""
    return state_of(platform).config_of(schema)


def forget() -> None:
    """Empty the cache: for tests, which roll back what they read."""
    _states.clear()


def _read(platform: Platform) -> ModuleState:
    """Read a platform's revision and rows in one statement, so that they belong together."""
    columns = ("module_id", "is_enabled", "config", "secrets")
    found = list(
        Platform.objects.filter(pk=platform.pk)
        .order_by()
        .values_list("revision", *(f"platform_modules__{column}" for column in columns))
    )
    # A platform without rows gives one line, of nothing but its revision; one that is gone gives none.
    revision = found[0][0] if found else platform.revision
    rows = [row[1:] for row in found if row[1] is not None]
    on = {code for code, is_enabled, _, _ in rows if is_enabled}
    return ModuleState(
        platform_id=platform.pk,
        revision=revision,
        enabled=frozenset(d.code for d in registry if registry.is_on(d.code, switched_on=d.code in on)),
        configs=MappingProxyType({code: _frozen(config) for code, _, config, _ in rows}),
        sealed_secrets=MappingProxyType(
            {
                code: MappingProxyType({name: kept["token"] for name, kept in sealed.items()})
                for code, _, _, sealed in rows
                if sealed
            }
        ),
    )


def _frozen(value: Any) -> Any:
    """Return a JSON value that nobody can change: what is cached is shared by everybody."""
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(inner) for inner in value)
    return value


def _thawed(value: Any) -> Any:
    """Return a frozen JSON value as the lists and dicts that it was, to be changed at will."""
    if isinstance(value, Mapping):
        return {key: _thawed(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_thawed(inner) for inner in value]
    return value


def _remember(generation: int, state: ModuleState) -> None:
    """Keep a platform's state in the place of its older one; when the cache is full, the oldest half makes room."""
    if len(_states) >= _CAPACITY:
        for old in list(_states)[: _CAPACITY // 2]:
            _states.pop(old, None)
    _states[state.platform_id] = (generation, state)
