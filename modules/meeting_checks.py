"""Where modules meet the wiring is sound: events, handlers, hooks, tasks, schedules, ports.

E009 an event that nobody emits is handled, E010 event or task named outside of the module's own prefix, E011 dotted
path that leads nowhere, E012 unknown port or one with two providers, E013 schedule of an unknown task or at no time.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from croniter import croniter
from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from modules import events, ports, tasks
from modules.declarations import HEART
from modules.definition import ModuleDefinition
from modules.registry import ModuleRegistry, registry
from modules.tasks import Task


def check_meeting(modules: ModuleRegistry, known_tasks: Iterable[Task]) -> Iterator[CheckMessage]:
    """Yield what is wrong with what the modules of a registry, and their tasks, are to each other."""
    emitted = events.event_types(modules)
    named = {task.name: task for task in known_tasks}
    for definition in modules:
        yield from _events_of(definition, emitted.keys())
        yield from _paths_of(definition)
        yield from _schedules_of(definition, named.keys())
        for offer in definition.provides:
            if offer.port not in ports.SINGLE_PORTS | ports.COLLECTING_PORTS:
                yield Error(
                    f"Module {definition.code} provides {offer.port}, which is no port.",
                    hint=f"The ports are {', '.join(sorted(ports.SINGLE_PORTS | ports.COLLECTING_PORTS))}.",
                    obj=_where(definition),
                    id="modules.E012",
                )
    for port in sorted(ports.SINGLE_PORTS):
        providers = [one.code for one in modules if any(offer.port == port for offer in one.provides)]
        if len(providers) > 1:
            yield Error(
                f"The port {port} has more than one provider: {', '.join(providers)}.",
                hint="Uninstall all but one of them. Until then the first that is on serves it.",
                obj=port,
                id="modules.E012",
            )
    for task in named.values():
        if task.module != HEART and task.module not in modules:
            yield Error(
                f"The task {task.name} is named for the module {task.module}, which is not installed.",
                hint="Name it by the code of the module that it belongs to, a dot and a word.",
                obj=task.name,
                id="modules.E010",
            )


def _events_of(definition: ModuleDefinition, emitted: Iterable[str]) -> Iterator[CheckMessage]:
    for kind in definition.events:
        if not kind.name.startswith(f"{definition.code}."):
            yield Error(
                f"Module {definition.code} declares the event {kind.name}, which is named for another.",
                hint=f"Let its name start with {definition.code} and a dot.",
                obj=_where(definition),
                id="modules.E010",
            )
    for handler in definition.handlers:
        if handler.event not in emitted:
            yield Error(
                f"Module {definition.code} handles the event {handler.event}, which no installed module declares.",
                hint="Correct the name, or install the module that emits it. An event is declared in `events`.",
                obj=_where(definition),
                id="modules.E009",
            )


def _paths_of(definition: ModuleDefinition) -> Iterator[CheckMessage]:
    said = [(f"handler of {one.event}", one.handler) for one in definition.handlers]
    said += [(f"provider of {one.port}", one.provider) for one in definition.provides]
    said += [("on_enable", definition.on_enable or ""), ("on_disable", definition.on_disable or "")]
    for what, path in said:
        if path and (problem := _problem_with(path)):
            yield Error(
                f"Module {definition.code}: the {what}, {path}, {problem}.",
                hint="Name a function by the dotted path of its file and its name.",
                obj=_where(definition),
                id="modules.E011",
            )


def _problem_with(path: str) -> str:
    try:
        found: Any = import_string(path)
    except ImportError as error:
        return f"cannot be imported: {error}".rstrip(".")
    return "" if callable(found) else "is not a function"


def _schedules_of(definition: ModuleDefinition, named: Iterable[str]) -> Iterator[CheckMessage]:
    for schedule in definition.schedules:
        problem = ""
        if not schedule.task.startswith(f"{definition.code}."):
            problem = "is the task of another module"
        elif schedule.task not in named:
            problem = "is no task that is known"
        elif schedule.cron and not croniter.is_valid(schedule.cron):
            problem = f"is due at {schedule.cron!r}, which is no cron line"
        if problem:
            yield Error(
                f"Module {definition.code} has a schedule: {schedule.task} {problem}.",
                hint=f"Register it in {definition.code}.tasks, and say when by five cron fields or by minutes.",
                obj=_where(definition),
                id="modules.E013",
            )


def _where(definition: ModuleDefinition) -> str:
    return f"{definition.code} (definition.py)"


def check_meetings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check the one registry, and the tasks that were found."""
    return list(check_meeting(registry, tasks.all_tasks()))
