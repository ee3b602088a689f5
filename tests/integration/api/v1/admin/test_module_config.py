"""`/api/v1/admin/module-config/{platform}/`: what is on there, switching it, wanting a whole state."""

from datetime import datetime

import pytest

from modules.models import Change, PlatformModule
from modules.registry import registry
from tests.integration.api.v1.admin.answers import ALL, BILLING, KEY, ONE, answer, configure, errors, isoformat, steps
from tests.modules.building import definition


def enabled(platform):
    return set(PlatformModule.objects.enabled().filter(platform=platform).values_list("module", flat=True))


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_state__never_touched__is_off_with_defaults(kestrel, as_viewer):
    assert as_viewer.get(f"{ONE}messaging/").json() == {
        "platform": "kestrel",
        "module": "messaging",
        "name": "Messaging",
        "is_core": False,
        "is_installed": True,
        "is_enabled": False,
        "enabled_at": None,
        "enabled_by": None,
        "disabled_at": None,
        "disabled_by": None,
        "config": {},
        "effective_config": {
            "from_name": "",
            "from_email": None,
            "inbound_domain": "",
            "max_attempts": 6,
            "backoff_seconds": [30, 300, 1800, 7200, 28800],
            "auto_resolve_days": 14,
            "webhook_timeout_seconds": 10,
            "webhook_disable_after": 20,
            "keep_body_days": 180,
            "mandatory_topics": ["security", "privacy"],
        },
        "secrets": {"smtp_password": {"is_set": False, "fingerprint": None, "changed_at": None}},
        "requires": [],
        "required_by": ["subscriptions"],
        "revision": 0,
    }


def test_state__switched_and_configured__says_by_whom_when_and_what(kestrel, as_script, as_viewer):
    as_script.post(f"{BILLING}enable/", {"config": {"api_key": KEY, "address": {"city": "Kiel"}}})
    row = PlatformModule.objects.get(platform=kestrel, module="billing")
    response = as_viewer.get(BILLING)
    state = response.json()
    assert (state["is_enabled"], state["enabled_by"], state["disabled_by"]) == (True, "ann", None)
    assert state["enabled_at"] == isoformat(row.enabled_at)
    assert state["config"] == {"address": {"city": "Kiel"}}
    assert state["effective_config"]["address"] == {"street": "", "postal_code": "", "city": "Kiel", "country": ""}
    assert state["secrets"] == {
        "api_key": {
            "is_set": True,
            "fingerprint": row.secrets["api_key"]["fingerprint"],
            "changed_at": isoformat(datetime.fromisoformat(row.secrets["api_key"]["changed_at"])),
        }
    }
    assert (state["requires"], state["required_by"], state["revision"]) == (["customers"], ["subscriptions"], 1)
    assert KEY not in response.content.decode()


def test_state__core_module__is_on_without_a_row(kestrel, as_viewer):
    state = as_viewer.get(f"{ONE}monitoring/").json()
    assert (state["is_core"], state["is_enabled"], state["enabled_at"]) == (True, True, None)
    assert not PlatformModule.objects.exists()


def test_state__module_that_is_gone__is_off_and_kept(kestrel, left_behind, as_viewer):
    state = as_viewer.get(f"{ONE}{left_behind}/").json()
    assert (state["name"], state["is_installed"], state["is_enabled"]) == ("Loyalty cards", False, False)
    assert (state["config"], state["effective_config"], state["secrets"], state["requires"]) == ({}, {}, {}, [])
    assert PlatformModule.objects.get(module=left_behind).is_enabled


def test_states__platform__has_every_module_and_those_that_left_a_row(kestrel, left_behind, as_viewer):
    states = as_viewer.get(ONE).json()
    assert [state["module"] for state in states] == [*(one.code for one in registry), left_behind]
    for state in states:
        assert state == as_viewer.get(f"{ONE}{state['module']}/").json()


@pytest.mark.parametrize("path", [f"{ALL}nowhere/", f"{ALL}tidewater/"])
def test_platform__unknown_or_foreign__is_the_same_404(kestrel, tidewater, as_admin, path, unchanged):
    with unchanged():
        for response in (as_admin.get(path), as_admin.put(path, {"modules": {}}), as_admin.put(path, {"x": 1})):
            assert errors(response, 404) == [(None, "not_found")]


@pytest.mark.parametrize("path", [f"{ONE}nothing/", f"{ONE}Billing/", f"{ALL}nowhere/cms/", f"{ALL}tidewater/cms/"])
def test_module__unknown_or_of_a_foreign_platform__is_the_same_404(kestrel, tidewater, as_admin, path, unchanged):
    with unchanged():
        for method, action in [
            ("get", ""),
            ("put", ""),
            ("patch", ""),
            ("post", "enable/"),
            ("post", "disable/"),
            ("post", "reset/"),
            ("get", "history/"),
        ]:
            response = getattr(as_admin, method)(f"{path}{action}", {"config": {}} if method != "get" else None)
            assert errors(response, 404) == [(None, "not_found")]


def test_state__etag__is_the_revision(kestrel_on, as_viewer):
    for path in (ONE, BILLING, f"{BILLING}history/"):
        assert as_viewer.get(path)["ETag"] == '"1"'
        response = as_viewer.get(path, headers={"If-None-Match": '"1"'})
        assert (response.status_code, response.content, response["ETag"]) == (304, b"", '"1"')
        assert as_viewer.get(path, headers={"If-None-Match": '"0"'}).status_code == 200


# --- Switching -------------------------------------------------------------------------------------------------------


def test_enable__module_with_needs__brings_them_in_order_with_causes(kestrel, as_script):
    body = answer(as_script.post(f"{ONE}subscriptions/enable/", {"reason": "Launch"}))
    assert (body["revision"], body["change"], body["dry_run"]) == (1, 1, False)
    needed = registry.in_order(registry.requirements_of("subscriptions"))
    assert steps(body) == [
        *(("enable", code, "required by subscriptions") for code in needed),
        ("enable", "subscriptions", "requested"),
    ]
    modules = [step["module"] for step in body["steps"]]
    assert modules.index("customers") < modules.index("billing")
    assert enabled(kestrel) == {"customers", "billing", "messaging", "subscriptions"}
    change = Change.objects.get()
    assert (change.number, change.source, change.reason, change.steps) == (1, "api", "Launch", body["steps"])


@pytest.mark.parametrize(
    ("verb", "module"),
    [("enable", "customers"), ("enable", "monitoring"), ("disable", "cms"), ("reset", "billing"), ("reset", "cms")],
)
def test_toggle__nothing_to_do__answers_no_steps_and_records_nothing(kestrel_on, as_script, unchanged, verb, module):
    with unchanged():
        body = answer(as_script.post(f"{ONE}{module}/{verb}/", {}))
        assert (body["revision"], body["change"], body["steps"]) == (1, None, [])


def test_toggle__without_a_body__is_taken(kestrel, as_script):
    assert answer(as_script.post(f"{ONE}cms/enable/"))["change"] == 1
    assert answer(as_script.post(f"{ONE}cms/disable/"))["change"] == 2


def test_disable__needed_by_others__is_409_with_one_error_each(kestrel_on, as_script, unchanged):
    with unchanged():
        response = as_script.post(f"{ONE}customers/disable/", {})
        assert errors(response, 409) == [("customers", "required_by"), ("customers", "required_by")]
        body = response.json()
        assert body["type"] == "client_error"
        assert {error["detail"] for error in body["errors"]} == {
            "Billing is on and needs Customers.",
            "Subscriptions is on and needs Customers.",
        }


def test_disable__cascade__takes_dependents_first(kestrel_on, as_script):
    body = answer(as_script.post(f"{ONE}customers/disable/", {"cascade": True}))
    assert steps(body) == [
        ("disable", "subscriptions", "requires customers"),
        ("disable", "billing", "requires customers"),
        ("disable", "customers", "requested"),
    ]
    assert enabled(kestrel_on) == {"messaging"}


def test_disable__core_module__is_409(kestrel_on, as_script, unchanged):
    with unchanged():
        assert errors(as_script.post(f"{ONE}monitoring/disable/", {"cascade": True}), 409) == [("monitoring", "core")]


def test_switching__module_that_is_gone__is_409(kestrel, left_behind, as_script, unchanged):
    with unchanged():
        path = f"{ONE}{left_behind}/"
        expected = [(left_behind, "not_installed")]
        for verb in ("enable", "disable", "reset"):
            assert errors(as_script.post(f"{path}{verb}/", {}), 409) == expected
        for method in (as_script.patch, as_script.put):
            assert errors(method(path, {"config": {"a": 1}}, headers={"If-Match": "*"}), 409) == expected
        wanted = {"modules": {left_behind: {"is_enabled": True}, "cms": {"is_enabled": True}}}
        assert errors(as_script.put(ONE, wanted, headers={"If-Match": "*"}), 409) == expected


def test_enable__requirement_that_is_not_installed__is_409(kestrel, install, as_script, unchanged):
    install(definition("loyalty_cards", "wallets"))
    with unchanged():
        assert errors(as_script.post(f"{ONE}loyalty_cards/enable/", {}), 409) == [
            ("loyalty_cards", "missing_requirement")
        ]


def test_switching__restricted_module__is_for_superusers(kestrel, as_admin, as_script, as_operator, unchanged):
    path = f"{ONE}dev_tools/"
    with unchanged():
        for client in (as_admin, as_script):
            response = client.post(f"{path}enable/", {})
            assert errors(response, 403) == [(None, "permission_denied")]
            assert response.json()["errors"][0]["detail"] == "Only superusers may switch or configure dev_tools."
            assert errors(client.patch(path, {"config": {"gallery": False}}, headers={"If-Match": "*"}), 403)
            wanted = {"modules": {"dev_tools": {"is_enabled": True}}}
            assert errors(client.put(ONE, wanted, headers={"If-Match": "*"}), 403)
    assert steps(answer(as_operator.post(f"{path}enable/", {}))) == [("enable", "dev_tools", "requested")]


def test_enable__with_config__does_both_in_one_change(kestrel, as_script):
    body = answer(as_script.post(f"{BILLING}enable/", {"config": {"default_trial_days": 30}}))
    assert steps(body)[-1] == ("configure", "billing", "requested")
    assert body["change"] == 1
    row = PlatformModule.objects.get(module="billing")
    assert (row.is_enabled, row.config) == (True, {"default_trial_days": 30})


def test_enable__with_bad_config__does_neither(kestrel, as_script, unchanged):
    with unchanged():
        response = as_script.post(f"{BILLING}enable/", {"config": {"default_trial_days": 400, "address": {"zip": 1}}})
        assert errors(response, 400) == [
            ("config.default_trial_days", "less_than_equal"),
            ("config.address.zip", "unknown_field"),
        ]
        assert response.json()["type"] == "validation_error"


# --- The wanted state ------------------------------------------------------------------------------------------------


def want(client, modules, etag="*", **body):
    return client.put(ONE, {"modules": modules, **body}, headers={"If-Match": etag})


def test_put_platform__wanted_state__is_reached_in_one_change(kestrel_on, as_script):
    configure(as_script, {"default_trial_days": 30, "api_key": KEY})
    body = answer(
        want(
            as_script,
            {
                "subscriptions": {"is_enabled": False},
                "cms": {"is_enabled": True},
                "billing": {"config": {"stripe_mode": "live"}},
            },
            reason="Spring",
        )
    )
    assert (body["revision"], body["change"]) == (3, 3)
    assert steps(body) == [
        ("disable", "subscriptions", "requested"),
        ("enable", "cms", "requested"),
        ("configure", "billing", "requested"),
    ]
    assert enabled(kestrel_on) == {"customers", "billing", "messaging", "cms"}
    row = PlatformModule.objects.get(module="billing")
    assert (row.config, set(row.secrets)) == ({"stripe_mode": "live"}, {"api_key"})
    assert Change.objects.get(number=3).reason == "Spring"


def test_put_platform__twice__changes_nothing_the_second_time(kestrel, as_script, unchanged):
    wanted = {"cms": {"is_enabled": True, "config": {"max_upload_mb": 20}}, "customers": {}}
    answer(want(as_script, wanted))
    with unchanged():
        assert answer(want(as_script, wanted))["change"] is None


def test_put_platform__anything_in_the_way__is_409_with_each(kestrel_on, as_script, unchanged):
    wanted = {"customers": {"is_enabled": False}, "monitoring": {"is_enabled": False}, "cms": {"is_enabled": True}}
    with unchanged():
        assert sorted(errors(want(as_script, wanted), 409)) == [
            ("customers", "required_by"),
            ("customers", "required_by"),
            ("monitoring", "core"),
        ]
    del wanted["monitoring"]
    assert answer(want(as_script, wanted, cascade=True))["revision"] == 2
    assert enabled(kestrel_on) == {"messaging", "cms"}


def test_put_platform__configs_that_do_not_fit__are_400_with_every_path(kestrel, as_script, unchanged):
    wanted = {
        "billing": {"is_enabled": True, "config": {"default_trial_days": -1, "address": {"country": "Germany"}}},
        "cms": {"config": {"nothing": 1}},
    }
    with unchanged():
        assert sorted(errors(want(as_script, wanted), 400)) == [
            ("modules.billing.config.address.country", "string_pattern_mismatch"),
            ("modules.billing.config.default_trial_days", "greater_than_equal"),
            ("modules.cms.config.nothing", "unknown_field"),
        ]


def test_put_platform__unknown_modules__are_404_each(kestrel, as_script, unchanged):
    with unchanged():
        response = want(as_script, {"nothing": {"is_enabled": True}, "cms": {"is_enabled": True}, "Cms": {}})
        assert errors(response, 404) == [("modules.nothing", "not_found"), ("modules.Cms", "not_found")]
        assert response.json()["type"] == "client_error"
