"""Logging in at the one door: who is let in, who is not, how often one may try, and what nonsense gets."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, get_resolver, reverse
from django.urls.resolvers import URLPattern, URLResolver
from pytest_django.fixtures import Settings

from config.wsgi import application
from platforms.login.adapters import NOT_LET_IN, TOO_MANY
from platforms.models import CacheEntry, User
from tests.admin.authenticators import PASSWORD, is_in, log_in
from tests.admin.pages import text_of
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def nora(db: None) -> User:
    """Somebody on the staff."""
    return UserFactory.create(username="nora", is_staff=True, password=PASSWORD)


# --- who is let in ---------------------------------------------------------------------------------------------------


def test_login__staff__in_under_a_new_session_key(client: Client, nora: User) -> None:
    client.get("/admin/platforms/platform/")
    session = client.session
    session["before"] = 1
    session.save()
    old_key = session.session_key

    answer = client.post(f"{LOGIN}?next=/admin/platforms/platform/", {"username": "nora", "password": PASSWORD})

    assert (answer.status_code, answer["Location"]) == (302, "/admin/platforms/platform/")
    assert is_in(client)
    assert client.session.session_key != old_key
    assert not client.session.exists(old_key)


@pytest.mark.parametrize(
    "fields",
    [{"is_staff": False}, {"is_staff": True, "is_active": False}],
    ids=["not staff", "not active"],
)
def test_login__right_password_of_somebody_who_may_not__told_what_a_wrong_one_gets(
    client: Client, nora: User, fields: dict[str, bool]
) -> None:
    UserFactory.create(username="bea", password=PASSWORD, **fields)

    refused = [log_in(client, "bea"), log_in(client, "nora", "wrong"), log_in(client, "nobody")]

    assert [(answer.status_code, NOT_LET_IN in text_of(answer)) for answer in refused] == [(200, True)] * 3
    assert not is_in(client)


def test_login__right_password_of_somebody_not_staff__counts_as_a_failure(client: Client, db: None) -> None:
    UserFactory.create(username="bea", password=PASSWORD)

    said = [TOO_MANY in text_of(log_in(client, "bea")) for _ in range(6)]

    assert said == [False] * 5 + [True]


def test_login__staff_who_are_in__sent_on(client: Client, nora: User) -> None:
    client.force_login(nora)

    assert client.get(LOGIN)["Location"] == "/admin/"
    assert log_in(client, "nora", "wrong")["Location"] == "/admin/"


def test_login__session_of_somebody_who_was_staff__ended_and_asked_anew(client: Client, nora: User) -> None:
    client.force_login(nora)
    User.objects.update(is_staff=False)

    answer = client.get("/admin/", follow=True)

    assert answer.redirect_chain == [(f"{LOGIN}?next=/admin/", 302)]
    assert "You were logged out: nora is not staff." in text_of(answer)
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_login__next_leads_elsewhere__start_page(client: Client, nora: User, target: str) -> None:
    answer = client.post(LOGIN, {"username": "nora", "password": PASSWORD, "next": target})

    assert answer["Location"] == "/admin/"


def test_login__form_without_token__refused(nora: User) -> None:
    client = Client(enforce_csrf_checks=True)

    assert log_in(client, "nora").status_code == 403
    assert "_auth_user_id" not in client.session


def test_login__asked_for_as_json__answered_with_a_page(client: Client, nora: User) -> None:
    answer = log_in(client, "nora", "hush-hush", headers={"Accept": "application/json"})

    assert answer["Content-Type"].startswith("text/html")
    assert "hush-hush" not in text_of(answer)


def test_logout__session_gone(client: Client, nora: User) -> None:
    log_in(client, "nora")
    key = client.session.session_key

    assert client.post("/admin/logout/").status_code == 200
    assert not is_in(client)
    assert not client.session.exists(key)


def test_password_change__this_session_goes_on_and_others_end(client: Client, nora: User) -> None:
    other = Client()
    log_in(client, "nora")
    log_in(other, "nora")
    new = "another long phrase, never used"

    answer = client.post(
        "/admin/password_change/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    )

    assert answer.status_code == 302
    assert (is_in(client), is_in(other)) == (True, False)


# --- nonsense --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["username", "password"])
@pytest.mark.parametrize("text", ["", "\0", "a\0b", "x" * 5000, "\ufffd", "٣", "%00", " "], ids=ascii)
def test_login__nonsense__said_in_words(client: Client, nora: User, field: str, text: str) -> None:
    answer = client.post(LOGIN, {"username": "nora", "password": PASSWORD, field: text})

    assert answer.status_code == 200
    assert "errorlist" in text_of(answer) or NOT_LET_IN in text_of(answer)
    assert not is_in(client)


# Without a transaction around it: the server's own handler closes connections when a request starts.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("field", ["username", "password", "next"])
@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "utf-16", "nonsense"])
def test_login__lone_surrogates_by_a_charset__taken_as_letters(
    client: Client, nora: User, field: str, charset: str
) -> None:
    client.get(LOGIN)
    token = client.cookies["csrftoken"].value
    fields = {"username": b"nora", "password": b"wrong", "next": b"/", field: rb"a\ud800+2AA-b"}
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in fields.items()
    )
    environ = RequestFactory().generic(
        "POST",
        LOGIN,
        body + b"--x--\r\n",
        content_type=f"multipart/form-data; boundary=x; charset={charset}",
        HTTP_COOKIE=f"csrftoken={token}",
        HTTP_X_CSRFTOKEN=token,
    )
    answered: list[str] = []

    page = b"".join(application(environ.environ, lambda status, headers: answered.append(status)))

    assert answered == ["200 OK"]
    assert NOT_LET_IN in page.decode()


def test_login__more_than_a_form__refused(client: Client, nora: User) -> None:
    assert log_in(client, "nora", "x" * 2_000_000).status_code == 413


# --- how often -------------------------------------------------------------------------------------------------------


def test_attempts__sixth_failure_on_an_account__refused_with_the_right_password_too(nora: User) -> None:
    with time_machine.travel("2026-03-16T09:00:00Z", tick=False) as clock:
        for number in range(5):
            answer = log_in(Client(), "nora", "wrong", REMOTE_ADDR=f"192.0.2.{number}")
            assert NOT_LET_IN in text_of(answer)

        elsewhere = Client()
        assert TOO_MANY in text_of(log_in(elsewhere, "NORA", PASSWORD, REMOTE_ADDR="192.0.2.77"))
        assert TOO_MANY in text_of(log_in(elsewhere, "nora", PASSWORD, REMOTE_ADDR="192.0.2.78"))
        assert not is_in(elsewhere)

        clock.shift(301)
        log_in(elsewhere, "nora")
        assert is_in(elsewhere)


def test_attempts__sixth_failure_from_an_address__refused_on_every_account(client: Client, nora: User) -> None:
    for number in range(5):
        log_in(client, f"guess-{number}", "wrong")

    assert TOO_MANY in text_of(log_in(client, "nora"))
    assert not is_in(client)
    other = Client()
    log_in(other, "nora", REMOTE_ADDR="192.0.2.1")
    assert is_in(other)


def test_attempts__successes__are_no_failures(nora: User) -> None:
    for _ in range(7):
        client = Client()
        log_in(client, "nora")
        assert is_in(client)


def test_attempts__of_any_kind__thirty_a_minute_from_an_address(client: Client, nora: User) -> None:
    answers = [client.post(LOGIN, {}).status_code for _ in range(31)]

    assert answers == [200] * 30 + [429]
    assert "Too many attempts" in text_of(client.post(LOGIN, {}))


def test_attempts__counted_in_the_database__for_every_process(client: Client, nora: User) -> None:
    for _ in range(5):
        log_in(client, "nora", "wrong")
    assert CacheEntry.objects.filter(cache_key__contains="login_failed").count() == 2

    # Nothing is counted anywhere else.
    CacheEntry.objects.all().delete()
    log_in(client, "nora")
    assert is_in(client)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP"])
def test_address__named_by_the_client__not_believed(client: Client, nora: User, header: str) -> None:
    for number in range(5):
        log_in(client, f"guess-{number}", "wrong", headers={header: f"192.0.2.{number}"})

    assert TOO_MANY in text_of(log_in(client, "nora", headers={header: "192.0.2.99"}))


def test_address__behind_our_proxy__is_the_one_that_the_proxy_saw(settings: Settings, nora: User) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(5):
        # What stands before the last comma the client may have sent.
        log_in(Client(), f"guess-{number}", "wrong", headers={"X-Forwarded-For": f"192.0.2.{number}, 198.51.100.7"})

    assert TOO_MANY in text_of(log_in(Client(), "nora", headers={"X-Forwarded-For": "192.0.2.9, 198.51.100.7"}))
    other = Client()
    log_in(other, "nora", headers={"X-Forwarded-For": "198.51.100.7, 192.0.2.9"})
    assert is_in(other)


@pytest.mark.parametrize("forwarded", ["", "nonsense", "\x7f", ",", "1.2.3.4, "])
def test_address__of_no_kind_behind_our_proxy__no_crash(settings: Settings, nora: User, forwarded: str) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1

    assert log_in(Client(), "nora", headers={"X-Forwarded-For": forwarded}).status_code in (302, 403)


# --- what is there, and what is not ----------------------------------------------------------------------------------


def names_in(resolver: URLResolver) -> set[str]:
    """Return the names of allauth's addresses that can be reached."""
    found: set[str] = set()
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            found |= names_in(pattern)
        elif isinstance(pattern, URLPattern) and (pattern.name or "").startswith(("account_", "mfa_")):
            found.add(str(pattern.name))
    return found


def test_addresses__of_allauth__only_these() -> None:
    assert names_in(get_resolver()) == {
        "account_login",
        "account_reauthenticate",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "mfa_authenticate",
        "mfa_deactivate_totp",
        "mfa_edit_webauthn",
        "mfa_generate_recovery_codes",
        "mfa_index",
        "mfa_login_webauthn",
        "mfa_reauthenticate",
        "mfa_reauthenticate_webauthn",
        "mfa_remove_webauthn",
        "mfa_view_recovery_codes",
    }
    assert reverse("account_login") == reverse("admin:login") == LOGIN
    for name in ("account_signup", "account_email", "account_reset_password", "account_logout", "admin_password_reset"):
        with pytest.raises(NoReverseMatch):
            reverse(name)


def test_admin__tables_of_allauth__not_there() -> None:
    assert not {EmailAddress, Authenticator} & set(admin.site._registry)


@pytest.mark.parametrize("path", ["/admin/", LOGIN, "/admin/security/", "/admin/login/passkey/", "/api/v1/docs/"])
def test_headers__every_page__strict(client: Client, nora: User, path: str) -> None:
    client.force_login(nora)
    headers = client.get(path).headers

    policy = headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Permissions-Policy"] == "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.prod",
    "SECRET_KEY": "k",
    "MODULE_CONFIG_KEYS": "k",
    "ALLOWED_HOSTS": "switchyard.example",
    "DATABASE_URL": "postgresql://switchyard@localhost/switchyard",
}
ASKED = (
    "SESSION_COOKIE_SECURE",
    "SESSION_COOKIE_HTTPONLY",
    "SESSION_COOKIE_SAMESITE",
    "CSRF_COOKIE_SECURE",
    "CSRF_COOKIE_HTTPONLY",
    "CSRF_COOKIE_SAMESITE",
    "STAFF_SECOND_FACTOR_REQUIRED",
    "ALLAUTH_TRUSTED_PROXY_COUNT",
)


@pytest.mark.parametrize(
    ("given", "required", "proxies"),
    [
        ({}, True, 0),
        ({"BEHIND_TLS_PROXY": "true"}, True, 1),
        ({"STAFF_SECOND_FACTOR_REQUIRED": "false"}, False, 0),
    ],
)
def test_production__settings__closed_unless_the_environment_opens(
    given: dict[str, str], required: bool, proxies: int
) -> None:
    code = f"import json; from django.conf import settings as s; print(json.dumps([getattr(s, n) for n in {ASKED}]))"
    run: Any = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **PRODUCTION, **given},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert json.loads(run.stdout) == [True, True, "Lax", True, True, "Lax", required, proxies]
