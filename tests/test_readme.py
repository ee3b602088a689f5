"""What README.md prints for people to type works as printed, on the demo that it speaks of."""

import json
import re
import shlex
from argparse import ArgumentParser, Namespace
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from pytest_django.live_server_helper import LiveServer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MANAGE = ".venv/bin/python manage.py "


def typed_lines(heading: str) -> list[str]:
    """Return the lines of the first shell block below a heading."""
    block = re.search(rf"^## {heading}$.*?^```sh\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert block, f"README.md has no shell block under {heading}."
    return [line for line in block[1].splitlines() if line.strip()]


def manage(line: str) -> str:
    """Run what stands behind `manage.py` and return what it prints."""
    out = StringIO()
    name, *arguments = shlex.split(line.removeprefix(MANAGE))
    call_command(name, *arguments, stdout=out)
    return out.getvalue().strip()


def curl(line: str, live_server: LiveServer) -> tuple[int, Any]:
    """Send what curl would send, as far as README.md uses it; a machine that tests need not have it."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("-H", action="append")
    parser.add_argument("-X", default="GET")
    parser.add_argument("-d")
    parser.add_argument("url")
    sent: Namespace = parser.parse_args(shlex.split(line)[1:])
    address = urlsplit(sent.url)
    assert f"{address.scheme}://{address.netloc}" == "http://127.0.0.1:8000"
    wire = HTTPConnection(urlsplit(live_server.url).netloc, timeout=20)
    path = f"{address.path}?{address.query}" if address.query else address.path
    wire.request(sent.X, path, sent.d, dict(header.split(": ", 1) for header in sent.H))
    answer = wire.getresponse()
    try:
        return answer.status, json.loads(answer.read())
    finally:
        wire.close()


@pytest.mark.django_db(transaction=True)
def test_readme__api_lines__work_as_printed(live_server: LiveServer) -> None:
    call_command("demo", stdout=StringIO())
    issue, base, *lines = typed_lines("The API")
    token = manage(re.fullmatch(r"TOKEN=\$\((.*)\)", issue)[1])  # type: ignore[index]
    lines = [line.replace("$TOKEN", token).replace("$API", base.removeprefix("API=")) for line in lines]
    answers = [curl(line, live_server) for line in lines]

    assert [status for status, _ in answers] == [200] * 9
    states, trial, switched, configured, history, then, compared, back, menu = answers
    assert {state["module"] for state in states[1] if state["is_enabled"]} == {"customers", "messaging", "monitoring"}
    assert (trial[1]["dry_run"], trial[1]["change"]) == (True, None)
    assert switched[1]["steps"] == [{"module": "billing", "action": "enable", "cause": "requested"}]
    assert configured[1]["steps"] == [{"module": "billing", "action": "configure", "cause": "requested"}]
    newest, first = history[1]["results"]
    assert newest["diff"] == [{"key": "config.default_trial_days", "old": None, "new": 30}]
    assert (first["reason"], first["change"]) == ("pilot", switched[1]["change"])
    assert {"Customers", "Invoices", "Plans"} <= {item["label"] for item in menu[1]["items"]}
    assert {state["revision"] for state in then[1]} != {state["revision"] for state in states[1]}
    assert compared[1]["right"]["platform"] == "tidewater"
    assert compared[1]["modules"]
    assert (back[1]["dry_run"], back[1]["change"]) == (True, None)
    assert back[1]["steps"]


@pytest.mark.django_db
def test_readme__command_lines__work_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("demo", stdout=StringIO())
    monkeypatch.chdir(tmp_path)
    show, compare, enable, disable, migrate, verify, erase = typed_lines("The command line")
    assert all(line.startswith(MANAGE) for line in (show, compare, enable, disable, migrate, verify, erase))

    assert "messaging" in manage(show)
    assert "THERE" in manage(compare)
    assert "Dry run: nothing was written." in manage(enable)
    assert "requires customers" in manage(disable)
    manage(migrate)
    assert json.loads((tmp_path / "report.json").read_text())
    assert manage(verify).endswith("the record is whole.")
    assert "Dry run: nothing was erased." in manage(erase)


def test_readme__files_and_folders_it_names__are_there() -> None:
    linked = re.findall(r"\]\(((?!http)[^)]+)\)", README)
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)*/)`", README)
    assert linked
    assert named
    assert [path for path in (*linked, *named) if not (ROOT / path).exists()] == []
