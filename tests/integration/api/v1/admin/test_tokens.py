"""`/api/v1/admin/platforms/{platform}/tokens/`."""

from datetime import timedelta

import pytest
from django.utils import timezone

from platforms.models import ApiToken
from tests.factories import ApiTokenFactory, VendorFactory

LIST = "/api/v1/admin/platforms/kestrel/tokens/"
PLATFORM = "/api/v1/admin/platforms/kestrel/"
WISH = {"name": "nightly export", "scopes": ["read", "write"]}


def one(token):
    return f"{LIST}{token.pk}/"


def errors(response):
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


def z(time):
    return time.isoformat().replace("+00:00", "Z")


def test_create__admin__gets_the_secret_this_once(kestrel, ann, as_admin, client_of):
    response = as_admin.post(LIST, WISH)
    assert response.status_code == 201
    token = ApiToken.objects.get()
    assert response["Cache-Control"] == "no-store"
    secret = response.json()["token"]
    assert response.json() == {
        "id": str(token.pk),
        "name": "nightly export",
        "token": secret,
        "prefix": secret[:15],
        "scopes": ["read", "write"],
        "vendor": None,
        "expires_at": z(token.expiry),
        "last_used_at": None,
        "created_by": "ann",
    }
    assert abs(token.expiry - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    assert (token.user, token.platform) == (ann, kestrel)
    seen = {key: value for key, value in response.json().items() if key != "token"}
    assert as_admin.get(one(token)).json() == seen
    assert as_admin.get(LIST).json()["results"] == [seen]
    assert response["ETag"] == as_admin.get(one(token))["ETag"]
    token.secret = secret
    assert client_of(token).get(PLATFORM).status_code == 200


def test_create__vendor_and_days__are_kept(brindle, as_admin):
    response = as_admin.post(LIST, {**WISH, "vendor": "brindle", "expires_in_days": 1})
    assert (response.status_code, response.json()["vendor"]) == (201, "brindle")
    token = ApiToken.objects.get()
    assert token.vendor == brindle
    assert abs(token.expiry - timezone.now() - timedelta(days=1)) < timedelta(minutes=1)


def test_create__operator__issues_for_the_platform_only(kestrel, tidewater, as_operator, client_of):
    response = as_operator.post(LIST, {**WISH, "scopes": ["admin"]})
    token = ApiToken.objects.get()
    token.secret = response.json()["token"]
    assert token.platform == kestrel
    assert client_of(token).get(PLATFORM).status_code == 200
    assert client_of(token).get("/api/v1/admin/platforms/tidewater/").status_code == 404


def test_create__dry_run__shows_no_secret_and_keeps_nothing(as_admin):
    response = as_admin.post(f"{LIST}?dry_run=true", WISH)
    assert response.status_code == 201
    assert response.json()["token"] is None
    assert response.json()["name"] == "nightly export"
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": ""}, [("name", "blank")]),
        ({"name": "n" * 101}, [("name", "max_length")]),
        ({"scopes": []}, [("scopes", "empty")]),
        ({"scopes": "read"}, [("scopes", "not_a_list")]),
        ({"scopes": {"read": True}}, [("scopes", "not_a_list")]),
        ({"scopes": ["read", "root"]}, [("scopes.1", "invalid_choice")]),
        ({"scopes": ["read", "read"]}, [("scopes", "invalid_scopes")]),
        ({"scopes": [[]]}, [("scopes.0", "invalid_choice")]),
        ({"vendor": "saltmarsh"}, [("vendor", "does_not_exist")]),
        ({"expires_in_days": 0}, [("expires_in_days", "min_value")]),
        ({"expires_in_days": 3651}, [("expires_in_days", "max_value")]),
        ({"expires_in_days": 10**60}, [("expires_in_days", "max_value")]),
        ({"expires_in_days": True}, [("expires_in_days", "invalid")]),
        ({"expires_in_days": None}, [("expires_in_days", "null")]),
        ({"platform": "tidewater"}, [("platform", "unknown_field")]),
        ({"user": "root"}, [("user", "unknown_field")]),
        ({"token": "mine"}, [("token", "unknown_field")]),
    ],
)
def test_create__bad_field__is_named(tidewater, as_admin, change, expected):
    VendorFactory(platform=tidewater, code="saltmarsh")
    response = as_admin.post(LIST, {**WISH, **change})
    assert response.status_code == 400
    assert errors(response) == expected
    assert not ApiToken.objects.exists()


def test_any__without_the_right__is_refused(kestrel, as_viewer, as_vendor, as_stranger, client_of, token_of):
    token = token_of("read", "write", "admin")
    for client, status in (
        (as_viewer, 403),
        (as_vendor, 403),
        (client_of(token), 403),
        (as_stranger, 404),
        (client_of(None), 401),
    ):
        assert client.get(LIST).status_code == status
        assert client.get(one(token)).status_code == status
        assert client.post(LIST, WISH).status_code == status
        assert client.delete(one(token)).status_code == status
    assert ApiToken.objects.get() == token


def test_destroy__admin__revokes_anybodys_token_of_the_platform(kestrel, operator, as_admin, client_of):
    token = ApiTokenFactory(platform=kestrel, user=operator)
    assert client_of(token).get(PLATFORM).status_code == 200
    assert as_admin.delete(one(token)).status_code == 204
    assert not ApiToken.objects.exists()
    assert client_of(token).get(PLATFORM).status_code == 401


def test_destroy__foreign_or_unbound_token__is_not_found(kestrel, tidewater, operator, as_admin):
    for platform in (tidewater, None):
        token = ApiTokenFactory(platform=platform, user=operator)
        assert as_admin.delete(one(token)).status_code == 404
        assert ApiToken.objects.filter(pk=token.pk).exists()


def test_patch__token__is_not_offered(as_admin, token_of):
    response = as_admin.patch(one(token_of("read")), {"name": "x"}, headers={"If-Match": "*"})
    assert (response.status_code, errors(response)) == (405, [(None, "method_not_allowed")])


def test_list__many_tokens__costs_the_same(kestrel, ann, as_admin, django_assert_num_queries):
    ApiTokenFactory.create_batch(5, platform=kestrel, user=ann)
    # Session, user, platform, page.
    with django_assert_num_queries(4):
        assert len(as_admin.get(LIST).json()["results"]) == 5
