"""How the admin puts states, steps and changes: the words and links that its templates print."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from modules.admin.places import address, is_theirs_to_switch, linked, name_of
from modules.config_fields import shown
from modules.differences import Difference
from modules.models import Change, PlatformModule
from modules.plans import REQUESTED, Action, Blocker, Plan, Step
from modules.registry import registry
from modules.selectors import HistoryEntry, ModuleStateRow
from platforms.access import Actor
from platforms.admin_displays import pill
from platforms.models import Platform, User

TO_DO = {
    Action.ENABLE: "Switch on {}",
    Action.DISABLE: "Switch off {}",
    Action.CONFIGURE: "Configure {}",
    Action.RESET: "Reset {} to its defaults",
    Action.DELETE: "Delete {}",
}
DONE = {
    Action.ENABLE: "{} switched on",
    Action.DISABLE: "{} switched off",
    Action.CONFIGURE: "{} configured",
    Action.RESET: "{} reset to its defaults",
    Action.DELETE: "{} deleted",
}


def state_pill(module: str, *, is_enabled: bool) -> SafeString:
    """Return how a module stands as a pill."""
    definition = registry.get(module)
    if definition is None:
        return pill("unknown", "Unknown")
    if definition.is_core:
        return pill("core", "Core")
    return pill("on", "On") if is_enabled else pill("off", "Off")


def cause_text(cause: str) -> str:
    """Return a step's cause with the module's name in it: `required by billing` → required by Billing."""
    words, _, code = cause.rpartition(" ")
    return f"{words} {name_of(code)}" if words and code in registry else cause


def steps_to_do(plan: Plan) -> list[dict[str, str]]:
    """Return what a plan would do, step by step, each with its cause."""
    return [
        {"what": TO_DO[step.action].format(name_of(step.module)), "why": _why(step.cause), "action": str(step.action)}
        for step in plan.steps
    ]


def _why(cause: str) -> str:
    return "You asked for it" if cause == REQUESTED else cause_text(cause)


def steps_done(steps: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return what a change did, step by step; a cause only where it was not simply asked for."""
    found = []
    for step in steps:
        action, code = step["action"], step["module"]
        text = DONE[Action(action)] if action in set(Action) else f"{{}}: {action}"
        cause = step.get("cause", "")
        found.append({"what": text.format(name_of(code)), "why": "" if cause == REQUESTED else cause_text(cause)})
    return found


def blockers(plan: Plan) -> list[dict[str, Any]]:
    """Return what stands in the way of a plan, with the module to look at."""
    return [_blocker(blocker, plan.platform) for blocker in plan.blockers]


def _blocker(blocker: Blocker, platform: str) -> dict[str, Any]:
    other = blocker.by if blocker.by in registry else None
    return {"detail": blocker.detail, "code": str(blocker.code), "link": linked(platform, other) if other else None}


def steps_text(steps: Iterable[Step | Mapping[str, str]]) -> str:
    """Return what steps did in one line."""
    plain = [step.as_json() if isinstance(step, Step) else step for step in steps]
    return ", ".join(step["what"] for step in steps_done(plain))


def change_link(change: Change) -> SafeString:
    """Return a link to a change's page."""
    return format_html(
        '<a href="{}">change {}</a>', reverse("admin:modules_change_change", args=[change.pk]), change.number
    )


def success(platform: Platform, change: Change) -> SafeString:
    """Return what to tell people about a change that was made."""
    return format_html("{}: {} ({}).", platform.name, steps_text(change.steps), change_link(change))


def change_line(change: Change) -> dict[str, Any]:
    """Return a change as timelines show it."""
    return {
        "change": change,
        "number": change.number,
        "url": reverse("admin:modules_change_change", args=[change.pk]),
        "at": change.at,
        "actor": change.actor_label,
        "source": change.get_source_display(),
        "reason": change.reason,
        "undoes": change.undoes,
        "steps": steps_done(change.steps),
    }


def module_line(row: ModuleStateRow, actor: Actor, *, may_switch: bool) -> dict[str, Any]:
    """Return a module as a platform's list of modules shows it, with what the actor may do with it."""
    definition = registry.get(row.module)
    return {
        "code": row.module,
        "name": row.name,
        "description": definition.description if definition else "No longer installed. What it was set to is kept.",
        "pill": state_pill(row.module, is_enabled=row.is_enabled),
        "is_restricted": definition is not None and definition.is_restricted,
        **since(row),
        "requires": [linked(row.platform, code) for code in row.requires],
        "required_by": [linked(row.platform, code) for code in row.required_by],
        "is_enabled": row.is_enabled,
        "may_switch": may_switch and not row.is_core and is_theirs_to_switch(actor, definition),
        "may_edit": may_switch and is_theirs_to_switch(actor, definition),
        "has_settings": definition is not None and bool(definition.config.model_fields),
        "urls": {
            page: address(page, row.platform, row.module)
            for page in ("configure", "switch_on", "switch_off", "history")
        },
    }


def since(row: ModuleStateRow | PlatformModule) -> dict[str, Any]:
    """Return since when a module is as it is, and by whom, where anybody ever switched it."""
    at: datetime | None = row.enabled_at if row.is_enabled else row.disabled_at
    by: User | AnonymousUser | str | None = row.enabled_by if row.is_enabled else row.disabled_by
    return {"since": at, "by": str(by) if by and at else ""}


def history_line(entry: HistoryEntry) -> dict[str, Any]:
    """Return a version as the history shows it."""
    definition = registry.get(entry.module)
    is_core = definition is not None and definition.is_core
    return {
        "entry": entry,
        "module": name_of(entry.module),
        "state": "" if is_core else "on" if entry.is_enabled else "off",
        "source": Change.Source(entry.source).label if entry.source else "",
        "diff": difference_lines(entry.diff),
    }


def difference_lines(differences: Iterable[Difference]) -> list[dict[str, str]]:
    """Return differences as a table shows them, a key a line."""
    return [
        {"key": key_text(item.key), "old": value_text(item.key, item.old), "new": value_text(item.key, item.new)}
        for item in differences
    ]


def key_text(key: str) -> str:
    """Return what people call a key of a state."""
    return "state" if key == "is_enabled" else key.removeprefix("config.")


def value_text(key: str, value: Any) -> str:
    """Return one side of a difference: of a secret its fingerprint only, which is all that history has."""
    if key == "is_enabled":
        return "" if value is None else "on" if value else "off"
    if key.startswith("secrets."):
        return f"fingerprint {value}" if value else "not set"
    return "default" if value is None else shown(value) or "empty"


def moment(at: datetime) -> SafeString:
    """Return a time for a cell of a list."""
    text = date_format(localtime(at), "j M Y, H:i")
    return format_html('<time class="nowrap" datetime="{}">{}</time>', at.isoformat(), text)
