"""Workers that are processes and threads: two at once, and one that dies in the middle."""

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from modules import events, worker
from modules.models import Delivery, Event, TaskRun
from modules.tasks import enqueue_on, task_temporarily
from platforms.models import Platform
from tests.fixtures.module_fixtures import Install
from tests.modules import listening
from tests.modules.building import enable
from tests.modules.listening import SOLD, effects, note, post, shop
from tests.processes import below, running, started, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def in_threads(count: int, work: Any) -> None:
    """Call `work` in threads that start together, each with a connection of its own."""
    start = threading.Barrier(count)

    def run() -> None:
        start.wait()
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(run) for _ in range(count)]:
            done.result()


def test_delivery__two_workers_at_once__is_made_once(
    install: Install, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(shop(), post("on_sold"))
    enable(platform, "post")
    with transaction.atomic():
        for order in range(5):
            events.emit(SOLD, platform=platform, data={"order": order})
    keys = [str(key) for key in Delivery.objects.values_list("pk", flat=True)]
    in_threads(4, lambda: worker.work_off("Delivery", keys))
    assert sorted(effects()) == [f"sold {order}" for order in range(5)]
    assert set(Delivery.objects.values_list("state", "attempts")) == {("done", 1)}


def test_delivery__another_looks_while_the_handler_runs__leaves_it_alone(
    install: Install, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(shop(), post("on_sold"))
    enable(platform, "post")
    with transaction.atomic():
        events.emit(SOLD, platform=platform, data={"order": 7})
    [key] = Delivery.objects.values_list("pk", flat=True)
    seen: list[Any] = []

    def look() -> None:
        # SQLite has one writer: there, whoever looks waits. It is enough that nobody can find the row due.
        seen.append(list(Delivery.objects.filter(state="waiting", attempts=1).values_list("pk", flat=True)))
        if connection.features.has_select_for_update_skip_locked:
            events.perform(key)
        connection.close()

    def slow(event: Any) -> None:
        note(event.platform, "sold")
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    monkeypatch.setattr(listening, "on_sold", slow)
    events.perform(key)
    assert seen == [[key]]
    assert effects() == ["sold"]


def test_task__two_workers_at_once__is_run_once(install: Install, platform: Platform) -> None:
    install(post())
    enable(platform, "post")
    done: list[int] = []

    def count(*, platform: Platform | None, number: int) -> None:
        done.append(number)

    with task_temporarily(count, "post.count") as task:
        for number in range(5):
            enqueue_on(task, [platform], number=number)
        keys = [str(key) for key in TaskRun.objects.values_list("pk", flat=True)]
        in_threads(4, lambda: worker.work_off("TaskRun", keys))
    assert sorted(done) == [0, 1, 2, 3, 4]
    assert set(TaskRun.objects.values_list("state", "attempts")) == {("done", 1)}


# --- Real workers ---------------------------------------------------------------------------------------------------


def cluster(folder: Path, workers: int = 1) -> Any:
    """Start workers to whom a delivery is due again a second after they died over it."""
    command = [sys.executable, "-m", "tests.modules.worker_process"]
    return started(command, LISTENING_FOLDER=str(folder), TASK_BACKOFF_SECONDS="1", TASK_WORKERS=str(workers))


def entered(folder: Path) -> list[int]:
    return [int(path.name.partition("-")[2]) for path in folder.glob("entered-*")]


@pytest.fixture
def sold(install: Install, platform: Platform) -> Event:
    """An event that is committed, with a hint of it in the queue, and workers yet to come."""
    install(shop(), post("on_sold_held"))
    enable(platform, "post")
    with transaction.atomic():
        events.emit(SOLD, platform=platform, data={"order": 7})
    return Event.objects.get(name=SOLD)


def is_delivered() -> bool:
    return Delivery.objects.filter(state="done").exists()


def swept_until_delivered() -> bool:
    """Have the workers do what the schedule has them do every minute: a test need not wait for that."""
    if not is_delivered() and not OrmQ.objects.filter(lock__lte=timezone.now()).exists():
        async_task("modules.worker.sweep")
    return is_delivered()


def test_workers__started_after_the_event__deliver_it_and_end_when_told(sold: Event, tmp_path: Path) -> None:
    with cluster(tmp_path) as workers:
        wait_for(is_delivered)
        workers.send_signal(signal.SIGTERM)
        assert workers.wait(20) == 0
    assert effects() == ["sold 7"]


@pytest.mark.parametrize("dies", ["everything", "the worker"])
def test_worker__killed_in_the_middle_of_a_handler__is_delivered_once_all_the_same(
    sold: Event, tmp_path: Path, dies: str
) -> None:
    def kill(workers: Popen[bytes]) -> None:
        if dies == "everything":
            os.killpg(workers.pid, signal.SIGKILL)
            workers.wait()
        else:
            os.kill(entered(tmp_path)[0], signal.SIGKILL)

    def goes_on() -> None:
        (tmp_path / "hold").unlink()
        wait_for(swept_until_delivered)

    (tmp_path / "hold").touch()
    with cluster(tmp_path) as workers:
        wait_for(lambda: entered(tmp_path))
        kill(workers)
        wait_for(lambda: Delivery.objects.filter(state="waiting", attempts=1).exists())
        assert effects() == []
        if dies == "the worker":
            goes_on()
    if dies == "everything":
        with cluster(tmp_path):
            goes_on()
    assert effects() == ["sold 7"]
    assert list(Delivery.objects.values_list("state", "attempts")) == [("done", 2)]
    assert len(entered(tmp_path)) == 2


def test_process__any_of_a_worker_killed_while_it_waits__the_others_go_on(
    install: Install, platform: Platform, tmp_path: Path
) -> None:
    """One of those that wait for work holds the lock of their queue; which one, nobody can say from outside."""
    install(shop(), post("on_sold_held"))
    enable(platform, "post")
    with cluster(tmp_path, workers=2) as main:

        def processes() -> list[int]:
            """Return those that the sentinel started, which the worker started first."""
            found = running()
            return sorted(pid for pid in below(main.pid) if pid in found and found[pid].parent != main.pid)

        for which in range(4):  # two that work, one that fetches, one that notes
            wait_for(lambda: len(processes()) == 4)
            before = processes()
            os.kill(before[which], signal.SIGKILL)
            wait_for(lambda before=before: len(processes()) == 4 and not set(before) & set(processes()))  # type: ignore[misc]
            with transaction.atomic():
                events.emit(SOLD, platform=platform, data={"order": which})
            wait_for(lambda which=which: f"sold {which}" in effects())  # type: ignore[misc]
    assert effects() == [f"sold {which}" for which in range(4)]
