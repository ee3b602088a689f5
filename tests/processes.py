"""Real processes for tests: started on the test's own database, waited for, and gone when the test is over."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 30.0


def database_url() -> str:
    """Return the URL of the database that this test is on."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


@contextmanager
def started(command: Sequence[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a process group of its own on this test's database; after the block nothing is left of it."""
    known = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **known, **environment}, start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, at once: kill -9."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(what: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is so; fail where it never is."""
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, "It did not happen in time."
        time.sleep(0.05)


@dataclass(frozen=True)
class Running:
    """A process of this machine: who started it, and its command line."""

    parent: int
    command: str


def running() -> dict[int, Running]:
    """Return every process by its number, but those that are dead and wait for somebody to ask how they ended.

    From /proc where there is one: a bare machine has no `ps`.
    """
    found = {}
    if Path("/proc/self/stat").exists():
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if state not in "ZX":
                    found[int(folder.name)] = Running(int(parent), command)
        return found
    listed = subprocess.run(["ps", "-axo", "pid=,ppid=,state=,args="], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        number, parent, state, *command = line.split(maxsplit=3)
        if not state.startswith("Z"):
            found[int(number)] = Running(int(parent), "".join(command))
    return found


def below(pid: int) -> dict[int, str]:
    """Return every process that this one started, and that those started: number → command line."""
    everything = running()
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        for number, process in everything.items():
            if process.parent == parent:
                found[number] = process.command
                waiting.append(number)
    return found
