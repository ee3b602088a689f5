"""What is too large is refused before it is read, wherever it is sent."""

import io
import json

import pytest
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client
from django.urls import reverse

from config.wsgi import application
from platforms.models import Platform

MIB = 1024 * 1024
KESTREL = "/api/v1/admin/platforms/kestrel/"
WRITES = [
    ("post", "/api/v1/admin/platforms/"),
    ("patch", KESTREL),
    ("delete", KESTREL),
    ("post", f"{KESTREL}vendors/"),
    ("patch", f"{KESTREL}vendors/brindle/"),
    ("delete", f"{KESTREL}vendors/brindle/"),
    ("post", f"{KESTREL}members/"),
    ("post", f"{KESTREL}tokens/"),
    ("put", "/api/v1/admin/module-config/kestrel/"),
    ("patch", "/api/v1/admin/module-config/kestrel/cms/"),
    ("put", "/api/v1/admin/module-config/kestrel/cms/"),
    ("post", "/api/v1/admin/module-config/kestrel/cms/enable/"),
    ("post", "/api/v1/admin/module-config/kestrel/cms/disable/"),
    ("post", "/api/v1/admin/module-config/kestrel/cms/reset/"),
]


def errors(response, status):
    assert response.status_code == status, response.content
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


class Untouched(io.BytesIO):
    """A body that nobody may read."""

    def read(self, *args):
        raise AssertionError("The body was read.")

    readline = read


def ask(path, *, length, content_type="application/json", query="", body=None):
    """Ask the application as a server does; return status and body."""
    answered = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": length,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "198.51.100.7",
        "wsgi.url_scheme": "http",
        "wsgi.input": body or Untouched(),
    }
    chunks = application(environ, lambda status, headers: answered.append(status))
    return answered[0], b"".join(chunks)


@pytest.mark.parametrize("length", [str(MIB + 1), "99999999999", "9" * 5000, "00001048577", " 1048577 "])
@pytest.mark.parametrize("path", ["/api/v1/admin/platforms/", "/api/nowhere/", "/admin/login/", "/nowhere/"])
def test_body__announced_over_a_mebibyte__is_413_unread(db, path, length):
    status, body = ask(path, length=length)
    assert status == "413 Request Entity Too Large"
    if path.startswith("/api/"):
        assert json.loads(body)["errors"][0]["code"] == "request_too_large"
    else:
        assert body == b"The body is larger than 1048576 bytes."


@pytest.mark.parametrize("length", ["", "x", "-1", "0x7fffffff", "1e9"])
def test_body__length_that_is_none__is_no_body(db, length):
    assert ask("/api/v1/admin/platforms/", length=length)[0] == "401 Unauthorized"


def test_admin__file_in_a_form_of_nobody__is_refused_before_it_is_on_the_disk(db, monkeypatch):
    written = []
    monkeypatch.setattr(TemporaryFileUploadHandler, "receive_data_chunk", lambda *args: written.append(args))
    form = {"username": "x", "password": "y", "file": io.BytesIO(b"a" * (3 * MIB))}
    assert Client().post(reverse("admin:login"), form).status_code == 413
    assert written == []


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_api__each_write__refuses_a_body_that_is_too_large_or_a_form(brindle, as_operator, method, path):
    send = getattr(as_operator, method)
    headers = {"If-Match": "*"}
    large = b'{"reason": "' + b"a" * MIB + b'"}'
    assert errors(send(path, large, content_type="application/json", headers=headers), 413)
    for content_type in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain"):
        response = send(path, b"--x\r\n\r\n--x--", content_type=content_type, headers=headers)
        assert errors(response, 415) == [(None, "unsupported_media_type")]
    many = json.dumps({f"k{number}": number for number in range(50_000)}).encode()
    assert 1 <= len(errors(send(path, many, content_type="application/json", headers=headers), 400)) <= 100
    long = {"name": "n" * 500_000, "reason": "r" * 500_000}
    assert send(path, long, headers=headers).status_code == 400
    assert Platform.objects.values_list("name", "revision").get() == ("Kestrel Rewards", 0)
    brindle.refresh_from_db()


def test_admin__more_fields_than_a_page_has__is_400(kestrel, operator):
    client = Client()
    client.force_login(operator)
    url = reverse("admin:platforms_platform_change", args=[kestrel.pk])
    assert client.post(url, {f"f{number}": "x" for number in range(1001)}).status_code == 400
    assert Platform.objects.get().name == "Kestrel Rewards"


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [("/api/nowhere/", 8192, 404), (KESTREL, 8193, 414), ("/admin/", 8193, 414), ("/api/nowhere/", 8193, 414)],
)
def test_address__longer_than_8_kib__is_414(kestrel, as_operator, path, length, status):
    response = as_operator.get(f"{path}?{'a' * (length - len(path))}")
    assert response.status_code == status
    if status == 414 and path.startswith("/api/"):
        assert errors(response, 414) == [(None, "address_too_long")]


def test_locales__more_than_a_hundred__are_refused(kestrel, as_operator):
    tags = [f"{a}{b}" for a in "abcdef" for b in "abcdefghijklmnopqrst"]
    response = as_operator.patch(KESTREL, {"locales": tags[:101]}, headers={"If-Match": "*"})
    assert errors(response, 400) == [("locales", "invalid_locales")]
    assert as_operator.patch(KESTREL, {"locales": tags[:100]}, headers={"If-Match": "*"}).status_code == 200
