"""A backup while others write, by the lines that docs/operating.md prints: what is restored proves itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from modules.models import Change
from tests.faults.serving import Clients, free_port, production, serving
from tests.postgres import Server
from tests.processes import ROOT, database_url

DATABASES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
SEED = 4010
SHORT, LONG = 1, 10


def typed_lines() -> list[str]:
    """Return the lines that docs/operating.md has for this database, comments left out."""
    text = (ROOT / "docs" / "operating.md").read_text()
    name = DATABASES[connection.vendor]
    found = re.search(rf"^### Backups$.*?^{name}:\n\n```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found, f"docs/operating.md has no lines for a backup of {name}."
    return [line for line in found[1].splitlines() if line and not line.startswith("#")]


def lie_as_installed(folder: Path) -> None:
    """Make a folder with what the lines find where Switchyard is installed."""
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "manage.py").symlink_to(ROOT / "manage.py")
    (folder / "db.sqlite3").symlink_to(str(connection.settings_dict["NAME"]))


def type_in(folder: Path, lines: list[str], environment: dict[str, str]) -> str:
    """Type lines into a shell in this folder; return what they say. Fails where one of them fails."""
    done = subprocess.run(
        ["sh", "-euc", "\n".join(lines)],
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def changes_in(said: str) -> int:
    """Return how many changes verify_audit has found whole."""
    found = re.search(r"(\d+) changes and \d+ history rows: the record is whole", said)
    assert found, said
    return int(found[1])


@pytest.fixture
def environment(request: pytest.FixtureRequest, transactional_db: None) -> dict[str, str]:
    """Return what the lines find in the environment: of production, on a database whose programs fit its server."""
    if connection.vendor == "sqlite":
        return production(database_url())
    server: Server = request.getfixturevalue("own_postgres")
    return {
        **production(server.url),
        "RESTORED_URL": server.url.replace("/postgres?", "/restored?"),
        "PATH": f"{server.programs}:{os.environ['PATH']}",
    }


def forget_what_was_restored() -> None:
    """Remove the database that the lines have made; a file goes with its folder."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE restored")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("times", [SHORT, pytest.param(LONG, marks=pytest.mark.faults)], ids=["short", "long"])
def test_backup__under_writes__is_restored_to_what_verify_audit_accepts(
    environment: dict[str, str], tmp_path: Path, times: int
) -> None:
    port = free_port()
    with serving(environment["DATABASE_URL"], port), Clients(port, SEED) as clients:
        for number in range(times):
            folder = tmp_path / str(number)
            lie_as_installed(folder)
            [anchor, *backup, verify] = typed_lines()
            clients.wait_for_answers()
            before = Change.objects.count()
            type_in(folder, [anchor], environment)
            clients.wait_for_a_change()
            type_in(folder, backup, environment)
            clients.wait_for_a_change()
            after = Change.objects.count()
            restored = changes_in(type_in(folder, [verify], environment))
            forget_what_was_restored()
            print(f"{before} changes before the backup, {restored} in it, {after} after it")
            assert before <= restored < after
    assert clients.failures == []
    clients.assert_done_once()
