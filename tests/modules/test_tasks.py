"""Tasks are done in the background, at least once, where their module is on."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.models import Task as QueueTask
from django_q.scheduler import scheduler
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from modules import services, tasks, work, worker
from modules.declarations import Schedule as Declared
from modules.models import TaskRun
from modules.registry import registry
from modules.schedules import mirror_schedules
from modules.tasks import Task, enqueue, enqueue_on, task_temporarily
from platforms.access import Actor
from platforms.models import IdempotentAnswer, Platform, RequestCount, User
from platforms.services import delete_platform
from tests.factories import PlatformFactory
from tests.fixtures.module_fixtures import Install
from tests.modules import listening
from tests.modules.building import definition, enable, origin
from tests.modules.listening import Broken, effects, note, post

pytestmark = pytest.mark.django_db


def write(*, platform: Platform | None, word: str = "letter", **arguments: Any) -> None:
    note(platform or Platform.objects.get(code="kestrel"), f"{word} {sorted(arguments.items())}" if arguments else word)


@pytest.fixture
def letter() -> Iterator[Task]:
    """A task of the module `post`."""
    listening.failing.clear()
    with task_temporarily(write, "post.write") as made:
        yield made


@pytest.fixture
def on(install: Install, platform: Platform) -> Platform:
    """A platform on which the module `post` is on."""
    install(post())
    enable(platform, "post")
    return platform


def states() -> list[tuple[str, int, str]]:
    return list(TaskRun.objects.order_by("created_at").values_list("state", "attempts", "note"))


def time_passes() -> None:
    TaskRun.objects.filter(state="waiting").update(due_at=timezone.now())


# --- Enqueuing ------------------------------------------------------------------------------------------------------


def test_enqueue__task__is_done_once_by_whoever_comes_first(letter: Task, on: Platform) -> None:
    enqueue(letter, platform=on, word="card", copies=[1, 2])
    run = TaskRun.objects.get()
    worker.work_off("TaskRun", [str(run.pk)])
    worker.sweep()
    assert effects() == ["card [('copies', [1, 2])]"]
    assert states() == [("done", 1, "")]


@pytest.mark.django_db(transaction=True)
def test_enqueue__rolled_back__leaves_no_task_and_no_hint(letter: Task, platform: Platform) -> None:
    with transaction.atomic():
        enqueue(letter, platform=platform)
        assert TaskRun.objects.count() == 1
        transaction.set_rollback(True)
    assert (TaskRun.objects.count(), OrmQ.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_enqueue__outside_a_transaction__is_hinted_at_once_by_names_only(letter: Task, platform: Platform) -> None:
    enqueue(letter, platform=platform, word="card")
    [message] = OrmQ.objects.all()
    assert (message.task["func"], message.task["args"]) == (
        "modules.worker.work_off",
        ("TaskRun", [str(TaskRun.objects.get().pk)]),
    )


def test_enqueue__same_key__is_there_once_for_each_platform(letter: Task, on: Platform) -> None:
    for platform in (on, on, PlatformFactory(), None, None):
        enqueue(letter, platform=platform, key="march")
    enqueue(letter, platform=on, key="april")
    enqueue(letter, platform=on)
    enqueue(letter, platform=on)
    assert TaskRun.objects.filter(key="march").count() == 3
    assert TaskRun.objects.count() == 6
    worker.sweep()
    enqueue(letter, platform=on, key="march")
    assert TaskRun.objects.count() == 6


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1: 2}, {"a"}, b"x", float("nan"), object(), timezone.now()],
    ids=lambda value: type(value).__name__,
)
def test_enqueue__what_json_does_not_give_back__is_refused(letter: Task, platform: Platform, value: Any) -> None:
    with pytest.raises(TypeError):
        enqueue(letter, platform=platform, value=value)
    assert not TaskRun.objects.exists()


def test_enqueue__key_too_long__is_refused(letter: Task, platform: Platform) -> None:
    with pytest.raises(ValueError, match="at most 200 characters"):
        enqueue(letter, platform=platform, key="k" * 201)
    assert not TaskRun.objects.exists()


def test_enqueue_on__many_platforms__is_one_statement(
    letter: Task, platform: Platform, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    platforms = [platform, *PlatformFactory.create_batch(50)]
    with django_assert_num_queries(1):
        enqueue_on(letter, platforms)
    assert TaskRun.objects.count() == 51


def test_task__two_of_one_name__are_refused(letter: Task) -> None:
    with pytest.raises(ValueError, match=r"Two tasks are called post\.write\."):
        tasks.task("post.write")(write)
    assert tasks.find("post.write") is letter


# --- Doing ----------------------------------------------------------------------------------------------------------


def test_run__raises__is_tried_again_later_and_keeps_what_it_wrote(letter: Task, on: Platform) -> None:
    enqueue(letter, platform=on)
    listening.failing += [Broken("no stamp")]
    before = timezone.now()
    worker.sweep()
    assert states() == [("waiting", 1, "Broken: no stamp")]
    assert timedelta(seconds=29) < TaskRun.objects.get().due_at - before < timedelta(seconds=40)
    time_passes()
    worker.sweep()
    assert states() == [("done", 2, "")]
    # At least once: no transaction is wrapped around a task, so it has to be idempotent by itself.
    assert effects() == ["letter", "letter"]


def test_run__fails_every_time__has_failed_until_it_is_retried(letter: Task, on: Platform, settings: Settings) -> None:
    settings.TASK_ATTEMPTS, settings.TASK_BACKOFF_SECONDS = 2, 0
    enqueue(letter, platform=on)
    listening.failing += [Broken("one"), Broken("two")]
    worker.sweep()
    assert states() == [("failed", 2, "Broken: two")]
    assert work.retry(TaskRun, TaskRun.objects.all()) == 1
    worker.sweep()
    assert states() == [("done", 1, "")]


def test_run__taken_and_never_heard_of__is_due_again_after_the_longest_time_a_task_may_take(
    letter: Task, on: Platform
) -> None:
    enqueue(letter, platform=on)
    before = timezone.now()
    taken = work.take(TaskRun, TaskRun.objects.get().pk, tasks._lease)
    assert taken is not None
    assert (taken.due_at - before).total_seconds() > django_settings.Q_CLUSTER["timeout"]
    worker.sweep()
    assert effects() == []
    time_passes()
    worker.sweep()
    assert effects() == ["letter"]


def test_run__module_off__is_dark_and_recorded(letter: Task, on: Platform) -> None:
    services.disable(platform=on, module="post", origin=origin())
    enqueue(letter, platform=on)
    worker.sweep()
    enable(on, "post")
    worker.sweep()
    assert effects() == []
    assert states() == [("skipped", 1, f"The module post is off on {on.code}.")]
    enqueue(letter, platform=on)
    worker.sweep()
    assert effects() == ["letter"]


def test_run__duty_of_a_module_that_is_off__is_done(install: Install, platform: Platform) -> None:
    install(post())
    with task_temporarily(write, "post.forget", is_duty=True) as duty:
        enqueue(duty, platform=platform)
        worker.sweep()
    assert effects() == ["letter"]


def test_run__platform_gone__is_dropped_and_said(
    letter: Task, on: Platform, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    enqueue(letter, platform=on)
    delete_platform(platform=on, actor=Actor(ann), source="admin")
    with caplog.at_level("INFO", "modules.work"):
        worker.sweep()
    assert states() == [("skipped", 1, "The platform is gone.")]
    assert "TaskRun post.write skipped: The platform is gone." in caplog.text


def test_run__module_or_task_uninstalled__is_skipped(letter: Task, platform: Platform) -> None:
    enqueue(letter, platform=platform)
    worker.sweep()
    assert states() == [("skipped", 1, "The module post is not installed.")]
    with task_temporarily(write, "post.other") as gone:
        enqueue(gone, platform=platform)
    worker.sweep()
    assert states()[1] == ("skipped", 1, "There is no task post.other.")


def test_run__on_no_platform__asks_no_gate(letter: Task, install: Install, platform: Platform) -> None:
    install(post())
    enqueue(letter)
    worker.sweep()
    assert effects() == ["letter"]


def test_run__stopped_by_its_time_out__counts_and_is_passed_on(install: Install, on: Platform) -> None:
    def endless(*, platform: Platform | None) -> None:
        raise SystemExit("too long")

    with task_temporarily(endless, "post.endless") as task:
        enqueue(task, platform=on)
        with pytest.raises(SystemExit):
            worker.sweep()
    assert states() == [("waiting", 1, "SystemExit: too long")]


def test_sweep__time_is_up__leaves_the_rest_for_the_next(letter: Task, on: Platform) -> None:
    enqueue_on(letter, [on] * 5)
    assert work.sweep(TaskRun, tasks.perform, 0) == 0
    assert work.sweep(TaskRun, tasks.perform, 60) == 5
    assert TaskRun.objects.filter(state="done").count() == 5


def test_mail_admins__task_of_the_heart__writes(platform: Platform, settings: Settings) -> None:
    settings.ADMINS = [("Root", "root@example.com")]
    enqueue(tasks.mail_admins, platform=platform, subject="Fire", body="In the kitchen")
    worker.sweep()
    [sent] = mail.outbox
    assert (sent.to, sent.subject, sent.body) == (["root@example.com"], "[Django] Fire", "In the kitchen")


def test_prune__old_runs__go_unless_they_wait_or_failed(letter: Task, on: Platform, settings: Settings) -> None:
    enqueue_on(letter, [on] * 5)
    keys = list(TaskRun.objects.order_by("pk").values_list("pk", flat=True))
    for key, state in zip(keys, ("done", "skipped", "failed", "waiting", "done"), strict=True):
        TaskRun.objects.filter(pk=key).update(state=state)
    long_ago = timezone.now() - timedelta(days=settings.WORK_KEPT_DAYS, minutes=1)
    TaskRun.objects.exclude(pk=keys[4]).update(created_at=long_ago)
    QueueTask.objects.create(id="a", name="a", func="f", started=long_ago, stopped=long_ago, success=False)
    worker.prune()
    assert list(TaskRun.objects.order_by("pk").values_list("pk", flat=True)) == keys[2:]
    assert not QueueTask.objects.exists()


def test_purge__answers_and_counts_that_are_over__go(db: None) -> None:
    day = timedelta(hours=IdempotentAnswer.HOURS_KEPT)
    for digest, at in (("old", timezone.now() - day), ("new", timezone.now())):
        IdempotentAnswer.objects.create(digest=digest, fingerprint="f", answer="a", created_at=at)
        RequestCount.objects.create(key=digest, hits=1, ends_at=int((at + timedelta(minutes=1)).timestamp()))
    worker.purge()
    assert IdempotentAnswer.objects.get().digest == RequestCount.objects.get().key == "new"


# --- Schedules ------------------------------------------------------------------------------------------------------


def rows() -> dict[str | None, tuple[Any, ...]]:
    columns = ("func", "kwargs", "schedule_type", "cron", "minutes", "repeats", "intended_date_kwarg")
    return {row.name: tuple(getattr(row, column) for column in columns) for row in Schedule.objects.all()}


OWN = {
    "modules.sweep": ("modules.worker.sweep", None, "I", None, 1, -1, None),
    "modules.purge": ("modules.worker.purge", None, "I", None, 60, -1, None),
    "modules.prune": ("modules.worker.prune", None, "C", "17 3 * * *", None, -1, None),
}


def test_schedules__after_migrate__are_what_the_modules_declare(db: None) -> None:
    assert {name: row for name, row in rows().items() if name in OWN} == OWN
    assert rows().keys() == OWN.keys() | {one.task for module in registry for one in module.schedules}


def test_mirror_schedules__declared_changed_and_gone__is_what_the_table_says(install: Install) -> None:
    theirs = Schedule.objects.create(name="an operator's own", func="math.floor")
    run = "modules.worker.run_schedule"
    nightly = Declared(task="post.write", cron="0 4 * * *")
    with registry.register_temporarily(definition("post", schedules=(nightly, Declared(task="post.tidy", minutes=5)))):
        mirror_schedules()
        assert rows()["post.write"] == (run, "{'task': 'post.write'}", "C", "0 4 * * *", None, -1, "at")
        assert rows()["post.tidy"] == (run, "{'task': 'post.tidy'}", "I", None, 5, -1, "at")
        due = Schedule.objects.get(name="post.write").next_run
        assert (due.hour, due.minute, due > timezone.now()) == (4, 0, True)

        later = timezone.now() + timedelta(hours=3)
        Schedule.objects.filter(name="post.tidy").update(next_run=later)
        before = set(Schedule.objects.values_list("pk", "next_run"))
        mirror_schedules()
        assert set(Schedule.objects.values_list("pk", "next_run")) == before
    with registry.register_temporarily(definition("post", schedules=(Declared(task="post.tidy", minutes=9),))):
        mirror_schedules()
        assert rows()["post.tidy"][4] == 9
        assert "post.write" not in rows()
    mirror_schedules()
    assert "post.tidy" not in rows()
    assert Schedule.objects.filter(pk=theirs.pk).exists()


def test_run_schedule__called_twice_for_one_time__enqueues_once_where_the_module_is_on(
    letter: Task, install: Install, platform: Platform
) -> None:
    install(definition("post", schedules=(Declared(task="post.write", minutes=5),)))
    inactive = PlatformFactory(is_active=False)
    for one in (platform, inactive):
        enable(one, "post")
    PlatformFactory()
    for at in ("09:00", "09:00", "09:05"):
        worker.run_schedule(task="post.write", at=at)
    assert list(TaskRun.objects.order_by("created_at").values_list("platform_id", "key")) == [
        (platform.pk, "at 09:00"),
        (platform.pk, "at 09:05"),
    ]


@pytest.mark.django_db(transaction=True)
def test_schedule__that_is_due__sends_the_workers_for_it(letter: Task, install: Install, platform: Platform) -> None:
    install(definition("post", schedules=(Declared(task="post.write", minutes=5),)))
    enable(platform, "post")
    mirror_schedules()
    Schedule.objects.exclude(name="post.write").delete()
    OrmQ.objects.all().delete()
    scheduler()
    scheduler()
    [message] = OrmQ.objects.all()
    assert message.task["func"] == "modules.worker.run_schedule"
    worker.run_schedule(*message.task["args"], **message.task["kwargs"])
    worker.sweep()
    assert effects() == ["letter"]


def test_run_schedule__duty_or_core_module__is_for_every_active_platform(
    letter: Task, install: Install, platform: Platform
) -> None:
    other, _ = PlatformFactory(), PlatformFactory(is_active=False)
    install(definition("core", is_core=True, schedules=(Declared(task="core.beat", minutes=1),)))
    install(definition("keep", schedules=(Declared(task="keep.forget", minutes=1),)))
    with task_temporarily(write, "core.beat"), task_temporarily(write, "keep.forget", is_duty=True):
        for name in ("core.beat", "keep.forget"):
            worker.run_schedule(task=name, at="09:00")
            assert set(TaskRun.objects.filter(task=name).values_list("platform", flat=True)) == {platform.pk, other.pk}


def test_run_schedule__for_no_platform__runs_once(letter: Task, install: Install, platform: Platform) -> None:
    install(definition("post", schedules=(Declared(task="post.write", minutes=5, each_platform=False),)))
    worker.run_schedule(task="post.write", at="09:00")
    assert list(TaskRun.objects.values_list("platform", "key")) == [(None, "at 09:00")]


def test_run_schedule__no_longer_declared__does_nothing(db: None) -> None:
    worker.run_schedule(task="post.write", at="09:00")
    assert not TaskRun.objects.exists()
