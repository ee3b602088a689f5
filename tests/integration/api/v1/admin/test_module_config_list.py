"""`/api/v1/admin/module-config/`: what was set on all platforms in scope."""

import pytest

from modules import services
from modules.models import PlatformModule
from tests.integration.api.v1.admin.answers import ALL, BILLING, errors
from tests.modules.building import enable, origin


def found(response):
    assert response.status_code == 200, response.content
    return [(row["platform"], row["module"]) for row in response.json()["results"]]


@pytest.fixture
def rows(kestrel, tidewater):
    """Rows on two platforms; billing is off on kestrel, and monitoring was configured on tidewater."""
    enable(kestrel, "billing")
    services.disable(platform=kestrel, module="billing", origin=origin())
    enable(tidewater, "cms")
    config = {"status_page": True}
    services.configure(platform=tidewater, module="monitoring", config=config, origin=origin())
    return [("kestrel", "billing"), ("kestrel", "customers"), ("tidewater", "cms"), ("tidewater", "monitoring")]


def test_list__rows__are_those_of_platforms_in_scope(rows, as_operator, as_viewer, as_vendor, as_stranger, client_of):
    assert found(as_operator.get(ALL)) == rows
    assert found(as_viewer.get(ALL)) == rows[:2]
    for client in (as_vendor, as_stranger):
        assert found(client.get(ALL)) == []
    assert client_of(None).get(ALL).status_code == 401
    [first, *_] = as_viewer.get(ALL).json()["results"]
    assert first == as_viewer.get(BILLING).json()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"platform": "kestrel"}, [0, 1]),
        ({"module": "cms"}, [2]),
        ({"is_enabled": "true"}, [1, 2, 3]),
        ({"is_enabled": "false"}, [0]),
        ({"platform": "tidewater", "is_enabled": "false"}, []),
        ({"enabled_after": "2000-01-01T00:00:00Z"}, [0, 1, 2]),
        ({"enabled_before": "2000-01-01T00:00:00Z"}, []),
        ({"enabled_after": "9000-01-01T00:00:00+02:00"}, []),
        ({"ordering": "-platform"}, [2, 3, 0, 1]),
        ({"ordering": "module"}, [0, 2, 1, 3]),
        ({"ordering": "-module"}, [3, 1, 2, 0]),
        ({"ordering": "-platform,-module"}, [3, 2, 1, 0]),
        ({"ordering": "enabled_at"}, [3, 0, 1, 2]),
        ({"ordering": "-updated_at"}, [3, 2, 0, 1]),
    ],
)
def test_list__filters_and_ordering__hold_on_every_page(rows, as_operator, query, expected):
    expected = [rows[index] for index in expected]
    assert found(as_operator.get(ALL, query)) == expected
    paged, response = [], as_operator.get(ALL, {**query, "page_size": "1"})
    while True:
        paged += found(response)
        following = response.json()["next"]
        if following is None:
            break
        response = as_operator.get(following)
    assert paged == expected


def test_list__enabled_after_and_before__meet_at_the_moment(kestrel, as_operator):
    enable(kestrel, "cms")
    at = PlatformModule.objects.get().enabled_at.isoformat()
    assert found(as_operator.get(ALL, {"enabled_after": at})) == [("kestrel", "cms")]
    assert found(as_operator.get(ALL, {"enabled_before": at})) == []


def test_list__module_that_is_gone__counts_as_off(kestrel, left_behind, as_operator):
    assert found(as_operator.get(ALL, {"is_enabled": "true"})) == []
    assert found(as_operator.get(ALL, {"is_enabled": "false"})) == [("kestrel", left_behind)]


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ({"platform": "nowhere"}, "platform"),
        ({"platform": "tidewater"}, "platform"),
        ({"module": "nothing"}, "module"),
        ({"is_enabled": "yes"}, "is_enabled"),
        ({"enabled_after": "yesterday"}, "enabled_after"),
        ({"enabled_before": "2026-02-30T00:00:00Z"}, "enabled_before"),
        ({"enabled_after": "0001-01-01T00:00:00+14:00"}, "enabled_after"),
        ({"enabled_before": "9999-12-31T23:59:59-14:00"}, "enabled_before"),
        ({"ordering": "secrets"}, "ordering"),
        ({"ordering": "module,--platform"}, "ordering"),
        ({"page_size": "many"}, "page_size"),
    ],
)
def test_list__filter_that_makes_no_sense__is_400(rows, as_viewer, query, attr):
    response = as_viewer.get(ALL, query)
    assert [error_attr for error_attr, _ in errors(response, 400)] == [attr]


@pytest.mark.parametrize(
    "cursor", ["x", "cD1ub25zZW5zZQ==", "cD0wMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAw", "bz05OTk5OTk5OTk5OTk5OQ=="]
)
@pytest.mark.parametrize("ordering", ["platform", "enabled_at"])
def test_list__cursor_that_nobody_gave__is_never_a_server_error(rows, as_operator, cursor, ordering):
    assert as_operator.get(ALL, {"cursor": cursor, "ordering": ordering}).status_code in (200, 404)


def test_list__etag__is_a_digest(rows, kestrel, as_operator):
    tag = as_operator.get(ALL)["ETag"]
    assert as_operator.get(ALL, headers={"If-None-Match": tag}).status_code == 304
    enable(kestrel, "cms")
    assert as_operator.get(ALL, headers={"If-None-Match": tag}).status_code == 200
