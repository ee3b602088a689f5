"""What holds for every request to `/api/v1/`: credentials, bodies, errors, ETags, dry runs."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from platforms.models import ApiToken, Platform, Vendor
from tests.factories import ApiTokenFactory, VendorFactory

LIST = "/api/v1/admin/platforms/"
ONE = "/api/v1/admin/platforms/kestrel/"
VENDORS = "/api/v1/admin/platforms/kestrel/vendors/"
JSON = "application/json"
FERN = {"code": "fern", "name": "Fern"}


def errors(response):
    assert response["Content-Type"] == JSON
    body = response.json()
    assert set(body) == {"type", "errors"}
    return [body["type"], *((error["attr"], error["code"]) for error in body["errors"])]


# --- Who asks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "not_authenticated"),
        ("", "not_authenticated"),
        ("Basic cm9vdDpyb290", "not_authenticated"),
        ("Token {secret}", "not_authenticated"),
        ("{secret}", "not_authenticated"),
        ("Bearer", "authentication_failed"),
        ("Bearer {secret} more", "authentication_failed"),
        ("Bearer {secret}x", "authentication_failed"),
        ("Bearer swy_", "authentication_failed"),
        ("Bearer \x00", "authentication_failed"),
        ("Bearer \xff\xfe", "authentication_failed"),
        ("Bearer \N{SNOWMAN}", "authentication_failed"),
        ("Bearer \ud800", "authentication_failed"),
        ("Bearer " + "a" * 100_000, "authentication_failed"),
    ],
)
def test_credentials__none_or_bad__are_401(token_of, header, code):
    client = APIClient()
    if header is not None:
        client.credentials(HTTP_AUTHORIZATION=header.format(secret=token_of("read").secret))
    response = client.get(LIST)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert errors(response) == ["client_error", (None, code)]


def test_credentials__token__is_one_query_that_writes_nothing(client_of, token_of, django_assert_num_queries):
    token = token_of("read")
    ApiTokenFactory(user=token.user, platform=token.platform, expiry=timedelta(days=-1))
    with django_assert_num_queries(2) as captured:
        assert client_of(token).get(ONE).status_code == 200
    assert all(query["sql"].startswith("SELECT") for query in captured.captured_queries)
    assert ApiToken.objects.count() == 2


def test_credentials__expired_token__is_401_and_stays(client_of, token_of):
    token = token_of("read")
    ApiToken.objects.filter(pk=token.pk).update(expiry=timezone.now())
    assert errors(client_of(token).get(ONE)) == ["client_error", (None, "authentication_failed")]
    assert ApiToken.objects.get() == token


def test_credentials__inactive_user__is_401(client_of, token_of, ann):
    token = token_of("read")
    ann.is_active = False
    ann.save()
    assert client_of(token).get(ONE).status_code == 401
    assert client_of(ann).get(ONE).status_code == 401


def test_credentials__session_without_csrf__changes_nothing(kestrel, ann):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(ann)
    response = client.post(VENDORS, FERN)
    assert response.status_code == 403
    assert errors(response) == ["client_error", (None, "permission_denied")]
    assert not Vendor.objects.exists()
    client.cookies["csrftoken"] = "a" * 32
    assert client.post(VENDORS, FERN, headers={"X-CSRFToken": "a" * 32}).status_code == 201


# --- Bodies ----------------------------------------------------------------------------------------------------------

BAD_BODIES = {
    "no json": b"{",
    "trailing": b"{} {}",
    "latin-1": b'{"code": "\xff"}',
    "utf-16": '{"code": "fern"}'.encode("utf-16"),
    "list": b"[]",
    "text": b'"fern"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "NaN": b'{"code": NaN}',
    "1e999": b'{"code": 1e999}',
    "NUL": b'{"code": "\\u0000"}',
    "NUL in key": b'{"\\u0000": 1}',
    "surrogate": b'{"code": "\\ud800"}',
    "duplicate key": b'{"code": "a", "code": "b"}',
    "4000 digits": b'{"code": ' + b"9" * 4000 + b"}",
    "depth": b'{"code": ' + b"[" * 20 + b"]" * 20 + b"}",
    "depth 100000": b"[" * 100_000,
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.parametrize(
    ("method", "path"),
    [("post", LIST), ("patch", ONE), ("post", VENDORS), ("post", f"{ONE}members/"), ("post", f"{ONE}tokens/")],
)
def test_body__not_one_good_object__is_400_everywhere(kestrel, as_operator, method, path, body):
    response = getattr(as_operator, method)(path, body, content_type=JSON, headers={"If-Match": "*"})
    assert response.status_code == 400
    assert errors(response) == ["client_error", (None, "parse_error")]
    assert list(Platform.objects.values_list("code", "name")) == [("kestrel", "Kestrel Rewards")]


@pytest.mark.parametrize("value", [None, True, 7, 1.5, 10**99, "", "x" * 5000, [], [None], {}, {"a": {"b": []}}])
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (LIST, ["code", "name", "kind", "currency", "locales", "is_active"]),
        (VENDORS, ["code", "name", "is_active"]),
        (f"{ONE}members/", ["user", "role", "vendor"]),
        (f"{ONE}tokens/", ["name", "scopes", "vendor", "expires_in_days"]),
    ],
)
def test_body__wrong_type_in_any_field__is_never_a_server_error(kestrel, as_operator, path, fields, value):
    for field in fields:
        response = as_operator.post(f"{path}?dry_run=true", {field: value})
        assert response.status_code == 400
        assert errors(response)[0] == "validation_error"


def test_body__very_many_errors__are_told_up_to_a_hundred(kestrel, as_operator):
    response = as_operator.post(VENDORS, {f"{number:05}": 1 for number in range(90_000)})
    assert response.status_code == 400
    unknown = [(f"{number:05}", "unknown_field") for number in range(98)]
    assert errors(response) == ["validation_error", ("code", "required"), ("name", "required"), *unknown]


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 3 * 1024 * 1024])
def test_body__over_a_mebibyte__is_413(kestrel, as_operator, size):
    response = as_operator.post(VENDORS, b'{"code": "' + b"a" * (size - 12) + b'"}', content_type=JSON)
    assert response.status_code == 413
    assert errors(response) == ["client_error", (None, "request_too_large")]


def test_body__a_mebibyte__is_read(kestrel, as_operator):
    response = as_operator.post(VENDORS, b'{"code": "' + b"a" * (1024 * 1024 - 12) + b'"}', content_type=JSON)
    assert errors(response) == ["validation_error", ("code", "max_length"), ("name", "required")]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x", "é/é"]
)
@pytest.mark.parametrize("enforce_csrf", [True, False])
def test_body__other_media_type__is_415(kestrel, ann, content_type, enforce_csrf):
    client = APIClient(enforce_csrf_checks=enforce_csrf)
    client.force_login(ann)
    client.cookies["csrftoken"] = "a" * 32
    headers = {"X-CSRFToken": "a" * 32}
    response = client.generic("POST", VENDORS, b"code=fern&name=Fern", content_type=content_type, headers=headers)
    assert response.status_code == 415
    assert errors(response) == ["client_error", (None, "unsupported_media_type")]
    assert not Vendor.objects.exists()


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "no-such"])
def test_body__any_charset_named__is_read_as_utf8(kestrel, as_operator, charset):
    body = json.dumps({"code": "fern", "name": "Fougère"}, ensure_ascii=False).encode()
    response = as_operator.post(f"{VENDORS}?dry_run=false", body, content_type=f"{JSON}; charset={charset}")
    assert response.status_code == 201
    assert Vendor.objects.get().name == "Fougère"
    assert as_operator.get(f"{LIST}?search=x", headers={"Content-Type": f"x/y; charset={charset}"}).status_code == 200


# --- Errors of no view -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v2/admin/", "/api/v1/nowhere"])
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("debug", [True, False])
def test_path__that_leads_nowhere__is_404_in_shape(db, settings, path, method, debug):
    settings.DEBUG = debug
    response = getattr(Client(enforce_csrf_checks=True), method)(path)
    assert response.status_code == 404
    assert errors(response) == ["client_error", (None, "not_found")]


def test_path__without_last_slash__is_sent_on_for_readers(db):
    response = Client().get("/api/v1/admin/platforms?kind=b2b")
    assert (response.status_code, response["Location"]) == (301, "/api/v1/admin/platforms/?kind=b2b")
    assert Client().post("/api/v1/admin/platforms").status_code == 404


def test_page__outside_of_the_api__keeps_djangos_404(db):
    assert Client().get("/nowhere/")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("method", ["put", "options", "trace"])
def test_method__not_offered__is_405(kestrel, as_operator, method):
    response = as_operator.generic(method.upper(), ONE)
    assert response.status_code == 405
    assert errors(response) == ["client_error", (None, "method_not_allowed")]


def test_accept__no_json__is_406(kestrel, as_operator):
    response = as_operator.get(ONE, headers={"Accept": "text/html"})
    assert response.status_code == 406
    assert errors(response) == ["client_error", (None, "not_acceptable")]


@pytest.mark.parametrize("debug", [True, False])
def test_unforeseen_error__is_500_in_shape(kestrel, operator, settings, monkeypatch, debug):
    settings.DEBUG = debug
    monkeypatch.setattr("platforms.api.views.PlatformViewSet.represent", lambda *args: 1 / 0)
    client = APIClient(raise_request_exception=False)
    client.force_login(operator)
    response = client.get(ONE)
    assert response.status_code == 500
    assert errors(response) == ["server_error", (None, "error")]
    assert "division" not in response.content.decode()


def test_host__not_ours__is_400_in_shape(db):
    response = Client().get("/api/v1/admin/platforms", headers={"Host": "evil.example"})
    assert response.status_code in (400, 401, 404)
    assert errors(response)[0] == "client_error"


@pytest.mark.parametrize(
    ("sent", "echoed"), [("build-7.a_b", True), ("a b", False), ("x" * 65, False), ("a\nb", False)]
)
def test_request_id__is_echoed_where_it_is_harmless(kestrel, as_operator, sent, echoed):
    response = as_operator.get(ONE, headers={"X-Request-ID": sent})
    assert (response["X-Request-ID"] == sent) is echoed
    assert len(response["X-Request-ID"]) in (36, len(sent))


# --- ETags -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [ONE, LIST, VENDORS, f"{VENDORS}brindle/", f"{ONE}members/", f"{ONE}tokens/"])
def test_if_none_match__current_tag__is_304(brindle, as_operator, path):
    first = as_operator.get(path)
    assert first["ETag"].startswith('"')
    assert first["Cache-Control"] == "private, no-cache"
    for tags in (first["ETag"], f'"other", {first["ETag"]}', f"W/{first['ETag']}", "*"):
        response = as_operator.get(path, headers={"If-None-Match": tags})
        assert (response.status_code, response.content, response["ETag"]) == (304, b"", first["ETag"])
        assert "Content-Type" not in response
    for tags in ('"other"', first["ETag"].strip('"'), "", "junk \xff", '"'):
        assert as_operator.get(path, headers={"If-None-Match": tags}).status_code == 200
    assert as_operator.head(path)["ETag"] == first["ETag"]


def test_if_none_match__after_a_change__is_200(kestrel, as_operator):
    tags = {path: as_operator.get(path)["ETag"] for path in (ONE, LIST)}
    Platform.objects.update(revision=1)
    for path, tag in tags.items():
        response = as_operator.get(path, headers={"If-None-Match": tag})
        assert response.status_code == 200
        assert response["ETag"] != tag


def test_if_match__missing__is_428(kestrel, as_operator):
    response = as_operator.patch(ONE, {"name": "New"})
    assert response.status_code == 428
    assert errors(response) == ["client_error", (None, "precondition_required")]
    kestrel.refresh_from_db()
    assert kestrel.name == "Kestrel Rewards"


@pytest.mark.parametrize("tags", ['"other"', "W/{current}", "junk", "", '"a", "b"', "\xff", "{bare}"])
def test_if_match__stale__is_412(kestrel, as_operator, tags):
    current = as_operator.get(ONE)["ETag"]
    header = {"If-Match": tags.format(current=current, bare=current.strip('"'))}
    for response in (as_operator.patch(ONE, {"name": "New"}, headers=header), as_operator.delete(ONE, headers=header)):
        assert response.status_code == 412
        assert errors(response) == ["client_error", (None, "precondition_failed")]
    kestrel.refresh_from_db()
    assert kestrel.name == "Kestrel Rewards"


@pytest.mark.parametrize("tags", ["*", "{current}", '"other", {current}', "{current},W/{current}"])
def test_if_match__current__writes(kestrel, as_operator, tags):
    current = as_operator.get(ONE)["ETag"]
    header = {"If-Match": tags.format(current=current)}
    assert as_operator.patch(ONE, {"name": "New"}, headers=header).json()["name"] == "New"


def test_if_match__two_editors__the_second_is_told(kestrel, as_operator, as_admin):
    seen = as_operator.get(ONE)["ETag"]
    assert as_admin.patch(ONE, {"name": "Ann's"}, headers={"If-Match": seen}).status_code == 200
    assert as_operator.patch(ONE, {"name": "Root's"}, headers={"If-Match": seen}).status_code == 412
    kestrel.refresh_from_db()
    assert kestrel.name == "Ann's"


def test_if_match__on_post__is_that_of_the_list(kestrel, as_operator):
    seen = as_operator.get(VENDORS)["ETag"]
    assert as_operator.post(VENDORS, FERN, headers={"If-Match": '"other"'}).status_code == 412
    assert as_operator.post(VENDORS, FERN, headers={"If-Match": seen}).status_code == 201
    oak = {"code": "oak", "name": "Oak"}
    assert as_operator.post(VENDORS, oak, headers={"If-Match": seen}).status_code == 412
    assert list(Vendor.objects.values_list("code", flat=True)) == ["fern"]


def test_if_match__no_right_or_no_row__comes_first(kestrel, tidewater, as_viewer):
    assert as_viewer.patch(ONE, {"name": "New"}).status_code == 403
    assert as_viewer.patch(f"{LIST}tidewater/", {"name": "New"}).status_code == 404


# --- Deletions -------------------------------------------------------------------------------------------------------


def test_delete__any_key_in_the_body__is_refused_and_nothing_deleted(brindle, vic, token_of, as_operator):
    paths = [
        f"{VENDORS}brindle/",
        f"{ONE}members/{vic.memberships.get().pk}/",
        f"{ONE}tokens/{token_of('read').pk}/",
    ]
    for path in paths:
        response = as_operator.delete(path, {"reason": "Why not", "force": True})
        assert response.status_code == 400
        assert errors(response) == ["validation_error", ("reason", "unknown_field"), ("force", "unknown_field")]
        assert as_operator.get(path).status_code == 200
        assert as_operator.delete(path, {}).status_code == 204
        assert as_operator.get(path).status_code == 404


# --- Dry runs --------------------------------------------------------------------------------------------------------


def test_dry_run__create__answers_alike_and_writes_nothing(kestrel, as_operator):
    tried = as_operator.post(f"{VENDORS}?dry_run=true", FERN)
    assert tried.status_code == 201
    assert (tried.json()["code"], tried.json()["name"], tried.json()["is_active"]) == ("fern", "Fern", True)
    assert not Vendor.objects.exists()
    assert as_operator.post(f"{VENDORS}?dry_run=false", FERN).status_code == 201
    assert Vendor.objects.get().code == "fern"


def test_dry_run__update__answers_alike_and_writes_nothing(kestrel, as_operator):
    seen = as_operator.get(ONE)["ETag"]
    tried = as_operator.patch(f"{ONE}?dry_run=true", {"name": "New"}, headers={"If-Match": seen})
    assert (tried.status_code, tried.json()["name"]) == (200, "New")
    # What stands has not changed, and its tag is good for the real thing.
    assert tried["ETag"] == seen == as_operator.get(ONE)["ETag"]
    kestrel.refresh_from_db()
    assert kestrel.name == "Kestrel Rewards"


def test_dry_run__delete__answers_alike_and_writes_nothing(brindle, as_operator):
    for path in (f"{VENDORS}brindle/", ONE):
        assert as_operator.delete(f"{path}?dry_run=true").status_code == 204
        assert as_operator.get(path).status_code == 200


@pytest.mark.parametrize(
    "value",
    ["", "1", "True", "yes", "truefalse", "true&dry_run=false", "false&dry_run=true", "true&dry_run=true", "&dry_run="],
)
@pytest.mark.parametrize(("method", "path"), [("post", VENDORS), ("patch", ONE), ("delete", ONE)])
def test_dry_run__not_one_true_or_false__is_400(kestrel, as_operator, value, method, path):
    response = getattr(as_operator, method)(f"{path}?dry_run={value}", FERN, headers={"If-Match": "*"})
    assert response.status_code == 400
    assert errors(response) == ["validation_error", ("dry_run", "invalid")]
    assert not Vendor.objects.exists()
    assert Platform.objects.get().name == "Kestrel Rewards"


# --- Collisions ------------------------------------------------------------------------------------------------------


def test_create__row_made_meanwhile__is_409(kestrel, as_operator, monkeypatch):
    # Between the check and the write, as another transaction would on PostgreSQL.
    monkeypatch.setattr(Vendor, "full_clean", lambda self: VendorFactory(platform=self.platform, code=self.code))
    response = as_operator.post(VENDORS, FERN)
    assert response.status_code == 409
    assert errors(response) == ["client_error", (None, "conflict")]
    assert not Vendor.objects.exists()
