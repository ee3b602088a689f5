"""What one state of a module says otherwise than another, key by key: between two versions, moments or platforms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modules.configs import Config

_KINDS = ("is_enabled", "config", "secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A key that two states differ in: `is_enabled`, `config.<path>`, `secrets.<name>` (a fingerprint). None: not set.

    `old` and `new` are the one and the other where neither is older.
    """

    key: str
    old: Any
    new: Any


def keys_of(*, is_enabled: bool, config: Config, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Return what a state says, key by key; lists count as a whole."""
    return (
        {"is_enabled": is_enabled}
        | dict(_leaves(config, ("config",)))
        | {f"secrets.{name}": mark for name, mark in fingerprints.items()}
    )


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return what differs between two states that `keys_of()` has taken apart, in reading order."""
    keys = old.keys() | new.keys()
    return tuple(
        Difference(key=key, old=old.get(key), new=new.get(key))
        for key in sorted(keys, key=_reading_order)
        # An object that is there and empty says nothing beside the keys that came into it or left it.
        if old.get(key) != new.get(key) and not any(other.startswith(f"{key}.") for other in keys)
    )


def _reading_order(key: str) -> tuple[int, str]:
    return _KINDS.index(key.partition(".")[0]), key


def _leaves(value: Any, path: tuple[str, ...]) -> Sequence[tuple[str, Any]]:
    if isinstance(value, dict) and (value or len(path) == 1):
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, (*path, key))]
    return [(".".join(path), value)]
