"""Who may see and switch the modules of a platform: every role against every route."""

from contextlib import nullcontext
from datetime import timedelta

import pytest

from platforms.models import Platform
from tests.factories import ApiTokenFactory, MembershipFactory, PlatformFactory, UserFactory, VendorFactory

ALL = "/api/v1/admin/module-config/"
ONE = f"{ALL}kestrel/"
READS = [
    ONE,
    f"{ONE}billing/",
    f"{ONE}monitoring/",
    f"{ONE}billing/history/",
    "/api/v1/admin/platforms/kestrel/changes/",
    "/api/v1/admin/platforms/kestrel/changes/1/",
]
WRITES = [
    ("put", ONE, {"modules": {"analytics": {"is_enabled": True}}}),
    ("put", f"{ONE}billing/", {"config": {"default_trial_days": 21}}),
    ("patch", f"{ONE}billing/", {"config": {"default_trial_days": 22}}),
    ("post", f"{ONE}cms/enable/", {}),
    ("post", f"{ONE}cms/disable/", {}),
    ("post", f"{ONE}billing/reset/", {}),
]
# Who asks → what reading and writing on kestrel answers.
MATRIX = {
    "anonymous": (401, 401),
    "superuser": (200, 200),
    "admin": (200, 200),
    "viewer": (200, 403),
    "vendor": (403, 403),
    "stranger": (404, 404),
    "admin of another platform": (404, 404),
    "inactive admin": (401, 401),
    "token read": (200, 403),
    "token write": (200, 403),
    "token admin": (200, 200),
    "token admin of a vendor": (403, 403),
    "token admin of a viewer": (200, 403),
    "token admin of a stranger": (401, 401),
    "token admin of a stranger for no platform": (404, 404),
    "token admin of a superuser": (200, 200),
    "token read of a superuser": (200, 403),
    "token of a superuser for another platform": (404, 404),
    "expired token": (401, 401),
}


def member(platform, role="admin"):
    return MembershipFactory(platform=platform, role=role).user


def token(user, platform, **fields):
    return ApiTokenFactory(user=user, platform=platform, **{"scopes": ["admin"]} | fields)


def superuser():
    return UserFactory(is_superuser=True)


# Each makes who asks, given kestrel.
WHO = {
    "anonymous": lambda kestrel: None,
    "superuser": lambda kestrel: superuser(),
    "admin": member,
    "viewer": lambda kestrel: member(kestrel, "viewer"),
    "vendor": lambda kestrel: MembershipFactory(vendor=VendorFactory(platform=kestrel)).user,
    "stranger": lambda kestrel: UserFactory(),
    "admin of another platform": lambda kestrel: member(PlatformFactory()),
    "inactive admin": member,
    "token read": lambda kestrel: token(member(kestrel), kestrel, scopes=["read"]),
    "token write": lambda kestrel: token(member(kestrel), kestrel, scopes=["write"]),
    "token admin": lambda kestrel: token(member(kestrel), kestrel),
    "token admin of a vendor": lambda kestrel: token(member(kestrel), kestrel, vendor=VendorFactory(platform=kestrel)),
    "token admin of a viewer": lambda kestrel: token(member(kestrel, "viewer"), kestrel),
    "token admin of a stranger": lambda kestrel: token(UserFactory(), kestrel),
    "token admin of a stranger for no platform": lambda kestrel: token(UserFactory(), None),
    "token admin of a superuser": lambda kestrel: token(superuser(), None),
    "token read of a superuser": lambda kestrel: token(superuser(), None, scopes=["read"]),
    "token of a superuser for another platform": lambda kestrel: token(superuser(), PlatformFactory()),
    "expired token": lambda kestrel: token(member(kestrel), kestrel, expiry=timedelta(days=-1)),
}


@pytest.fixture
def client(request, client_of, kestrel):
    """A client of the role that the test names."""
    who = WHO[request.param](kestrel)
    client = client_of(who)
    if request.param.startswith("inactive"):
        who.is_active = False
        who.save()
    return client


def roles(index):
    return pytest.mark.parametrize(
        ("client", "status"), [(role, statuses[index]) for role, statuses in MATRIX.items()], indirect=["client"]
    )


@roles(0)
def test_reading__each_role__as_the_matrix_says(kestrel_on, client, status, unchanged):
    with unchanged():
        for path in READS:
            assert client.get(path).status_code == status
            assert client.head(path).status_code == status


@roles(1)
def test_writing__each_role__as_the_matrix_says(kestrel_on, client, status, unchanged):
    for method, path, body in WRITES:
        write = getattr(client, method)
        with unchanged():
            assert write(f"{path}?dry_run=true", body, headers={"If-Match": "*"}).status_code == status
        with unchanged() if status != 200 else nullcontext():
            assert write(path, body, headers={"If-Match": "*"}).status_code == status


@roles(0)
def test_list__each_role__has_the_rows_that_it_may_read(kestrel_on, client, status):
    response = client.get(ALL)
    if status == 401:
        assert response.status_code == 401
    else:
        assert response.status_code == 200
        platforms = {row["platform"] for row in response.json()["results"]}
        assert platforms == ({"kestrel"} if status == 200 else set())


@pytest.mark.parametrize("client", ["viewer", "token read", "vendor"], indirect=True)
def test_writing__without_the_right__says_so_whatever_is_asked(kestrel_on, client, unchanged):
    with unchanged():
        for path in (f"{ONE}nothing/enable/", f"{ONE}monitoring/disable/", f"{ONE}dev_tools/enable/"):
            response = client.post(path, {"nonsense": 1})
            assert response.status_code == 403
            assert response.json()["errors"][0]["code"] == "permission_denied"


def test_session__write_without_csrf_token__changes_nothing(kestrel_on, ann, client_of, unchanged):
    client = client_of(ann)
    client.handler.enforce_csrf_checks = True
    with unchanged():
        assert client.post(f"{ONE}cms/enable/", {}).status_code == 403


def test_admin_of_one_platform__other_platforms__stay_as_they_are(kestrel_on, tidewater, as_script, unchanged):
    with unchanged():
        for _, path, body in WRITES[3:]:
            assert as_script.post(path.replace("kestrel", "tidewater"), body).status_code == 404
    assert as_script.post(f"{ONE}cms/enable/", {}).status_code == 200
    assert list(Platform.objects.order_by("code").values_list("code", "revision")) == [("kestrel", 2), ("tidewater", 0)]
