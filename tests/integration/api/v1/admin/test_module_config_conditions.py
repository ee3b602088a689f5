"""Dry runs, digests and If-Match: nobody writes what they have not seen."""

import pytest
from rest_framework.test import APIRequestFactory, force_authenticate

from modules import services
from modules.api.viewsets import ModuleStateViewSet
from platforms.models import Platform, User
from tests.integration.api.v1.admin.answers import BILLING, KEY, ONE, answer, errors
from tests.modules.building import origin


def test_write__dry_run__answers_alike_and_writes_nothing(kestrel_on, as_script, unchanged):
    attempts = [
        ("post", f"{ONE}customers/disable/", {"cascade": True, "reason": "try"}),
        ("post", f"{ONE}cms/enable/", {"config": {"max_upload_mb": 20}}),
        ("patch", BILLING, {"config": {"default_trial_days": 30, "api_key": KEY}}),
        ("put", BILLING, {"config": {"default_trial_days": 20}}),
        ("post", f"{BILLING}reset/", {}),
        ("put", ONE, {"modules": {"cms": {"is_enabled": False}, "analytics": {"is_enabled": True}}}),
    ]
    for method, path, body in attempts:
        revision = Platform.objects.get(code="kestrel").revision
        with unchanged():
            tried = answer(getattr(as_script, method)(f"{path}?dry_run=true", body, headers={"If-Match": "*"}))
        assert (tried["revision"], tried["change"], tried["dry_run"]) == (revision, None, True)
        done = answer(getattr(as_script, method)(path, {**body, "digest": tried["digest"]}, headers={"If-Match": "*"}))
        assert (done["revision"], done["change"], done["dry_run"]) == (revision + 1, revision + 1, False)
        assert (done["steps"], done["digest"]) == (tried["steps"], tried["digest"])


def test_write__dry_run_of_what_is_refused__is_refused(kestrel_on, as_script, unchanged):
    with unchanged():
        assert errors(as_script.post(f"{ONE}customers/disable/?dry_run=true", {}), 409)
        assert errors(as_script.post(f"{ONE}cms/enable/?dry_run=true", {"config": {"x": 1}}), 400)
        assert errors(as_script.post(f"{ONE}cms/enable/?dry_run=maybe", {}), 400) == [("dry_run", "invalid")]


def test_write__digest_of_a_plan_that_is_no_longer_so__is_409(kestrel_on, as_script, unchanged):
    body = {"cascade": True}
    shown = answer(as_script.post(f"{ONE}customers/disable/?dry_run=true", body))["digest"]
    services.disable(platform=kestrel_on, module="subscriptions", origin=origin())
    with unchanged():
        response = as_script.post(f"{ONE}customers/disable/", {**body, "digest": shown})
        assert errors(response, 409) == [("customers", "stale_plan")]
        for method, path, said in (
            ("patch", BILLING, {"config": {"default_trial_days": 30}}),
            ("put", BILLING, {"config": {"default_trial_days": 30}}),
            ("post", f"{BILLING}enable/", {}),
            ("post", f"{BILLING}reset/", {}),
        ):
            response = getattr(as_script, method)(path, {**said, "digest": shown}, headers={"If-Match": "*"})
            assert errors(response, 409) == [("billing", "stale_plan")]
        response = as_script.put(ONE, {"modules": {}, "digest": shown}, headers={"If-Match": "*"})
        assert errors(response, 409) == [(None, "stale_plan")]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("patch", BILLING, {"config": {"default_trial_days": -1}}),
        ("put", BILLING, {"config": {"nothing": 1}}),
        ("put", ONE, {"modules": {"billing": {"config": {"nothing": 1}}}}),
    ],
)
def test_write__if_match_missing_or_stale__is_told_before_what_is_wrong(
    kestrel_on, as_script, unchanged, method, path, body
):
    write = getattr(as_script, method)
    with unchanged():
        assert errors(write(path, body), 428) == [(None, "precondition_required")]
        assert errors(write(path, {"nothing": 1}), 428) == [(None, "precondition_required")]
        assert errors(write(path, body, headers={"If-Match": '"0"'}), 412) == [(None, "precondition_failed")]
        assert errors(write(path, body, headers={"If-Match": '"1"'}), 400)


WRITES = [
    ("put", ONE, {"modules": {"cms": {"is_enabled": True}}}, True),
    ("put", BILLING, {"config": {"default_trial_days": 30}}, True),
    ("patch", BILLING, {"config": {"default_trial_days": 30}}, True),
    ("post", f"{ONE}cms/enable/", {}, False),
    ("post", f"{ONE}subscriptions/disable/", {}, False),
    ("post", f"{ONE}messaging/reset/", {}, False),
]


@pytest.mark.parametrize(("method", "path", "body", "is_required"), WRITES)
def test_write__if_match__must_name_the_revision(kestrel_on, as_script, unchanged, method, path, body, is_required):
    services.configure(platform=kestrel_on, module="messaging", config={"max_attempts": 3}, origin=origin())
    write = getattr(as_script, method)
    with unchanged():
        for stale in ('"1"', '"3"', 'W/"2"', "2", '""', "nonsense"):
            assert errors(write(path, body, headers={"If-Match": stale}), 412) == [(None, "precondition_failed")]
        if is_required:
            assert errors(write(path, body), 428) == [(None, "precondition_required")]
    response = write(path, body, headers={"If-Match": '"1", "2"'})
    assert (answer(response)["revision"], response["ETag"]) == (3, '"3"')
    if not is_required:
        answer(write(path, body))


class AuthorGoesViewSet(ModuleStateViewSet):
    """Under the lock, the author of the change is deleted."""

    def check_revision(self, platform, settings):
        User.objects.filter(pk=self.actor.user_id).delete()


@pytest.mark.django_db(transaction=True)
def test_write__author_is_gone_when_it_is_written__is_409(kestrel, ann, unchanged):
    request = APIRequestFactory().post("/", {})
    force_authenticate(request, user=ann)
    with unchanged():
        response = AuthorGoesViewSet.as_view({"post": "enable"})(request, platform="kestrel", module="cms")
    assert response.status_code == 409
    assert [(error["attr"], error["code"]) for error in response.data["errors"]] == [(None, "conflict")]
    assert User.objects.filter(pk=ann.pk).exists()
