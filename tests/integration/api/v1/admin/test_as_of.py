"""`?as_of=`: how modules stood at a time, in the words of how they stand."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from modules import services
from modules.registry import registry
from tests.factories import PlatformFactory
from tests.integration.api.v1.admin.answers import ALL, BILLING, KEY, ONE, errors, isoformat
from tests.modules.building import enable, origin

AT = datetime(2026, 3, 16, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def story(kestrel, ann):
    """Billing on at nine, configured at ten, off at eleven."""
    enable(kestrel, "billing", user=ann, at=AT)
    config = {"default_trial_days": 30, "api_key": KEY}
    services.configure(platform=kestrel, module="billing", config=config, origin=origin(ann, at=AT + HOUR))
    services.disable(platform=kestrel, module="billing", origin=origin(ann, at=AT + 2 * HOUR))
    return kestrel


def test_as_of__platform__every_module_as_it_stood(story, as_viewer):
    response = as_viewer.get(ONE, {"as_of": isoformat(AT + HOUR)})

    states = {state["module"]: state for state in response.json()}
    assert list(states) == [definition.code for definition in registry]
    billing = states["billing"]
    assert billing.keys() == as_viewer.get(BILLING).json().keys()
    assert (billing["is_enabled"], billing["enabled_at"], billing["enabled_by"]) == (True, isoformat(AT), "ann")
    assert (billing["disabled_at"], billing["disabled_by"], billing["revision"]) == (None, None, 2)
    assert (billing["config"], billing["effective_config"]["default_trial_days"]) == ({"default_trial_days": 30}, 30)
    assert billing["secrets"]["api_key"]["changed_at"] == isoformat(AT + HOUR)
    assert KEY not in response.content.decode()
    # What it is good for is a precondition of what comes next, so the tag is today's.
    assert response["ETag"] == '"3"'


def test_as_of__module__the_same_as_among_the_others(story, as_viewer):
    for at in (AT - HOUR, AT, AT + HOUR, AT + 3 * HOUR):
        query = {"as_of": isoformat(at)}
        for state in as_viewer.get(ONE, query).json():
            assert as_viewer.get(f"{ONE}{state['module']}/", query).json() == state


def test_as_of__before_anything__untouched_and_revision_zero(story, as_viewer):
    states = as_viewer.get(ONE, {"as_of": "0001-01-01T00:00:00Z"}).json()
    assert {
        (state["revision"], state["is_enabled"], str(state["config"])) for state in states if not state["is_core"]
    } == {(0, False, "{}")}


def test_as_of__now__is_what_stands(story, as_viewer):
    assert as_viewer.get(ONE, {"as_of": isoformat(timezone.now())}).json() == as_viewer.get(ONE).json()


def test_as_of__other_offsets_and_none__one_time(story, as_viewer):
    found = [
        as_viewer.get(BILLING, {"as_of": text}).json()
        for text in ("2026-03-16T10:00:00Z", "2026-03-16T11:00:00+01:00", "2026-03-16T10:00")
    ]
    assert found[0]["revision"] == 2
    assert found == found[:1] * 3


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "invalid"), ("yesterday", "invalid"), ("9999-01-01T00:00Z", "in_the_future")],
)
@pytest.mark.parametrize("path", [ONE, BILLING])
def test_as_of__no_time_of_the_past__is_400(story, as_viewer, path, text, code):
    assert errors(as_viewer.get(path, {"as_of": text}), 400) == [("as_of", code)]
    assert errors(as_viewer.get(f"{path}?as_of=2026-03-16T09:00Z&as_of={text}"), 400) == [("as_of", "invalid")]


def test_as_of__plus_that_became_a_blank__is_told(story, as_viewer):
    assert errors(as_viewer.get(f"{BILLING}?as_of=2026-03-16T11:00:00+01:00"), 400) == [("as_of", "invalid")]


@pytest.mark.parametrize("path", [f"{ALL}nowhere/", f"{ALL}tidewater/", f"{ALL}tidewater/cms/", f"{ONE}nothing/"])
def test_as_of__unknown_or_foreign__is_the_same_404(kestrel, tidewater, as_admin, path):
    for text in (isoformat(AT), "yesterday"):
        response = as_admin.get(path, {"as_of": text})
        assert response.status_code == (400 if text == "yesterday" and path.startswith(ONE) else 404)


def test_as_of__who_may_not_look__is_refused_as_ever(story, as_vendor, as_stranger, client_of):
    query = {"as_of": isoformat(AT)}
    for path in (ONE, BILLING):
        assert as_vendor.get(path, query).status_code == 403
        assert as_stranger.get(path, query).status_code == 404
        assert client_of(None).get(path, query).status_code == 401


def test_as_of__platform_that_left_and_came_again__has_its_own_past(story, as_operator, ann):
    assert as_operator.delete("/api/v1/admin/platforms/kestrel/").status_code == 204
    PlatformFactory(code="kestrel")
    assert as_operator.get(BILLING, {"as_of": isoformat(AT + HOUR)}).json()["revision"] == 0
