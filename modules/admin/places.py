"""Where a request is: a module of a platform, looked up in scope, and what the asking person may do with it."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest
from django.urls import reverse

from modules import configs, selectors
from modules.definition import ModuleConfig, ModuleDefinition
from modules.models import PlatformModule
from modules.plans import RowState
from modules.registry import registry
from modules.selectors import ModuleStateRow
from modules.tables import row_state_of
from platforms import access
from platforms.access import Actor, Right
from platforms.models import Platform

RESTRICTED = "Only superusers switch or configure this module."


def address(page: str, platform: str, module: str) -> str:
    """Return the address of one of a module's pages: configure, switch_on, switch_off, reset, confirm or history."""
    return reverse(f"admin:modules_platformmodule_{page}", args=[platform, module])


def name_of(module: str) -> str:
    """Return what people call a module; its code where it is not installed."""
    definition = registry.get(module)
    return definition.name if definition else module


def linked(platform: str, module: str) -> dict[str, str]:
    """Return a module to be linked to."""
    return {"code": module, "name": name_of(module), "url": address("configure", platform, module)}


def is_theirs_to_switch(actor: Actor, definition: ModuleDefinition | None) -> bool:
    """Whether the module is one that the actor may switch where they may switch any; the service has the last word."""
    return definition is not None and not is_withheld(actor, definition)


def is_withheld(actor: Actor, definition: ModuleDefinition | None) -> bool:
    """Whether the module is kept from the actor, as restricted ones are from all but superusers."""
    return definition is not None and definition.is_restricted and not access.may_switch_restricted(actor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A module of a platform, as the asking person sees it.

    `may_switch` is the right on the platform; `may_edit` says that this very module is theirs to change, too.
    """

    actor: Actor
    platform: Platform
    module: str
    definition: ModuleDefinition | None
    state: ModuleStateRow
    setting: RowState
    may_switch: bool

    @property
    def may_edit(self) -> bool:
        """Whether the asking person may switch and configure the module."""
        return self.may_switch and is_theirs_to_switch(self.actor, self.definition)

    @property
    def is_withheld(self) -> bool:
        """Whether the module is kept from the asking person, whatever their right on the platform."""
        return is_withheld(self.actor, self.definition)

    @property
    def schema(self) -> type[ModuleConfig]:
        """The module's config schema; an empty one where it is not installed."""
        return self.definition.config if self.definition else ModuleConfig

    @property
    def has_settings(self) -> bool:
        """Whether there is anything to configure."""
        return bool(self.schema.model_fields)

    @property
    def is_configured(self) -> bool:
        """Whether anything was set, so that there is something to reset."""
        return bool(self.setting.config or self.setting.secrets)

    def url(self, page: str) -> str:
        """Return the address of one of the module's pages."""
        return address(page, self.platform.code, self.module)

    def values(self) -> configs.Config:
        """Return the effective config."""
        return self.state.effective_config


def find_platform(request: HttpRequest, code: str) -> Platform:
    """Return a platform that the asking person may see.

    Raises Http404 where it is missing or foreign, PermissionDenied for those who belong to it without seeing it.
    """
    try:
        return access.get(Actor.of(request), Platform.objects.all(), Right.VIEW, code=code)
    except Platform.DoesNotExist:
        raise Http404("No such platform.") from None


def find(request: HttpRequest, platform_code: str, module: str) -> Place:
    """Return where the request is. Raises Http404 for the missing or foreign, PermissionDenied as `find_platform`."""
    platform = find_platform(request, platform_code)
    actor = Actor.of(request)
    # Read once: what the page shows and what its digest stands for are one and the same.
    row = _row(platform, module)
    [state] = selectors.states_of_rows([row])
    return Place(
        actor=actor,
        platform=platform,
        module=module,
        definition=registry.get(module),
        state=state,
        setting=row_state_of(row),
        may_switch=access.may(actor, Right.SWITCH, platform),
    )


def _row(platform: Platform, module: str) -> PlatformModule:
    """Return the module's row on the platform; an unsaved one where there is none. Raises Http404."""
    row = selectors.stored_states().filter(platform=platform, module=module).first()
    if row is not None:
        row.platform = platform
        return row
    if module not in registry and not selectors.is_known(module):
        raise Http404("No such module.")
    return PlatformModule(platform=platform, module_id=module)


def trail(place: Place, *, last: str = "") -> list[dict[str, Any]]:
    """Return the breadcrumbs of a module's page."""
    crumbs = [
        {"text": "Platforms", "url": reverse("admin:platforms_platform_changelist")},
        {"text": place.platform.name, "url": reverse("admin:platforms_platform_change", args=[place.platform.pk])},
        {"text": place.state.name, "url": place.url("configure") if last else ""},
    ]
    return [*crumbs, {"text": last, "url": ""}] if last else crumbs
