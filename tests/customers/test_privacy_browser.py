"""The privacy queue in a real browser: nothing to say against its pages, and an erasure put on hold and released."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from customers import privacy
from platforms.models import Platform
from tests.admin.test_theme_browser import AXE_OPTIONS, WIDE, OpenPage, Story, complaints_of, findings_of
from tests.admin.test_theme_browser import open_page as open_page
from tests.admin.test_theme_browser import story as story
from tests.factories import ConsentFactory, CustomerFactory, NoteFactory, PrivacyRequestFactory
from tests.modules.building import enable

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_pages_of_privacy__operator__nothing_to_say(open_page: OpenPage, story: Story) -> None:
    kestrel = Platform.objects.get(code="kestrel")
    enable(kestrel, "customers")
    waits, held, done = (PrivacyRequestFactory(customer__platform=kestrel, reason="Wrote to us.") for _ in range(3))
    for request in (waits, done):
        NoteFactory(customer=request.customer)
        ConsentFactory(customer=request.customer)
    fetched = PrivacyRequestFactory(customer=waits.customer, kind="export")
    privacy.hold(request=held, reason="A lawsuit.")
    privacy.fetch(request=fetched)
    privacy.execute(request=done, is_early=True)
    page = open_page(story.operator, WIDE, "light")
    addresses = [reverse(f"admin:customers_privacyrequest_{view}") for view in ("changelist", "add")]
    addresses += [
        reverse("admin:customers_privacyrequest_change", args=[one.pk]) for one in (waits, held, done, fetched)
    ]
    addresses += [reverse("admin:customers_customer_change", args=[one.customer_id]) for one in (waits, done)]

    assert [line for address in addresses for line in complaints_of(page, address)] == []


def test_erasure__asked_for_on_the_customers_page__held_and_released(open_page: OpenPage, story: Story) -> None:
    kestrel = Platform.objects.get(code="kestrel")
    enable(kestrel, "customers")
    customer = CustomerFactory(platform=kestrel)
    page = open_page(story.operator, WIDE, "light")
    page.goto(reverse("admin:customers_customer_change", args=[customer.pk]))
    page.get_by_role("link", name="Request erasure").click()

    expect(page.locator(".field-customer .select2-selection__rendered")).to_contain_text(str(customer))
    page.get_by_label("Asked by").select_option("Post")
    page.get_by_role("button", name="Save").click()
    page.locator("#result_list tbody th a").click()
    expect(page.get_by_role("heading", name="What would be erased")).to_be_visible()
    page.get_by_role("button", name="Put on hold").click()

    expect(page.locator(".field-why .errorlist")).to_have_text("Say why it has to wait.")
    assert findings_of(page, AXE_OPTIONS) == []
    page.get_by_label("Why it has to wait").fill("A lawsuit.")
    page.get_by_role("button", name="Put on hold").click()
    expect(page.get_by_text("A legal hold: nobody is erased")).to_be_visible()
    page.get_by_role("button", name="Release").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Released")
