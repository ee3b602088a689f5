"""`/api/v1/admin/platforms/{platform}/members/`."""

import uuid

import pytest

from platforms.models import Membership
from tests.factories import MembershipFactory, UserFactory, VendorFactory

LIST = "/api/v1/admin/platforms/kestrel/members/"
ANY = {"If-Match": "*"}


def one(membership):
    return f"/api/v1/admin/platforms/kestrel/members/{membership.pk}/"


def errors(response):
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


@pytest.fixture
def mo(kestrel):
    return MembershipFactory(platform=kestrel, role="viewer", user__username="mo")


def test_list__admin_and_operator__see_the_members(brindle, ann, bea, tidewater, as_operator, as_admin):
    MembershipFactory(platform=tidewater)
    first, second = Membership.objects.filter(platform=brindle.platform).order_by("created_at")
    for client in (as_operator, as_admin):
        assert client.get(LIST).json()["results"] == [
            {
                "id": str(row.pk),
                "user": row.user.username,
                "role": row.role,
                "vendor": row.vendor and row.vendor.code,
                "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
            }
            for row in (first, second)
        ]


def test_any__without_the_right__is_refused(mo, as_viewer, as_vendor, as_stranger, client_of, token_of):
    UserFactory(username="new")
    before = set(Membership.objects.values_list("pk", "role"))
    everything = token_of("read", "write", "admin")
    before |= set(Membership.objects.values_list("pk", "role"))
    for client, status in (
        (as_viewer, 403),
        (as_vendor, 403),
        (client_of(everything), 403),
        (as_stranger, 404),
        (client_of(None), 401),
    ):
        assert client.get(LIST).status_code == status
        assert client.get(one(mo)).status_code == status
        assert client.post(LIST, {"user": "new", "role": "admin"}).status_code == status
        assert client.patch(one(mo), {"role": "admin"}, headers=ANY).status_code == status
        assert client.delete(one(mo)).status_code == status
    assert set(Membership.objects.values_list("pk", "role")) == before


@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_create__admin__grants_any_role(kestrel, as_admin, role):
    user = UserFactory(username="new")
    response = as_admin.post(LIST, {"user": "new", "role": role})
    assert response.status_code == 201
    row = Membership.objects.get(user=user)
    assert (row.platform, row.role, row.vendor) == (kestrel, role, None)
    assert (response.json()["id"], response.json()["user"], response.json()["vendor"]) == (str(row.pk), "new", None)


def test_create__vendor_of_the_platform__is_taken(brindle, as_admin):
    UserFactory(username="new")
    response = as_admin.post(LIST, {"user": "new", "role": "vendor", "vendor": "brindle"})
    assert (response.status_code, response.json()["vendor"]) == (201, "brindle")
    assert Membership.objects.get(user__username="new").vendor == brindle


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("user", "required"), ("role", "required")]),
        ({"user": "nobody", "role": "viewer"}, [("user", "does_not_exist")]),
        ({"user": "gone", "role": "viewer"}, [("user", "does_not_exist")]),
        ({"user": {"id": 1}, "role": "viewer"}, [("user", "does_not_exist")]),
        ({"user": "new", "role": "owner"}, [("role", "invalid_choice")]),
        ({"user": "new", "role": "vendor"}, [("vendor", "required")]),
        ({"user": "new", "role": "admin", "vendor": "brindle"}, [("vendor", "vendor_not_allowed")]),
        ({"user": "new", "role": "vendor", "vendor": "saltmarsh"}, [("vendor", "does_not_exist")]),
        ({"user": "mo", "role": "admin"}, [("user", "unique")]),
        ({"user": "bea", "role": "vendor", "vendor": "brindle"}, [("user", "unique")]),
        ({"user": "new", "role": "admin", "platform": "tidewater"}, [("platform", "unknown_field")]),
    ],
)
def test_create__bad_field__is_named(brindle, bea, mo, tidewater, as_admin, body, expected):
    UserFactory(username="new")
    UserFactory(username="gone", is_active=False)
    VendorFactory(platform=tidewater, code="saltmarsh")
    before = Membership.objects.count()
    response = as_admin.post(LIST, body)
    assert response.status_code == 400
    assert errors(response) == expected
    assert Membership.objects.count() == before


def test_update__admin__changes_role_and_vendor(mo, brindle, as_admin):
    assert as_admin.patch(one(mo), {"role": "admin"}, headers=ANY).json()["role"] == "admin"
    response = as_admin.patch(one(mo), {"role": "vendor", "vendor": "brindle"}, headers=ANY)
    assert (response.status_code, response.json()["role"], response.json()["vendor"]) == (200, "vendor", "brindle")
    mo.refresh_from_db()
    assert (mo.role, mo.vendor) == ("vendor", brindle)


def test_update__user__is_fixed(mo, ann, as_admin):
    response = as_admin.patch(one(mo), {"user": "ann"}, headers=ANY)
    assert (response.status_code, errors(response)) == (400, [("user", "fixed")])
    mo.refresh_from_db()
    assert mo.user.username == "mo"


def test_update__own_role_away__is_rolled_back(ann, as_admin):
    own = Membership.objects.get(user=ann)
    response = as_admin.patch(one(own), {"role": "viewer"}, headers=ANY)
    assert response.status_code == 403
    own.refresh_from_db()
    assert own.role == "admin"


def test_one__of_another_platform_or_junk__is_not_found(ann, tidewater, as_admin):
    foreign = MembershipFactory(platform=tidewater)
    # Ann is on tidewater too, so that only the address keeps the rows apart.
    MembershipFactory(user=ann, platform=tidewater)
    for url in (one(foreign), f"{LIST}{uuid.uuid4()}/", f"{LIST}1/", f"{LIST}{str(foreign.pk).upper()}/"):
        assert as_admin.get(url).status_code == 404
        assert as_admin.patch(url, {"role": "viewer"}, headers=ANY).status_code == 404
        assert as_admin.delete(url).status_code == 404
    foreign.refresh_from_db()
    assert foreign.role == "admin"


def test_destroy__admin__takes_the_membership_away(mo, as_admin):
    assert as_admin.delete(one(mo)).status_code == 204
    assert not Membership.objects.filter(pk=mo.pk).exists()
    assert mo.user.__class__.objects.filter(username="mo").exists()


def test_list__many_members__costs_the_same(kestrel, as_admin, django_assert_num_queries):
    MembershipFactory.create_batch(5, platform=kestrel)
    MembershipFactory.create_batch(5, vendor=VendorFactory(platform=kestrel))
    # Session, user, platform, page.
    with django_assert_num_queries(4):
        assert len(as_admin.get(LIST).json()["results"]) == 11
