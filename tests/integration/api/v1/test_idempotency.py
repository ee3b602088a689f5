"""`Idempotency-Key`: the same POST sent again is done once and answered as the first time, on every POST there is."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from billing.models import Plan
from django.db import connection, transaction
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from modules.models import Change
from platforms import services
from platforms.api.idempotency import Key
from platforms.models import ApiToken, IdempotentAnswer, Membership, Platform, Vendor
from tests.access.routes import api_routes
from tests.factories import UserFactory
from tests.integration.api.v1.test_concurrent_writes import at_once
from tests.modules.building import enable

ADMIN = "/api/v1/admin/"
VENDORS = f"{ADMIN}platforms/kestrel/vendors/"
TOKENS = f"{ADMIN}platforms/kestrel/tokens/"
STATE = f"{ADMIN}module-config/kestrel/customers/"
FERN = {"code": "fern", "name": "Fern"}
OAK = {"code": "oak", "name": "Oak"}
KEY = {"Idempotency-Key": "9f4c-1"}
# Every POST there is: the model whose rows say how often it was done, and a body.
POSTS = {
    f"{ADMIN}platforms/": (Platform, {"code": "new", "name": "New", "kind": "b2b", "currency": "EUR"}),
    f"{ADMIN}platforms/{{platform}}/vendors/": (Vendor, FERN),
    f"{ADMIN}platforms/{{platform}}/members/": (Membership, {"user": "dee", "role": "viewer"}),
    f"{ADMIN}platforms/{{platform}}/tokens/": (ApiToken, {"name": "export", "scopes": ["read"]}),
    f"{ADMIN}module-config/{{platform}}/{{module}}/enable/": (Change, {"reason": "pilot"}),
    f"{ADMIN}module-config/{{platform}}/{{module}}/disable/": (Change, {}),
    f"{ADMIN}module-config/{{platform}}/{{module}}/reset/": (Change, {}),
    f"{ADMIN}module-config/{{platform}}/{{module}}/revert/": (Change, {"to": 1}),
    f"{ADMIN}module-config/{{platform}}/revert/": (Change, {"to": 1}),
    f"{ADMIN}platforms/{{platform}}/billing/plans/": (Plan, {"code": "small", "name": "Small", "price": "1.00"}),
}


def errors(response, status):
    assert response.status_code == status, response.content
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


def seen(response):
    """Return what a client sees of an answer, but the number of the request."""
    headers = {name: value for name, value in response.headers.items() if name != "X-Request-ID"}
    return response.status_code, response.content, headers


@pytest.fixture
def script(token_of, client_of):
    return client_of(token_of("read", "write", "admin"))


# --- Once ------------------------------------------------------------------------------------------------------------


def test_posts__are_all_here():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    posts = {path: operations["post"] for path, operations in paths.items() if "post" in operations}
    # Those of modules have the same base as billing's plans, which stand for them.
    of_modules = {f"/{route.template}" for route in api_routes() if route.module is not None}
    assert set(posts) - of_modules == set(POSTS) - of_modules
    for path, operation in posts.items():
        assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}, path
        assert "422" in operation["responses"], path
    for path, operations in paths.items():
        for method, operation in operations.items():
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert ("Idempotency-Key" in names) is (method == "post"), path


@pytest.mark.parametrize("path", POSTS)
def test_post__sent_again__is_done_once_and_answered_as_first(kestrel, operator, as_operator, path):
    UserFactory(username="dee")
    model, body = POSTS[path]
    url = path.format(platform="kestrel", module="messaging")
    if path.endswith(("/disable/", "/reset/", "/revert/")):
        set_up = f"{ADMIN}module-config/kestrel/messaging/"
        assert as_operator.post(f"{set_up}enable/", {"config": {"max_attempts": 3}}).status_code == 200
        if path.endswith("/revert/"):
            assert as_operator.post(f"{set_up}reset/", {}).status_code == 200
    if model is Plan:
        enable(kestrel, "billing")
    before = model.objects.count()
    headers = KEY | {"If-Match": "*"}
    first = as_operator.post(url, body, headers=headers)
    assert first.status_code in (200, 201)
    assert model.objects.count() == before + 1
    again = as_operator.post(url, body, headers=headers)
    assert seen(again) == seen(first)
    assert "ETag" in first
    assert again["X-Request-ID"] != first["X-Request-ID"]
    assert model.objects.count() == before + 1
    assert errors(as_operator.post(url, {**body, "reason": "other"}, headers=headers), 422) == [
        (None, "idempotency_key_reused")
    ]
    assert model.objects.count() == before + 1


def test_post__body_written_otherwise__is_the_same(script):
    first = script.post(VENDORS, b'{"code": "fern", "name": "F\\u00fcr"}', content_type="application/json", headers=KEY)
    body = ' {"name":"Für","code":"fern"}'.encode()
    assert seen(script.post(VENDORS, body, content_type="application/json", headers=KEY)) == seen(first)
    assert first.status_code == 201


def test_post__things_have_moved_on__first_answer_all_the_same(script):
    first = script.post(f"{STATE}enable/", {}, headers=KEY)
    assert script.post(f"{STATE}disable/", {}).status_code == 200
    assert seen(script.post(f"{STATE}enable/", {}, headers=KEY)) == seen(first)
    assert (first.json()["revision"], first["ETag"]) == (1, '"1"')
    assert script.get(STATE).json()["is_enabled"] is False


@pytest.mark.parametrize(
    ("path", "body"),
    [(VENDORS, OAK), (f"{VENDORS}?format=json", FERN), (TOKENS, FERN), (f"{STATE}enable/", {}), (VENDORS, {})],
)
def test_key__of_another_request__is_422_and_changes_nothing(as_admin, path, body):
    assert as_admin.post(VENDORS, FERN, headers=KEY).status_code == 201
    assert errors(as_admin.post(path, body, headers=KEY), 422) == [(None, "idempotency_key_reused")]
    assert list(Vendor.objects.values_list("code", flat=True)) == ["fern"]
    assert not ApiToken.objects.exists()
    assert not Change.objects.exists()


def test_key__of_another_token_or_user__is_another_key(kestrel, ann, as_operator, as_admin, token_of, client_of):
    for number, client in enumerate(
        [as_admin, as_operator, client_of(token_of("admin")), client_of(token_of("admin"))]
    ):
        assert client.post(VENDORS, {"code": f"v{number}", "name": "V"}, headers=KEY).status_code == 201
    assert Vendor.objects.count() == IdempotentAnswer.objects.count() == 4


def test_key__another_key__is_another_request(script):
    assert script.post(VENDORS, FERN, headers=KEY).status_code == 201
    assert errors(script.post(VENDORS, FERN, headers={"Idempotency-Key": "9f4c-2"}), 400) == [("code", "unique")]


def test_key__longest_and_strangest__is_taken(script):
    for number, key in enumerate(["k" * 255, " ~!\"#$%&'(),/:;<=>?@[]{}", "0"]):
        body = {"code": f"v{number}", "name": "V"}
        first = script.post(VENDORS, body, headers={"Idempotency-Key": key})
        assert first.status_code == 201
        assert seen(script.post(VENDORS, body, headers={"Idempotency-Key": key})) == seen(first)


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "a\nb", "a\x00b", "\x7f", "clé", "\xff", "\N{SNOWMAN}"])
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_key__that_is_none__is_400_and_changes_nothing(script, key, query):
    response = script.post(f"{VENDORS}{query}", FERN, headers={"Idempotency-Key": key})
    assert errors(response, 400) == [("Idempotency-Key", "invalid")]
    assert not Vendor.objects.exists()


def test_key__without_credentials__is_401(client_of, kestrel):
    assert client_of(None).post(VENDORS, FERN, headers=KEY).status_code == 401
    assert not IdempotentAnswer.objects.exists()


def test_key__on_other_methods__is_not_looked_at(script):
    headers = {"Idempotency-Key": "", "If-Match": "*"}
    assert script.get(VENDORS, headers=headers).status_code == 200
    assert script.patch(f"{ADMIN}platforms/kestrel/", {"name": "New"}, headers=headers).status_code == 200
    assert not IdempotentAnswer.objects.exists()


def test_method__not_offered__is_405_with_a_key_too(script):
    assert script.post(f"{ADMIN}modules/", {}, headers=KEY).status_code == 405
    assert not IdempotentAnswer.objects.exists()


# --- Not kept --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (VENDORS, {"code": "fern"}, 400),
        (f"{ADMIN}platforms/kestrel/tokens/", {}, 403),
        (f"{ADMIN}platforms/tidewater/vendors/", FERN, 404),
        (f"{ADMIN}module-config/kestrel/monitoring/disable/", {}, 409),
    ],
)
def test_error__keeps_no_key__and_is_judged_anew(script, tidewater, path, body, status):
    assert script.post(path, body, headers=KEY).status_code == status
    assert not IdempotentAnswer.objects.exists()
    assert script.post(VENDORS, OAK, headers=KEY).status_code == 201


def test_error__of_the_server__keeps_no_key_and_no_row(operator, kestrel, monkeypatch, client_of):
    client = client_of(operator)
    client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr("platforms.api.views.VendorViewSet.represent_created", lambda *args: 1 / 0)
        assert client.post(VENDORS, FERN, headers=KEY).status_code == 500
    assert not Vendor.objects.exists()
    assert not IdempotentAnswer.objects.exists()
    assert client.post(VENDORS, FERN, headers=KEY).status_code == 201


def test_stale_precondition__keeps_no_key(script):
    assert script.post(f"{STATE}enable/", {}, headers={**KEY, "If-Match": '"7"'}).status_code == 412
    assert script.post(f"{STATE}enable/", {}, headers={**KEY, "If-Match": '"0"'}).status_code == 200


def test_dry_run__keeps_no_key_and_asks_none(script):
    for _ in range(2):
        assert script.post(f"{VENDORS}?dry_run=true", FERN, headers=KEY).status_code == 201
    assert not IdempotentAnswer.objects.exists()
    assert script.post(VENDORS, FERN, headers=KEY).status_code == 201
    # Tried again it is judged as any dry run: fern is there.
    assert errors(script.post(f"{VENDORS}?dry_run=true", FERN, headers=KEY), 400) == [("code", "unique")]


# --- What is kept, and for how long ----------------------------------------------------------------------------------


def test_answer__is_unreadable_in_the_database(as_admin):
    secret = as_admin.post(TOKENS, {"name": "export", "scopes": ["read"]}, headers=KEY).json()["token"]
    kept = json.dumps(list(IdempotentAnswer.objects.values()), default=str)
    for told in (secret, secret[:15], "export", KEY["Idempotency-Key"], "ann"):
        assert told not in kept
    assert as_admin.post(TOKENS, {"name": "export", "scopes": ["read"]}, headers=KEY).json()["token"] == secret
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(("age", "is_kept"), [(timedelta(hours=23, minutes=59), True), (timedelta(hours=24), False)])
def test_answer__counts_for_24_hours(script, age, is_kept):
    first = script.post(f"{STATE}enable/", {}, headers=KEY)
    IdempotentAnswer.objects.update(created_at=timezone.now() - age)
    again = script.post(f"{STATE}enable/", {}, headers=KEY)
    assert (seen(again) == seen(first)) is is_kept
    assert again.json()["steps"] == (first.json()["steps"] if is_kept else [])
    assert IdempotentAnswer.objects.count() == 1


def test_purge__deletes_what_no_longer_counts(script):
    for number, age in enumerate([0, 23, 24, 48]):
        body = {"code": f"v{number}", "name": "V"}
        assert script.post(VENDORS, body, headers={"Idempotency-Key": f"k{number}"}).status_code == 201
        newest = IdempotentAnswer.objects.latest("pk")
        IdempotentAnswer.objects.filter(pk=newest.pk).update(created_at=timezone.now() - timedelta(hours=age))
    assert services.purge_idempotent_answers() == 2
    assert IdempotentAnswer.objects.count() == 2
    assert services.purge_idempotent_answers() == 0


def test_secret_key__is_another__keys_are_forgotten(script, settings):
    script.post(VENDORS, FERN, headers=KEY)
    settings.SECRET_KEY = "another"
    assert errors(script.post(VENDORS, FERN, headers=KEY), 400) == [("code", "unique")]


def test_cost__of_a_key__is_constant(script, django_assert_num_queries):
    with django_assert_num_queries(10):
        script.post(VENDORS, FERN)
    # Savepoints around the whole and around the INSERT; DELETE of an old claim, SELECT, INSERT, UPDATE.
    with django_assert_num_queries(10 + 8):
        script.post(VENDORS, OAK, headers=KEY)
    # Token, platform, savepoints, the lock and the right again, DELETE, SELECT.
    with django_assert_num_queries(8):
        script.post(VENDORS, OAK, headers=KEY)


# --- At once ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("expired", [False, True])
def test_post__four_with_one_key_at_once__is_done_once_and_all_get_its_answer(token_of, client_of, expired):
    token = token_of("admin")
    if expired:
        assert client_of(token).post(VENDORS, FERN, headers=KEY).status_code == 201
        Vendor.objects.all().delete()
        IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(days=2))
    answers = []

    def post(number):
        response = client_of(token).post(VENDORS, FERN, headers=KEY)
        answers.append(seen(response))
        return response

    assert at_once(4, post) == [201] * 4
    assert answers == answers[:1] * 4
    assert Vendor.objects.count() == IdempotentAnswer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_post__first_fails_while_the_second_waits__second_is_done(token_of, client_of):
    token = token_of("admin")

    def post():
        try:
            return client_of(token).post(VENDORS, FERN, headers=KEY).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            # What the first one does before it fails.
            digest = Key(owner=f"token:{token.pk}", text=KEY["Idempotency-Key"]).digest
            IdempotentAnswer.objects.create(digest=digest, fingerprint="", answer="")
            second = pool.submit(post)
            with pytest.raises(TimeoutError):
                second.result(timeout=1)
            transaction.set_rollback(True)
        assert second.result(timeout=20) == 201
    assert Vendor.objects.count() == IdempotentAnswer.objects.count() == 1
