"""What every request gets, wherever it goes: a number, a line in the log, and an answer to the strangest address."""

import io
import json
import logging
import os
import re
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.test import Client

from config.asgi import application as asgi_application
from config.requests import ASGIRequest
from config.wsgi import application
from platforms.middleware import RequestIdFilter

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"\A[0-9-]{10} [0-9:,]{12} (?P<level>[A-Z]+) (?P<logger>\S+) \[(?P<id>[^]]+)\] (?P<text>.*)\Z")
TIMED = re.compile(r"[0-9]+ ms\Z")


# --- NUL -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/admin/platforms/%00/",
        "/api/v1/admin/platforms/a%00b/vendors/",
        "/api/v1/admin/modules/%00/",
        "/api/v1/admin/platforms/?search=%00",
        "/api/v1/admin/platforms/?search=a%00b&kind=b2b",
        "/api/v1/admin/platforms/?%00=x",
        "/api/v1/admin/platforms/?cursor=%00",
        "/api/v1/admin/module-config/?platform=%00",
        "/api/%00",
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_nul__in_an_address_of_the_api__is_400_in_shape(as_operator, settings, method, path, debug):
    settings.DEBUG = debug
    response = getattr(as_operator, method)(path)
    assert response.status_code == 400
    assert response.json() == {
        "type": "client_error",
        "errors": [{"code": "parse_error", "detail": "Malformed request.", "attr": None}],
    }
    assert response["X-Request-ID"]


@pytest.mark.parametrize(
    "path",
    [
        "/admin/platforms/platform/?q=%00",
        "/admin/platforms/platform/?kind__exact=%00",
        "/admin/platforms/platform/%00/change/",
        "/admin/modules/platformmodule/?platform__code=a%00",
        "/admin/modules/change/?%00",
        "/%00",
    ],
)
def test_nul__in_any_other_address__is_djangos_400(operator, path):
    client = Client()
    client.force_login(operator)
    response = client.get(path)
    assert response.status_code == 400
    assert response["Content-Type"].startswith("text/html")


def test_nul__written_twice_over__is_text(as_operator, kestrel):
    response = as_operator.get("/api/v1/admin/platforms/?search=%2500")
    assert (response.status_code, response.json()["results"]) == (200, [])


# --- Charsets that are none ------------------------------------------------------------------------------------------


def environ(path, query, charset):
    body = b"{}"
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": f"application/json; charset={charset}",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }


@pytest.mark.parametrize("charset", ["rot13", "base64", "hex", "undefined", "idna"])
@pytest.mark.parametrize("query", ["", "a=%FF"])
def test_charset__that_is_none_of_texts__is_as_good_as_none(db, charset, query):
    answered = []
    asked = environ("/api/v1/admin/platforms/", query, charset)
    response = application(asked, lambda status, headers: answered.append(status))
    assert answered == ["401 Unauthorized"]
    assert json.loads(b"".join(response))["errors"][0]["code"] == "not_authenticated"

    headers = [(b"content-type", asked["CONTENT_TYPE"].encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query.encode(), "headers": headers}
    assert ASGIRequest(scope, io.BytesIO()).content_type == "application/json"
    assert asgi_application.request_class is ASGIRequest


def test_charset__beside_too_many_parameters__is_no_server_error(db, token_of):
    answered = []
    asked = environ("/api/v1/admin/platforms/", "a=1&" * 2000, "utf-8")
    asked["HTTP_AUTHORIZATION"] = f"Bearer {token_of('read').secret}"
    application(asked, lambda status, headers: answered.append(status))
    assert answered == ["400 Bad Request"]


# --- The log ---------------------------------------------------------------------------------------------------------


def said(caplog):
    """Return what the middleware logged: level, text without the time it took, and the request's number."""
    return [
        (record.levelname, re.sub(TIMED, "…", record.getMessage()), record.request_id)
        for record in caplog.records
        if record.name == "platforms.middleware"
    ]


@pytest.fixture
def logged(caplog):
    number = RequestIdFilter()
    caplog.handler.addFilter(number)
    with caplog.at_level(logging.INFO):
        yield caplog
    caplog.handler.removeFilter(number)


def test_log__each_request__is_one_line_without_its_query(as_operator, kestrel, logged):
    as_operator.get("/api/v1/admin/platforms/?search=hush", headers={"X-Request-ID": "launch-1"})
    as_operator.post("/api/v1/admin/platforms/", {}, headers={"X-Request-ID": "launch-2"})
    as_operator.get("/api/%0A2026%20forged%00?x", headers={"X-Request-ID": "launch-3"})
    assert said(logged) == [
        ("INFO", "GET /api/v1/admin/platforms/ 200 …", "launch-1"),
        ("INFO", "POST /api/v1/admin/platforms/ 400 …", "launch-2"),
        ("INFO", "GET /api/%0A2026%20forged%00 400 …", "launch-3"),
    ]
    assert "hush" not in logged.text


def test_log__what_django_says_of_a_request__has_its_number(as_operator, kestrel, logged):
    as_operator.get("/api/v1/admin/platforms/nowhere/", headers={"X-Request-ID": "lost-1"})
    [warning] = [record for record in logged.records if record.name == "django.request"]
    assert (warning.levelname, warning.request_id) == ("WARNING", "lost-1")


def test_log__outside_of_a_request__has_no_number(logged):
    logging.getLogger("somewhere").warning("A task ran.")
    assert [record.request_id for record in logged.records] == ["-"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, path, number):
    for _ in range(100):
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", path, headers={"X-Request-ID": number})
            return connection.getresponse().status
        except ConnectionRefusedError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError("The server did not start.")


def test_log__of_the_development_server__says_everything_once(tmp_path):
    port, log = free_port(), tmp_path / "log"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.dev",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "DJANGO_RUNSERVER_HIDE_WARNING": "true",
        # This database has no tables: that nothing can be counted in it would be said too.
        "THROTTLE_ANONYMOUS": "",
    }
    command = [sys.executable, "manage.py", "runserver", "--noreload", "--skip-checks", f"127.0.0.1:{port}"]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=stderr) as server,
    ):
        try:
            assert ask(port, "/static/admin/css/base.css", "css") == 200
            assert ask(port, "/api/v1/docs/", "docs") == 200
            assert ask(port, "/api/v1/admin/platforms/?search=hush", "nobody") == 401
        finally:
            server.terminate()
            server.wait(20)
    lines = [LINE.match(line) for line in log.read_text().splitlines()]
    assert all(lines), log.read_text()
    assert [
        (line["level"], line["logger"], line["id"], re.sub(TIMED, "…", line["text"])) for line in lines if line
    ] == [
        ("INFO", "platforms.middleware", "docs", "GET /api/v1/docs/ 200 …"),
        ("INFO", "platforms.middleware", "nobody", "GET /api/v1/admin/platforms/ 401 …"),
        ("WARNING", "django.request", "nobody", "Unauthorized: /api/v1/admin/platforms/"),
    ]


# --- Pages that stand alone ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "status", "heading"),
    [
        ("/admin/platforms/user/", 403, "This is not yours to see"),
        ("/admin/nowhere/at/all/", 404, "There is nothing here"),
        ("/admin/platforms/vendor/?q=%00", 400, "This cannot be understood"),
    ],
)
def test_page__that_is_refused__says_so_and_leads_back(ann, client, address, status, heading):
    client.force_login(ann)
    answer = client.get(address)
    assert answer.status_code == status
    page = answer.content.decode()
    assert f"<h1>{heading}</h1>" in page
    assert 'href="/admin/"' in page
    assert "style=" not in page
    assert "<script" not in page
