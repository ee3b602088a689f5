"""`/api/v1/admin/module-config/{platform}/{module}/`: configuring a module, and secrets."""

from modules.models import Change, PlatformModule
from tests.integration.api.v1.admin.answers import ALL, BILLING, KEY, ONE, answer, configure, errors, steps


def test_patch__config__goes_over_what_is_stored(kestrel_on, as_script):
    configure(as_script, {"default_trial_days": 30, "address": {"city": "Kiel", "country": "DE"}})
    body = answer(configure(as_script, {"stripe_mode": "live", "default_trial_days": None, "address": {"city": "Hof"}}))
    assert steps(body) == [("configure", "billing", "requested")]
    row = PlatformModule.objects.get(module="billing")
    assert row.config == {"stripe_mode": "live", "address": {"city": "Hof", "country": "DE"}}


def test_put__config__replaces_and_keeps_secrets(kestrel_on, as_script):
    configure(as_script, {"default_trial_days": 30, "api_key": KEY})
    answer(configure(as_script, {"stripe_mode": "live"}, method="put"))
    row = PlatformModule.objects.get(module="billing")
    assert row.config == {"stripe_mode": "live"}
    assert set(row.secrets) == {"api_key"}


def test_secret__set_kept_and_removed__is_never_answered(kestrel_on, as_script):
    responses = [configure(as_script, {"api_key": KEY})]
    state = as_script.get(BILLING).json()["secrets"]["api_key"]
    assert state["is_set"]
    responses.append(configure(as_script, {"api_key": ""}))
    assert answer(responses[-1])["steps"] == []
    assert as_script.get(BILLING).json()["secrets"]["api_key"] == state
    responses.append(configure(as_script, {"api_key": "sk_test_another"}))
    assert as_script.get(BILLING).json()["secrets"]["api_key"]["fingerprint"] != state["fingerprint"]
    responses.append(configure(as_script, {"api_key": "short"}))
    assert errors(responses[-1], 400) == [("config.api_key", "too_short")]
    responses.append(configure(as_script, {"api_key": None}))
    assert as_script.get(BILLING).json()["secrets"]["api_key"] == {
        "is_set": False,
        "fingerprint": None,
        "changed_at": None,
    }
    responses += [as_script.get(path) for path in (ALL, ONE, BILLING, f"{BILLING}history/")]
    responses.append(as_script.get("/api/v1/admin/platforms/kestrel/changes/"))
    for response in responses:
        for secret in (KEY, "sk_test_another", "short"):
            assert secret not in response.content.decode().replace("too_short", "").replace("too short", "")


def test_reset__config_and_secrets__are_back_at_defaults(kestrel_on, as_script):
    configure(as_script, {"default_trial_days": 30, "api_key": KEY})
    body = answer(as_script.post(f"{BILLING}reset/", {"reason": "start over"}))
    assert steps(body) == [("reset", "billing", "requested")]
    row = PlatformModule.objects.get(module="billing")
    assert (row.is_enabled, row.config, row.secrets) == (True, {}, {})
    assert Change.objects.get(number=3).reason == "start over"


def test_patch__module_that_is_off__is_configured_and_stays_off(kestrel, as_script):
    answer(configure(as_script, {"max_upload_mb": 20}, path=f"{ONE}cms/"))
    state = as_script.get(f"{ONE}cms/").json()
    assert (state["is_enabled"], state["config"]) == (False, {"max_upload_mb": 20})
