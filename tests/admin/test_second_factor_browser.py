"""The second factor in a real browser: a first day on the staff, with an app and a passkey; and the look."""

from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from platforms.models import User
from tests.admin.authenticators import PASSWORD, code_of, enrol, log_in, send_code
from tests.admin.test_theme_browser import WIDE, complaints_of
from tests.factories import UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# What Chromium takes for the fingerprint reader of the machine.
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def nora(db: None) -> User:
    """Somebody on the staff."""
    return UserFactory.create(username="nora", first_name="Nora", is_staff=True, is_superuser=True, password=PASSWORD)


@pytest.fixture
def page(browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A window on a machine with a fingerprint reader; whatever the browser complains of fails the test."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": WIDE, "height": 900})
    page = context.new_page()

    def on_console(message: ConsoleMessage) -> None:
        assert message.type not in ("error", "warning"), message.text

    page.on("console", on_console)
    reader = context.new_cdp_session(page)
    reader.send("WebAuthn.enable")
    reader.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    yield page
    context.close()


def type_password(page: Page) -> None:
    """Fill in the login form and send it."""
    page.get_by_label("Username").fill("nora")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def type_code(page: Page, code: str, button: str) -> None:
    """Fill in a code and send it."""
    page.get_by_role("textbox", name="Code").fill(code)
    page.get_by_role("button", name=button).click()


def log_out(page: Page) -> None:
    """Log out, and go to the door again."""
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Logged out")).to_be_visible()
    page.goto("/admin/")


def test_staff__first_day__app_then_passkey(page: Page, nora: User, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR_REQUIRED = True

    # The password lets nobody further than to here.
    page.goto("/admin/platforms/platform/")
    type_password(page)
    expect(page.get_by_text("Set one up to go on")).to_be_visible()
    expect(page.get_by_role("navigation", name="Main")).to_have_count(0)

    # An app: scanned, or typed; first with a slip.
    page.get_by_role("link", name="Set up an app").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = page.locator("#totp-key").inner_text().replace(" ", "")
    type_code(page, "12345", "Set up")
    expect(page.get_by_text("This is not the right code")).to_be_visible()
    type_code(page, code_of(secret), "Set up")
    expect(page.get_by_role("heading", name="10 codes left")).to_be_visible()
    expect(page.locator("#recovery-codes li")).to_have_count(10)
    recovery_code = page.locator("#recovery-codes li").first.inner_text()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="Back office")).to_be_visible()

    # Password and code.
    log_out(page)
    type_password(page)
    type_code(page, code_of(secret, steps=1), "Log in")
    expect(page.get_by_role("heading", name="Back office")).to_be_visible()

    # A passkey, with a name that is then another.
    page.get_by_role("link", name="Security").click()
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_role("textbox", name="Name").fill("Laptop")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("The passkey was added.")).to_be_visible()
    page.get_by_role("link", name="Rename Laptop").click()
    page.get_by_role("textbox", name="Name").fill("Old laptop")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Old laptop")).to_be_visible()

    # The passkey alone; and as the second step.
    log_out(page)
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_role("heading", name="Back office")).to_be_visible()
    log_out(page)
    type_password(page)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Back office")).to_be_visible()

    # A recovery code, on the day that the device is gone.
    log_out(page)
    type_password(page)
    type_code(page, recovery_code, "Log in")
    page.get_by_role("link", name="Security").click()
    expect(page.get_by_text("9 left")).to_be_visible()

    # What goes is gone; the session goes on with what is left.
    page.get_by_role("link", name="Remove Old laptop").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("The passkey was removed.")).to_be_visible()
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="Back office")).to_be_visible()
    log_out(page)
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_text("The passkey was not accepted. Try again.")).to_be_visible()


@pytest.mark.parametrize("fields", [{"is_staff": False}, {"is_active": False}], ids=["not staff", "not active"])
def test_passkey__of_somebody_who_may_not__told_what_a_wrong_password_gets(
    page: Page, nora: User, fields: dict[str, bool]
) -> None:
    page.goto("/admin/security/passkeys/add/")
    type_password(page)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("The passkey was added.")).to_be_visible()
    log_out(page)
    User.objects.update(**fields)

    page.get_by_role("button", name="Use a passkey instead").click()

    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_passkey__confirms_who_one_is(page: Page, nora: User) -> None:
    page.goto("/admin/security/passkeys/add/")
    type_password(page)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("The passkey was added.")).to_be_visible()

    page.goto("/admin/security/confirm/?next=/admin/security/app/add/")
    page.get_by_role("link", name="Use a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()

    expect(page.get_by_role("heading", name="Set up an authenticator app")).to_be_visible()


def test_passkey__address_without_a_name__said(page: Page, nora: User, live_server: LiveServer) -> None:
    by_number = live_server.url.replace("localhost", "127.0.0.1")
    page.goto(f"{by_number}/admin/security/passkeys/add/")
    type_password(page)
    page.get_by_role("button", name="Add").click()

    expect(page.get_by_role("alert")).to_contain_text("Passkeys need the site’s name in the address")


# --- the look --------------------------------------------------------------------------------------------------------


@pytest.fixture
def look(browser: Browser, live_server: LiveServer) -> Iterator[tuple[Page, Client]]:
    """A window, and the client whose session it shares."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": WIDE, "height": 900})
    page = context.new_page()
    # A colour on its way from light to dark is neither.
    page.emulate_media(reduced_motion="reduce")
    client = Client()

    yield page, client
    context.close()


def share(page: Page, client: Client, live_server: LiveServer) -> None:
    """Give the window the client's session."""
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])


def test_login_pages__nothing_to_say(look: tuple[Page, Client], live_server: LiveServer, nora: User) -> None:
    page, client = look
    enrol(nora)
    said = complaints_of(page, reverse("admin:login"))
    log_in(client, "nora")
    share(page, client, live_server)

    assert said + complaints_of(page, reverse("mfa_authenticate")) == []


def test_security_pages__nothing_to_say(look: tuple[Page, Client], live_server: LiveServer, nora: User) -> None:
    page, client = look
    log_in(client, "nora")
    share(page, client, live_server)
    said = complaints_of(page, reverse("mfa_activate_totp"))
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})

    addresses = [
        reverse(f"{name}")
        for name in (
            "mfa_index",
            "mfa_deactivate_totp",
            "mfa_view_recovery_codes",
            "mfa_generate_recovery_codes",
            "mfa_add_webauthn",
            "account_reauthenticate",
            "mfa_reauthenticate",
        )
    ]
    addresses.append(reverse("admin:platforms_user_reset_second_factor", args=[nora.pk]))
    for address in addresses:
        said += complaints_of(page, address)

    assert said == []


def test_security_page__of_who_has_to_set_one_up__nothing_to_say(
    look: tuple[Page, Client], live_server: LiveServer, nora: User, settings: Settings
) -> None:
    settings.STAFF_SECOND_FACTOR_REQUIRED = True
    page, client = look
    log_in(client, "nora")
    share(page, client, live_server)

    assert complaints_of(page, reverse("mfa_index")) == []


def test_errors__narrow_and_dark__readable(look: tuple[Page, Client], live_server: LiveServer, nora: User) -> None:
    page, client = look
    enrol(nora)
    log_in(client, "nora")
    send_code(client, "1")
    share(page, client, live_server)
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    page.goto(reverse("mfa_authenticate"))
    type_code(page, "1", "Log in")

    expect(page.locator(".errorlist")).to_have_text("This is not the right code, or it was used already.")
