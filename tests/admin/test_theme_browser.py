"""The admin's look in a real browser: nothing the policy refuses, nothing axe finds, nothing wider than the screen."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect
from pytest_django.live_server_helper import LiveServer

from customers import duplicates
from customers.models import Customer
from platforms.models import Membership, Platform, User
from tests.factories import (
    AddressFactory,
    ApiTokenFactory,
    ConsentFactory,
    CustomerFactory,
    DuplicatePairFactory,
    MembershipFactory,
    MergeFactory,
    NoteFactory,
    PaymentFactory,
    PlanFactory,
    PlatformFactory,
    SegmentFactory,
    TagFactory,
    UserFactory,
    VendorFactory,
)
from tests.modules.building import enable

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Scheme = Literal["light", "dark"]
OpenPage = Callable[[User | None, int, Scheme], Page]
WIDE, NARROW = 1360, 390

AXE_OPTIONS = {"preload": False}
# All that another colour scheme can break.
COLOUR_OPTIONS = {**AXE_OPTIONS, "runOnly": ["color-contrast", "link-in-text-block"]}
# One loading of a page is looked at four times: wide and narrow, light and dark.
LOOKS = (
    (WIDE, "light", AXE_OPTIONS),
    (WIDE, "dark", COLOUR_OPTIONS),
    (NARROW, "dark", COLOUR_OPTIONS),
    (NARROW, "light", AXE_OPTIONS),
)


@dataclass(frozen=True)
class Story:
    """Who looks, and the keys of one row of each kind."""

    operator: User
    viewer: User
    ids: dict[str, object]


@pytest.fixture
def story(db: None) -> Story:
    """A little of everything that the platforms' pages show."""
    operator = UserFactory(username="root", is_staff=True, is_superuser=True, first_name="Rosalind")
    kestrel = PlatformFactory(code="kestrel", name="Kestrel Rewards", locales=["en", "de", "fr"])
    tidewater = PlatformFactory(code="tidewater", name="Tidewater Market", kind=Platform.Kind.MARKETPLACE)
    PlatformFactory(code="mill", name="A name that no narrow screen ever showed on one line", is_active=False)
    vendor = VendorFactory(platform=kestrel, code="brindle", name="Brindle Coffee")
    VendorFactory(platform=tidewater, code="saltmarsh", name="Saltmarsh Ceramics")
    admin = MembershipFactory(platform=kestrel, user__username="ann").user
    viewer = MembershipFactory(platform=kestrel, user__username="vic", user__is_staff=True, role="viewer").user
    membership = MembershipFactory(vendor=vendor)
    token = ApiTokenFactory(platform=kestrel, user=admin, scopes=["read", "write", "admin"])
    ids = {
        "platform": kestrel.pk,
        "vendor": vendor.pk,
        "membership": membership.pk,
        "apitoken": token.pk,
        "user": viewer.pk,
    }
    return Story(operator=operator, viewer=viewer, ids=ids)


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer) -> Iterator[OpenPage]:
    """Open a browser window, logged in as somebody."""
    contexts = []

    def make(user: User | None, width: int, scheme: Scheme) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            # A colour on its way from light to dark is neither.
            reduced_motion="reduce",
        )
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            session = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


def findings_of(page: Page, options: dict[str, object]) -> list[str]:
    """Return what axe finds on the page as it is now."""
    violations = Axe().run(page, options=options).response["violations"]
    return [f"axe {found['id']}: " + "; ".join(node["html"][:200] for node in found["nodes"]) for found in violations]


def complaints_of(page: Page, address: str) -> list[str]:
    """Open the address and return what the browser, axe and the ruler have to say against the page, in every look."""
    said: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    def on_error(error: Error) -> None:
        said.append(str(error))

    page.on("console", on_console)
    page.on("pageerror", on_error)
    answer = page.goto(address, wait_until="load")
    assert answer is not None
    assert answer.status == 200, address
    # Select2 draws its boxes a moment after the page has loaded.
    boxes = page.locator("select.admin-autocomplete")
    if boxes.count():
        expect(page.locator(".select2-selection[aria-labelledby*=_label]")).to_have_count(boxes.count())
    # What the page itself does is heard by now; axe puts a style of its own into it, which the policy refuses.
    page.remove_listener("console", on_console)
    page.remove_listener("pageerror", on_error)
    for width, scheme, options in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        said += [f"{width} {scheme} {finding}" for finding in findings_of(page, options)]
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if too_wide > 0:
            said.append(f"{too_wide} px wider than {width}")
    return [f"{address}: {line}" for line in said]


@pytest.mark.parametrize("model", ["platform", "vendor", "membership", "apitoken", "user"])
def test_pages_of_model__operator__nothing_to_say(model: str, open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, WIDE, "light")
    name = f"admin:platforms_{model}"
    addresses = [reverse(f"{name}_changelist") + "?q=e&o=-1", reverse(f"{name}_add")]
    addresses += [reverse(f"{name}_{view}", args=[story.ids[model]]) for view in ("change", "delete")]

    assert [line for address in addresses for line in complaints_of(page, address)] == []


def test_general_pages__operator__nothing_to_say(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, WIDE, "light")
    addresses = [
        reverse("admin:index"),
        reverse("admin:app_list", args=["platforms"]),
        reverse("admin:platforms_platform_history", args=[story.ids["platform"]]),
        reverse("admin:password_change"),
    ]

    assert [line for address in addresses for line in complaints_of(page, address)] == []


def test_pages__viewer__nothing_to_say(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.viewer, WIDE, "light")
    addresses = [reverse("admin:index"), reverse("admin:platforms_platform_change", args=[story.ids["platform"]])]

    assert [line for address in addresses for line in complaints_of(page, address)] == []


def test_log_in__stranger__nothing_to_say_and_told_what_is_wrong(open_page: OpenPage, db: None) -> None:
    page = open_page(None, WIDE, "light")

    said = complaints_of(page, reverse("admin:login"))
    page.fill("#id_username", "nobody")
    page.fill("#id_password", "wrong")
    page.click("input[type=submit]")

    expect(page.locator(".errornote")).to_contain_text("Please enter the correct username and password")
    assert said == []


def test_form_errors__narrow_and_dark__readable(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, NARROW, "dark")
    page.goto(reverse("admin:platforms_platform_add"))
    page.fill("#id_locales", "english")
    page.click("input[name=_save]")

    expect(page.locator(".field-locales .errorlist")).to_have_text("english is not a language tag such as en or de-AT.")
    assert findings_of(page, AXE_OPTIONS) == []


def test_menu__narrow_screen__opens_and_leads(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, NARROW, "light")
    page.goto(reverse("admin:index"))
    menu = page.get_by_role("navigation", name="Main")

    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(menu).to_be_visible()
    menu.get_by_role("link", name="Vendors").click()

    expect(page).to_have_url(re.compile(reverse("admin:platforms_vendor_changelist") + "$"))


def test_bar__narrow_screen__nothing_lies_over_anything(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, NARROW, "light")
    page.goto(reverse("admin:index"))
    parts = ["#header .menu-button", "#site-name a", "#user-tools a >> visible=true", "#logout-form button"]

    boxes = [page.locator(part).first.bounding_box() for part in (*parts, "#user-tools .theme-toggle")]

    ends = [box["x"] + box["width"] for box in boxes if box]
    starts = [box["x"] for box in boxes if box]
    assert len(ends) == 5
    assert all(start >= end for end, start in zip(ends, starts[1:], strict=False))
    assert ends[-1] <= NARROW


def test_theme_toggle__light_system__goes_dark_and_is_remembered(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, WIDE, "light")
    page.goto(reverse("admin:index"))
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)

    page.locator(".theme-toggle").click()
    dark = page.evaluate(background)
    page.reload()

    assert light != dark
    assert page.evaluate(background) == dark


def test_token__made_in_the_browser__vendors_of_its_platform_and_shown_once(open_page: OpenPage, story: Story) -> None:
    page = open_page(story.operator, WIDE, "light")
    page.goto(reverse("admin:platforms_apitoken_add"))
    page.fill("#id_name", "Loyalty app")
    page.locator(".field-platform .select2-selection").click()
    page.locator(".select2-search__field").fill("kestrel")
    page.get_by_role("option", name="Kestrel Rewards").click()
    page.locator(".field-vendor .select2-selection").click()

    expect(page.locator(".select2-results__option")).to_have_text(["Brindle Coffee · Kestrel Rewards"])
    page.locator(".select2-results__option").click()
    page.get_by_role("button", name="Save").click()

    expect(page.locator("#plain-token")).to_have_text(re.compile("^swy_"))
    assert findings_of(page, AXE_OPTIONS) == []


def test_membership__vendor_field_on_its_page__vendors_of_its_platform(open_page: OpenPage, story: Story) -> None:
    member = Membership.objects.exclude(vendor=None).get()
    page = open_page(story.operator, WIDE, "light")
    page.goto(reverse("admin:platforms_membership_change", args=[member.pk]))

    page.locator(".field-vendor .select2-selection").click()

    expect(page.locator(".select2-results__option")).to_have_text(["Brindle Coffee · Kestrel Rewards"])


def test_pages_of_a_module__operator__nothing_to_say(open_page: OpenPage, story: Story) -> None:
    kestrel = Platform.objects.get(code="kestrel")
    enable(kestrel, "billing")
    payment = PaymentFactory(invoice__vendor=kestrel.vendors.get(), invoice__number="R-00001")
    PlanFactory(platform=kestrel, name="Small", is_public=True)
    page = open_page(story.operator, WIDE, "light")
    addresses = [reverse(f"admin:billing_{model}_changelist") for model in ("plan", "invoice")]
    addresses += [reverse(f"admin:billing_{model}_add") for model in ("plan", "invoice")]
    addresses += [reverse(f"admin:billing_invoice_{view}", args=[payment.invoice.pk]) for view in ("change", "delete")]

    assert [line for address in addresses for line in complaints_of(page, address)] == []


def test_pages_of_customers__operator__nothing_to_say(open_page: OpenPage, story: Story) -> None:
    kestrel = Platform.objects.get(code="kestrel")
    enable(kestrel, "customers")
    customer = CustomerFactory(vendor=kestrel.vendors.get(), tags=[TagFactory(platform=kestrel)])
    AddressFactory(customer=customer, is_default=True)
    NoteFactory(customer=customer)
    for line in (ConsentFactory(customer=customer), ConsentFactory(customer=customer, channel="email")):
        assert line.pk
    closed = CustomerFactory(platform=kestrel)
    Customer.objects.filter(pk=closed.pk).update(status="erased")
    page = open_page(story.operator, WIDE, "light")
    addresses = [
        reverse(f"admin:customers_{model}_{view}") for model in ("customer", "tag") for view in ("changelist", "add")
    ]
    addresses[0] += "?q=Ma"
    addresses += [reverse("admin:customers_customer_change", args=[one.pk]) for one in (customer, closed)]
    pair, merge = DuplicatePairFactory(platform=kestrel), MergeFactory(platform=kestrel)
    addresses += [reverse(f"admin:customers_{model}_changelist") for model in ("duplicatepair", "merge")]
    addresses += [reverse("admin:customers_duplicatepair_change", args=[pair.pk])]
    addresses += [reverse("admin:customers_merge_change", args=[merge.pk])]
    addresses += [reverse("admin:customers_customer_merge") + f"?kept={customer.pk}{more}" for more in ("", "&other=x")]
    addresses += [reverse("admin:customers_customer_consent", args=[customer.pk])]
    # Several who may be meant, a pair that was dismissed, a tag that a segment names, and everybody there ever was.
    CustomerFactory.create_batch(2, platform=kestrel, last_name="Kerbrat")
    addresses += [reverse("admin:customers_customer_merge") + f"?kept={customer.pk}&other=kerbrat"]
    dismissed = duplicates.dismiss(pair=DuplicatePairFactory(platform=kestrel))
    addresses += [reverse("admin:customers_duplicatepair_change", args=[dismissed.pk])]
    tag = customer.tags.get()
    SegmentFactory(platform=kestrel, rules=[{"field": "tag", "operator": "has", "value": [tag.name]}])
    addresses += [reverse("admin:customers_tag_delete", args=[tag.pk])]
    addresses += [reverse("admin:customers_customer_changelist") + "?status=all"]

    assert [line for address in addresses for line in complaints_of(page, address)] == []


def test_autocompletes__page_that_comes_back_with_an_error__keep_what_was_chosen(
    open_page: OpenPage, story: Story
) -> None:
    kestrel = Platform.objects.get(code="kestrel")
    enable(kestrel, "billing")
    page = open_page(story.operator, WIDE, "light")
    page.goto(reverse("admin:billing_invoice_add"))
    for field, text in (("platform", "kestrel"), ("vendor", "brindle")):
        page.locator(f".field-{field} .select2-selection").click()
        page.locator(".select2-search__field").fill(text)
        page.locator(".select2-results__option--highlighted:not(.loading-results)").click()
    page.fill("#id_number", "R-1")
    page.locator("input[name=_save]").click()

    expect(page.locator(".field-amount .errorlist")).to_be_visible()
    expect(page.locator("#id_vendor")).to_have_value(str(kestrel.vendors.get().pk))
    page.fill("#id_amount", "5")
    page.fill("#id_issued_on", "2026-03-01")
    page.locator("input[name=_save]").click()

    expect(page.locator(".messagelist .success")).to_contain_text("R-1")
