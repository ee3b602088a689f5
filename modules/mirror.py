"""Keeps the table of modules like the registry."""

from typing import Any

from django.apps import apps as installed_apps
from django.apps.registry import Apps
from django.db.models import QuerySet

from modules.registry import registry

_MIRRORED = ("name", "description", "version", "is_core")


def mirror(apps: Apps, using: str = "default") -> None:
    """Make the rows of `Module` say what the registry says; a module that is gone stays, as not installed.

    apps: the app registry whose models to write with, so that a data migration can call this too.
    """
    model = apps.get_model("modules", "Module")
    rows: QuerySet[Any] = QuerySet(model, using=using)
    stored = {module.pk: module for module in rows.all()}
    wanted = {
        definition.code: {field: getattr(definition, field) for field in _MIRRORED} | {"is_installed": True}
        for definition in registry
    }
    wanted |= {code: {"is_installed": False} for code in stored if code not in wanted}
    changed = []
    for code, values in wanted.items():
        module = stored.get(code)
        if module is not None and any(getattr(module, field) != value for field, value in values.items()):
            for field, value in values.items():
                setattr(module, field, value)
            changed.append(module)
    rows.bulk_create([model(code=code, **values) for code, values in wanted.items() if code not in stored])
    if changed:
        rows.bulk_update(changed, [*_MIRRORED, "is_installed"])


def mirror_after_migrate(*, using: str, apps: Apps = installed_apps, **kwargs: Any) -> None:
    """Mirror when migrate has run, unless it ran back to where there is no such table.

    apps: what migrate says it has migrated to; flush, which sends the same signal, says nothing.
    """
    try:
        apps.get_model("modules", "Module")
    except LookupError:
        return
    mirror(apps, using)
