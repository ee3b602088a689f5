"""Whatever is sent to change modules: never a server error, and nothing of it written."""

import json

import pytest

from tests.integration.api.v1.admin.answers import BILLING, ONE, errors

JSON = "application/json"
WRITES = [
    ("put", ONE),
    ("put", BILLING),
    ("patch", BILLING),
    ("post", f"{BILLING}enable/"),
    ("post", f"{BILLING}disable/"),
    ("post", f"{BILLING}reset/"),
]
each_write = pytest.mark.parametrize(("method", "path"), WRITES, ids=[f"{m} {p[len(ONE) :]}" for m, p in WRITES])

UNREADABLE = {
    "no json": b"{",
    "list": b"[]",
    "null": b"null",
    "text": b'"cms"',
    "4000 digits": b'{"reason": ' + b"9" * 4000 + b"}",
    "4000 digits in a config": b'{"config": {"default_trial_days": ' + b"9" * 4000 + b"}}",
    "deep": b'{"config": ' + b'{"a":' * 20 + b"1" + b"}" * 21,
    "very deep": b'{"config": ' + b"[" * 100_000,
    "duplicate keys": b'{"config": {}, "config": {"default_trial_days": 1}}',
    "duplicate keys in a config": b'{"config": {"default_trial_days": 1, "default_trial_days": 2}}',
    "duplicate modules": b'{"modules": {"cms": {"is_enabled": true}, "cms": {"is_enabled": false}}}',
    "NUL": b'{"reason": "a\\u0000b"}',
    "NUL in a config": b'{"config": {"support_email": "\\u0000"}}',
    "lone surrogate": b'{"reason": "\\ud800"}',
    "lone surrogate in a key": b'{"config": {"\\udfff": 1}}',
    "NaN": b'{"config": {"default_trial_days": NaN}}',
    "1e999": b'{"config": {"default_trial_days": 1e999}}',
    "latin-1": b'{"reason": "\xe9"}',
}
NO_TEXT = [None, True, 7, 1.5, [], ["x"], {}, {"a": 1}]
NO_BOOLEAN = [None, 0, 1, "true", "yes", "", [], {}]
NO_CONFIG = [None, True, 7, "x", [], [["default_trial_days", 1]]]
NO_REASON = [*NO_TEXT, "x" * 501, "a\tb", "a\rb", "\x1b[2J", "\x7f", "a\x85b"]


def body_of(method, path):
    """A body that this write would take, to spoil."""
    if path == ONE:
        return {"modules": {"cms": {"is_enabled": True}}}
    return {"config": {"default_trial_days": 1}} if method in ("put", "patch") else {}


def send(client, method, path, body):
    return getattr(client, method)(path, body, headers={"If-Match": "*"})


@each_write
def test_body__unreadable__is_400(kestrel_on, as_script, unchanged, method, path):
    with unchanged():
        for why, body in UNREADABLE.items():
            response = getattr(as_script, method)(path, body, content_type=JSON, headers={"If-Match": "*"})
            assert errors(response, 400) == [(None, "parse_error")], why


@each_write
def test_body__over_a_mebibyte__is_413(kestrel_on, as_script, unchanged, method, path):
    body = json.dumps({"reason": "x" * 1024 * 1024}).encode()
    with unchanged():
        response = getattr(as_script, method)(path, body, content_type=JSON, headers={"If-Match": "*"})
        assert errors(response, 413) == [(None, "request_too_large")]


@each_write
def test_body__unknown_keys__are_400_each(kestrel_on, as_script, unchanged, method, path):
    with unchanged():
        response = send(as_script, method, path, {**body_of(method, path), "reazon": "x", "force": True})
        assert sorted(errors(response, 400)) == [("force", "unknown_field"), ("reazon", "unknown_field")]


@each_write
def test_body__reason_that_is_none__is_400(kestrel_on, as_script, unchanged, method, path):
    with unchanged():
        for reason in NO_REASON:
            response = send(as_script, method, path, {**body_of(method, path), "reason": reason})
            assert {attr for attr, _ in errors(response, 400)} == {"reason"}, reason


@each_write
def test_body__digest_that_is_none__is_400(kestrel_on, as_script, unchanged, method, path):
    with unchanged():
        for digest in [*NO_TEXT, "", "x" * 65]:
            response = send(as_script, method, path, {**body_of(method, path), "digest": digest})
            assert {attr for attr, _ in errors(response, 400)} == {"digest"}, digest


@pytest.mark.parametrize("reason", ["x" * 500, "Spring\nsale", "é" * 500, "\N{SNOWMAN} <b>", "'; DROP TABLE"])
def test_reason__any_text__is_kept_as_it_is(kestrel, as_script, reason):
    assert as_script.post(f"{ONE}cms/enable/", {"reason": reason}).status_code == 200
    [change] = as_script.get("/api/v1/admin/platforms/kestrel/changes/").json()["results"]
    assert change["reason"] == reason


@pytest.mark.parametrize(("method", "path"), [("put", BILLING), ("patch", BILLING), ("post", f"{BILLING}enable/")])
@pytest.mark.parametrize("config", NO_CONFIG)
def test_config__no_object__is_400(kestrel_on, as_script, unchanged, method, path, config):
    with unchanged():
        assert {attr for attr, _ in errors(send(as_script, method, path, {"config": config}), 400)} == {"config"}


@pytest.mark.parametrize("method", ["put", "patch"])
def test_config__missing__is_400(kestrel_on, as_script, unchanged, method):
    with unchanged():
        assert errors(send(as_script, method, BILLING, {"reason": "x"}), 400) == [("config", "required")]


@pytest.mark.parametrize(
    "value", [*NO_CONFIG[1:], "", -1, 10**90, -(10**90), 1e300, {"a": {"b": []}}, [[[]]], "x" * 5000]
)
def test_config__wrong_value_for_any_field__is_400_at_the_field(kestrel_on, as_script, unchanged, value):
    fields = ["stripe_mode", "default_trial_days", "allowed_currencies", "address"]
    fields += ["support_email", "api_key"] if value != "" else []
    if value == 7:
        fields.remove("default_trial_days")
    with unchanged():
        for field in fields:
            for response in (
                send(as_script, "patch", BILLING, {"config": {field: value}}),
                send(as_script, "post", f"{BILLING}enable/", {"config": {field: value}}),
            ):
                for attr, _ in errors(response, 400):
                    assert attr == f"config.{field}" or attr.startswith(f"config.{field}.")
            response = send(as_script, "put", ONE, {"modules": {"billing": {"config": {field: value}}}})
            for attr, _ in errors(response, 400):
                assert attr.startswith(f"modules.billing.config.{field}")


@pytest.mark.parametrize("key", ["", ".", "a.b", "__class__", "non_field_errors", "é", "x" * 5000, "api_key "])
def test_config__unknown_key__is_400_at_the_key(kestrel_on, as_script, unchanged, key):
    with unchanged():
        response = send(as_script, "patch", BILLING, {"config": {key: 1}})
        assert [code for _, code in errors(response, 400)] == ["unknown_field"]


def test_config__over_64_kibibytes__is_400(kestrel_on, as_script, unchanged):
    config = {"allowed_currencies": ["EUR"] * 16_000}
    with unchanged():
        response = send(as_script, "patch", BILLING, {"config": config})
        assert errors(response, 400) == [("config", "too_large")]
        response = send(as_script, "put", ONE, {"modules": {"billing": {"config": config}}})
        assert errors(response, 400) == [("modules.billing.config", "too_large")]


@pytest.mark.parametrize("modules", [None, True, 7, "x", [], ["cms"], [{"cms": {}}]])
def test_modules__no_object__is_400(kestrel_on, as_script, unchanged, modules):
    with unchanged():
        assert {attr for attr, _ in errors(send(as_script, "put", ONE, {"modules": modules}), 400)} == {"modules"}
        assert errors(send(as_script, "put", ONE, {}), 400) == [("modules", "required")]


@pytest.mark.parametrize("wanted", [None, True, 7, "x", [], ["is_enabled"]])
def test_modules__wanted_is_no_object__is_400(kestrel_on, as_script, unchanged, wanted):
    with unchanged():
        response = send(as_script, "put", ONE, {"modules": {"cms": wanted, "analytics": {"is_enabled": True}}})
        assert {attr for attr, _ in errors(response, 400)} == {"modules.cms"}


@pytest.mark.parametrize("value", NO_BOOLEAN)
def test_booleans__anything_else__is_400(kestrel_on, as_script, unchanged, value):
    with unchanged():
        response = send(as_script, "put", ONE, {"modules": {"cms": {"is_enabled": value}}})
        assert {attr for attr, _ in errors(response, 400)} == {"modules.cms.is_enabled"}
        response = send(as_script, "put", ONE, {"modules": {}, "cascade": value})
        assert {attr for attr, _ in errors(response, 400)} == {"cascade"}
        response = send(as_script, "post", f"{ONE}customers/disable/", {"cascade": value})
        assert {attr for attr, _ in errors(response, 400)} == {"cascade"}


def test_modules__unknown_keys_of_one__are_400(kestrel_on, as_script, unchanged):
    with unchanged():
        response = send(as_script, "put", ONE, {"modules": {"cms": {"enabled": True}}})
        assert errors(response, 400) == [("modules.cms.enabled", "unknown_field")]


def test_modules__more_than_there_could_be__is_400_at_once(kestrel_on, as_script, unchanged):
    with unchanged():
        response = send(as_script, "put", ONE, {"modules": {f"m{number}": {} for number in range(60_000)}})
        assert errors(response, 400) == [("modules", "too_many")]


@pytest.mark.parametrize("method", ["post", "delete"])
def test_resource__method_that_it_lacks__is_405(kestrel_on, as_script, unchanged, method):
    with unchanged():
        for path in (ONE, BILLING):
            assert errors(getattr(as_script, method)(path, {}), 405) == [(None, "method_not_allowed")]
        for verb in ("enable", "disable", "reset"):
            assert errors(as_script.get(f"{BILLING}{verb}/"), 405) == [(None, "method_not_allowed")]
