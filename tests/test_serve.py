"""`make run` starts the web server and the worker together, and nothing is left of either when one of them ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.processes import below, running, started, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex(("127.0.0.1", port)) == 0


Serving = tuple[subprocess.Popen[bytes], dict[int, str]]


@pytest.fixture
def both() -> Iterator[Serving]:
    """Both, up and working, and every process that belongs to them."""
    port = free_port()
    with started([sys.executable, "-m", "config.serve", f"127.0.0.1:{port}"], TASK_WORKERS="1") as serving:
        # The worker is six: itself, its sentinel, one that works, one that fetches, one that notes, and the web server.
        wait_for(lambda: answers(port) and len(below(serving.pid)) == 6)
        processes = below(serving.pid)
        yield serving, processes
        for pid in processes.keys() & running().keys():
            os.kill(pid, signal.SIGKILL)


def nothing_is_left(processes: dict[int, str]) -> bool:
    return processes.keys().isdisjoint(running())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve__asked_to_end__ends_both_and_says_zero(both: Serving, number: signal.Signals) -> None:
    serving, processes = both
    serving.send_signal(number)
    assert serving.wait(20) == 0
    assert nothing_is_left(processes)


@pytest.mark.parametrize("part", ["runserver", "manage.py worker"])
def test_serve__one_dies_by_itself__ends_the_other_and_says_one(both: Serving, part: str) -> None:
    serving, processes = both
    # The first of its kind started the others.
    os.kill(min(pid for pid, command in processes.items() if part in command), signal.SIGKILL)
    assert serving.wait(20) == 1
    wait_for(lambda: nothing_is_left(processes))
