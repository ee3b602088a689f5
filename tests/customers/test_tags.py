"""A tag that is renamed is renamed in the rules of segments, too: whom they find stays the same."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from rest_framework.test import APIClient

from customers import segments, tags
from customers.models import Customer, Segment, Tag
from platforms.models import Platform, User
from tests.admin.pages import form_on, logged_in
from tests.customers.conftest import Untouched
from tests.factories import CustomerFactory, SegmentFactory, TagFactory

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
