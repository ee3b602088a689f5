"""`/api/v1/admin/platforms/{platform}/changes/`: who changed what, when and why; and what is left of a platform."""

import pytest

from modules import audit, services
from modules.models import Change, PlatformModule
from platforms.models import Platform
from tests.factories import PlatformFactory
from tests.modules.building import enable, origin

LIST = "/api/v1/admin/platforms/kestrel/changes/"


def test_list__changes__come_newest_first_as_agreed(kestrel, as_script, ann):
    enable(kestrel, "billing", reason="Launch\nin spring")
    response = as_script.post(
        "/api/v1/admin/module-config/kestrel/billing/disable/",
        {"reason": "too early"},
        headers={"X-Request-ID": "nightly-7"},
    )
    assert response.status_code == 200
    newest, first = as_script.get(LIST).json()["results"]
    at = Change.objects.get(number=2).at
    assert newest == {
        "number": 2,
        "at": at.isoformat().replace("+00:00", "Z"),
        "actor": f"ann (token {ann.auth_token_set.get().name})",
        "source": "api",
        "reason": "too early",
        "request_id": "nightly-7",
        "steps": [{"module": "billing", "action": "disable", "cause": "requested"}],
        "undoes": None,
    }
    assert (first["number"], first["source"], first["reason"]) == (1, "admin", "Launch\nin spring")
    assert first["steps"] == [
        {"module": "customers", "action": "enable", "cause": "required by billing"},
        {"module": "billing", "action": "enable", "cause": "requested"},
    ]


def test_retrieve__number__is_one_of_them(kestrel_on, as_viewer):
    [row] = as_viewer.get(LIST).json()["results"]
    assert as_viewer.get(f"{LIST}1/").json() == row


@pytest.mark.parametrize("number", ["2", "0", "-1", "x", "9" * 19, "9" * 4000, "9" * 5000])
def test_retrieve__no_such_number__is_404(kestrel_on, as_viewer, number):
    response = as_viewer.get(f"{LIST}{number}/")
    assert response.status_code == 404
    assert response.json()["errors"][0]["code"] == "not_found"


def test_changes__of_another_platform__are_not_here(kestrel_on, tidewater, as_viewer):
    enable(tidewater, "cms")
    enable(tidewater, "analytics")
    assert [row["number"] for row in as_viewer.get(LIST).json()["results"]] == [1]
    assert as_viewer.get(f"{LIST}2/").status_code == 404
    assert as_viewer.get(LIST.replace("kestrel", "tidewater")).status_code == 404


def test_changes__without_the_right__are_refused(kestrel_on, as_vendor, as_stranger, client_of):
    for path in (LIST, f"{LIST}1/"):
        assert as_vendor.get(path).status_code == 403
        assert as_stranger.get(path).status_code == 404
        assert client_of(None).get(path).status_code == 401


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_changes__writing__is_not_offered(kestrel_on, as_operator, method, unchanged):
    with unchanged():
        for path in (LIST, f"{LIST}1/"):
            assert getattr(as_operator, method)(path, {}).status_code == 405


def test_changes__etag__is_the_revision(kestrel_on, as_viewer):
    for path in (LIST, f"{LIST}1/"):
        assert as_viewer.get(path)["ETag"] == '"1"'
        assert as_viewer.get(path, headers={"If-None-Match": '"1"'}).status_code == 304
    enable(kestrel_on, "cms")
    response = as_viewer.get(LIST, headers={"If-None-Match": '"1"'})
    assert (response.status_code, response["ETag"]) == (200, '"2"')


def test_list__many__pages_through_all_in_constant_queries(kestrel, client_of, token_of, django_assert_num_queries):
    client = client_of(token_of("read"))
    for number in range(25):
        services.configure(
            platform=kestrel, module="customers", config={"import_max_rows": 10 + number}, origin=origin()
        )
    seen, url = [], f"{LIST}?page_size=10"
    while url:
        with django_assert_num_queries(3):  # token, platform, changes
            page = client.get(url).json()
        seen += [row["number"] for row in page["results"]]
        url = page["next"]
    assert seen == list(range(25, 0, -1))


def test_changes__user_is_deleted__stay(kestrel, as_admin, as_operator, ann):
    as_admin.post("/api/v1/admin/module-config/kestrel/cms/enable/", {"reason": "gone tomorrow"})
    ann.delete()
    [row] = as_operator.get(LIST).json()["results"]
    assert (row["actor"], row["reason"]) == ("ann", "gone tomorrow")
    [entry] = as_operator.get("/api/v1/admin/module-config/kestrel/cms/history/").json()["results"]
    assert (entry["actor"], entry["reason"]) == ("ann", "gone tomorrow")
    state = as_operator.get("/api/v1/admin/module-config/kestrel/cms/").json()
    assert (state["is_enabled"], state["enabled_by"]) == (True, None)


def test_platform__deleted__leaves_a_last_change_and_its_history(kestrel_on, as_operator):
    services.configure(platform=kestrel_on, module="billing", config={"api_key": "sk_test_123"}, origin=origin())
    key = kestrel_on.pk
    reason = {"reason": "Contract ended"}
    response = as_operator.delete("/api/v1/admin/platforms/kestrel/", reason, headers={"X-Request-ID": "farewell"})
    assert response.status_code == 204
    assert not Platform.objects.exists()
    assert not PlatformModule.objects.exists()

    first, second, last = Change.objects.filter(platform=key).order_by("number")
    assert (last.number, last.platform_code, last.actor_label, last.source) == (3, "kestrel", "root", "api")
    assert (last.request_id, last.reason) == ("farewell", "Contract ended")
    modules = ["billing", "customers", "messaging", "subscriptions"]
    assert last.steps == [{"module": code, "action": "delete", "cause": "platform deleted"} for code in modules]
    history = PlatformModule.history.filter(platform=key)
    assert sorted(history.filter(change_number=3).values_list("module", "history_type")) == [(m, "-") for m in modules]
    before = ""
    for change in (first, second, last):
        assert change.previous_hash == before
        assert change.hash == audit.change_hash(change, history.filter(change_number=change.number))
        before = change.hash


def test_platform__deleted_without_any_module_touched__leaves_a_change(as_operator):
    platform = PlatformFactory(code="quarry")
    assert as_operator.delete("/api/v1/admin/platforms/quarry/").status_code == 204
    assert list(Change.objects.values_list("platform", "number", "steps")) == [(platform.pk, 1, [])]


def test_platform__deletion_refused_or_tried__leaves_no_change(kestrel_on, as_admin, as_operator, unchanged):
    with unchanged():
        assert as_admin.delete("/api/v1/admin/platforms/kestrel/").status_code == 403
        assert as_operator.delete("/api/v1/admin/platforms/kestrel/?dry_run=true").status_code == 204
        stale = {"If-Match": '"stale"'}
        assert as_operator.delete("/api/v1/admin/platforms/kestrel/", headers=stale).status_code == 412
