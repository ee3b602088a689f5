"""`…/revert/`: a module, or all of a platform's, back to how they stood after a change."""

import pytest

from modules import services
from modules.definition import ModuleConfig
from modules.models import Change
from tests.fixtures.module_fixtures import installed
from tests.integration.api.v1.admin.answers import ALL, BILLING, KEY, ONE, answer, errors, steps
from tests.modules.building import definition, enable, module_states, origin, row_of

MODULE, PLATFORM = f"{BILLING}revert/", f"{ONE}revert/"


def revert(client, to, path=MODULE, etag="*", **body):
    return client.post(path, {"to": to, **body}, headers={"If-Match": etag})


@pytest.fixture
def story(kestrel):
    """Billing on, 30 days, 31 days, and cms on: four changes."""
    enable(kestrel, "billing")
    for days in (30, 31):
        services.configure(platform=kestrel, module="billing", config={"default_trial_days": days}, origin=origin())
    enable(kestrel, "cms")
    return kestrel


def test_revert__module__is_a_new_change_that_says_what_it_undoes(story, as_script):
    body = answer(revert(as_script, 2, reason="As before"))

    assert (body["revision"], body["change"], body["dry_run"]) == (5, 5, False)
    assert steps(body) == [("configure", "billing", "requested")]
    assert row_of(story, "billing").config == {"default_trial_days": 30}
    change = as_script.get("/api/v1/admin/platforms/kestrel/changes/5/").json()
    assert (change["undoes"], change["reason"], change["source"]) == (3, "As before", "api")
    assert as_script.get("/api/v1/admin/platforms/kestrel/changes/4/").json()["undoes"] is None


def test_revert__platform__all_of_it_in_one_change(story, as_script):
    body = answer(revert(as_script, 1, PLATFORM))

    assert steps(body) == [("disable", "cms", "requested"), ("configure", "billing", "requested")]
    assert (body["change"], Change.objects.get(number=5).undoes) == (5, 2)
    assert module_states(story) == {"customers": True, "billing": True, "cms": False}
    assert row_of(story, "billing").config == {}


def test_revert__so_already__no_steps_and_no_change(story, as_script, unchanged):
    with unchanged():
        for path in (MODULE, PLATFORM):
            body = answer(revert(as_script, 4, path))
            assert (body["change"], body["steps"]) == (None, [])


def test_revert__dry_run__answers_alike_and_its_digest_binds(story, as_script, unchanged):
    for path in (MODULE, PLATFORM):
        with unchanged():
            tried = answer(revert(as_script, 2, f"{path}?dry_run=true"))
            assert (tried["change"], tried["dry_run"]) == (None, True)
        config = {"support_email": f"{path.count('/')}@kestrel.example"}
        services.configure(platform=story, module="billing", config=config, origin=origin())
        with unchanged():
            stale = revert(as_script, 2, path, digest=tried["digest"])
            assert errors(stale, 409) == [("billing" if path == MODULE else None, "stale_plan")]


@pytest.mark.parametrize("path", [MODULE, PLATFORM])
def test_revert__if_match__is_required_and_must_name_the_revision(story, as_script, unchanged, path):
    with unchanged():
        for body in ({"to": 2}, {"nothing": 1}):
            assert errors(as_script.post(path, body), 428) == [(None, "precondition_required")]
        for stale in ('"3"', "4", 'W/"4"'):
            assert errors(revert(as_script, 2, path, etag=stale), 412) == [(None, "precondition_failed")]
    assert answer(revert(as_script, 2, path, etag='"4"'))["revision"] == 5


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("to", "required")),
        ({"to": 0}, ("to", "min_value")),
        ({"to": 10**30}, ("to", "max_value")),
        ({"to": "last"}, ("to", "invalid")),
        ({"to": True}, ("to", "invalid")),
        ({"to": None}, ("to", "null")),
        ({"to": 5}, ("to", "does_not_exist")),
        ({"to": 2**63 - 1}, ("to", "does_not_exist")),
        ({"to": 2, "cascade": "yes"}, ("cascade", "invalid")),
        ({"to": 2, "keep_secrets": 1}, ("keep_secrets", "invalid")),
        ({"to": 2, "force": True}, ("force", "unknown_field")),
        ({"to": 2, "reason": "x" * 501}, ("reason", "max_length")),
    ],
)
@pytest.mark.parametrize("path", [MODULE, PLATFORM])
def test_revert__bad_body__is_400_at_its_field(story, tidewater, as_script, unchanged, path, body, expected):
    enable(tidewater, "cms", "analytics", "messaging", "billing", "subscriptions")
    with unchanged():
        assert errors(as_script.post(path, body, headers={"If-Match": "*"}), 400) == [expected]


def test_revert__needed_by_others__is_409_or_takes_them_along(kestrel, as_script, unchanged):
    enable(kestrel, "cms", "billing")
    path = f"{ONE}customers/revert/"
    with unchanged():
        assert errors(revert(as_script, 1, path), 409) == [("customers", "required_by")]
    assert steps(answer(revert(as_script, 1, path, cascade=True))) == [
        ("disable", "billing", "requires customers"),
        ("disable", "customers", "requested"),
    ]


def test_revert__secret_that_was_not_kept__is_409_by_name_or_left_as_it_is(kestrel, as_script, unchanged):
    for secret in (KEY, f"{KEY}_other"):
        services.configure(
            platform=kestrel,
            module="billing",
            config={"api_key": secret, "default_trial_days": len(secret)},
            origin=origin(),
        )
    stored = row_of(kestrel, "billing").secrets
    for path in (MODULE, PLATFORM):
        with unchanged():
            response = revert(as_script, 1, path)
            assert errors(response, 409) == [("billing", "secret_changed")]
            assert response.json()["errors"][0]["detail"] == (
                "Billing had another secret api_key then: it was not kept and cannot be brought back."
            )
            assert KEY not in response.content.decode()
    answer(revert(as_script, 1, keep_secrets=True))
    assert (row_of(kestrel, "billing").config, row_of(kestrel, "billing").secrets) == (
        {"default_trial_days": len(KEY)},
        stored,
    )


class WideConfig(ModuleConfig):
    days: int = 1


class NarrowConfig(ModuleConfig):
    weeks: int = 1


def test_revert__config_that_fits_no_more__is_400_with_paths(kestrel, as_script, unchanged):
    with installed(definition("parcels", config=WideConfig)):
        services.configure(platform=kestrel, module="parcels", config={"days": 3}, origin=origin())
        services.reset(platform=kestrel, module="parcels", origin=origin())
    with installed(definition("parcels", config=NarrowConfig)), unchanged():
        assert errors(revert(as_script, 1, f"{ONE}parcels/revert/"), 400) == [("config.days", "unknown_field")]
        assert errors(revert(as_script, 1, PLATFORM), 400) == [("modules.parcels.config.days", "unknown_field")]


def test_revert__module_that_is_gone__is_409(kestrel, as_script, unchanged):
    with installed(definition("parcels")):
        enable(kestrel, "parcels")
        services.disable(platform=kestrel, module="parcels", origin=origin())
    with unchanged():
        for path in (f"{ONE}parcels/revert/", PLATFORM):
            assert errors(revert(as_script, 1, path), 409) == [("parcels", "not_installed")]
            assert answer(revert(as_script, 2, path))["steps"] == []


def test_revert__restricted_module__is_for_superusers(kestrel, as_script, as_operator, unchanged):
    enable(kestrel, "cms", "dev_tools")
    with unchanged():
        for path in (f"{ONE}dev_tools/revert/", PLATFORM):
            assert errors(revert(as_script, 1, path), 403) == [(None, "permission_denied")]
    assert steps(answer(revert(as_operator, 1, PLATFORM))) == [("disable", "dev_tools", "requested")]


def test_revert__without_the_right__is_refused_as_ever(
    story, tidewater, as_viewer, as_vendor, as_admin, client_of, token_of, unchanged
):
    with unchanged():
        for path in (MODULE, PLATFORM):
            for client in (as_viewer, as_vendor, client_of(token_of("read", "write"))):
                assert errors(revert(client, 2, path), 403) == [(None, "permission_denied")]
            assert revert(client_of(None), 2, path).status_code in (401, 403)
        for path in (f"{ALL}tidewater/revert/", f"{ALL}nowhere/revert/", f"{ALL}tidewater/cms/revert/"):
            assert errors(revert(as_admin, 2, path), 404) == [(None, "not_found")]
        assert errors(revert(as_admin, 2, f"{ONE}nothing/revert/"), 404) == [(None, "not_found")]
