"""What everybody sees of a platform: the public routes of the modules that are on there."""

import pytest

from modules import services
from tests.factories import PlanFactory, PlatformFactory
from tests.modules.building import enable, origin

pytestmark = pytest.mark.django_db

PLANS = "/api/v1/public/kestrel/billing/plans/"


@pytest.fixture
def plans(kestrel_on):
    """Two plans of kestrel, of which one is public, and one of another platform."""
    elsewhere = PlatformFactory(code="quarry")
    enable(elsewhere, "billing")
    PlanFactory(platform=elsewhere, code="theirs", is_public=True)
    PlanFactory(platform=kestrel_on, code="hidden")
    return PlanFactory(platform=kestrel_on, code="small", name="Small", is_public=True)


def test_list__anybody__sees_public_rows_of_the_platform(client, plans):
    answer = client.get(PLANS)
    assert answer.json()["results"] == [{"code": "small", "name": "Small", "price": "29.00"}]
    assert client.get(f"{PLANS}small/").status_code == 200
    assert client.get(f"{PLANS}hidden/").status_code == client.get(f"{PLANS}theirs/").status_code == 404


def test_dark__off_inactive_and_missing__the_same_answer(client, plans, kestrel_on):
    missing = client.get("/api/v1/public/nowhere/billing/plans/", headers={"X-Request-ID": "one"})
    services.disable(platform=kestrel_on, module="billing", origin=origin(), cascade=True)
    off = client.get(PLANS, headers={"X-Request-ID": "one"})
    enable(kestrel_on, "billing")
    assert client.get(PLANS).status_code == 200
    kestrel_on.is_active = False
    kestrel_on.save()
    inactive = client.get(PLANS, headers={"X-Request-ID": "one"})
    assert missing.status_code == 404
    for answer in (off, inactive):
        assert (answer.status_code, answer.content) == (missing.status_code, missing.content)


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer \xff", "Basic x"])
def test_credentials__of_any_kind__are_not_looked_at(client, plans, header):
    assert client.get(PLANS, headers={"Authorization": header}).status_code == 200


def test_write__is_not_offered(client, as_admin, plans):
    for asking in (client, as_admin):
        assert asking.post(PLANS, {}, content_type="application/json").status_code == 405
        assert asking.delete(f"{PLANS}small/").status_code == 405


def test_reader__with_the_tag__304(client, plans):
    tag = client.get(PLANS)["ETag"]
    assert client.get(PLANS, headers={"If-None-Match": tag}).status_code == 304
