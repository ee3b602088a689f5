"""`/api/v1/admin/module-config/{platform}/{module}/history/`: who changed what, when and why."""

from datetime import datetime

import pytest

from modules import services
from modules.models import Change, PlatformModule
from tests.integration.api.v1.admin.answers import BILLING, KEY, ONE, configure, isoformat
from tests.modules.building import origin


def test_history__versions__say_who_why_and_what_changed(kestrel, as_script):
    as_script.post(f"{BILLING}enable/", {"reason": "Launch"})
    configure(as_script, {"default_trial_days": 30, "api_key": KEY, "address": {"city": "Kiel"}})
    first_mark = PlatformModule.objects.get(module="billing").secrets["api_key"]["fingerprint"]
    configure(
        as_script, {"default_trial_days": None, "api_key": "sk_test_another", "allowed_currencies": ["SEK", "EUR"]}
    )
    second_mark = PlatformModule.objects.get(module="billing").secrets["api_key"]["fingerprint"]
    as_script.post(f"{BILLING}disable/", {"reason": "Pause"})
    entries = as_script.get(f"{BILLING}history/").json()["results"]
    assert [(entry["change"], entry["is_enabled"], entry["reason"], entry["source"]) for entry in entries] == [
        (4, False, "Pause", "api"),
        (3, True, "", "api"),
        (2, True, "", "api"),
        (1, True, "Launch", "api"),
    ]
    assert set(entries[0]) == {"change", "at", "actor", "source", "reason", "is_enabled", "config", "diff"}
    assert entries[0]["actor"] == Change.objects.get(number=4).actor_label
    assert entries[0]["at"] == isoformat(Change.objects.get(number=4).at)
    assert entries[1]["config"] == {"address": {"city": "Kiel"}, "allowed_currencies": ["SEK", "EUR"]}
    assert [[(d["key"], d["old"], d["new"]) for d in entry["diff"]] for entry in entries] == [
        [("is_enabled", True, False)],
        [
            ("config.allowed_currencies", None, ["SEK", "EUR"]),
            ("config.default_trial_days", 30, None),
            ("config.api_key", {"fingerprint": first_mark}, {"fingerprint": second_mark}),
        ],
        [
            ("config.address.city", None, "Kiel"),
            ("config.default_trial_days", None, 30),
            ("config.api_key", None, {"fingerprint": first_mark}),
        ],
        [("is_enabled", False, True)],
    ]


def test_history__secret_taken_away__is_null(kestrel, as_script):
    configure(as_script, {"api_key": KEY})
    mark = PlatformModule.objects.get(module="billing").secrets["api_key"]["fingerprint"]
    configure(as_script, {"api_key": None})
    assert as_script.get(f"{BILLING}history/").json()["results"][0]["diff"] == [
        {"key": "config.api_key", "old": {"fingerprint": mark}, "new": None}
    ]


def test_history__core_module_configured__was_never_switched(kestrel, as_script):
    configure(as_script, {"status_page": True}, path=f"{ONE}monitoring/")
    [entry] = as_script.get(f"{ONE}monitoring/history/").json()["results"]
    assert entry["is_enabled"] is True
    assert entry["diff"] == [{"key": "config.status_page", "old": None, "new": True}]


def test_history__never_touched_or_gone__is_empty_or_kept(kestrel, left_behind, as_viewer):
    assert as_viewer.get(f"{ONE}cms/history/").json() == {"next": None, "previous": None, "results": []}
    [entry] = as_viewer.get(f"{ONE}{left_behind}/history/").json()["results"]
    assert entry["diff"] == [{"key": "is_enabled", "old": False, "new": True}]


@pytest.mark.parametrize("is_same_moment", [False, True])
def test_history__pages__know_what_came_before_them(kestrel, as_viewer, is_same_moment):
    moment = datetime.fromisoformat("2126-03-16T09:00:00+00:00") if is_same_moment else None
    for number in range(12):
        config = {"import_max_rows": 10 + number}
        services.configure(platform=kestrel, module="customers", config=config, origin=origin(at=moment))
        services.configure(
            platform=kestrel, module="cms", config={"max_upload_mb": 1 + number}, origin=origin(at=moment)
        )
    whole = as_viewer.get(f"{ONE}customers/history/").json()["results"]
    assert [(d["old"], d["new"]) for entry in whole for d in entry["diff"]] == [
        *((10 + number - 1, 10 + number) for number in range(11, 0, -1)),
        (None, 10),
    ]
    paged, url = [], f"{ONE}customers/history/?page_size=5"
    while url:
        page = as_viewer.get(url).json()
        paged += page["results"]
        url = page["next"]
    assert paged == whole
