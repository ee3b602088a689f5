"""The builder of segments in a real browser: rule by rule, looked at, saved, read again; also without a script."""

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from customers.models import Segment, Tag
from platforms.models import Platform, User
from tests.admin.test_theme_browser import (  # noqa: F401  (open_page is a fixture)
    AXE_OPTIONS,
    NARROW,
    WIDE,
    OpenPage,
    complaints_of,
    findings_of,
    open_page,
)
from tests.factories import (
    ConsentFactory,
    CustomerFactory,
    MembershipFactory,
    PlatformFactory,
    SegmentFactory,
    TagFactory,
    VendorFactory,
)
from tests.modules.building import enable

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ann(db: None) -> User:
    """The admin of kestrel, which has a golden customer who agreed to post, and one who did not."""
    kestrel = PlatformFactory(code="kestrel", name="Kestrel Rewards")
    enable(kestrel, "customers")
    VendorFactory(platform=kestrel, code="brindle", name="Brindle Coffee")
    gold = TagFactory(platform=kestrel, name="Gold", key="gold")
    ConsentFactory(customer=CustomerFactory(platform=kestrel, first_name="Maëlle", last_name="Dubois", tags=[gold]))
    CustomerFactory(platform=kestrel, first_name="Owen", last_name="Ashdown", tags=[gold])
    return MembershipFactory(platform=kestrel, user__username="ann", user__is_staff=True).user


def add(page: Page, label: str) -> None:
    page.get_by_label("Add a rule").select_option(label=label)
    page.get_by_role("button", name="Add", exact=True).click()


def too_wide(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_builder__rule_by_rule__previewed_saved_and_its_members_listed(
    width: int,
    open_page: OpenPage,  # noqa: F811
    ann: User,
) -> None:
    page = open_page(ann, width, "light")
    page.goto(reverse("admin:customers_segment_add"))
    page.locator(".field-platform .select2-selection").click()
    page.locator(".select2-search__field").fill("kestrel")
    page.get_by_role("option", name="Kestrel Rewards").click()
    page.get_by_label("Name").fill("Golden by post")
    add(page, "Tag is one of")
    expect(page.get_by_label("Name")).to_have_value("Golden by post")
    page.get_by_label("Tag is one of", exact=True).fill("Gold")
    add(page, "Consent given to")
    page.get_by_label("Channel").select_option("post")
    page.get_by_label("Purpose").fill("marketing")
    add(page, "Status is")
    page.get_by_role("checkbox", name="Active", exact=True).check()
    add(page, "Country is one of")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".rules__line.errors")).to_have_count(1)
    expect(page.locator(".rules__line .errorlist")).to_have_text("This field is required.")
    assert too_wide(page) <= 0
    assert findings_of(page, AXE_OPTIONS) == []

    page.goto(page.url)  # not what was typed: nothing is saved yet
    assert not Segment.objects.exists()


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_builder__without_a_script__works(
    width: int,
    browser: Browser,
    live_server: LiveServer,
    open_page: OpenPage,  # noqa: F811
    ann: User,
) -> None:
    segment = SegmentFactory(platform=Platform.objects.get(), name="Golden by post")
    cookies = open_page(ann, width, "light").context.cookies()
    context = browser.new_context(
        base_url=live_server.url, viewport={"width": width, "height": 900}, java_script_enabled=False
    )
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(reverse("admin:customers_segment_change", args=[segment.pk]))
    add(page, "Tag is one of")
    page.get_by_label("Tag is one of", exact=True).fill("gold")
    add(page, "Consent given to")
    page.get_by_label("Channel").select_option("post")
    page.get_by_label("Purpose").fill("marketing")
    page.get_by_label("Remove Status is").check()
    page.get_by_role("button", name="Preview").click()
    members = page.get_by_role("region", name="Preview")
    expect(members).to_contain_text("1 customer. Nothing is saved yet")
    expect(members).to_contain_text("Maëlle Dubois")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_contain_text("Golden by post")
    segment.refresh_from_db()
    assert [rule["field"] for rule in segment.rules] == ["tag", "consent"]
    page.get_by_role("link", name="Golden by post").last.click()
    expect(page.get_by_role("region", name="Members")).to_contain_text("1 customer")
    page.get_by_role("link", name="All members").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    context.close()


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_builder__a_rule_is_added__the_page_opens_at_it_and_countries_are_ticked_by_name(
    width: int,
    open_page: OpenPage,  # noqa: F811
    ann: User,
) -> None:
    rules = [{"field": "country", "operator": "is", "value": ["SE"]}]
    segment = SegmentFactory(platform=Platform.objects.get(), rules=rules * 6)
    page = open_page(ann, width, "light")
    page.goto(reverse("admin:customers_segment_change", args=[segment.pk]))
    add(page, "Country is one of")
    line = page.locator("#rule-6")
    expect(line).to_be_in_viewport()
    line.get_by_role("checkbox", name="France").check()
    line.get_by_role("checkbox", name="Germany").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("region", name="Preview")).to_be_in_viewport()
    # The box says which are chosen before anybody scrolls.
    boxes = page.locator("#rule-6 .rules__boxes label")
    expect(boxes.nth(0)).to_have_text("France")
    expect(boxes.nth(1)).to_have_text("Germany")
    assert too_wide(page) <= 0
    assert findings_of(page, AXE_OPTIONS) == []
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_be_visible()
    segment.refresh_from_db()
    assert segment.rules[6] == {"field": "country", "operator": "is", "value": ["FR", "DE"]}


def test_pages__of_segments__nothing_to_say(open_page: OpenPage, ann: User) -> None:  # noqa: F811
    kestrel = Platform.objects.get()
    every_kind = [
        {"field": "status", "operator": "is", "value": ["active"]},
        {"field": "email", "operator": "is_set"},
        {"field": "tag", "operator": "has", "value": ["Gold"]},
        {"field": "country", "operator": "is", "value": ["FR", "DE"]},
        {"field": "created", "operator": "before", "value": "2026-03-16"},
        {"field": "created", "operator": "within", "value": 30},
        {"field": "consent", "operator": "given", "value": {"channel": "post", "purpose": "marketing"}},
    ]
    segment = SegmentFactory(platform=kestrel, match="any", rules=every_kind)
    gone = SegmentFactory(platform=kestrel, rules=every_kind)
    Tag.objects.all().delete()
    page = open_page(ann, WIDE, "light")
    addresses = [reverse(f"admin:customers_segment_{view}") for view in ("changelist", "add")]
    addresses += [reverse(f"admin:customers_segment_{view}", args=[segment.pk]) for view in ("change", "delete")]
    addresses += [reverse("admin:customers_segment_change", args=[gone.pk])]
    addresses += [f"{reverse('admin:customers_customer_changelist')}?segment={segment.pk}"]
    assert [line for address in addresses for line in complaints_of(page, address)] == []
