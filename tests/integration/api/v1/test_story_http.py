"""The whole story over HTTP: a script with a token, against a server that really listens."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from io import StringIO
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.core.management import call_command

from tests.factories import PlatformFactory, UserFactory

SECRET = "sk_live_51H8x"


@dataclass(frozen=True)
class Answer:
    """What came back over the wire."""

    status: int
    headers: Message
    text: str

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.text)


class Script:
    """A client of the API that knows nothing but an address and a token."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self.token = token
        self.seen: list[str] = []

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request over a connection of its own; keep the text of the answer."""
        wire = HTTPConnection(urlsplit(self.address).netloc, timeout=20)
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **(headers or {})}
        text = None if body is None else json.dumps(body)
        try:
            wire.request(method, urljoin("/api/v1/admin/", path), text, sent)
            response = wire.getresponse()
            answer = Answer(response.status, response.headers, response.read().decode())
        finally:
            wire.close()
        self.seen.append(answer.text)
        return answer


def modules_on(script: Script) -> set[str]:
    states = script.send("GET", "module-config/kestrel/").json()
    return {state["module"] for state in states if state["is_enabled"]}


@pytest.fixture
def script(transactional_db: None, live_server: Any) -> Script:
    """The operator's script, with a token from the command line."""
    UserFactory(username="root", is_superuser=True)
    PlatformFactory(code="kestrel", name="Kestrel Rewards")
    out = StringIO()
    call_command("issue_token", "root", scopes="read,write,admin", stdout=out)
    return Script(live_server.url, out.getvalue().strip())


def test_story__from_the_catalogue_to_the_history__over_http(script: Script) -> None:
    # What is there, and what does it need?
    catalogue = {row["code"]: row for row in script.send("GET", "modules/").json()}
    assert catalogue["billing"]["requires"] == ["customers"]
    assert catalogue["billing"]["config_schema"]["properties"]["default_trial_days"]["maximum"] == 365
    assert modules_on(script) == {"monitoring"}

    # What would happen?
    tried = script.send("POST", "module-config/kestrel/billing/enable/?dry_run=true", {"reason": "Launch"})
    assert tried.status == 200
    assert [step["module"] for step in tried.json()["steps"]] == ["customers", "billing"]
    assert (tried.json()["change"], tried.headers["ETag"]) == (None, '"0"')
    assert modules_on(script) == {"monitoring"}

    # That is what we want: nothing but that plan, at that revision.
    done = script.send(
        "POST",
        "module-config/kestrel/billing/enable/",
        {"reason": "Launch", "digest": tried.json()["digest"]},
        headers={"If-Match": tried.headers["ETag"], "X-Request-ID": "launch-1"},
    )
    assert done.status == 200
    assert done.headers["X-Request-ID"] == "launch-1"
    assert (done.json()["revision"], done.json()["change"], done.headers["ETag"]) == (1, 1, '"1"')
    assert modules_on(script) == {"monitoring", "customers", "billing"}

    # Configure it; make a mistake; correct it.
    seen = {"If-Match": done.headers["ETag"]}
    wrong = {"config": {"default_trial_days": 400, "address": {"country": "Germany"}, "api_key": SECRET}}
    refused = script.send("PATCH", "module-config/kestrel/billing/", wrong, headers=seen)
    assert refused.status == 400
    assert [(error["attr"], error["code"]) for error in refused.json()["errors"]] == [
        ("config.default_trial_days", "less_than_equal"),
        ("config.address.country", "string_pattern_mismatch"),
    ]
    right = {"config": {"default_trial_days": 30, "address": {"country": "DE"}, "api_key": SECRET}, "reason": "Terms"}
    assert script.send("PATCH", "module-config/kestrel/billing/", right).status == 428
    corrected = script.send("PATCH", "module-config/kestrel/billing/", right, headers=seen)
    assert (corrected.status, corrected.json()["change"]) == (200, 2)

    # Somebody who still sees revision 1 overwrites nothing.
    late = script.send("PUT", "module-config/kestrel/billing/", {"config": {}}, headers=seen)
    assert late.status == 412
    state = script.send("GET", "module-config/kestrel/billing/").json()
    assert state["config"] == {"default_trial_days": 30, "address": {"country": "DE"}}
    assert (state["secrets"]["api_key"]["is_set"], state["enabled_by"], state["revision"]) == (True, "root", 2)

    # A whole state at once, and what stands in its way.
    wanted = {"modules": {"customers": {"is_enabled": False}, "cms": {"is_enabled": True}}, "reason": "Close the shop"}
    blocked = script.send("PUT", "module-config/kestrel/", wanted, headers={"If-Match": '"2"'})
    assert blocked.status == 409
    assert [(error["attr"], error["code"]) for error in blocked.json()["errors"]] == [("customers", "required_by")]
    assert modules_on(script) == {"monitoring", "customers", "billing"}
    taken = script.send("PUT", "module-config/kestrel/", wanted | {"cascade": True}, headers={"If-Match": '"2"'})
    assert [(step["action"], step["module"]) for step in taken.json()["steps"]] == [
        ("disable", "billing"),
        ("disable", "customers"),
        ("enable", "cms"),
    ]
    assert modules_on(script) == {"monitoring", "cms"}
    again = script.send("PUT", "module-config/kestrel/", wanted, headers={"If-Match": '"3"'})
    assert (again.json()["steps"], again.json()["change"], again.json()["revision"]) == ([], None, 3)

    # Who changed what, when and why.
    history = script.send("GET", "module-config/kestrel/billing/history/").json()["results"]
    assert [(entry["change"], entry["reason"], entry["is_enabled"]) for entry in history] == [
        (3, "Close the shop", False),
        (2, "Terms", True),
        (1, "Launch", True),
    ]
    assert [(change["key"], change["old"]) for change in history[1]["diff"]] == [
        ("config.address.country", None),
        ("config.default_trial_days", None),
        ("config.api_key", None),
    ]
    changes = script.send("GET", "platforms/kestrel/changes/?page_size=2")
    assert [row["number"] for row in changes.json()["results"]] == [3, 2]
    following = urlsplit(changes.json()["next"])
    [first] = script.send("GET", f"{following.path}?{following.query}").json()["results"]
    assert (first["number"], first["source"], first["request_id"]) == (1, "api", "launch-1")
    assert first["actor"].startswith("root (token ")
    unchanged = script.send("GET", "platforms/kestrel/changes/", headers={"If-None-Match": '"3"'})
    assert (unchanged.status, unchanged.text) == (304, "")

    # No answer ever had the secret in it.
    assert not any(SECRET in text for text in script.seen)


def test_story__without_a_good_token__is_told_nothing(script: Script) -> None:
    for token in ("", "swy_nonsense"):
        stranger = Script(script.address, token)
        response = stranger.send("POST", "module-config/kestrel/cms/enable/", {})
        assert response.status == 401
        assert response.json()["type"] == "client_error"
    assert modules_on(script) == {"monitoring"}


def test_story__many_scripts_saw_the_same_revision__one_is_served(script: Script) -> None:
    def write(days: int) -> int:
        body = {"config": {"default_trial_days": days}}
        return script.send("PATCH", "module-config/kestrel/billing/", body, headers={"If-Match": '"0"'}).status

    with ThreadPoolExecutor(max_workers=6) as threads:
        statuses = list(threads.map(write, range(1, 7)))
    assert sorted(statuses) == [200, 412, 412, 412, 412, 412]
    state = script.send("GET", "module-config/kestrel/billing/").json()
    assert (state["config"], state["revision"]) == ({"default_trial_days": statuses.index(200) + 1}, 1)
    [change] = script.send("GET", "platforms/kestrel/changes/").json()["results"]
    assert change["number"] == 1
