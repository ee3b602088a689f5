"""`?compare=`: what differs between two times, or two platforms."""

from datetime import UTC, datetime, timedelta

import pytest
from jsonschema import Draft202012Validator

from modules import services
from tests.factories import MembershipFactory, PlatformFactory
from tests.integration.api.v1.admin.answers import KEY, ONE, errors, isoformat
from tests.modules.building import enable, origin, row_of

AT = datetime(2026, 3, 16, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def story(kestrel):
    """Billing on at nine, configured at ten, off at eleven."""
    enable(kestrel, "billing", at=AT)
    config = {"address": {"city": "Kiel"}, "api_key": KEY}
    services.configure(platform=kestrel, module="billing", config=config, origin=origin(at=AT + HOUR))
    services.disable(platform=kestrel, module="billing", origin=origin(at=AT + 2 * HOUR))
    return kestrel


@pytest.fixture
def quarry(ann):
    """Another platform of ann's, which has customers and cms on since nine."""
    platform = PlatformFactory.create(code="quarry")
    MembershipFactory.create(user=ann, platform=platform)
    enable(platform, "customers", "cms", at=AT)
    return platform


def test_compare__time__what_is_otherwise_now(story, as_viewer):
    response = as_viewer.get(ONE, {"compare": isoformat(AT)})

    mark = row_of(story, "billing").secrets["api_key"]["fingerprint"]
    assert response.json() == {
        "left": {"platform": "kestrel", "as_of": None, "revision": 3},
        "right": {"platform": "kestrel", "as_of": isoformat(AT), "revision": 1},
        "modules": [
            {
                "module": "billing",
                "name": "Billing",
                "differences": [
                    {"key": "is_enabled", "left": False, "right": True},
                    {"key": "config.address.city", "left": "Kiel", "right": None},
                    {"key": "config.api_key", "left": {"fingerprint": mark}, "right": None},
                ],
            }
        ],
    }
    assert response["ETag"] == '"3"'
    assert KEY not in response.content.decode()


def test_compare__time_and_as_of__two_moments(story, as_viewer):
    body = as_viewer.get(ONE, {"as_of": isoformat(AT + HOUR), "compare": isoformat(AT + 2 * HOUR)}).json()

    assert [(body[side]["as_of"], body[side]["revision"]) for side in ("left", "right")] == [
        (isoformat(AT + HOUR), 2),
        (isoformat(AT + 2 * HOUR), 3),
    ]
    assert [item["differences"] for item in body["modules"]] == [[{"key": "is_enabled", "left": True, "right": False}]]


def test_compare__platform__what_differs_now_or_then(story, quarry, as_admin):
    response = as_admin.get(ONE, {"compare": "quarry"})
    now = response.json()
    then = as_admin.get(ONE, {"compare": "quarry", "as_of": isoformat(AT)}).json()

    assert [now["left"]["platform"], now["right"]["platform"], now["right"]["as_of"]] == ["kestrel", "quarry", None]
    assert {item["module"] for item in now["modules"]} == {"billing", "cms"}
    assert then["right"] == {"platform": "quarry", "as_of": isoformat(AT), "revision": 2}
    assert {item["module"]: item["differences"] for item in then["modules"]} == {
        "billing": [{"key": "is_enabled", "left": True, "right": False}],
        "cms": [{"key": "is_enabled", "left": False, "right": True}],
    }
    # It changes with either platform.
    again = as_admin.get(ONE, {"compare": "quarry"}, headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 304
    enable(quarry, "billing")
    again = as_admin.get(ONE, {"compare": "quarry"}, headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 200


def test_compare__with_itself__nothing_differs(story, as_viewer):
    assert as_viewer.get(ONE, {"compare": "kestrel"}).json()["modules"] == []


@pytest.mark.parametrize("code", ["tidewater", "nowhere", "2026-03-16"])
def test_compare__platform_foreign_or_missing__is_the_same_400(story, tidewater, as_admin, code):
    response = as_admin.get(ONE, {"compare": code})
    assert errors(response, 400) == [("compare", "invalid_choice")]
    assert response.json()["errors"][0]["detail"] == "There is no platform of this code. (A time has a T in it.)"


def test_compare__token_of_one_platform__sees_no_other(story, quarry, client_of, token_of):
    client = client_of(token_of("read"))
    assert errors(client.get(ONE, {"compare": "quarry"}), 400) == [("compare", "invalid_choice")]


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "invalid"), ("Yesterday", "invalid"), ("9999-01-01T00:00Z", "in_the_future")],
)
def test_compare__neither_platform_nor_time__is_400(story, as_viewer, text, code):
    assert errors(as_viewer.get(ONE, {"compare": text}), 400) == [("compare", code)]
    assert errors(as_viewer.get(f"{ONE}?compare=kestrel&compare=kestrel"), 400) == [("compare", "invalid")]


def test_compare__who_may_not_look__is_refused_as_ever(story, as_vendor, as_stranger):
    assert as_vendor.get(ONE, {"compare": "nowhere"}).status_code == 403
    assert as_stranger.get(ONE, {"compare": "nowhere"}).status_code == 404


def test_compare__answer__is_as_described(story, quarry, as_admin):
    document = as_admin.get("/api/v1/schema/?format=json").json()
    path = document["paths"]["/api/v1/admin/module-config/{platform}/"]["get"]
    schema = path["responses"]["200"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": document["components"]})
    for query in ({}, {"as_of": isoformat(AT)}, {"compare": isoformat(AT)}, {"compare": "quarry"}):
        validator.validate(as_admin.get(ONE, query).json())
