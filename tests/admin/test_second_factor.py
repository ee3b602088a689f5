"""The second factor: set up, asked for at login, shown once more before it changes, kept so that no reader finds it."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse

from platforms import cipher
from platforms.login.adapters import TOO_MANY
from platforms.models import User
from tests.admin.authenticators import (
    PASSWORD,
    SECRET,
    add_passkey,
    code_of,
    enrol,
    is_in,
    log_in,
    send_code,
    wrong_code,
)
from tests.admin.pages import messages_of, text_of
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

NOT_RIGHT = "This is not the right code, or it was used already."


@pytest.fixture
def nora(db: None) -> User:
    """Somebody on the staff, without a second factor."""
    return UserFactory.create(username="nora", is_staff=True, password=PASSWORD)


@pytest.fixture
def nora_in(client: Client, nora: User) -> Client:
    """Her browser, in which she has just logged in."""
    log_in(client, "nora")
    return client


def set_up_app(client: Client) -> str:
    """Set an app up in this browser, and return its secret."""
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    answer = client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})
    assert answer["Location"] == reverse("mfa_view_recovery_codes")
    return secret


def codes_shown(client: Client) -> list[str]:
    """Return the recovery codes that this browser is shown."""
    return client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"]


# --- setting up ------------------------------------------------------------------------------------------------------


def test_app__set_up__kept_encrypted_with_recovery_codes(nora_in: Client, nora: User) -> None:
    secret = set_up_app(nora_in)

    rows = {row.type: row.data for row in Authenticator.objects.filter(user=nora)}
    assert set(rows) == {"totp", "recovery_codes"}
    assert secret not in json.dumps(rows)
    assert cipher.decrypt(rows["totp"]["secret"]) == secret
    assert cipher.decrypt(rows["recovery_codes"]["seed"])
    codes = codes_shown(nora_in)
    assert len(set(codes)) == 10
    assert not any(code in json.dumps(rows) for code in codes)
    assert secret not in json.dumps(dict(nora_in.session))


def test_app__wrong_code__said_and_nothing_kept(nora_in: Client) -> None:
    page = nora_in.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret

    answer = nora_in.post(reverse("mfa_activate_totp"), {"code": wrong_code(secret)})

    assert NOT_RIGHT in text_of(answer)
    assert answer.context["form"].secret == secret
    assert not Authenticator.objects.exists()


def test_app__second_one__leads_to_removing_the_first(nora_in: Client) -> None:
    set_up_app(nora_in)

    assert nora_in.get(reverse("mfa_activate_totp"))["Location"] == reverse("mfa_deactivate_totp")
    assert Authenticator.objects.filter(type="totp").count() == 1


def test_app__another_window_first__said_and_no_crash(nora_in: Client, nora: User) -> None:
    secret = nora_in.get(reverse("mfa_activate_totp")).context["form"].secret

    def come_first(instance: Authenticator, **kwargs: Any) -> None:
        if instance.type == Authenticator.Type.TOTP:
            Authenticator.objects.bulk_create([Authenticator(user=nora, type=Authenticator.Type.TOTP, data={})])

    pre_save.connect(come_first, sender=Authenticator)
    try:
        answer = nora_in.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})
    finally:
        pre_save.disconnect(come_first, sender=Authenticator)

    assert answer["Location"] == reverse("mfa_index")
    assert messages_of(answer) == ["An authenticator app was set up meanwhile. This one was not kept."]


def test_pages__nobody__led_to_the_login(client: Client, nora: User) -> None:
    passkey = add_passkey(nora, "Laptop")
    for name in ("mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "mfa_view_recovery_codes"):
        address = reverse(name)
        assert client.get(address)["Location"] == f"/admin/login/?next={address}"
    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        address = reverse(name, args=[passkey.pk])
        assert client.post(address, {"name": "Mine"})["Location"] == f"/admin/login/?next={address}"
    assert Authenticator.objects.get().data == {"name": "Laptop"}


# --- logging in ------------------------------------------------------------------------------------------------------


def test_login__password_alone__not_in(client: Client, nora: User) -> None:
    enrol(nora)

    answer = log_in(client, "nora", follow=True)

    assert answer.redirect_chain == [(reverse("mfa_authenticate"), 302)]
    assert not is_in(client)
    assert "_auth_user_id" not in client.session


def test_login__password_and_code__in_where_they_wanted(client: Client, nora: User) -> None:
    enrol(nora)
    key = client.session.session_key
    client.post("/admin/login/?next=/admin/security/", {"username": "nora", "password": PASSWORD})

    answer = send_code(client, code_of())

    assert answer["Location"] == "/admin/security/"
    assert is_in(client)
    assert client.session.session_key != key


@pytest.mark.parametrize("steps", [-1, 1])
def test_login__clock_of_the_app_half_a_minute_off__in(client: Client, nora: User, steps: int) -> None:
    enrol(nora)
    log_in(client, "nora")
    send_code(client, code_of(steps=steps))

    assert is_in(client)


@pytest.mark.parametrize("blank", ["", " ", "-"])
@pytest.mark.parametrize("seconds", [0, 31, 59])
def test_login__code_used_already__refused_as_long_as_it_would_be_right(nora: User, seconds: int, blank: str) -> None:
    enrol(nora)
    with time_machine.travel("2026-03-16T09:00:00Z", tick=False) as clock:
        first, second = Client(), Client()
        for client in (first, second):
            log_in(client, "nora")
        code = code_of()
        send_code(first, code)
        clock.shift(seconds)

        assert NOT_RIGHT in text_of(send_code(second, f"{code[:3]}{blank}{code[3:]}"))
        assert (is_in(first), is_in(second)) == (True, False)


def test_login__recovery_code__in_once(nora_in: Client) -> None:
    set_up_app(nora_in)
    code = codes_shown(nora_in)[3]
    first, second = Client(), Client()
    for client in (first, second):
        log_in(client, "nora")
        send_code(client, code)

    assert (is_in(first), is_in(second)) == (True, False)
    assert code not in codes_shown(nora_in)


def test_login__sixth_wrong_code__refused_with_the_right_one_too(nora: User) -> None:
    enrol(nora)
    with time_machine.travel("2026-03-16T09:00:00Z", tick=False) as clock:
        for number in range(5):
            client = Client(REMOTE_ADDR=f"192.0.2.{number}")
            log_in(client, "nora")
            assert NOT_RIGHT in text_of(send_code(client, wrong_code()))

        assert TOO_MANY in text_of(send_code(client, code_of()))
        assert not is_in(client)

        clock.shift(301)
        send_code(client, code_of())
        assert is_in(client)


def test_login__code_without_the_password__back_to_the_start(client: Client, nora: User) -> None:
    enrol(nora)

    assert send_code(client, code_of())["Location"] == "/admin/login/"
    assert not is_in(client)


def test_login__begun_anew__as_somebody_else(client: Client, nora: User) -> None:
    enrol(nora)
    UserFactory.create(username="olga", is_staff=True, password=PASSWORD)
    log_in(client, "nora")

    assert client.get("/admin/login/").status_code == 200
    log_in(client, "olga")

    assert client.get("/admin/").context["user"].username == "olga"


def test_login__key_lost__said_and_not_let_in(client: Client, nora: User) -> None:
    row = enrol(nora)
    row.data = {"secret": "gAAAAA=="}
    row.save()
    log_in(client, "nora")

    assert "cannot be read here. Ask an operator to reset it." in text_of(send_code(client, code_of()))
    assert not is_in(client)


# --- changing what one has -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mfa_activate_totp", "mfa_add_webauthn"])
def test_adding__logged_in_long_ago__asked_for_the_password(client: Client, nora: User, name: str) -> None:
    with time_machine.travel("2026-03-16T09:00:00Z", tick=False) as clock:
        log_in(client, "nora")
        assert client.get(reverse(name)).status_code == 200

        clock.shift(301)
        asked = client.get(reverse(name))
        assert unquote(asked["Location"]) == f"{reverse('account_reauthenticate')}?next={reverse(name)}"
        answer = client.post(asked["Location"], {"password": "wrong"})
        assert (answer.status_code, client.get(reverse(name)).status_code) == (200, 302)

        answer = client.post(asked["Location"], {"password": PASSWORD})
        assert answer["Location"] == reverse(name)
        assert client.get(reverse(name)).status_code == 200


def test_adding__logged_in_with_a_code_only_lately__asked_for_the_password(client: Client, nora: User) -> None:
    enrol(nora)
    with time_machine.travel("2026-03-16T09:00:00Z", tick=False) as clock:
        log_in(client, "nora")
        clock.shift(299)
        send_code(client, code_of())
        clock.shift(2)

        assert client.get(reverse("mfa_add_webauthn")).status_code == 302


def test_removing__session_without_the_password__asked_and_kept(client: Client, nora: User) -> None:
    enrol(nora)
    passkey = add_passkey(nora, "Laptop")
    client.force_login(nora)
    addresses = [
        reverse("mfa_deactivate_totp"),
        reverse("mfa_generate_recovery_codes"),
        reverse("mfa_remove_webauthn", args=[passkey.pk]),
        reverse("mfa_edit_webauthn", args=[passkey.pk]),
    ]

    for address in addresses:
        answer = client.post(address, {"name": "Mine"})
        assert unquote(answer["Location"]) == f"{reverse('account_reauthenticate')}?next={address}"

    assert Authenticator.objects.count() == 2
    assert Authenticator.objects.get(pk=passkey.pk).data["name"] == "Laptop"


def test_removing__the_only_factor__recovery_codes_go_along(nora_in: Client) -> None:
    set_up_app(nora_in)

    answer = nora_in.post(reverse("mfa_deactivate_totp"))

    assert answer["Location"] == reverse("mfa_index")
    assert "The authenticator app was removed." in messages_of(answer)
    assert not Authenticator.objects.exists()


def test_recovery_codes__made_anew__old_ones_dead(nora_in: Client) -> None:
    set_up_app(nora_in)
    old = codes_shown(nora_in)

    nora_in.post(reverse("mfa_generate_recovery_codes"))

    assert not set(old) & set(codes_shown(nora_in))
    other = Client()
    log_in(other, "nora")
    assert NOT_RIGHT in text_of(send_code(other, old[0]))


def test_recovery_codes__without_a_factor__none(nora_in: Client) -> None:
    assert nora_in.get(reverse("mfa_view_recovery_codes")).status_code == 404
    nora_in.post(reverse("mfa_generate_recovery_codes"))

    assert not Authenticator.objects.exists()


def test_passkey__renamed_and_removed__by_its_owner_only(nora_in: Client, nora: User) -> None:
    own = add_passkey(nora, "Laptop")
    foreign = add_passkey(UserFactory.create(username="olga", is_staff=True), "Phone")

    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        assert nora_in.post(reverse(name, args=[foreign.pk]), {"name": "Mine"}).status_code == 404
    nora_in.post(reverse("mfa_edit_webauthn", args=[own.pk]), {"name": "Old laptop"})
    assert [row.data["name"] for row in Authenticator.objects.order_by("pk")] == ["Old laptop", "Phone"]

    nora_in.post(reverse("mfa_remove_webauthn", args=[own.pk]))
    assert list(Authenticator.objects.all()) == [foreign]


# --- passkeys, without a browser -------------------------------------------------------------------------------------


def test_passkeys__many_attempts__limited(client: Client, db: None) -> None:
    answers = [client.post(reverse("mfa_login_webauthn"), {"credential": "{}"}).status_code for _ in range(11)]

    assert answers == [302] * 10 + [429]


def test_passkeys__what_the_browser_is_asked__names_nobody(client: Client, nora: User) -> None:
    add_passkey(nora, "Laptop")

    answer = client.get(reverse("mfa_login_webauthn"), headers={"Accept": "application/json"})

    asked = answer.json()["request_options"]["publicKey"]
    assert not asked.get("allowCredentials")
    assert asked["userVerification"] == "required"
    assert asked["rpId"] == "testserver"


def test_secret__of_the_app_in_use__on_no_page(nora_in: Client, nora: User) -> None:
    enrol(nora)
    for name in ("mfa_index", "mfa_deactivate_totp", "mfa_activate_totp"):
        assert SECRET not in text_of(nora_in.get(reverse(name), follow=True))
