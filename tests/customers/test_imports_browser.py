"""The wizard in a real browser, as staff use it: upload, look, start, done; wide and narrow, light and dark."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from pytest_django.live_server_helper import LiveServer

from customers.models import Customer
from modules import worker
from platforms.models import Platform
from tests.admin.test_story_browser import PASSWORD, log_in
from tests.customers.importing import people, table
from tests.factories import MembershipFactory, PlatformFactory
from tests.modules.building import enable

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(db: None) -> Platform:
    """A platform with customers on, and Ann, who is its admin."""
    kestrel = PlatformFactory(code="kestrel", name="Kestrel Rewards")
    MembershipFactory(platform=kestrel, user__username="ann", user__is_staff=True, user__password=PASSWORD)
    enable(kestrel, "customers")
    return kestrel


def assert_good(page: Page, heard: list[str]) -> None:
    """Fail where the browser complained, axe finds something, or the page is wider than the screen."""
    assert heard == []
    found = Axe().run(page).response["violations"]
    # What axe itself does, the policy refuses.
    heard.clear()
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(("width", "scheme"), [(1360, "light"), (390, "dark")])
def test_wizard__in_a_browser__leads_from_file_to_customers(
    width: int, scheme: str, browser: Browser, live_server: LiveServer, shop: Platform, tmp_path: Path
) -> None:
    context = browser.new_context(
        base_url=live_server.url, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page = context.new_page()

    heard: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            heard.append(message.text)

    page.on("console", on_console)
    wrong, right = tmp_path / "wrong.csv", tmp_path / "customers.csv"
    wrong.write_bytes(b"colour\nred\n")
    right.write_bytes(table(people(42)))

    page.goto("/admin/customers/importrun/add/")
    log_in(page, "ann", PASSWORD)
    expect(page.get_by_role("button", name="Upload and check")).to_be_visible()
    assert_good(page, heard)
    page.locator("#id_file").set_input_files(wrong)
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_text("There is no column “colour”")).to_be_visible()
    assert_good(page, heard)

    page.locator("#id_file").set_input_files(right)
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_text("0 of 42 rows")).to_be_visible()
    assert_good(page, heard)
    worker.sweep()
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_text("This is what the file would do.")).to_be_visible()
    expect(page.get_by_role("table", name="Errors").get_by_role("row")).to_have_count(3)
    # All of it is in sight: nothing scrolls sideways, at 390 px neither.
    assert page.evaluate(
        "(table) => table.scrollWidth <= table.parentElement.clientWidth", page.query_selector("table.row-errors")
    )
    assert_good(page, heard)
    with page.expect_download() as download:
        page.get_by_role("link", name="Error file").click()
    assert download.value.suggested_filename.startswith("errors-")

    page.get_by_role("button", name="Start the import").click()
    worker.sweep()
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_text("The file was written.")).to_be_visible()
    assert Customer.objects.count() == 40
    page.get_by_role("link", name="All imports").click()
    expect(page.locator("#result_list")).to_be_visible()
    assert_good(page, heard)
    page.goto("/admin/customers/customer/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    assert download.value.suggested_filename == "customers-kestrel.csv"
