"""The story that this is for, told in a real browser: switch a module on, configure it, err, correct, look back."""

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from modules.models import Change, PlatformModule
from platforms.models import Platform
from tests.factories import MembershipFactory, PlatformFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a long phrase that nobody guesses"
SECRET = "sk_live_never_to_be_seen_again"


@pytest.fixture
def kestrel(db: None) -> Platform:
    """A platform with nothing on, and Ann, who is its admin."""
    kestrel = PlatformFactory(code="kestrel", name="Kestrel Rewards")
    MembershipFactory(platform=kestrel, user__username="ann", user__is_staff=True, user__password=PASSWORD)
    return kestrel


@pytest.fixture
def page(browser: Browser, live_server: LiveServer) -> Page:
    """A fresh window; whatever the browser complains of fails the test."""
    page = browser.new_context(base_url=live_server.url, viewport={"width": 1360, "height": 900}).new_page()

    def on_console(message: ConsoleMessage) -> None:
        assert message.type not in ("error", "warning"), message.text

    page.on("console", on_console)
    return page


def log_in(page: Page, username: str, password: str) -> None:
    """Fill in the login form and send it."""
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def module_row(page: Page, name: str) -> Locator:
    """Return the line of a module on the platform's page."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def states() -> dict[str, bool]:
    """Return what the rows say: module code → on."""
    return dict(PlatformModule.objects.values_list("module", "is_enabled"))


def test_admin__from_login_to_history__tells_the_whole_story(page: Page, kestrel: Platform) -> None:
    # Log in: first with a slip.
    page.goto("/")
    log_in(page, "ann", "not the password")
    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()
    log_in(page, "ann", PASSWORD)

    # The platform, with its modules: nothing is on but the core.
    page.get_by_role("link", name="Kestrel Rewards").first.click()
    expect(page.get_by_role("heading", name="Kestrel Rewards", level=1)).to_be_visible()
    expect(module_row(page, "Monitoring")).to_contain_text("Core")
    expect(module_row(page, "Subscriptions")).to_contain_text("Off")

    # Switch one on: the plan says what it brings along, in which order, and why; going back changes nothing.
    module_row(page, "Subscriptions").get_by_role("link", name="Switch on").click()
    steps = page.locator(".steps > li")
    expect(steps).to_have_count(4)
    expect(steps.last).to_contain_text("Switch on Subscriptions")
    expect(steps.last).to_contain_text("You asked for it")
    for step in steps.all()[:3]:
        expect(step).to_contain_text("Required by Subscriptions")
    page.get_by_role("link", name="Back").click()
    assert (states(), Change.objects.count()) == ({}, 0)

    # … and again, with a reason.
    module_row(page, "Subscriptions").get_by_role("link", name="Switch on").click()
    page.get_by_label("Reason").fill("The pilot starts in May")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Subscriptions switched on")
    expect(module_row(page, "Subscriptions")).to_contain_text("On")
    assert states() == dict.fromkeys(("customers", "messaging", "billing", "subscriptions"), True)

    # Configure another in the form that its schema makes, with a mistake.
    module_row(page, "Billing").get_by_role("link", name="Configure").click()
    page.get_by_label("Stripe mode").select_option("live")
    page.get_by_label("Support address").fill("not an address")
    page.get_by_label("Stripe API key").fill(SECRET)
    page.get_by_label("City").fill("Wien")
    page.get_by_label("Reason").fill("Going live")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing was saved")).to_be_visible()
    expect(page.get_by_label("Support address")).to_have_value("not an address")
    expect(page.get_by_label("Support address")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("City")).to_have_value("Wien")
    assert PlatformModule.objects.get(module="billing").config == {}
    assert Change.objects.count() == 1

    # Correct it. What was typed is still there, but for the secret, which no page ever shows.
    assert SECRET not in page.content()
    page.get_by_label("Support address").fill("help@kestrel.example")
    page.get_by_label("Stripe API key").fill(SECRET)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Billing configured")
    assert PlatformModule.objects.get(module="billing").config == {
        "stripe_mode": "live",
        "support_email": "help@kestrel.example",
        "address": {"city": "Wien"},
    }

    # Read the history: what, who, why; of the secret that it changed, and nothing else.
    page.goto("/admin/modules/platformmodule/kestrel/billing/history/")
    newest = page.locator(".timeline > li").first
    expect(newest).to_contain_text("Change 2")
    expect(newest).to_contain_text("ann")
    expect(newest).to_contain_text("Going live")
    expect(newest).to_contain_text("address.city")
    expect(newest).to_contain_text("Wien")
    expect(newest).to_contain_text("fingerprint")
    assert SECRET not in page.content()

    # What others need does not go off by itself; what would go along is said, and then done in one change.
    page.goto("/admin/modules/platformmodule/kestrel/customers/")
    page.get_by_label("On for Kestrel Rewards").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".blockers")).to_contain_text("Subscriptions is on and needs Customers.")
    expect(page.locator(".blockers")).to_contain_text("Billing is on and needs Customers.")
    assert states()["customers"] is True
    page.get_by_role("button", name="Switch off all 3").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Customers switched off")
    assert states() == {"customers": False, "messaging": True, "billing": False, "subscriptions": False}

    # The changes, one after the other.
    page.get_by_role("link", name="Changes").first.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(3)
    assert list(Change.objects.order_by("number").values_list("number", "actor_label", "source", "reason")) == [
        (1, "ann", "admin", "The pilot starts in May"),
        (2, "ann", "admin", "Going live"),
        (3, "ann", "admin", ""),
    ]


def test_admin__second_editor__is_told_and_overwrites_nothing(
    page: Page, browser: Browser, live_server: LiveServer, kestrel: Platform
) -> None:
    other = browser.new_context(base_url=live_server.url).new_page()
    for window in (page, other):
        window.goto("/admin/modules/platformmodule/kestrel/customers/")
        log_in(window, "ann", PASSWORD)
        expect(window.get_by_label("Rows per import")).to_have_value("5000")

    other.get_by_label("Rows per import").fill("800")
    other.get_by_role("button", name="Save").click()
    expect(other.locator(".messagelist .success")).to_contain_text("Customers configured")

    page.get_by_label("Rows per import").fill("900")
    page.get_by_role("button", name="Save").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Somebody else changed Customers while you were editing")
    expect(page.get_by_role("row", name="import_max_rows default 800").first).to_be_visible()
    expect(page.get_by_label("Rows per import")).to_have_value("900")
    assert PlatformModule.objects.get(module="customers").config == {"import_max_rows": 800}
    assert Change.objects.count() == 1
