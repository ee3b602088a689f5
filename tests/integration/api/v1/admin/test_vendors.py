"""`/api/v1/admin/platforms/{platform}/vendors/`."""

import pytest

from platforms.models import Vendor
from tests.factories import VendorFactory

LIST = "/api/v1/admin/platforms/kestrel/vendors/"
ONE = f"{LIST}brindle/"
ANY = {"If-Match": "*"}


def errors(response):
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


def test_list__each_role__sees_own_platforms_vendors(
    brindle, tidewater, as_operator, as_admin, as_viewer, as_vendor, as_stranger, client_of, token_of
):
    VendorFactory(platform=tidewater, code="brindle")
    expected = {
        "next": None,
        "previous": None,
        "results": [
            {
                "code": "brindle",
                "name": "Brindle Coffee",
                "is_active": True,
                "created_at": brindle.created_at.isoformat().replace("+00:00", "Z"),
            }
        ],
    }
    for client in (as_operator, as_admin, as_viewer, client_of(token_of("read"))):
        assert client.get(LIST).json() == expected
        assert client.get(ONE).json() == expected["results"][0]
    assert as_vendor.get(LIST).status_code == 403
    assert as_stranger.get(LIST).status_code == 404
    assert client_of(None).get(LIST).status_code == 401
    assert as_admin.get("/api/v1/admin/platforms/tidewater/vendors/").status_code == 404
    assert as_admin.get("/api/v1/admin/platforms/tidewater/vendors/brindle/").status_code == 404


def test_create__admin__makes_a_vendor_of_the_platform_in_the_address(kestrel, tidewater, as_admin):
    VendorFactory(platform=tidewater, code="fernhill")
    response = as_admin.post(LIST, {"code": "fernhill", "name": "Fernhill Books"})
    assert response.status_code == 201
    vendor = Vendor.objects.get(platform=kestrel)
    assert (vendor.code, vendor.name, vendor.is_active) == ("fernhill", "Fernhill Books", True)
    assert response["ETag"] == as_admin.get(f"{LIST}fernhill/")["ETag"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"code": "brindle", "name": "Again"}, [("code", "unique")]),
        ({"code": "Fern", "name": "Fern"}, [("code", "invalid_code")]),
        ({"code": "fern"}, [("name", "required")]),
        ({"code": "fern", "name": "Fern", "platform": "tidewater"}, [("platform", "unknown_field")]),
    ],
)
def test_create__bad_field__is_named(brindle, tidewater, as_admin, body, expected):
    response = as_admin.post(LIST, body)
    assert response.status_code == 400
    assert errors(response) == expected
    assert Vendor.objects.get() == brindle


def test_write__without_the_right__is_refused(brindle, as_viewer, as_vendor, as_stranger, client_of, token_of):
    for client in (as_viewer, as_vendor, client_of(token_of("read", "write"))):
        assert client.post(LIST, {"code": "fern", "name": "Fern"}).status_code == 403
        assert client.patch(ONE, {"name": "Fern"}, headers=ANY).status_code == 403
        assert client.delete(ONE).status_code == 403
    assert as_stranger.post(LIST, {"code": "fern", "name": "Fern"}).status_code == 404
    assert as_stranger.patch(ONE, {"name": "Fern"}, headers=ANY).status_code == 404
    assert as_stranger.delete(ONE).status_code == 404
    assert list(Vendor.objects.values_list("code", "name")) == [("brindle", "Brindle Coffee")]


def test_update__admin__renames_and_switches_off(brindle, as_admin):
    etag = as_admin.get(ONE)["ETag"]
    response = as_admin.patch(ONE, {"name": "Brindle", "is_active": False}, headers={"If-Match": etag})
    assert response.status_code == 200
    assert (response.json()["name"], response.json()["is_active"]) == ("Brindle", False)
    brindle.refresh_from_db()
    assert (brindle.name, brindle.is_active) == ("Brindle", False)


def test_update__code__is_fixed(brindle, as_admin):
    response = as_admin.patch(ONE, {"code": "bean"}, headers=ANY)
    assert (response.status_code, errors(response)) == (400, [("code", "fixed")])
    brindle.refresh_from_db()
    assert brindle.code == "brindle"


def test_update__foreign_vendor_of_the_same_code__stays(brindle, tidewater, as_admin):
    other = VendorFactory(platform=tidewater, code="brindle", name="Other")
    assert as_admin.patch(ONE, {"name": "Mine"}, headers=ANY).status_code == 200
    other.refresh_from_db()
    assert other.name == "Other"


def test_destroy__admin__deletes(brindle, as_admin):
    assert as_admin.delete(ONE).status_code == 204
    assert not Vendor.objects.exists()


def test_list__many_vendors__costs_the_same(brindle, client_of, token_of, django_assert_num_queries):
    client = client_of(token_of("read"))
    VendorFactory.create_batch(10, platform=brindle.platform)
    with django_assert_num_queries(3):
        assert len(client.get(LIST).json()["results"]) == 11
    with django_assert_num_queries(3):
        client.get(ONE)
