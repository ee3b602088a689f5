"""How a module says where it meets the others: events, handlers, schedules, what it provides. Plain data: no Django.

Dotted paths are resolved when they are first needed, so that no circle arises; the system checks say which lead
nowhere.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# As long as the tables take them.
MAX_NAME = 100
MAX_PATH = 200
# A module's code, a dot, and a word or more: `billing.invoice_paid`. Of events and of tasks.
_NAME = re.compile(r"\A[a-z][a-z0-9_]{0,49}(?:\.[a-z][a-z0-9_]{0,49}){1,2}\Z")
_PATH = re.compile(r"\A[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\Z")


class DeclarationError(ValueError):
    """A declaration that could never work, refused where it is written."""


def _refuse_name(name: str, what: str) -> None:
    if not _NAME.match(name) or len(name) > MAX_NAME:
        raise DeclarationError(
            f"{what} {name!r}: name it by the module's code, a dot and a word, as in billing.invoice_paid; at most "
            f"{MAX_NAME} characters."
        )


def _refuse_path(path: str, what: str) -> None:
    if not _PATH.match(path) or len(path) > MAX_PATH:
        raise DeclarationError(
            f"{what}: {path!r} is not a dotted path, such as billing.handlers.on_paid, of at most {MAX_PATH} "
            "characters."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """An event that a module emits. `version` goes up when its data would read differently."""

    name: str
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse a name that no event could have."""
        _refuse_name(self.name, "Event")
        if self.version < 1:
            raise DeclarationError(f"Event {self.name}: versions start at 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """Who is told of an event: `handler` is the dotted path of a function that takes the event."""

    event: str
    handler: str

    def __post_init__(self) -> None:
        """Refuse what names no event or no function."""
        _refuse_name(self.event, "Event")
        _refuse_path(self.handler, f"Handler of {self.event}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A task that is due again and again: at the times of a cron line (UTC), or every so many minutes.

    It runs once for every active platform on which the module is on, or, with `each_platform=False`, once.
    """

    task: str
    cron: str = ""
    minutes: int = 0
    each_platform: bool = True

    def __post_init__(self) -> None:
        """Refuse what says not when, or says it twice."""
        _refuse_name(self.task, "Task")
        if bool(self.cron) == bool(self.minutes):
            raise DeclarationError(f"Schedule of {self.task}: say either cron or minutes.")
        if not 0 <= self.minutes <= 24 * 60:
            raise DeclarationError(f"Schedule of {self.task}: minutes go from 1 to 1440; beyond that use cron.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What a module provides to the others: `provider` is the dotted path of the function that serves the port."""

    port: str
    provider: str

    def __post_init__(self) -> None:
        """Refuse what names no function."""
        _refuse_path(self.provider, f"Provider of {self.port}")


def refusals(
    code: str,
    events: tuple[EventType, ...],
    handlers: tuple[Handler, ...],
    schedules: tuple[Schedule, ...],
    provides: tuple[Provider, ...],
    hooks: Mapping[str, str | None],
) -> Iterator[str]:
    """Yield what is wrong with a module's declarations as far as they say it themselves."""
    for what, path in hooks.items():
        if path is not None:
            _refuse_path(path, f"Module {code}: {what}")
    for what, declared in (
        ("events", events),
        ("handlers", handlers),
        ("schedules", schedules),
        ("provides", provides),
    ):
        if not isinstance(declared, tuple):
            yield f"Module {code}: {what} is a tuple, not a {type(declared).__name__}."
            return
    for kind, said in (
        ("event", [event.name for event in events]),
        ("handler", [(handler.event, handler.handler) for handler in handlers]),
        ("schedule", [schedule.task for schedule in schedules]),
        ("provider", [provider.port for provider in provides]),
    ):
        if len(set(said)) != len(said):
            yield f"Module {code} declares a {kind} twice."


# What the heart itself emits, with every change of a platform's modules: data {"module", "keys"}, the names of the
# settings that were set. The prefix is reserved, so that no module's code is the same.
HEART = "modules"
ENABLED = EventType(name="modules.enabled")
DISABLED = EventType(name="modules.disabled")
CONFIGURED = EventType(name="modules.configured")
HEART_EVENTS = (ENABLED, DISABLED, CONFIGURED)
