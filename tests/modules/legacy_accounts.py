"""Double-entry bookkeeping for the legacy migration: every entry of the old settings is in effect, or still there."""

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.db import connection

from modules import configs, secrets
from modules.legacy import Finding
from modules.models import PlatformModule
from modules.plans import RowState
from modules.registry import ModuleRegistry
from modules.tables import row_state_of
from platforms.models import Platform


def settings_environment() -> dict[str, str]:
    """Return what a process needs in its environment to work on the database that the tests run on."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        url = f"sqlite:///{name}"
    else:
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    return {"DJANGO_SETTINGS_MODULE": "config.settings.test", "DATABASE_URL": url}


def snapshot(prefix: str = "") -> dict[str, Any]:
    """Return what the migration leaves of the platforms of this prefix, by their code without it."""
    found: dict[str, Any] = {}
    for platform in Platform.objects.filter(code__startswith=prefix).order_by("pk"):
        rows = PlatformModule.objects.filter(platform=platform).order_by("module")
        found[platform.code.removeprefix(prefix)] = {
            "settings": platform.settings,
            "revision": platform.revision,
            "rows": {row.module_id: (row.is_enabled, row.config) for row in rows},
            "changes": list(platform.changes.order_by("number").values_list("number", "source", "reason", "steps")),
        }
    return found


def settings_of(platform: Platform) -> dict[str, RowState]:
    """Return what the rows of a platform say."""
    return {row.module_id: row_state_of(row) for row in PlatformModule.objects.filter(platform=platform)}


def entries_of(value: Any) -> list[tuple[Any, Any]]:
    """Return what a value of `enabled_modules` holds, as (entry, wanted)."""
    if isinstance(value, list):
        return [(item, True) for item in value]
    if isinstance(value, str):
        return [(part, True) for part in value.split(",")]
    if isinstance(value, dict):
        return list(value.items())
    return [(value, True)]


def assert_nothing_is_lost(
    before: Any, remaining: Any, after: Mapping[str, RowState], findings: tuple[Finding, ...], registry: ModuleRegistry
) -> None:
    """Assert that what is gone from the settings is in effect, and that what remains is as it was, and named."""
    if not isinstance(before, dict):
        assert remaining == before
        return
    assert [key for key in before if key in remaining] == list(remaining)
    for key in before.keys() - {"enabled_modules", "module_config"}:
        assert _same(remaining[key], before[key])
    kept_modules = _kept(before, remaining, "enabled_modules", entries_of)
    for entry, wanted in _gone(before, kept_modules, "enabled_modules", entries_of):
        code = entry.strip().lower()
        assert code in registry
        is_on = registry[code].is_core or (code in after and after[code].is_enabled)
        assert is_on is wanted
    kept_configs = _kept(before, remaining, "module_config", _configs)
    for key, config in _gone(before, kept_configs, "module_config", _configs):
        code = key.strip().lower()
        assert_config_is_in_effect(registry, code, config, after.get(code, RowState()))
    named = [finding.path for finding in findings if not finding.taken]
    modules_named = {path for path in named if path.startswith("enabled_modules")}
    configs_named = {path for path in named if path.startswith("module_config")}
    assert len(modules_named) == len(kept_modules)
    assert bool(configs_named) is bool(kept_configs)


def assert_config_is_in_effect(registry: ModuleRegistry, code: str, config: dict[str, Any], after: RowState) -> None:
    """Assert that a module says everything that the config said."""
    valid = configs.validate(registry[code].config, configs.merge({}, config))
    for name, value in valid.config.items():
        assert after.config[name] == value
    for name, value in valid.secrets.items():
        if value.get_secret_value():
            assert after.secrets[name] == secrets.fingerprint(value.get_secret_value())


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: for Python, 1 is True."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _configs(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items()) if isinstance(value, dict) else [(value, None)]


def _kept(before: Any, remaining: Any, key: str, entries: Any) -> list[Any]:
    if key not in remaining:
        return []
    assert type(remaining[key]) is type(before[key])
    return entries(remaining[key])


def _gone(before: Any, kept: list[Any], key: str, entries: Any) -> list[tuple[Any, Any]]:
    """Return the entries that are not among the kept ones, and assert that those kept their order."""
    gone, waiting = [], list(kept)
    for entry in entries(before[key]) if key in before else []:
        if waiting and _same(entry, waiting[0]):
            waiting.pop(0)
        else:
            gone.append(entry)
    assert waiting == []
    return gone
