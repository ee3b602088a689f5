"""A real web server, set up as in production, with 2 processes that a test may kill; and clients that do not give up.

What must hold whatever dies: each call of a client has taken effect as often as its answer says, once or not at all.
"""

import json
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from subprocess import Popen
from typing import Any

from django.conf import settings

from modules.models import Change
from platforms.models import Platform, Vendor
from tests.factories import ApiTokenFactory, PlatformFactory, UserFactory
from tests.processes import below, started, wait_for

_MODULES = ("customers", "billing", "subscriptions", "messaging", "analytics", "cms")
_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.02


def production(url: str) -> dict[str, str]:
    """Return the environment of production on this database, with the keys of the tests, for http without limits."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings.prod",
        "DATABASE_URL": url,
        "SECRET_KEY": settings.SECRET_KEY,
        "MODULE_CONFIG_KEYS": ",".join(settings.MODULE_CONFIG_KEYS),
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "false",
        "THROTTLE_CLIENT": "",
        "LOG_LEVEL": "CRITICAL",
    }


@dataclass
class Server:
    """gunicorn with 2 workers, as it runs just now; `port` stays when it is started again."""

    port: int
    process: Popen[bytes]

    def workers(self) -> list[int]:
        """Return the numbers of the processes that serve."""
        return sorted(below(self.process.pid))

    def is_answering(self) -> bool:
        """Whether it takes connections."""
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", self.port), timeout=5)):
            return True
        return False


@contextmanager
def serving(url: str, port: int) -> Iterator[Server]:
    """Serve this database on this port for a `with` block; after it nothing is left of the server."""
    command = [sys.executable, "-m", "gunicorn", "tests.faults.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    # A worker that is killed is there again at once, forked from a process that has everything loaded; that production
    # has no collected files in this folder is no matter here.
    with started(
        [*command, "--preload", "--log-level", "critical"], **production(url), PYTHONWARNINGS="ignore:No directory at"
    ) as process:
        server = Server(port, process)
        ends = time.monotonic() + _PATIENCE_SECONDS
        while not server.is_answering():
            assert process.poll() is None, "gunicorn ended by itself."
            assert time.monotonic() < ends, "gunicorn does not answer."
            time.sleep(0.05)
        yield server


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt without an answer: its status, or how the connection was lost; when; and the request's number."""

    what: str
    began: float
    ended: float
    request_id: str = ""


@dataclass
class Call:
    """One POST with its Idempotency-Key, sent until it is answered: how it failed before, and the answer."""

    key: str
    path: str
    body: dict[str, Any]
    failures: list[Failure] = field(default_factory=list)
    status: int = 0
    answer: dict[str, Any] = field(default_factory=dict)


class Clients:
    """Clients of one server, each a thread that makes one call after the other for a `with` block.

    An answer is whatever is below 500. Their token is that of a superuser; what they do is drawn from `seed`.
    """

    def __init__(self, port: int, seed: int, *, clients: int = 4, platforms: int = 3) -> None:
        self.port = port
        self.calls: list[Call] = []
        self.answered = 0
        self.done = threading.Event()
        user = UserFactory.create(username="ann", is_superuser=True)
        token = ApiTokenFactory.create(user=user, platform=None, scopes=["read", "write", "admin"])
        self._headers = {"Authorization": f"Bearer {token.secret}", "Content-Type": "application/json"}
        self._codes = [platform.code for platform in PlatformFactory.create_batch(platforms)]
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(number, random.Random(f"{seed} {number}")))
            for number in range(clients)
        ]

    def __enter__(self) -> "Clients":
        """Start."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Let each finish its call. Raises what a client ran into."""
        self.done.set()
        for thread in self._threads:
            thread.join()
        for error in self._errors:
            raise error

    def wait_for_answers(self) -> None:
        """Wait until each client may have had one more."""
        enough = self.answered + len(self._threads)
        wait_for(lambda: self.answered >= enough or self._errors, _PATIENCE_SECONDS)

    def wait_for_a_change(self) -> None:
        """Wait until an answer has changed something: most say that there was nothing to do."""
        before = Change.objects.count()
        wait_for(lambda: Change.objects.count() > before or self._errors, _PATIENCE_SECONDS)

    @property
    def failures(self) -> list[Failure]:
        """Every attempt that failed."""
        return [failure for call in list(self.calls) for failure in call.failures]

    def told(self) -> str:
        """Say how many calls there were, and what the clients saw of what went wrong."""
        failed = Counter(failure.what for failure in self.failures)
        return f"{len(self.calls)} calls, attempts that failed: {dict(sorted(failed.items()))}"

    def assert_done_once(self) -> None:
        """Fail where a call has not taken effect as often as its answer says. To be called when they have finished.

        An attempt that was answered 503, which says that nothing was changed, must have changed nothing.
        """
        changes: dict[str, list[int]] = {}
        for reason, number in Change.objects.values_list("reason", "number"):
            changes.setdefault(reason, []).append(number)
        vendors = Counter(Vendor.objects.values_list("name", flat=True))
        for call in self.calls:
            if "name" in call.body:
                assert (call.status, vendors[call.key]) == (201, 1), call
            else:
                said = [call.answer["change"]] if call.status == 200 and call.answer["change"] else []
                assert call.status in (200, 409), call
                assert changes.get(call.key, []) == said, call
        refused = {failure.request_id for failure in self.failures} - {""}
        assert not Change.objects.filter(request_id__in=refused).exists()
        assert sum(map(len, changes.values())) == sum(Platform.objects.values_list("revision", flat=True))

    def _run(self, number: int, chance: random.Random) -> None:
        try:
            count = 0
            while not self.done.is_set():
                count += 1
                call = self._next(f"{number}-{count}", chance)
                self.calls.append(call)
                self._send_until_answered(call)
        except BaseException as error:
            self._errors.append(error)

    def _next(self, key: str, chance: random.Random) -> Call:
        code, module = chance.choice(self._codes), chance.choice(_MODULES)
        path = f"/api/v1/admin/module-config/{code}/{module}/"
        match chance.randrange(10):
            case 0:
                return Call(key, f"/api/v1/admin/platforms/{code}/vendors/", {"code": f"vendor-{key}", "name": key})
            case 1 | 2 | 3:
                return Call(key, f"{path}disable/", {"reason": key, "cascade": True})
            case 4 if module == "billing":
                return Call(key, f"{path}enable/", {"reason": key, "config": {"api_key": f"secret-{key}"}})
            case _:
                return Call(key, f"{path}enable/", {"reason": key})

    def _send_until_answered(self, call: Call) -> None:
        ends = time.monotonic() + _PATIENCE_SECONDS
        while not self._is_answered(call):
            assert time.monotonic() < ends, f"Nobody answers: {call}"
            time.sleep(_PAUSE_SECONDS)
        self.answered += 1
        # Who asks again, to be sure, is told the same.
        if call.failures and call.status < 400:
            with suppress(OSError, HTTPException):
                status, answer, _ = self._send(call)
                assert status >= 500 or (status, answer) == (call.status, call.answer), (call, status, answer)

    def _is_answered(self, call: Call) -> bool:
        began, request_id = time.monotonic(), ""
        try:
            call.status, call.answer, request_id = self._send(call)
        except (OSError, HTTPException) as error:
            what = type(error).__name__
        else:
            if call.status < 500:
                return True
            what = str(call.status)
        call.failures.append(Failure(what, began, time.monotonic(), request_id))
        return False

    def _send(self, call: Call) -> tuple[int, dict[str, Any], str]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)) as wire:
            headers = {**self._headers, "Idempotency-Key": call.key}
            wire.request("POST", call.path, json.dumps(call.body), headers)
            response = wire.getresponse()
            text = response.read()
            answer = json.loads(text) if response.status < 500 else {}
            return response.status, answer, response.headers.get("X-Request-ID", "")


def kill(pid: int) -> None:
    """End a process at once, where it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
