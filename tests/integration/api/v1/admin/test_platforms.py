"""`/api/v1/admin/platforms/`: who sees and changes which platform, and how it looks."""

import pytest

from platforms import services
from platforms.models import Platform
from tests.factories import ApiTokenFactory, MembershipFactory, PlatformFactory, VendorFactory

LIST = "/api/v1/admin/platforms/"
ONE = "/api/v1/admin/platforms/kestrel/"
NEW = {"code": "quarry", "name": "Quarry Trade", "kind": "b2b", "currency": "GBP", "locales": ["en"]}


def errors(response):
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


def codes(response):
    return [row["code"] for row in response.json()["results"]]


def test_list__each_role__sees_its_own(
    kestrel, tidewater, as_operator, as_admin, as_viewer, as_vendor, as_stranger, client_of, token_of
):
    assert codes(as_operator.get(LIST)) == ["kestrel", "tidewater"]
    for client in (as_admin, as_viewer, client_of(token_of("read")), client_of(token_of("admin"))):
        assert codes(client.get(LIST)) == ["kestrel"]
    for client in (as_vendor, as_stranger):
        assert client.get(LIST).json() == {"next": None, "previous": None, "results": []}
    assert client_of(None).get(LIST).status_code == 401


def test_list__token_of_operator_for_one_platform__shows_that_one(kestrel, tidewater, operator, client_of):
    bound = ApiTokenFactory(user=operator, platform=tidewater)
    unbound = ApiTokenFactory(user=operator, platform=None)
    assert codes(client_of(bound).get(LIST)) == ["tidewater"]
    assert codes(client_of(unbound).get(LIST)) == ["kestrel", "tidewater"]


def test_retrieve__representation__is_as_agreed(kestrel, as_viewer):
    response = as_viewer.get(ONE)
    assert response.status_code == 200
    created_at = kestrel.created_at.isoformat().replace("+00:00", "Z")
    assert response.json() == {
        "code": "kestrel",
        "name": "Kestrel Rewards",
        "kind": "loyalty",
        "currency": "EUR",
        "locales": ["en", "de"],
        "is_active": True,
        "revision": 0,
        "created_at": created_at,
    }


@pytest.mark.parametrize("code", ["tidewater", "nowhere", "UPPER", "-", "a" * 300, "%ED%A0%80", "é", "a--b"])
def test_retrieve__foreign_missing_or_junk__is_the_same_404(tidewater, as_admin, code):
    response = as_admin.get(f"{LIST}{code}/")
    assert response.status_code == 404
    assert response.json() == {
        "type": "client_error",
        "errors": [{"code": "not_found", "detail": "Not found.", "attr": None}],
    }


def test_retrieve__vendor__is_refused_in_own_platform(as_vendor):
    response = as_vendor.get(ONE)
    assert response.status_code == 403
    assert errors(response) == [(None, "permission_denied")]


def test_create__operator__makes_a_platform(as_operator):
    response = as_operator.post(LIST, {**NEW, "locales": ["en", "de-AT"]})
    assert response.status_code == 201
    assert response.json()["code"] == "quarry"
    platform = Platform.objects.get()
    assert (platform.code, platform.name, platform.kind, platform.currency, platform.locales, platform.revision) == (
        "quarry",
        "Quarry Trade",
        "b2b",
        "GBP",
        ["en", "de-AT"],
        0,
    )
    assert response["ETag"] == as_operator.get(f"{LIST}quarry/")["ETag"]


def test_create__operators_token__needs_scope_admin_and_no_platform(operator, kestrel, client_of):
    free = {"user": operator, "platform": None}
    assert client_of(ApiTokenFactory(**free, scopes=["read", "write"])).post(LIST, NEW).status_code == 403
    bound = ApiTokenFactory(user=operator, platform=kestrel, scopes=["admin"])
    assert client_of(bound).post(LIST, NEW).status_code == 403
    assert not Platform.objects.filter(code="quarry").exists()
    assert client_of(ApiTokenFactory(**free, scopes=["admin"])).post(LIST, NEW).status_code == 201


def test_create__others__are_refused(as_admin, as_viewer, as_vendor, as_stranger, client_of, token_of):
    for client in (as_admin, as_viewer, as_vendor, as_stranger, client_of(token_of("read", "write", "admin"))):
        response = client.post(LIST, NEW)
        assert response.status_code == 403
        assert errors(response) == [(None, "permission_denied")]
    assert client_of(None).post(LIST, NEW).status_code == 401
    assert not Platform.objects.filter(code="quarry").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"code": "Quarry Trade"}, [("code", "invalid_code")]),
        ({"code": "kestrel"}, [("code", "unique")]),
        ({"code": "q" * 51}, [("code", "max_length")]),
        ({"code": None}, [("code", "null")]),
        ({"code": ["a"]}, [("code", "invalid")]),
        ({"name": " "}, [("name", "blank")]),
        ({"kind": "shop"}, [("kind", "invalid_choice")]),
        ({"kind": {}}, [("kind", "invalid_choice")]),
        ({"currency": "euro"}, [("currency", "invalid_currency"), ("currency", "max_length")]),
        ({"currency": "eur"}, [("currency", "invalid_currency")]),
        ({"locales": "en"}, [("locales", "not_a_list")]),
        ({"locales": []}, [("locales", "empty")]),
        ({"locales": ["english"]}, [("locales", "invalid_locales")]),
        ({"locales": ["en", "en"]}, [("locales", "invalid_locales")]),
        ({"locales": [{}]}, [("locales.0", "invalid")]),
        ({"is_active": "maybe"}, [("is_active", "invalid")]),
        ({"revision": 7}, [("revision", "unknown_field")]),
        ({"reason": "because"}, [("reason", "unknown_field")]),
        ({"color": "red", "kind": "shop"}, [("kind", "invalid_choice"), ("color", "unknown_field")]),
    ],
)
def test_create__bad_field__is_named(kestrel, as_operator, change, expected):
    response = as_operator.post(LIST, {**NEW, **change})
    assert response.status_code == 400
    assert response.json()["type"] == "validation_error"
    assert errors(response) == expected
    assert list(Platform.objects.values_list("code", flat=True)) == ["kestrel"]


def test_create__nothing__names_what_is_required(as_operator):
    assert errors(as_operator.post(LIST)) == [
        ("code", "required"),
        ("name", "required"),
        ("kind", "required"),
        ("currency", "required"),
    ]


def test_update__admin__changes_what_is_sent_only(kestrel, as_admin):
    etag = as_admin.get(ONE)["ETag"]
    Platform.objects.filter(pk=kestrel.pk).update(settings={"enabled_modules": ["cms"]})
    response = as_admin.patch(ONE, {"name": "Kestrel"}, headers={"If-Match": etag})
    assert response.status_code == 200
    assert response.json()["name"] == "Kestrel"
    assert response["ETag"] != etag
    assert response["ETag"] == as_admin.get(ONE)["ETag"]
    kestrel.refresh_from_db()
    assert (kestrel.name, kestrel.kind, kestrel.settings) == ("Kestrel", "loyalty", {"enabled_modules": ["cms"]})


def test_update__whole_row_sent_back__is_taken(as_admin):
    row = as_admin.get(ONE)
    response = as_admin.patch(ONE, {**row.json(), "currency": "GBP"}, headers={"If-Match": row["ETag"]})
    assert response.status_code == 200
    assert response.json() == {**row.json(), "currency": "GBP"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"code": "falcon"}, [("code", "fixed")]),
        ({"revision": 9}, [("revision", "fixed")]),
        ({"code": "falcon", "currency": "x"}, [("currency", "invalid_currency"), ("code", "fixed")]),
        ({"modules": []}, [("modules", "unknown_field")]),
        ({"name": None}, [("name", "null")]),
    ],
)
def test_update__what_is_fixed_or_unknown__is_refused(kestrel, as_admin, change, expected):
    response = as_admin.patch(ONE, {"kind": "b2b", **change}, headers={"If-Match": "*"})
    assert response.status_code == 400
    assert errors(response) == expected
    kestrel.refresh_from_db()
    assert (kestrel.code, kestrel.kind, kestrel.name) == ("kestrel", "loyalty", "Kestrel Rewards")


def test_update__others__are_refused(
    kestrel, tidewater, as_viewer, as_vendor, as_admin, as_stranger, client_of, token_of
):
    for client in (as_viewer, as_vendor, client_of(token_of("read", "write"))):
        assert client.patch(ONE, {"name": "Mine"}, headers={"If-Match": "*"}).status_code == 403
    assert as_stranger.patch(ONE, {"name": "Mine"}, headers={"If-Match": "*"}).status_code == 404
    assert as_admin.patch(f"{LIST}tidewater/", {"name": "Mine"}, headers={"If-Match": "*"}).status_code == 404
    assert client_of(None).patch(ONE, {"name": "Mine"}, headers={"If-Match": "*"}).status_code == 401
    assert not Platform.objects.filter(name="Mine").exists()
    assert client_of(token_of("admin")).patch(ONE, {"name": "Mine"}, headers={"If-Match": "*"}).status_code == 200


def test_destroy__operator__deletes_all_that_is_on_it(kestrel, brindle, ann, as_operator):
    response = as_operator.delete(ONE)
    assert (response.status_code, response.content) == (204, b"")
    assert not Platform.objects.exists()
    assert as_operator.get(ONE).status_code == 404


def test_destroy__others__are_refused(kestrel, as_admin, as_viewer, as_stranger, client_of, token_of):
    for client in (as_admin, as_viewer, client_of(token_of("admin"))):
        assert client.delete(ONE).status_code == 403
    assert as_stranger.delete(ONE).status_code == 404
    assert Platform.objects.get() == kestrel


@pytest.fixture
def told(monkeypatch):
    calls = []

    def tell(*, platform, actor, source, reason):
        calls.append((platform.code, actor.label, source, reason, Platform.objects.filter(pk=platform.pk).exists()))

    monkeypatch.setattr(services, "before_platform_delete", [tell])
    return calls


def test_destroy__registered_callbacks__are_told_while_the_rows_are_there(kestrel, as_operator, told):
    assert as_operator.delete(ONE).status_code == 204
    assert told == [("kestrel", "root", "api", "", True)]


def test_destroy__reason__is_told(kestrel, as_operator, told):
    assert as_operator.delete(ONE, {"reason": "Contract ended\nas agreed"}).status_code == 204
    assert told == [("kestrel", "root", "api", "Contract ended\nas agreed", True)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"reason": "x" * 501}, [("reason", "max_length")]),
        ({"reason": "a\x1bb"}, [("reason", "control_characters")]),
        ({"reason": 5}, [("reason", "invalid")]),
        ({"reason": None}, [("reason", "null")]),
        ({"why": "x", "cascade": True}, [("why", "unknown_field"), ("cascade", "unknown_field")]),
    ],
)
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_destroy__bad_body__deletes_nothing(kestrel, as_operator, told, body, expected, query):
    response = as_operator.delete(f"{ONE}{query}", body)
    assert response.status_code == 400
    assert errors(response) == expected
    assert told == []
    assert Platform.objects.get() == kestrel


def test_destroy__callback_fails__keeps_the_platform(kestrel, as_operator, monkeypatch):
    def refuse(*, platform, actor, source, reason):
        raise PlatformFactory._meta.model.DoesNotExist

    monkeypatch.setattr(services, "before_platform_delete", [refuse])
    assert as_operator.delete(ONE).status_code == 404
    assert Platform.objects.get() == kestrel


def test_list__filters__narrow(as_operator, kestrel, tidewater):
    PlatformFactory(code="quarry", kind="b2b", is_active=False)
    assert codes(as_operator.get(LIST, {"kind": "b2b"})) == ["quarry"]
    assert codes(as_operator.get(LIST, {"is_active": "true"})) == ["kestrel", "tidewater"]
    assert codes(as_operator.get(LIST, {"is_active": "false"})) == ["quarry"]
    assert codes(as_operator.get(LIST, {"search": "REWARDS"})) == ["kestrel"]
    assert codes(as_operator.get(LIST, {"search": "tide", "kind": "b2b"})) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("kind=shop", ("kind", "invalid_choice")),
        ("is_active=maybe", ("is_active", "invalid_choice")),
        ("page_size=many", ("page_size", "invalid")),
        ("page_size=0", ("page_size", "invalid")),
        ("page_size=-1", ("page_size", "invalid")),
        ("page_size=", ("page_size", "invalid")),
        ("page_size=1.5", ("page_size", "invalid")),
        ("page_size=%D9%A3", ("page_size", "invalid")),
    ],
)
def test_list__bad_query__is_named(as_operator, query, expected):
    response = as_operator.get(f"{LIST}?{query}")
    assert response.status_code == 400
    assert errors(response) == [expected]


def test_list__pages__cover_all_rows_once(as_operator):
    PlatformFactory.create_batch(205)
    seen, url = [], f"{LIST}?page_size=60"
    while url:
        page = as_operator.get(url)
        seen += codes(page)
        assert len(codes(page)) in (60, 25)
        url = page.json()["next"]
    assert seen == sorted(Platform.objects.values_list("code", flat=True))
    assert len(codes(as_operator.get(LIST))) == 50
    assert len(codes(as_operator.get(f"{LIST}?page_size=9999999999"))) == 200


@pytest.mark.parametrize("cursor", ["x", "cD0lMDA=", "cj0y", "bz0tMQ==", "%00", "é"])
def test_list__cursor_that_is_not_ours__is_never_a_server_error(as_operator, cursor):
    assert as_operator.get(LIST, {"cursor": cursor}).status_code in (200, 404)


def test_list__many_platforms__costs_the_same(client_of, token_of, ann, django_assert_num_queries):
    client = client_of(token_of("read"))
    with django_assert_num_queries(2):
        client.get(LIST)
    for _ in range(5):
        VendorFactory(platform=MembershipFactory(user=ann).platform)
    with django_assert_num_queries(2):
        client.get(LIST)
    with django_assert_num_queries(2):
        client.get(ONE)
