"""The modules' pages in a real browser: nothing refused by the policy, found by axe, or wider than the screen."""

import re
from dataclasses import dataclass

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from modules import services
from modules.models import Change, Delivery, Event, TaskRun
from platforms.models import Platform, User
from tests.admin import test_theme_browser
from tests.admin.pages import address
from tests.admin.test_theme_browser import AXE_OPTIONS, NARROW, WIDE, OpenPage, complaints_of, findings_of
from tests.factories import MembershipFactory, PlatformFactory, UserFactory
from tests.fixtures.module_fixtures import installed
from tests.modules.building import definition, enable, origin

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

open_page = test_theme_browser.open_page


@dataclass(frozen=True)
class Story:
    """Who looks at which platform."""

    operator: User
    viewer: User
    kestrel: Platform


@pytest.fixture
def story(db: None) -> Story:
    """A platform on which everything that a page can show was done, and one on which nothing was."""
    operator = UserFactory.create(username="root", is_staff=True, is_superuser=True)
    kestrel = PlatformFactory.create(code="kestrel", name="Kestrel Rewards")
    PlatformFactory.create(code="quarry", name="Quarry Trade")
    viewer = MembershipFactory.create(platform=kestrel, user__username="vic", user__is_staff=True, role="viewer").user
    with installed(definition("loyalty_cards", name="Loyalty cards")):
        enable(kestrel, "loyalty_cards", user=operator)
    enable(kestrel, "subscriptions", user=operator, reason="Kestrel bills its vendors from now on")
    config = {"api_key": "sk_test_secret", "default_trial_days": 30, "address": {"city": "Kiel"}}
    services.configure(platform=kestrel, module="billing", config=config, origin=origin(operator))
    return Story(operator=operator, viewer=viewer, kestrel=kestrel)


def test_pages__operator__nothing_to_say(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, WIDE, "light")
    newest = Change.objects.latest("number")
    addresses = [
        reverse("admin:platforms_platform_change", args=[story.kestrel.pk]),
        address("configure"),
        address("configure", module="analytics"),
        address("configure", module="loyalty_cards"),
        address("history"),
        address("switch_on", module="cms"),
        address("switch_off", module="customers"),
        address("switch_off", module="monitoring"),
        reverse("admin:modules_platformmodule_changelist"),
        reverse("admin:modules_change_changelist"),
        reverse("admin:modules_change_change", args=[newest.pk]),
        reverse("admin:modules_module_changelist"),
        reverse("admin:modules_module_change", args=["billing"]),
    ]

    assert [line for one in addresses for line in complaints_of(page, one)] == []


def test_pages_of_time__operator__nothing_to_say(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, WIDE, "light")
    timeline, moment, compare = (
        reverse(f"admin:modules_change_{name}", args=["kestrel"]) for name in ("timeline", "moment", "compare")
    )
    addresses = [
        timeline,
        reverse("admin:modules_change_timeline", args=["quarry"]),
        moment,
        f"{moment}?change=3",
        f"{moment}?at=9999-01-01T00:00",
        compare,
        f"{compare}?change=1",
        f"{compare}?other=quarry",
        f"{compare}?other=nowhere",
        reverse("admin:modules_change_back", args=["kestrel", 1]),
        reverse("admin:modules_change_back", args=["kestrel", 2]) + "?module=billing",
        reverse("admin:modules_change_back", args=["kestrel", 3]),
    ]

    assert [line for one in addresses for line in complaints_of(page, one)] == []


def test_back_to_here__narrow_screen__from_the_timeline_and_done(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, NARROW, "dark")
    page.goto(reverse("admin:modules_change_timeline", args=["kestrel"]))
    page.get_by_role("link", name="Look at this moment (change 2)").click()
    expect(page.get_by_label("Time (UTC)")).to_have_value(re.compile("^20"))
    page.get_by_role("link", name="Back to here").click()

    expect(page.get_by_role("alert")).to_contain_text("Billing has the secret api_key now and had none then")
    page.get_by_label("Reason").fill("As before")
    page.get_by_role("button", name="Go back").click()

    expect(page.locator(".messagelist")).to_contain_text("Billing configured")
    assert Change.objects.latest("number").undoes == 3
    assert too_wide(page) == 0


def test_work__operator__nothing_to_say(open_page: OpenPage, story: Story) -> None:
    event = Event.objects.latest("at")
    note = "ConnectionRefusedError: [Errno 111] Connection refused"
    handler = "subscriptions.handlers.on_invoice_paid"
    delivery = Delivery.objects.create(event=event, module="subscriptions", handler=handler, state="failed", note=note)
    run = TaskRun.objects.create(task="billing.check_key", platform=story.kestrel, state="failed", note=note)
    TaskRun.objects.create(task="billing.check_key", state="done")
    page = open_page(story.operator, WIDE, "light")
    addresses = [
        one
        for row in (event, delivery, run)
        for one in (
            reverse(f"admin:modules_{row._meta.model_name}_changelist"),
            reverse(f"admin:modules_{row._meta.model_name}_change", args=[row.pk]),
        )
    ]

    assert [line for one in addresses for line in complaints_of(page, one)] == []


def test_pages__viewer__nothing_to_say(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.viewer, WIDE, "light")
    addresses = [
        reverse("admin:platforms_platform_change", args=[story.kestrel.pk]),
        address("configure"),
        reverse("admin:modules_change_timeline", args=["kestrel"]),
        reverse("admin:modules_change_moment", args=["kestrel"]) + "?change=2",
    ]

    assert [line for one in addresses for line in complaints_of(page, one)] == []


def test_errors_and_stale_form__narrow_and_dark__readable(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, NARROW, "dark")
    page.goto(address("configure"))
    page.get_by_label("Trial (days)").fill("400")
    page.get_by_role("button", name="Save").click()

    expect(page.locator(".form-row.errors")).to_have_count(1)
    assert findings_of(page, AXE_OPTIONS) == []

    services.configure(platform=story.kestrel, module="billing", config={"stripe_mode": "live"}, origin=origin())
    page.get_by_label("Trial (days)").fill("7")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert")).to_contain_text("Somebody else changed Billing")
    expect(page.get_by_label("Trial (days)")).to_have_value("7")
    assert findings_of(page, AXE_OPTIONS) == []


def test_bulk__from_the_list_of_platforms__plan_and_outcome_readable(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, NARROW, "light")
    page.goto(reverse("admin:platforms_platform_changelist"))
    for box in page.locator("input.action-select").all():
        box.check()
    page.get_by_label("Action:").select_option(label="Switch a module off…")
    page.get_by_role("button", name="Go").click()
    assert findings_of(page, AXE_OPTIONS) == []

    page.get_by_label("Module", exact=True).select_option(label="Customers")
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_label("Switch off what needs it, too").check()
    page.get_by_role("button", name="Show the plan again").click()
    assert findings_of(page, AXE_OPTIONS) == []
    page.get_by_label("Reason").fill("Closing")
    page.get_by_role("button", name="Confirm for 1 platform").click()

    expect(page.get_by_role("status")).to_have_text("1 done, 1 with nothing to do, 0 refused.")
    assert too_wide(page) == 0
    assert findings_of(page, AXE_OPTIONS) == []


def too_wide(page: Page) -> int:
    """Return by how much the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
