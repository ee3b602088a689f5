"""The one way to have something done in the background: `enqueue()`.

A task is called at least once: a worker may die after its work and before it is noted, so a task is idempotent. What is
enqueued in a transaction is there when that commits, and is gone with it when it does not.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import mail_admins as send_to_admins

from modules import gate, work
from modules.declarations import HEART, MAX_NAME
from modules.registry import registry
from modules.work import Skip
from modules.work_models import MAX_KEY, TaskRun
from platforms.models import Platform

_BATCH = 500
# How long a task that was stopped by its time-out may still take to say so.
_GRACE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Task:
    """A function with a name that stays when the function moves. A duty runs also where its module is off.

    It is called with `platform`, which is None for a run on none, and the arguments that were enqueued. Whatever it
    raises counts as a failure, and it is called again later.
    """

    name: str
    function: Callable[..., None]
    is_duty: bool = False

    @property
    def module(self) -> str:
        """The code of the module whose task it is."""
        return self.name.partition(".")[0]


_tasks: dict[str, Task] = {}


def task(name: str, *, is_duty: bool = False) -> Callable[[Callable[..., None]], Task]:
    """Register the decorated function as a task of the module that the name starts with, e.g. `billing.remind`.

    is_duty: runs also on platforms where the module is off: privacy and retention. Raises ValueError where another
    function has the name, or it is too long.
    """
    if len(name) > MAX_NAME:
        raise ValueError(f"Task {name}: a name has at most {MAX_NAME} characters.")

    def register(function: Callable[..., None]) -> Task:
        made = Task(name=name, function=function, is_duty=is_duty)
        if _tasks.setdefault(name, made) is not made:
            raise ValueError(f"Two tasks are called {name}.")
        return made

    return register


@contextmanager
def task_temporarily(function: Callable[..., None], name: str, *, is_duty: bool = False) -> Iterator[Task]:
    """Have a task for the length of a `with` block."""
    made = task(name, is_duty=is_duty)(function)
    try:
        yield made
    finally:
        del _tasks[name]


def all_tasks() -> list[Task]:
    """Return every registered task, by name."""
    return [_tasks[name] for name in sorted(_tasks)]


def find(name: str) -> Task:
    """Return the task of this name. Raises LookupError where no installed module has it."""
    try:
        return _tasks[name]
    except KeyError:
        raise LookupError(f"There is no task {name}.") from None


def enqueue(task: Task, *, platform: Platform | None = None, key: str | None = None, **arguments: Any) -> None:
    """Have a task done in the background, on a platform or on none, once the transaction is committed.

    key: makes it the only one: with the same task, platform and key nothing more is enqueued for as long as the first
    is kept. arguments: what JSON gives back as it was, so lists and no tuples, and no objects; ids, not people.

    Raises TypeError for other arguments, and ValueError for a key of more than 200 characters.
    """
    enqueue_on(task, [platform], key=key, **arguments)


def enqueue_on(task: Task, platforms: Iterable[Platform | None], *, key: str | None = None, **arguments: Any) -> None:
    """Have a task done on each of these platforms, as `enqueue` does it for one; a statement for every 500."""
    try:
        is_plain = json.loads(json.dumps(arguments, allow_nan=False)) == arguments
    except ValueError:
        is_plain = False
    if not is_plain:
        raise TypeError(
            f"Task {task.name}: its arguments are names, numbers and lists that JSON gives back as they were."
        )
    if len(key or "") > MAX_KEY:
        raise ValueError(f"Task {task.name}: a key has at most {MAX_KEY} characters.")
    runs = [TaskRun(task=task.name, platform=platform, key=key or "", arguments=arguments) for platform in platforms]
    TaskRun.objects.bulk_create(runs, batch_size=_BATCH, ignore_conflicts=key is not None)
    work.hint(TaskRun, (run.pk for run in runs))


def perform(key: Any) -> None:
    """Do one run, if it is due and nobody else has it; note how it went. Never raises for what the task did."""
    run = work.take(TaskRun, key, _lease)
    if run is None:
        return
    with work.noted(run):
        task, platform = _admitted(run)
        task.function(platform=platform, **run.arguments)
        work.done(run)


def _lease(attempts: int) -> timedelta:
    """Return for how long a run is its worker's: longer than any task is let run."""
    return timedelta(seconds=settings.Q_CLUSTER["timeout"]) + _GRACE


def _admitted(run: TaskRun) -> tuple[Task, Platform | None]:
    """Return task and platform of a run that is to be done. Raises Skip for one that is not."""
    try:
        task = find(run.task)
    except LookupError as error:
        raise Skip(str(error)) from None
    platform = work.platform_of(run.platform_id)
    if task.module != HEART and task.module not in registry:
        raise Skip(f"The module {task.module} is not installed.")
    is_free = task.is_duty or task.module == HEART
    if platform is not None and not is_free and not gate.is_enabled(platform, task.module):
        raise Skip(f"The module {task.module} is off on {platform.code}.")
    return task, platform


@task("modules.mail_admins")
def mail_admins(*, platform: Platform | None, subject: str, body: str) -> None:
    """Write to the people in ADMINS; a mail server that is down is tried again."""
    send_to_admins(subject, body)
