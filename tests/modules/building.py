"""Definitions and origins that the tests of the heart build by hand."""

from typing import Any

from modules import services
from modules.definition import ModuleDefinition
from modules.models import Change, PlatformModule
from modules.registry import ModuleRegistry
from modules.services import Origin
from platforms.models import Platform, User


def definition(code: str, *requires: str, **fields: Any) -> ModuleDefinition:
    """Return a definition of which only what matters to the test is said."""
    return ModuleDefinition(
        **{"code": code, "name": code.title(), "description": "", "version": "1.0", "requires": requires} | fields
    )


def registry_of(*definitions: ModuleDefinition) -> ModuleRegistry:
    """Return a registry of just these."""
    built = ModuleRegistry()
    for one in definitions:
        built.register(one)
    return built


def origin(user: User | None = None, **fields: Any) -> Origin:
    """Return where a change comes from: a superuser's request in the admin, unless the test says otherwise."""
    known = {"actor_id": user.pk if user else None, "actor_label": user.username if user else "tests"}
    return Origin(**known | {"may_switch_restricted": True, "source": "admin"} | fields)


def enable(platform: Platform, *codes: str, **fields: Any) -> None:
    """Switch these modules on, one change each."""
    for code in codes:
        services.enable(platform=platform, module=code, origin=origin(**fields))


def everything_written() -> dict[str, list[Any]]:
    """Return every row that a change writes, so that two moments can be compared."""
    return {
        "rows": list(PlatformModule.objects.order_by("pk").values()),
        "history": list(PlatformModule.history.model.objects.order_by("pk").values()),
        "changes": list(Change.objects.order_by("pk").values()),
        "revisions": list(Platform.objects.order_by("pk").values_list("pk", "revision")),
    }


def row_of(platform: Platform, module: str) -> PlatformModule:
    """Return the row of a platform's module as it is now."""
    return PlatformModule.objects.get(platform=platform, module=module)


def module_states(platform: Platform) -> dict[str, bool]:
    """Return what the platform's rows say: module code → on."""
    return dict(PlatformModule.objects.filter(platform=platform).values_list("module", "is_enabled"))
