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

from modules import configs, secrets
from modules.definition import ModuleConfig
from modules.models import PlatformModule
from modules.registry import registry
from platforms.models import Platform

C = TypeVar("C", bound=ModuleConfig)

_CAPACITY = 10_000
_states: dict[tuple[int, int, int], "ModuleState"] = {}


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
            opened = {name: secrets.decrypt(token) for name, token in self.sealed_secrets.get(code, {}).items()}
            known = self._typed[schema] = configs.load(schema, self.configs.get(code, {}), opened)
        return known  # type: ignore[return-value]

    def features(self, module: str) -> frozenset[str]:
        """Return the codes of the module's features that are on; none where the module is off."""
        if module not in self.enabled:
            return frozenset()
        definition = registry[module]
        values = configs.effective(definition.config, self.configs.get(module, {}))
        return frozenset(
            feature.code
            for feature in definition.features
            if self.enabled.issuperset(feature.requires) and (feature.switch is None or values[feature.switch])
        )

    @cached_property
    def _typed(self) -> dict[type[ModuleConfig], ModuleConfig]:
        return {}


def state_of(platform: Platform) -> ModuleState:
    """Return the state of a platform at the revision that the given row carries.

    Warm: no query. Cold: one. A state read inside a transaction is kept only once that is committed, so that nothing rolled
    back is ever remembered.
    """
    key = (platform.pk, platform.revision, registry.generation)
    state = _states.get(key)
    if state is None:
        state = _read(platform)
        transaction.on_commit(partial(_remember, key, state))
    return state


def is_enabled(platform: Platform, module: str) -> bool:
    """Whether the module is on for the platform."""
    return module in state_of(platform).enabled


def config_of(platform: Platform, schema: type[C]) -> C:
    """Return how a module is configured on the platform, as its typed object; errors as in `ModuleState.config_of`."""
    return state_of(platform).config_of(schema)


def forget() -> None:
    """Empty the cache: for tests, which roll back what they read."""
    _states.clear()


def _read(platform: Platform) -> ModuleState:
    rows = list(PlatformModule.objects.filter(platform_id=platform.pk))
    core = {definition.code for definition in registry if definition.is_core}
    return ModuleState(
        platform_id=platform.pk,
        revision=platform.revision,
        enabled=frozenset(core | {row.module_id for row in rows if row.is_enabled and row.module_id in registry}),
        configs=MappingProxyType({row.module_id: MappingProxyType(row.config) for row in rows}),
        sealed_secrets=MappingProxyType(
            {
                row.module_id: MappingProxyType({name: kept["token"] for name, kept in row.secrets.items()})
                for row in rows
                if row.secrets
            }
        ),
    )


def _remember(key: tuple[int, int, int], state: ModuleState) -> None:
    """Keep a state; when the cache is full, make room by letting the oldest half go."""
    if len(_states) >= _CAPACITY:
        for old in list(_states)[: _CAPACITY // 2]:
            _states.pop(old, None)
    _states[key] = state
