"""A tag that is renamed is renamed in the rules of segments, too: whom they find stays the same."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from rest_framework.test import APIClient

from customers import privacy, segments, tags
from customers.models import Customer, Segment, Tag
from modules import services as module_services
from platforms.models import Platform, User, Vendor
from tests.admin.pages import form_on, logged_in, text_of
from tests.customers.conftest import Untouched
from tests.factories import CustomerFactory, SegmentFactory, TagFactory
from tests.modules.building import origin

pytestmark = pytest.mark.django_db


@pytest.fixture
def gold(shop: Platform) -> Tag:
    """A tag that somebody carries."""
    tag = TagFactory(platform=shop, name="Gold", key="gold")
    CustomerFactory(platform=shop, tags=[tag], last_name="Kerbrat")
    return tag


def naming(platform: Platform, *names: str) -> Segment:
    rules: list[dict[str, Any]] = [
        {"field": "tag", "operator": "has", "value": list(names)},
        {"field": "email", "operator": "is_set"},
    ]
    return SegmentFactory(platform=platform, rules=rules)


def members(segment: Segment) -> list[str]:
    return [customer.last_name for customer in segments.members_of(segment)]


def rename(how: str, tag: Tag, ann: User, as_admin: APIClient) -> None:
    match how:
        case "service":
            tags.rename_tag(tag=tag, name="Golden")
        case "API":
            address = f"/api/v1/admin/platforms/kestrel/customers/tags/{tag.pk}/"
            assert as_admin.patch(address, {"name": "Golden"}, HTTP_IF_MATCH="*").status_code == 200
        case "admin":
            client, page = logged_in(ann), reverse("admin:customers_tag_change", args=[tag.pk])
            data = form_on(client.get(page), "tag_form").data
            assert client.post(page, {**data, "name": "Golden"}).status_code == 302


@pytest.mark.parametrize("how", ["service", "API", "admin"])
def test_rename__tag_that_segments_name__they_find_the_same(
    how: str, shop: Platform, tidewater: Platform, gold: Tag, ann: User, as_admin: APIClient
) -> None:
    TagFactory(platform=shop, name="Silver", key="silver")
    TagFactory(platform=tidewater, name="Gold", key="gold")
    segment, foreign = naming(shop, "gold", "Silver"), naming(tidewater, "Gold")
    assert members(segment) == ["Kerbrat"]

    rename(how, gold, ann, as_admin)

    for row in (segment, foreign, gold):
        row.refresh_from_db()
    assert (gold.name, gold.key) == ("Golden", "golden")
    assert segment.rules[0]["value"] == ["Golden", "Silver"]
    assert foreign.rules[0]["value"] == ["Gold"]
    assert members(segment) == ["Kerbrat"]


def test_rename__to_the_name_of_another__refused_and_nothing_written(
    shop: Platform, gold: Tag, untouched: Untouched
) -> None:
    TagFactory(platform=shop, name="Silver", key="silver")
    naming(shop, "Gold")
    with untouched(), pytest.raises(ValidationError):
        tags.rename_tag(tag=gold, name="SILVER")


# --- whom a segment finds, in the list and as a file ------------------------------------------------------------------

HERE = "/api/v1/admin/platforms/kestrel/customers/customers/"


def test_list_and_export__by_segment__its_members_only(shop: Platform, gold: Tag, as_admin: APIClient) -> None:
    CustomerFactory(platform=shop, last_name="Moreau")
    segment = naming(shop, "Gold")
    listed = as_admin.get(HERE, {"segment": str(segment.pk)}).json()["results"]
    assert [row["last_name"] for row in listed] == ["Kerbrat"]
    file = as_admin.get(f"{HERE}export/", {"segment": str(segment.pk), "file_format": "csv"}).getvalue().decode()
    assert "Kerbrat" in file
    assert "Moreau" not in file


@pytest.mark.parametrize("name", ["tagg", "platform", "ordering"])
def test_export__filter_that_is_none__refused(name: str, shop: Platform, gold: Tag, as_admin: APIClient) -> None:
    """A name that is misspelt would take everybody out."""
    answer = as_admin.get(f"{HERE}export/", {name: "Gold"})
    assert (answer.status_code, [(one["code"], one["attr"]) for one in answer.json()["errors"]]) == (
        400,
        [("unknown_filter", name)],
    )


def test_label__two_of_one_name__are_told_apart(shop: Platform) -> None:
    one = CustomerFactory(platform=shop, first_name="Maëlle", last_name="Dubois", email="one@example.com")
    other = CustomerFactory(platform=shop, first_name="Maëlle", last_name="Dubois", email="", external_ref="C-9")
    assert [one.label, other.label] == ["Maëlle Dubois (one@example.com)", "Maëlle Dubois (C-9)"]
    assert Customer(email="a@example.com").label == "a@example.com"


# --- deleted ---------------------------------------------------------------------------------------------------------


def leads_to(segment: Segment) -> str:
    return f'<a href="{reverse("admin:customers_segment_change", args=[segment.pk])}">{segment}</a>'


@pytest.mark.parametrize("is_bulk", [False, True])
def test_delete__tag_that_segments_name__who_confirms_it_is_told(
    is_bulk: bool, shop: Platform, tidewater: Platform, gold: Tag, ann: User, untouched: Untouched
) -> None:
    for platform, name in ((shop, "Silver"), (tidewater, "Gold")):
        TagFactory(platform=platform, name=name, key=name.lower())
    one, other, foreign = naming(shop, "GOLD", "Silver"), naming(shop, "Silver"), naming(tidewater, "Gold")
    privacy.erase_now(customer=CustomerFactory(platform=shop, tags=[gold]))
    client = logged_in(ann)
    with untouched():
        if is_bulk:
            chosen = {"action": "delete_selected", "_selected_action": [str(gold.pk)]}
            page = text_of(client.post(reverse("admin:customers_tag_changelist"), chosen))
        else:
            page = text_of(client.get(reverse("admin:customers_tag_delete", args=[gold.pk])))
    assert "It is taken off 1 customer." in page
    assert "These stay, and their rules that name “Gold” find nobody any more:" in page
    assert leads_to(one) in page
    assert not any(leads_to(segment) in page for segment in (other, foreign))
    assert "relationship" not in page


def test_delete__confirmed__the_tag_goes_and_the_segments_stay(shop: Platform, gold: Tag, ann: User) -> None:
    segment, client = naming(shop, "Gold"), logged_in(ann)
    answer = client.post(reverse("admin:customers_tag_delete", args=[gold.pk]), {"post": "yes"})
    assert answer.status_code == 302
    assert not Tag.objects.filter(pk=gold.pk).exists()
    assert Customer.objects.filter(last_name="Kerbrat").exists()
    segment.refresh_from_db()
    assert (segment.rules[0]["value"], members(segment)) == (["Gold"], [])


def test_delete__tag_that_no_segment_names__nothing_to_warn_of(gold: Tag, ann: User) -> None:
    page = text_of(logged_in(ann).get(reverse("admin:customers_tag_delete", args=[gold.pk])))
    assert "find nobody" not in page


@pytest.mark.parametrize("count", [1, 20])
def test_delete__many_customers_and_segments__same_queries(
    count: int, shop: Platform, gold: Tag, ann: User, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        CustomerFactory(platform=shop, tags=[gold])
        naming(shop, "Gold")
    client = logged_in(ann)
    with django_assert_num_queries(13):
        assert client.get(reverse("admin:customers_tag_delete", args=[gold.pk])).status_code == 200


def test_delete__vendor_that_segments_name__who_confirms_it_is_told(
    shop: Platform, brindle: Vendor, ann: User, untouched: Untouched
) -> None:
    TagFactory(platform=shop, name=brindle.code, key=brindle.code)
    rules = [{"field": "vendor", "operator": "not_bought_from", "value": [brindle.code]}]
    segment, other = SegmentFactory(platform=shop, rules=rules), naming(shop, brindle.code)
    client, address = logged_in(ann), reverse("admin:platforms_vendor_delete", args=[brindle.pk])
    with untouched():
        page = text_of(client.get(address))
    assert f"their rules that name “{brindle}” find nobody any more:" in page
    assert leads_to(segment) in page
    assert leads_to(other) not in page
    module_services.disable(platform=shop, module="customers", origin=origin(), cascade=True)
    assert "find nobody" not in text_of(client.get(address))


def test_delete__vendor_with_customers__who_confirms_it_is_told_that_they_stay(
    shop: Platform, brindle: Vendor, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, address = logged_in(ann), reverse("admin:platforms_vendor_delete", args=[brindle.pk])
    assert "taken off" not in text_of(client.get(address))
    privacy.erase_now(customer=CustomerFactory(vendor=brindle))
    CustomerFactory(platform=shop)
    for told in ("It is taken off 1 customer, who stays.", "It is taken off 2 customers, who stay."):
        CustomerFactory(vendor=brindle)
        assert told in text_of(client.get(address))
    monkeypatch.setattr(segments, "MOST_COUNTED", 1)
    assert "It is taken off more than 1 customers, who stay." in text_of(client.get(address))
    module_services.disable(platform=shop, module="customers", origin=origin(), cascade=True)
    assert "taken off" not in text_of(client.get(address))
