"""Where staff must have a second factor there is no way around it; and what an operator does when it is lost."""

import json
from collections.abc import Callable
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from platforms.models import ApiToken, Platform, User
from tests.admin.authenticators import PASSWORD, add_passkey, code_of, enrol, is_in, log_in, send_code
from tests.admin.pages import logged_in, messages_of, text_of
from tests.factories import MembershipFactory
from tests.fixtures.module_fixtures import Unchanged

pytestmark = pytest.mark.django_db

API = "/api/v1/admin/platforms/kestrel/"
SWITCH = "/api/v1/admin/module-config/kestrel/customers/enable/"


@pytest.fixture
def required(settings: Settings) -> None:
    """Staff must show a second factor."""
    settings.STAFF_SECOND_FACTOR_REQUIRED = True


@pytest.fixture
def nora(kestrel: Platform) -> User:
    """An admin of kestrel with a password, without a second factor."""
    member = MembershipFactory.create(
        platform=kestrel, user__username="nora", user__is_staff=True, user__password=PASSWORD
    )
    return member.user


def pass_both(client: Client) -> None:
    """Log nora in with password and code."""
    log_in(client, "nora")
    send_code(client, code_of())


def api_of(client: Client) -> APIClient:
    """Return a client of the API with this browser's session."""
    api = APIClient()
    api.cookies = client.cookies
    return api


def pages() -> list[str]:
    """Return the address of every list and form of the admin, and of its other pages."""
    names = [f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry]
    lists = [reverse(f"admin:{name}_changelist") for name in names]
    others = [reverse(f"admin:{name}") for name in ("index", "password_change", "autocomplete", "jsi18n")]
    return ["/", "/admin/nowhere/", *lists, *(f"{page}1/change/" for page in lists), *others]


# --- no way around ---------------------------------------------------------------------------------------------------


def test_staff__without_a_factor__led_to_set_one_up_from_everywhere(
    client: Client, nora: User, required: None, unchanged: Unchanged
) -> None:
    assert log_in(client, "nora")["Location"] == "/admin/"

    with unchanged():
        for page in pages():
            for answer in (client.get(page), client.post(page, {"post": "yes"})):
                assert (answer.status_code, answer["Location"]) == (302, reverse("mfa_index")), page
        for name in ("mfa_view_recovery_codes", "mfa_generate_recovery_codes"):
            assert client.post(reverse(name))["Location"] == reverse("mfa_index")

    page = client.get(reverse("mfa_index"))
    assert "Set one up to go on" in text_of(page)
    assert 'id="site-nav"' not in text_of(page)
    assert client.post("/admin/logout/").status_code == 200


def test_staff__who_set_one_up__go_on(client: Client, nora: User, required: None) -> None:
    log_in(client, "nora")
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})

    assert is_in(client)
    assert api_of(client).get(API).status_code == 200


def test_staff__with_a_factor__in_after_both_steps(client: Client, nora: User, required: None) -> None:
    enrol(nora)
    log_in(client, "nora")
    assert not is_in(client)
    assert api_of(client).get(API).status_code == 401

    send_code(client, code_of())

    assert is_in(client)
    assert api_of(client).get(API).status_code == 200


def test_session__opened_before_the_factor_was_set_up_elsewhere__ended(
    client: Client, nora: User, required: None
) -> None:
    log_in(client, "nora")
    enrol(nora)

    assert api_of(client).get(API).status_code == 403
    answer = client.get("/admin/security/passkeys/add/")
    assert answer["Location"] == "/admin/login/?next=/admin/security/passkeys/add/"
    assert "_auth_user_id" not in client.session
    assert api_of(client).get(API).status_code == 401


@pytest.mark.parametrize("has_factor", [False, True])
def test_api__session_that_showed_none__403_and_nothing_changed(
    nora: User, required: None, has_factor: bool, unchanged: Unchanged
) -> None:
    if has_factor:
        enrol(nora)
    client = api_of(logged_in(nora))

    with unchanged():
        answers = [client.get(API), client.post(SWITCH, {}), client.get("/api/v1/admin/modules/")]

    expected = {
        "code": "second_factor_required",
        "detail": "This session has not shown a second factor. Log in to the admin with one, or use a token.",
        "attr": None,
    }
    assert [answer.status_code for answer in answers] == [403] * 3
    assert [answer.json()["errors"] for answer in answers] == [[expected]] * 3


def test_api__session_of_a_superuser_that_showed_none__403(operator: User, required: None) -> None:
    assert api_of(logged_in(operator)).get(API).status_code == 403


def test_api__token__needs_no_second_factor(
    client_of: Callable[..., APIClient], token_of: Callable[..., ApiToken], required: None
) -> None:
    assert client_of(token_of("admin")).get(API).status_code == 200
    assert client_of(token_of("admin")).post(SWITCH, {}).status_code == 200


def test_cost__one_query_where_required__none_elsewhere(
    nora: User, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    row = enrol(nora)
    client = logged_in(nora)
    session = client.session
    session["second_factor"] = row.pk
    session.save()
    page = reverse("admin:jsi18n")

    # The session and its user.
    with django_assert_num_queries(2):
        assert client.get(page).status_code == 200
    settings.STAFF_SECOND_FACTOR_REQUIRED = True
    with django_assert_num_queries(3):
        assert client.get(page).status_code == 200


def test_session__its_factor_removed_elsewhere__ended(nora: User, required: None) -> None:
    enrol(nora)
    here, elsewhere = Client(), Client()
    pass_both(here)
    Authenticator.objects.filter(user=nora).delete()
    enrol(nora)
    pass_both(elsewhere)

    # The same session, but not the same app: a lost device lets nobody stay.
    assert (is_in(here), api_of(here).get(API).status_code) == (False, 401)


def test_session__its_factor_removed_here__goes_on_with_another(client: Client, nora: User, required: None) -> None:
    enrol(nora)
    pass_both(client)
    add_passkey(nora, "Laptop")

    client.post(reverse("mfa_deactivate_totp"))

    assert is_in(client)


def test_session__its_last_factor_removed_here__led_to_set_one_up(client: Client, nora: User, required: None) -> None:
    enrol(nora)
    pass_both(client)

    client.post(reverse("mfa_deactivate_totp"))

    assert client.get("/admin/")["Location"] == reverse("mfa_index")


def test_not_required__session_without__goes_on(client: Client, nora: User) -> None:
    log_in(client, "nora")

    assert is_in(client)
    assert api_of(client).get(API).status_code == 200


# --- lost ------------------------------------------------------------------------------------------------------------


def reset_page(user: User) -> str:
    """Return the address on which an operator resets somebody's factors."""
    return reverse("admin:platforms_user_reset_second_factor", args=[user.pk])


def test_reset__by_an_operator__all_gone_and_written_down(root_in: Client, operator: User, nora: User) -> None:
    enrol(nora)
    add_passkey(nora, "Laptop")
    kept = enrol(operator)
    page = reverse("admin:platforms_user_change", args=[nora.pk])
    assert "Authenticator app, passkey “Laptop”" in text_of(root_in.get(page))
    assert "Passkey “Laptop”" in text_of(root_in.get(reset_page(nora)))
    assert Authenticator.objects.count() == 3

    answer = root_in.post(reset_page(nora))

    assert answer["Location"] == page
    assert messages_of(answer) == ["The second factor of nora was reset: authenticator app, passkey “Laptop”."]
    assert list(Authenticator.objects.all()) == [kept]
    [entry] = LogEntry.objects.all()
    assert (entry.user, entry.object_id) == (operator, str(nora.pk))
    assert entry.get_change_message() == "Second factor reset: authenticator app, passkey “Laptop”."


def test_reset__of_nothing__says_so_and_writes_nothing_down(root_in: Client, nora: User) -> None:
    assert "nothing to reset" in text_of(root_in.get(reset_page(nora)))

    answer = root_in.post(reset_page(nora))

    assert messages_of(answer) == ["nora has no second factor. Nothing was done."]
    assert not LogEntry.objects.exists()


def test_reset__by_anybody_else__refused(nora: User, ann: User, vic: User, bea: User) -> None:
    row = enrol(nora)
    for user in (nora, ann, vic):
        assert logged_in(user).post(reset_page(nora)).status_code == 403
    for client in (logged_in(bea), Client()):
        assert client.post(reset_page(nora))["Location"].startswith("/admin/login/")

    assert list(Authenticator.objects.all()) == [row]
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("number", ["0", "99999", "9" * 30, "x", "%00", "٣"])
def test_reset__of_nobody__not_found(root_in: Client, number: str) -> None:
    address = f"/admin/platforms/user/{number}/reset-second-factor/"

    assert root_in.get(address).status_code in (400, 404)
    assert root_in.post(address).status_code in (400, 404)


def test_reset__session_opened_with_what_was_lost__out(
    client: Client, nora: User, required: None, operator: User
) -> None:
    enrol(nora)
    pass_both(client)
    assert is_in(client)

    call_command("reset_second_factor", "nora", stdout=StringIO())

    # Whoever holds the session may only set another up, and for that the password is asked.
    assert client.get("/admin/")["Location"] == reverse("mfa_index")
    assert api_of(client).get(API).status_code == 403


def test_reset_command__says_what_went__twice_changes_nothing(nora: User, operator: User) -> None:
    enrol(nora)
    kept = enrol(operator)
    said = StringIO()

    for _ in range(2):
        call_command("reset_second_factor", "nora", stdout=said)

    assert said.getvalue().splitlines() == [
        "Second factor of nora reset: authenticator app.",
        "Second factor of nora reset: there was none.",
    ]
    assert list(Authenticator.objects.all()) == [kept]


@pytest.mark.parametrize("name", ["nobody", "", "a\0b", "\ud800", "x" * 5000], ids=ascii)
def test_reset_command__nobody_of_this_name__one_line(db: None, name: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("reset_second_factor", name)

    assert len(str(refused.value).splitlines()) == 1


def test_history__of_second_factors__holds_no_secret(nora: User, root_in: Client) -> None:
    row = enrol(nora)
    root_in.post(reset_page(nora))

    assert row.data["secret"] not in json.dumps(list(LogEntry.objects.values_list("change_message", flat=True)))
