"""Second factors given what nobody has: codes, names and passkeys' answers of every wrong kind are refused in words."""

import base64
import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from platforms.models import User
from tests.admin.authenticators import PASSWORD, add_passkey, enrol, is_in, log_in, send_code
from tests.admin.pages import text_of
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def nora(db: None) -> User:
    """Somebody on the staff, without a second factor."""
    return UserFactory.create(username="nora", is_staff=True, password=PASSWORD)


@pytest.fixture
def nora_in(client: Client, nora: User) -> Client:
    """Her browser, in which she has just logged in."""
    log_in(client, "nora")
    return client


NONSENSE = ["", "\0", "x" * 5000, "٣٣٣٣٣٣", "\ufffd", "-1", "1" * 200, "'\"<>", "000\n000"]


@pytest.mark.parametrize("text", NONSENSE, ids=ascii)
def test_codes__nonsense__said_in_words(client: Client, nora: User, text: str) -> None:
    enrol(nora)
    log_in(client, "nora")

    answer = send_code(client, text)

    assert answer.status_code == 200
    assert "errorlist" in text_of(answer)
    assert not is_in(client)


@pytest.mark.parametrize("text", NONSENSE, ids=ascii)
def test_confirming__nonsense__said_in_words(client: Client, nora: User, text: str) -> None:
    enrol(nora)
    client.force_login(nora)
    for name, field in (("account_reauthenticate", "password"), ("mfa_reauthenticate", "code")):
        answer = client.post(reverse(name), {field: text})
        assert answer.status_code == 200
        assert "errorlist" in text_of(answer)
    assert client.post(reverse("mfa_deactivate_totp")).status_code == 302
    assert Authenticator.objects.count() == 1


@pytest.mark.parametrize("name", ["", "\0", "a\nb", "x" * 61], ids=ascii)
def test_passkey__renamed_to_nonsense__refused(nora_in: Client, nora: User, name: str) -> None:
    passkey = add_passkey(nora, "Laptop")

    answer = nora_in.post(reverse("mfa_edit_webauthn", args=[passkey.pk]), {"name": name})

    assert answer.status_code == 200
    assert Authenticator.objects.get().data["name"] == "Laptop"


def web(data: bytes) -> str:
    """Return bytes as WebAuthn's JSON has them."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def credential(**response: Any) -> str:
    """Return what a browser would send, with these parts of the authenticator's response."""
    return json.dumps({"id": web(b"id"), "rawId": web(b"id"), "type": "public-key", "response": response})


CLIENT = web(json.dumps({"type": "webauthn.get", "challenge": "AA", "origin": "https://x"}).encode())
CREDENTIALS = [
    *("", "\0", "x", "null", "[]", "{}", "1" * 5000, '"a"', '{"a": NaN}', '{"response": 1}', '{"response": {}}'),
    *("[" * 100_000, '{"a":' * 100_000, '{"id": "\\ud800"}', '{"id": "\\u0000"}', "9" * 40_000),
    credential(),
    credential(clientDataJSON="!", attestationObject="!"),
    credential(clientDataJSON=None, attestationObject=None, authenticatorData=None, signature=None, userHandle=None),
    credential(clientDataJSON=CLIENT, attestationObject=web(b"\x81" * 9000)),
    credential(clientDataJSON=CLIENT, attestationObject=web(b"\xa3" + b"\xff" * 9)),
    credential(clientDataJSON=web(b"[]"), attestationObject=web(b"\xa0")),
    *(
        credential(clientDataJSON=CLIENT, authenticatorData=data, signature=web(b"s"), userHandle=handle)
        for data in (web(b"\0" * 37), web(b"\0"), web(b"\0" * 32 + b"\xff" * 60))
        for handle in (None, "", 1, web(b"1"), web(b"zzzzzzzzzzzz"), web(b"z" * 60), web(b"\xff"), [], "!")
    ),
]


@pytest.mark.parametrize("sent", CREDENTIALS, ids=lambda text: ascii(text[:40]))
def test_passkeys__nonsense__refused_in_words(client: Client, nora: User, sent: str) -> None:
    client.get(reverse("mfa_login_webauthn"), headers={"Accept": "application/json"})
    answer = client.post(reverse("mfa_login_webauthn"), {"credential": sent})
    assert answer["Location"] == "/admin/login/"
    assert not is_in(client)

    log_in(client, "nora")
    client.get(reverse("mfa_add_webauthn"))
    assert client.post(reverse("mfa_add_webauthn"), {"credential": sent, "name": "x"}).status_code == 200
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("sent", ["", "{}", *CREDENTIALS[-9:]], ids=lambda text: ascii(text[:40]))
def test_passkeys__nonsense_as_second_step__refused_in_words(client: Client, nora: User, sent: str) -> None:
    enrol(nora)
    log_in(client, "nora")
    client.get(reverse("mfa_authenticate"))

    answer = client.post(reverse("mfa_authenticate"), {"credential": sent})

    assert answer.status_code == 200
    assert not is_in(client)
