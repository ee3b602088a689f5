"""What the modules that are on contribute to the menus of a platform's staff and vendors."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from django.db import transaction
from django.urls import reverse

from modules import gate
from modules.models import PlatformMenu
from modules.permissions import Audience, right_for
from modules.registry import registry
from platforms.access import Actor, Right
from platforms.models import Platform, User


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuLine:
    """A line of a menu; `path` is the page of the admin that it leads to, None where there is none."""

    key: str
    label: str
    module: str
    path: str | None = None


def lines(
    platform: Platform, audience: Audience, granted: Callable[[Right], bool], hidden: Collection[str]
) -> list[MenuLine]:
    """Return the lines that the modules which are on have for somebody, in the order of the modules.

    granted: whether that person has a right there; asked once for each right. hidden: keys of lines to leave out, as
    `hidden_items()` has them. No query, once the gate is warm.
    """
    state = gate.state_of(platform)
    answers: dict[Right, bool] = {}
    found = []
    for definition in registry:
        if not state.is_enabled(definition.code):
            continue
        features = state.features(definition.code)
        for item in definition.menu:
            if audience not in item.audiences or item.key in hidden:
                continue
            if item.feature is not None and item.feature not in features:
                continue
            right = right_for(definition.code, item.permission, audience)
            if right not in answers:
                answers[right] = granted(right)
            if answers[right]:
                path = reverse(item.page) if item.page is not None and audience == "staff" else None
                found.append(MenuLine(key=item.key, label=item.label, module=definition.code, path=path))
    return found


def known_items() -> frozenset[str]:
    """Return the keys of all lines that installed modules have."""
    return frozenset(item.key for definition in registry for item in definition.menu)


def hidden_items(platform: Platform) -> list[str]:
    """Return the keys of the lines that the platform hides. One query."""
    return list(PlatformMenu.objects.filter(platform=platform).values_list("hidden", flat=True).first() or ())


@transaction.atomic
def hide(*, platform: Platform, items: Iterable[str], actor: Actor, reason: str = "") -> list[str]:
    """Have the platform hide these lines and no others; return them in order. The row's history says who and why.

    The caller holds the platform's lock, and has made sure that every line is known. What is so already writes nothing.
    """
    wanted = sorted(set(items))
    row = PlatformMenu.objects.filter(platform=platform).first() or PlatformMenu(platform=platform)
    if row.hidden != wanted:
        row.hidden = wanted
        # As simple-history takes them.
        row._history_user = actor.user if isinstance(actor.user, User) else None  # type: ignore[attr-defined]
        row._change_reason = reason or None  # type: ignore[attr-defined]
        row.full_clean(exclude=["platform"])
        row.save()
    return wanted
