"""The menu of a platform's staff: what the modules that are on contribute, and what the platform hides."""

from typing import Any

import pytest

from modules.definition import Feature, MenuItem
from modules.models import PlatformMenu
from tests.modules.building import definition, enable

pytestmark = pytest.mark.django_db

MENU = "/api/v1/admin/platforms/kestrel/menu/"
INVOICES = {
    "key": "billing.invoices",
    "label": "Invoices",
    "module": "billing",
    "path": "/admin/billing/invoice/",
}
CUSTOMERS = {
    "key": "customers.customers",
    "label": "Customers",
    "module": "customers",
    "path": "/admin/customers/customer/",
}
SEGMENTS = {
    "key": "customers.segments",
    "label": "Segments",
    "module": "customers",
    "path": "/admin/customers/segment/",
}
IMPORTS = {
    "key": "customers.imports",
    "label": "Imports",
    "module": "customers",
    "path": "/admin/customers/importrun/",
}
DUPLICATES = {
    "key": "customers.duplicates",
    "label": "Duplicates",
    "module": "customers",
    "path": "/admin/customers/duplicatepair/",
}
PRIVACY = {
    "key": "customers.privacy",
    "label": "Privacy requests",
    "module": "customers",
    "path": "/admin/customers/privacyrequest/",
}
TAGS = {"key": "customers.tags", "label": "Tags", "module": "customers", "path": "/admin/customers/tag/"}
OF_CUSTOMERS = [CUSTOMERS, SEGMENTS, DUPLICATES, IMPORTS, PRIVACY, TAGS]
PLANS = {"key": "billing.plans", "label": "Plans", "module": "billing", "path": "/admin/billing/plan/"}


def put(client: Any, hidden: Any, **options: Any) -> Any:
    tag = client.get(MENU)["ETag"]
    return client.put(f"{MENU}{options.pop('query', '')}", {"hidden": hidden, **options}, HTTP_IF_MATCH=tag)


def test_menu__modules_that_are_on__contribute(as_admin, kestrel_on):
    assert as_admin.get(MENU).json() == {
        "platform": "kestrel",
        "items": [*OF_CUSTOMERS, INVOICES, PLANS],
        "hidden": [],
    }


def test_menu__nothing_on__is_empty(as_admin, kestrel):
    assert as_admin.get(MENU).json()["items"] == []


def test_menu__viewer__sees_what_viewers_may_see(as_viewer, kestrel_on):
    assert as_viewer.get(MENU).json()["items"] == [CUSTOMERS, SEGMENTS, PRIVACY, INVOICES]


def test_menu__queries__the_same_with_more_modules(as_admin, kestrel_on, install, django_assert_num_queries):
    def items(code: str) -> tuple[MenuItem, ...]:
        return tuple(MenuItem(key=f"{code}.{n}", label=str(n), permission=("view", "manage")[n % 2]) for n in range(9))

    as_admin.get(MENU)
    with django_assert_num_queries(7):
        before = len(as_admin.get(MENU).json()["items"])
    install(*(definition(f"more_{n}", menu=items(f"more_{n}")) for n in range(5)))
    enable(kestrel_on, *(f"more_{n}" for n in range(5)))
    as_admin.get(MENU)
    with django_assert_num_queries(7):
        assert len(as_admin.get(MENU).json()["items"]) == before + 5 * 9


def test_menu__line_of_a_feature_that_is_off__is_not_there(as_admin, kestrel, install):
    feature = Feature(code="stamps", name="Stamps", requires=("cms",))
    line = MenuItem(key="loyalty_cards.stamps", label="Stamps", feature="stamps")
    install(definition("loyalty_cards", features=(feature,), menu=(line,)))
    enable(kestrel, "loyalty_cards")
    assert as_admin.get(MENU).json()["items"] == []
    enable(kestrel, "cms")
    assert [item["key"] for item in as_admin.get(MENU).json()["items"]] == ["loyalty_cards.stamps"]


def test_put__lines_to_hide__are_gone_for_everybody_and_come_back(as_admin, as_viewer, as_vendor, kestrel_on, ann):
    answer = put(as_admin, ["billing.invoices"], reason="Not billed here")

    assert (answer.status_code, answer.json()) == (
        200,
        {"success": True, "message": "1 item hidden.", "hidden": ["billing.invoices"]},
    )
    shown = as_admin.get(MENU)
    assert (shown.json()["items"], shown.json()["hidden"]) == (
        [*OF_CUSTOMERS, PLANS],
        ["billing.invoices"],
    )
    assert shown["ETag"] == answer["ETag"]
    assert as_viewer.get(MENU).json()["items"] == [CUSTOMERS, SEGMENTS, PRIVACY]
    assert as_vendor.get("/api/v1/vendor/kestrel/brindle/menu/").json()["items"] == [CUSTOMERS | {"path": None}]
    version = PlatformMenu.history.get()
    assert (version.hidden, version.history_user_id, version.history_change_reason) == (
        ["billing.invoices"],
        ann.pk,
        "Not billed here",
    )
    assert put(as_admin, []).json()["hidden"] == []
    assert as_admin.get(MENU).json()["items"] == [*OF_CUSTOMERS, INVOICES, PLANS]


def test_put__what_is_so_already__writes_nothing(as_admin, kestrel_on):
    put(as_admin, ["billing.plans"])
    assert put(as_admin, ["billing.plans", "billing.plans"]).json()["hidden"] == ["billing.plans"]
    assert PlatformMenu.history.count() == 1


def test_put__dry_run__writes_nothing(as_admin, kestrel_on):
    answer = put(as_admin, ["billing.plans"], query="?dry_run=true")
    assert answer.json() == {"success": True, "message": "1 item would be hidden.", "hidden": ["billing.plans"]}
    assert not PlatformMenu.objects.exists()
    assert not PlatformMenu.history.exists()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"hidden": ["billing.invoices", "cms.nothing"]}, [("unknown_item", "hidden.1")]),
        ({"hidden": "billing.invoices"}, [("not_a_list", "hidden")]),
        ({"hidden": [5]}, [("invalid", "hidden.0")]),
        ({"hidden": ["x"] * 501}, [("max_length", "hidden")]),
        ({}, [("required", "hidden")]),
        ({"hidden": [], "items": []}, [("unknown_field", "items")]),
        ({"hidden": [], "reason": "x" * 501}, [("max_length", "reason")]),
    ],
)
def test_put__bad_body__refused_and_nothing_hidden(as_admin, kestrel_on, body, errors):
    answer = as_admin.put(MENU, body, HTTP_IF_MATCH="*")
    assert answer.status_code == 400
    assert [(error["code"], error["attr"]) for error in answer.json()["errors"]] == errors
    assert not PlatformMenu.objects.exists()


def test_put__stale_or_no_if_match__refused(as_admin, kestrel_on):
    tag = as_admin.get(MENU)["ETag"]
    put(as_admin, ["billing.plans"])
    assert as_admin.put(MENU, {"hidden": []}, HTTP_IF_MATCH=tag).status_code == 412
    assert as_admin.put(MENU, {"hidden": []}).status_code == 428
    assert PlatformMenu.objects.get().hidden == ["billing.plans"]


def test_delete_platform__with_a_menu__history_stays(as_operator, as_admin, kestrel_on):
    put(as_admin, ["billing.plans"])
    assert as_operator.delete("/api/v1/admin/platforms/kestrel/").status_code == 204
    assert not PlatformMenu.objects.exists()
    assert [version.history_type for version in PlatformMenu.history.order_by("history_id")] == ["+", "-"]
