"""The web server and the worker as one: `python -m config.serve 127.0.0.1:8000`, for `make run`.

Ctrl-C ends both, and where one of them ends by itself the other ends with it: nothing stays behind. Each has a process
group of its own, so that what it started can be ended with it, and so that Ctrl-C reaches both through here, in order.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

_MANAGE = [sys.executable, str(Path(__file__).resolve().parent.parent / "manage.py")]
_LOOK_SECONDS = 0.1
# A worker finishes what it is doing, if that does not take longer.
_GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Part:
    """One of the two: its name for people, its process, and the signal on which it ends in good order."""

    name: str
    process: subprocess.Popen[bytes]
    ends_on: signal.Signals

    def kill_group(self) -> None:
        """End all that is left of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Asked:
    """How often somebody asked for the end: by Ctrl-C or SIGTERM. Only counted, so that no start is cut in half."""

    def __init__(self) -> None:
        self.times = 0
        signal.signal(signal.SIGINT, self._count)
        signal.signal(signal.SIGTERM, self._count)

    def _count(self, number: int, frame: FrameType | None) -> None:
        self.times += 1


def _start(name: str, arguments: Sequence[str], ends_on: signal.Signals) -> Part:
    process = subprocess.Popen([*_MANAGE, *arguments], start_new_session=True)  # noqa: S603 (our own command line)
    return Part(name, process, ends_on)


def _end(parts: Sequence[Part], asked: Asked) -> None:
    """End them in good order; by force after a while, or when somebody asks again; with all that they started."""
    for part in parts:
        if part.process.poll() is None:
            part.process.send_signal(part.ends_on)
    before, ends = asked.times, time.monotonic() + _GRACE_SECONDS
    while asked.times == before and time.monotonic() < ends and any(part.process.poll() is None for part in parts):
        time.sleep(_LOOK_SECONDS)
    for part in parts:
        part.kill_group()
        part.process.wait()


def main(arguments: Sequence[str]) -> int:
    """Run both until the end; return 0 where somebody asked for it, else the status of the part that ended first."""
    [address] = arguments
    asked = Asked()
    parts = [
        _start("web server", ["runserver", "--noreload", "--skip-checks", address], signal.SIGINT),
        _start("worker", ["worker"], signal.SIGTERM),
    ]
    try:
        while not asked.times:
            for part in parts:
                if (status := part.process.poll()) is not None:
                    sys.stderr.write(f"The {part.name} ended by itself, with status {status}: so does the rest.\n")
                    return status if status > 0 else 1
            time.sleep(_LOOK_SECONDS)
        return 0
    finally:
        _end(parts, asked)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
