"""Whether what is stored keeps every rule: now, after every change there ever was, and as the record proves it."""

from collections.abc import Iterator

from django.apps import apps

from modules.models import PlatformModule
from modules.registry import registry
from modules.tables import Tables
from modules.verification import verify

_History = PlatformModule.history.model


def violations(states: Iterator[tuple[int, str]]) -> list[str]:
    """Return what is on without what it needs, of (platform, module that is on)."""
    on: dict[int, set[str]] = {}
    for platform, module in states:
        on.setdefault(platform, set()).add(module)
    return [
        f"{module} is on without {required} on platform {platform}"
        for platform, modules in on.items()
        for module in modules
        for required in registry.requirements_of(module)
        if required not in modules and not registry[required].is_core
    ]


def broken_now() -> list[str]:
    """Return what is broken at this moment: one statement sees one moment."""
    rows = PlatformModule.objects.filter(is_enabled=True).order_by("pk").values_list("platform_id", "module_id")
    return violations(rows.iterator())


def broken_ever() -> list[str]:
    """Return what was broken after any change: the states that were committed, one after the other."""
    found: list[str] = []
    on: dict[int, set[str]] = {}
    rows = _History.objects.order_by("platform_id", "change_number").values_list(
        "platform_id", "change_number", "module_id", "is_enabled"
    )
    last = (0, 0)
    for platform, number, module, is_enabled in [*rows, (0, 0, "", False)]:
        if last not in ((0, 0), (platform, number)):
            found += violations((last[0], module) for module in on[last[0]])
        last = (platform, number)
        own = on.setdefault(platform, set())
        own.add(module) if is_enabled else own.discard(module)
    return found


def differences() -> list[str]:
    """Return where what is stored is not what the record says, a line for each platform of which that is so."""
    return [str(verdict.difference) for verdict in verify(Tables.of(apps)) if verdict.difference is not None]


def assert_whole() -> None:
    """Fail where a rule is broken now, or the record does not say what is stored. Others may go on writing."""
    assert broken_now() == []
    assert differences() == []
