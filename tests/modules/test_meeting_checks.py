"""Where modules meet, start-up says what cannot work."""

from typing import Any

import pytest

from modules.declarations import DeclarationError, EventType, Handler, Provider, Schedule
from modules.definition import DefinitionError, ModuleDefinition
from modules.meeting_checks import check_meeting, check_meetings
from modules.tasks import Task
from tests.modules.building import definition, registry_of
from tests.modules.listening import HERE, SOLD, post, shop

SOME = f"{HERE}.on_sold"
TASKS = [Task("post.write", print)]


def said(*definitions: ModuleDefinition, tasks: Any = ()) -> list[tuple[str | None, str]]:
    found = list(check_meeting(registry_of(*definitions), tasks))
    assert all(message.hint for message in found)
    return [(message.id, message.msg) for message in found]


def test_checks__as_installed__find_nothing() -> None:
    assert check_meetings(None) == []


def test_checks__everything_right__find_nothing() -> None:
    assert (
        said(
            shop(),
            post(
                "on_sold",
                on_enable=f"{HERE}.on_enable",
                schedules=(Schedule(task="post.write", cron="*/5 * * * *"),),
                provides=(Provider(port="notify", provider=SOME), Provider(port="health", provider=SOME)),
            ),
            definition("other", provides=(Provider(port="health", provider=SOME),)),
            definition("third", handlers=(Handler(event="modules.disabled", handler=SOME),)),
            tasks=TASKS,
        )
        == []
    )


def test_checks__event_that_nobody_emits__e009() -> None:
    assert said(post("on_sold")) == [
        ("modules.E009", "Module post handles the event shop.sold, which no installed module declares.")
    ]


def test_checks__event_or_task_of_another__e010() -> None:
    assert said(definition("post", events=(EventType(name=SOLD),)), tasks=[Task("gone.write", print)]) == [
        ("modules.E010", "Module post declares the event shop.sold, which is named for another."),
        ("modules.E010", "The task gone.write is named for the module gone, which is not installed."),
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"handlers": (Handler(event="modules.enabled", handler="no.such"),)},
            "Module post: the handler of modules.enabled, no.such, cannot be imported: No module named 'no'.",
        ),
        (
            {"on_disable": f"{HERE}.nothing"},
            f"Module post: the on_disable, {HERE}.nothing, cannot be imported: "
            f'Module "{HERE}" does not define a "nothing" attribute/class.',
        ),
        (
            {"provides": (Provider(port="notify", provider=f"{HERE}.SOLD"),)},
            f"Module post: the provider of notify, {HERE}.SOLD, is not a function.",
        ),
    ],
)
def test_checks__path_that_leads_nowhere__e011(fields: dict[str, Any], message: str) -> None:
    assert said(definition("post", **fields)) == [("modules.E011", message)]


def test_checks__port_unknown_or_provided_twice__e012() -> None:
    notify = (Provider(port="notify", provider=SOME),)
    assert said(
        definition("a", provides=notify),
        definition("b", provides=notify),
        definition("c", provides=(Provider(port="telepathy", provider=SOME),)),
    ) == [
        ("modules.E012", "Module c provides telepathy, which is no port."),
        ("modules.E012", "The port notify has more than one provider: a, b."),
    ]


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        (Schedule(task="post.gone", minutes=5), "post.gone is no task that is known"),
        (Schedule(task="shop.write", minutes=5), "shop.write is the task of another module"),
        (Schedule(task="post.write", cron="61 * * * *"), "post.write is due at '61 * * * *', which is no cron line"),
        (Schedule(task="post.write", cron="daily"), "post.write is due at 'daily', which is no cron line"),
    ],
)
def test_checks__schedule_that_is_never_due__e013(schedule: Schedule, problem: str) -> None:
    assert said(definition("post", schedules=(schedule,)), tasks=TASKS) == [
        ("modules.E013", f"Module post has a schedule: {problem}.")
    ]


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: EventType(name="sold"), "Event 'sold': name it by"),
        (lambda: EventType(name="Shop.sold"), "Event 'Shop.sold': name it by"),
        (lambda: EventType(name=SOLD, version=0), r"Event shop\.sold: versions start at 1\."),
        (lambda: Handler(event=SOLD, handler="on_sold"), r"Handler of shop\.sold: 'on_sold' is not a dotted path"),
        (lambda: Provider(port="notify", provider="post:notify"), "Provider of notify: 'post:notify' is not a dotted"),
        (lambda: Schedule(task="post.write"), r"Schedule of post\.write: say either cron or minutes\."),
        (lambda: Schedule(task="post.write", cron="* * * * *", minutes=1), "say either cron or minutes"),
        (lambda: Schedule(task="post.write", minutes=1441), "minutes go from 1 to 1440"),
        (lambda: Schedule(task="post.write", minutes=-1), "minutes go from 1 to 1440"),
        (lambda: Schedule(task="write", minutes=1), "Task 'write': name it by"),
        (lambda: EventType(name=f"{'s' * 50}.{'o' * 50}"), "at most 100 characters"),
        (lambda: Handler(event=SOLD, handler="a." + "b" * 200), "of at most 200 characters"),
        (lambda: definition("post", on_enable="enabled"), "Module post: on_enable: 'enabled' is not a dotted path"),
    ],
)
def test_declaration__that_could_never_work__is_refused_where_it_is_written(declare: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        declare()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"events": (EventType(name=SOLD), EventType(name=SOLD, version=2))}, "Module post declares a event twice."),
        ({"handlers": (Handler(event=SOLD, handler=SOME),) * 2}, "Module post declares a handler twice."),
        ({"schedules": (Schedule(task="post.write", minutes=1),) * 2}, "Module post declares a schedule twice."),
        ({"provides": (Provider(port="notify", provider=SOME),) * 2}, "Module post declares a provider twice."),
        ({"handlers": [Handler(event=SOLD, handler=SOME)]}, "Module post: handlers is a tuple, not a list."),
    ],
)
def test_definition__declarations_that_contradict_each_other__are_refused(fields: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        definition("post", **fields)
    assert str(refused.value) == message
