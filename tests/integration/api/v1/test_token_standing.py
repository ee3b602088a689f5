"""A token is worth what its maker is, at every request: the very next one is refused when that is gone."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from platforms.models import ApiToken, Membership, Platform, User, Vendor
from tests.factories import ApiTokenFactory, MembershipFactory, VendorFactory

PLATFORM = "/api/v1/admin/platforms/kestrel/"
LIST = "/api/v1/admin/platforms/"
TOKENS = f"{PLATFORM}tokens/"
VENDORS = f"{PLATFORM}vendors/"
WISH = {"name": "nightly export", "scopes": ["read"]}


def errors(response, status):
    assert response.status_code == status, response.content
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


@pytest.fixture
def vendor_token(brindle, ann):
    return ApiTokenFactory(platform=brindle.platform, vendor=brindle, user=ann, scopes=["read", "write", "admin"])


# --- At once ---------------------------------------------------------------------------------------------------------

ENDS = {
    "deleted": lambda token: token.delete(),
    "expired": lambda token: ApiToken.objects.filter(pk=token.pk).update(expiry=timezone.now()),
    "user deactivated": lambda token: User.objects.filter(pk=token.user_id).update(is_active=False),
    "user deleted": lambda token: token.user.delete(),
    "user left": lambda token: Membership.objects.filter(user=token.user_id, platform=token.platform_id).delete(),
    "platform deleted": lambda token: token.platform.delete(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_token__at_its_end__is_401_at_the_next_request(tidewater, ann, token_of, client_of, end):
    MembershipFactory(user=ann, platform=tidewater)
    token = token_of("read", "write", "admin")
    client = client_of(token)
    assert client.get(PLATFORM).status_code == 200
    end(token)
    for response in (client.get(PLATFORM), client.get(LIST), client.post(VENDORS, {"code": "fern", "name": "Fern"})):
        assert errors(response, 401) == [(None, "authentication_failed")]
        assert response["WWW-Authenticate"] == "Bearer"
    assert not Vendor.objects.exists()


VENDOR_ENDS = {
    **ENDS,
    "vendor inactive": lambda token: Vendor.objects.filter(pk=token.vendor_id).update(is_active=False),
    "platform inactive": lambda token: Platform.objects.filter(pk=token.platform_id).update(is_active=False),
    "vendor deleted": lambda token: token.vendor.delete(),
}


@pytest.mark.parametrize("end", VENDOR_ENDS.values(), ids=VENDOR_ENDS.keys())
def test_token_of_a_vendor__at_its_end__is_401_at_the_next_request(vendor_token, client_of, end):
    client = client_of(vendor_token)
    assert errors(client.get(PLATFORM), 403) == [(None, "permission_denied")]
    end(vendor_token)
    assert errors(client.get(PLATFORM), 401) == [(None, "authentication_failed")]


def test_token__revoked_through_the_api__is_401_at_the_next_request(as_admin, token_of, client_of):
    token = token_of("read")
    assert client_of(token).get(PLATFORM).status_code == 200
    assert as_admin.delete(f"{TOKENS}{token.pk}/").status_code == 204
    assert client_of(token).get(PLATFORM).status_code == 401


# --- Never beyond its maker ------------------------------------------------------------------------------------------


def test_token__maker_becomes_viewer__sees_and_no_longer_changes(ann, token_of, client_of):
    client = client_of(token_of("read", "write", "admin"))
    assert client.patch(PLATFORM, {"name": "New"}, headers={"If-Match": "*"}).status_code == 200
    Membership.objects.filter(user=ann).update(role="viewer")
    assert client.get(PLATFORM).status_code == 200
    assert errors(client.patch(PLATFORM, {"name": "Newer"}, headers={"If-Match": "*"}), 403)
    assert Platform.objects.get().name == "New"


def test_token__superuser_becomes_nobody__is_401(kestrel, operator, client_of):
    client = client_of(ApiTokenFactory(user=operator, platform=kestrel))
    assert client.get(PLATFORM).status_code == 200
    User.objects.filter(pk=operator.pk).update(is_superuser=False)
    assert errors(client.get(PLATFORM), 401) == [(None, "authentication_failed")]


def test_token__without_platform__reaches_as_far_as_its_user(kestrel, tidewater, ann, client_of):
    client = client_of(ApiTokenFactory(user=ann, platform=None))
    assert [row["code"] for row in client.get(LIST).json()["results"]] == ["kestrel"]
    Membership.objects.filter(user=ann).delete()
    assert client.get(LIST).json()["results"] == []


def test_token_of_a_vendor__maker_belongs_to_another_vendor_only__is_401(brindle, bea, client_of):
    other = VendorFactory(platform=brindle.platform)
    own = ApiTokenFactory(user=bea, platform=brindle.platform, vendor=brindle)
    foreign = ApiTokenFactory(user=bea, platform=brindle.platform, vendor=other)
    assert client_of(own).get(PLATFORM).status_code == 403
    assert client_of(foreign).get(PLATFORM).status_code == 401


def test_issuing__by_anybody_but_an_admin__is_refused_and_makes_none(
    as_viewer, as_vendor, as_stranger, token_of, client_of
):
    best = token_of("read", "write", "admin")
    for client, status in ((as_viewer, 403), (as_vendor, 403), (client_of(best), 403), (as_stranger, 404)):
        for scope in ApiToken.Scope.values:
            assert client.post(TOKENS, {**WISH, "scopes": [scope]}).status_code == status
    assert ApiToken.objects.get() == best


def test_issued_token__all_scopes__reaches_no_members_tokens_or_other_platform(tidewater, as_admin, client_of):
    secret = as_admin.post(TOKENS, {**WISH, "scopes": ["read", "write", "admin"]}).json()["token"]
    token = ApiToken.objects.get()
    token.secret = secret
    client = client_of(token)
    assert client.get(PLATFORM).status_code == 200
    for path in (TOKENS, f"{PLATFORM}members/"):
        assert client.get(path).status_code == 403
    assert client.get(f"{LIST}tidewater/").status_code == 404
    assert client.post(LIST, {"code": "x", "name": "X", "kind": "b2b", "currency": "EUR"}).status_code == 403


@pytest.mark.parametrize("row", ["vendor", "platform"])
def test_issuing__for_an_inactive_vendor_or_platform__is_refused_and_makes_none(brindle, as_admin, row):
    changed = brindle if row == "vendor" else brindle.platform
    changed.is_active = False
    changed.save()
    assert errors(as_admin.post(TOKENS, {**WISH, "vendor": "brindle"}), 400) == [("vendor", "inactive")]
    assert not ApiToken.objects.exists()
    # A token of the whole platform is not a vendor's.
    assert as_admin.post(TOKENS, WISH).status_code == 201


# --- Last used -------------------------------------------------------------------------------------------------------


def used_at(token):
    return ApiToken.objects.get(pk=token.pk).last_used_at


@pytest.mark.parametrize("before", [None, timedelta(minutes=5), timedelta(days=9)])
def test_last_used__never_or_five_minutes_ago__is_written_once(
    token_of, as_admin, client_of, before, django_assert_num_queries
):
    token = token_of("read")
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=before and timezone.now() - before)
    with django_assert_num_queries(5):  # token, savepoint, update, release, platform
        client_of(token).get(PLATFORM)
    assert abs(used_at(token) - timezone.now()) < timedelta(minutes=1)
    shown = used_at(token).isoformat().replace("+00:00", "Z")
    assert as_admin.get(f"{TOKENS}{token.pk}/").json()["last_used_at"] == shown
    with django_assert_num_queries(2):
        client_of(token).get(PLATFORM)


def test_last_used__a_moment_ago__stays(token_of, client_of):
    token = token_of("read")
    moment = timezone.now() - timedelta(minutes=4)
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=moment)
    client_of(token).get(PLATFORM)
    assert used_at(token) == moment


def test_last_used__request_that_fails__counts(token_of, client_of):
    token = token_of("admin")
    ApiToken.objects.update(last_used_at=None)
    assert client_of(token).post(VENDORS, {}).status_code == 400
    assert used_at(token) is not None


def test_last_used__token_that_is_refused__does_not(token_of, client_of):
    token = token_of("admin")
    ApiToken.objects.update(last_used_at=None, expiry=timezone.now())
    assert client_of(token).get(PLATFORM).status_code == 401
    assert used_at(token) is None


@pytest.mark.django_db(transaction=True)
def test_last_used__row_or_database_is_anothers__request_goes_on(token_of, client_of, in_thread):
    token = token_of("read")
    ApiToken.objects.update(last_used_at=None)

    def read():
        started = timezone.now()
        status = client_of(token).get(PLATFORM).status_code
        return status, timezone.now() - started

    with transaction.atomic():
        ApiToken.objects.update(name="held")
        status, took = in_thread(read)
    assert status == 200
    assert took < timedelta(seconds=5)
    assert used_at(token) is None
    assert read()[0] == 200
    assert used_at(token) is not None
    if connection.vendor == "sqlite":
        # Only that one statement is in a hurry.
        assert connection.cursor().execute("PRAGMA busy_timeout").fetchone() == (20_000,)
