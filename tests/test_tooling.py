"""What the two commands promise, where it can be seen without running them."""

import re
import sys
from pathlib import Path

import pytest

from tests import postgres

ROOT = Path(__file__).resolve().parent.parent
LOCKED = ("requirements.txt", "requirements-dev.txt")


def locked_versions(name: str) -> dict[str, str]:
    """Return {package: version} of a locked file."""
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", (ROOT / name).read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("name", LOCKED)
def test_locked_requirements__every_line__is_pinned_and_hashed(name: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE))
    assert len(entries) > 20
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", LOCKED)
def test_locked_requirements__whoever_compiled_them__name_no_host_and_no_path(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.findall(r"\w+://\S+|^--(?!hash)\S+|^.* @ .*$", text, flags=re.MULTILINE) == []


def test_locked_requirements__of_tests__have_the_versions_that_users_install() -> None:
    users, tests = locked_versions("requirements.txt"), locked_versions("requirements-dev.txt")
    assert {name: tests.get(name) for name in users} == users


def test_migrations__of_every_app__are_named_for_what_they_do() -> None:
    found = list(ROOT.glob("*/migrations/[0-9]*.py"))
    assert found
    assert [path.name for path in found if "_auto_" in path.name] == []


def test_postgres__named_by_database_url__is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://ann@db.example/switchyard")
    with postgres.postgres() as url:
        assert url == "postgres://ann@db.example/switchyard"


def test_run_with__command__gets_the_url_and_its_status_comes_back(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(os.environ['DATABASE_URL']); sys.exit(7)"
    assert postgres.run_with("postgres://db.example/x", [sys.executable, "-c", script, str(seen)]) == 7
    assert seen.read_text() == "postgres://db.example/x"


def test_postgres_command_line__without_a_command__says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert postgres.main(["--"]) == 2
    assert capsys.readouterr().err == "Usage: python -m tests.postgres -- COMMAND…\n"
