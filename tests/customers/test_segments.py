"""Segments over HTTP and for the other modules: kept rules, members in pages, a count that ends somewhere."""

from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customers import segments, selectors
from customers.models import Customer, Segment, Tag
from modules import ports
from modules import services as module_services
from modules.ports import Recipient, Selector
from platforms.models import Platform, Vendor
from tests.customers.conftest import Untouched
from tests.customers.test_api import errors_of, names, patch
from tests.factories import CustomerFactory, SegmentFactory, TagFactory
from tests.modules.building import origin

pytestmark = pytest.mark.django_db

HERE = "/api/v1/admin/platforms/kestrel/customers/segments/"
ACTIVE = {"field": "status", "operator": "is", "value": ["active"]}
GOLD = {"field": "tag", "operator": "has", "value": ["Gold"]}


@pytest.fixture
def gold(shop: Platform) -> Tag:
    return TagFactory(platform=shop, name="Gold", key="gold")


def test_create__whole__answered_as_it_is_kept(gold: Tag, as_admin: APIClient) -> None:
    rules = [{**GOLD, "value": [" Gold ", "GOLD"]}, {"field": "email", "operator": "is_set", "value": None}]
    answer = as_admin.post(HERE, {"name": "Gold members", "rules": rules})
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made == {
        "id": made["id"],
        "name": "Gold members",
        "description": "",
        "match": "all",
        "rules": [GOLD, {"field": "email", "operator": "is_set"}],
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
    }
    assert as_admin.get(f"{HERE}{made['id']}/").json() == made


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "A"}, {("rules", "required")}),
        ({"name": "A", "rules": []}, {("rules", "required")}),
        ({"name": "A", "rules": "status is active"}, {("rules", "invalid")}),
        ({"name": "A", "rules": [ACTIVE] * 21}, {("rules", "max_length")}),
        (
            {
                "name": "A",
                "rules": [ACTIVE, {"field": "shoe_size"}, {"field": "tag"}, {**ACTIVE, "value": ["x"]}, {**GOLD}],
            },
            {
                ("rules.1.field", "unknown_field"),
                ("rules.2.operator", "unknown_operator"),
                ("rules.3.value", "invalid_value"),
                ("rules.4.value", "invalid_value"),
            },
        ),
        ({"name": "MINE", "rules": [ACTIVE]}, {("name", "unique")}),
        ({"name": "A\x1b", "rules": [ACTIVE]}, {("name", "control_characters")}),
        ({"name": "A", "rules": [ACTIVE], "match": "none"}, {("match", "invalid_choice")}),
        ({"name": "A", "rules": [ACTIVE], "platform": "tidewater"}, {("platform", "unknown_field")}),
    ],
)
def test_create__bad_body__says_where_and_writes_nothing(
    body: dict[str, Any],
    expected: set[tuple[str, str]],
    shop: Platform,
    tidewater: Platform,
    as_admin: APIClient,
    untouched: Untouched,
) -> None:
    SegmentFactory(platform=shop, name="Mine")
    TagFactory(platform=tidewater, name="Gold", key="gold")
    with untouched():
        answer = as_admin.post(HERE, body)
        assert answer.status_code == 400, answer.content
        assert errors_of(answer) == expected


def test_patch__rules__replaced_and_bad_ones_refused(gold: Tag, as_admin: APIClient, untouched: Untouched) -> None:
    segment = SegmentFactory(platform=gold.platform)
    answer = patch(as_admin, f"{HERE}{segment.pk}/", {"rules": [GOLD], "match": "any"})
    assert (answer.status_code, answer.json()["rules"], answer.json()["match"]) == (200, [GOLD], "any")
    assert answer.json()["updated_at"] > answer.json()["created_at"]
    with untouched():
        refused = patch(as_admin, f"{HERE}{segment.pk}/", {"rules": [{**GOLD, "operator": "is"}]})
        assert errors_of(refused) == {("rules.0.operator", "unknown_operator")}


def test_patch__what_names_a_tag_that_has_gone__only_new_rules_are_asked_for_it(
    gold: Tag, as_admin: APIClient, untouched: Untouched
) -> None:
    segment = SegmentFactory(platform=gold.platform, rules=[GOLD])
    gold.delete()
    answer = patch(as_admin, f"{HERE}{segment.pk}/", {"name": "Renamed", "rules": [GOLD, ACTIVE]})
    assert (answer.status_code, answer.json()["name"]) == (200, "Renamed")
    with untouched():
        refused = patch(as_admin, f"{HERE}{segment.pk}/", {"rules": [{**GOLD, "operator": "has_not"}]})
        assert errors_of(refused) == {("rules.0.value", "invalid_value")}


def test_members__more_than_a_page__newest_first_and_as_customers_look(
    maelle: Customer, gold: Tag, as_admin: APIClient
) -> None:
    for number in range(3):
        CustomerFactory(platform=gold.platform, last_name=f"Kerbrat {number}", tags=[gold])
    segment = SegmentFactory(platform=gold.platform, rules=[GOLD])
    first = as_admin.get(f"{HERE}{segment.pk}/members/", {"page_size": 2})
    assert names(first) == ["Kerbrat 2", "Kerbrat 1"]
    assert first.json()["results"][0]["tags"] == ["Gold"]
    second = as_admin.get(first.json()["next"])
    assert (names(second), second.json()["next"]) == (["Kerbrat 0"], None)
    assert as_admin.get(f"{HERE}{uuid4()}/members/").status_code == 404


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize(("newest", "queries"), [(5000, 11), (0, 12)])
def test_members__many__same_queries(
    newest: int,
    queries: int,
    count: int,
    gold: Tag,
    brindle: Vendor,
    as_admin: APIClient,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selectors, "_NEWEST", newest)
    for _ in range(count):
        CustomerFactory(platform=gold.platform, tags=[gold], vendor=brindle)
    bought = {"field": "vendor", "operator": "bought_from", "value": ["brindle"]}
    segment = SegmentFactory(platform=gold.platform, rules=[GOLD, ACTIVE, bought])
    # Beside what every list asks: the segment, its tags, its vendors, and whether going from the newest on is quick.
    with django_assert_num_queries(queries):
        assert len(as_admin.get(f"{HERE}{segment.pk}/members/").json()["results"]) == count


def test_summary__members_and_rules__counted_so_far_and_told(
    gold: Tag, as_admin: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        CustomerFactory(platform=gold.platform, tags=[gold])
    segment = SegmentFactory(platform=gold.platform, rules=[GOLD])
    told = [{"text": "Tag is one of Gold", "gone": [], "finds_nobody": False}]
    summary = as_admin.get(f"{HERE}{segment.pk}/summary/").json()
    assert summary == {"count": 3, "is_count_cut": False, "rules": told}
    monkeypatch.setattr(segments, "MOST_COUNTED", 2)
    summary = as_admin.get(f"{HERE}{segment.pk}/summary/").json()
    assert (summary["count"], summary["is_count_cut"]) == (2, True)
    gold.delete()
    summary = as_admin.get(f"{HERE}{segment.pk}/summary/").json()
    assert summary["count"] == 0
    assert summary["rules"] == [{"text": "Tag is one of Gold", "gone": ["Gold"], "finds_nobody": True}]


def test_fields__catalogue__says_what_each_operator_takes(shop: Platform, as_admin: APIClient) -> None:
    catalogue = as_admin.get(f"{HERE}fields/").json()
    operators = {
        f"{field['field']}.{one['operator']}": one["value_schema"] for field in catalogue for one in field["operators"]
    }
    for schema in filter(None, operators.values()):
        Draft202012Validator.check_schema(schema)
    assert operators["email.is_set"] is None
    assert operators["status.is"]["items"]["enum"] == ["active", "blocked"]
    assert Draft202012Validator(operators["consent.given"]).is_valid({"channel": "email", "purpose": "marketing"})
    [tag] = [field for field in catalogue if field["field"] == "tag"]
    assert {one["names"] for one in tag["operators"]} == {"tags"}


def test_segments__of_another_platform__are_not_there(
    shop: Platform, tidewater: Platform, as_admin: APIClient, untouched: Untouched
) -> None:
    foreign = SegmentFactory(platform=tidewater)
    assert as_admin.get(HERE).json()["results"] == []
    with untouched():
        for path in ("", "members/", "summary/"):
            assert as_admin.get(f"{HERE}{foreign.pk}/{path}").status_code == 404
        assert patch(as_admin, f"{HERE}{foreign.pk}/", {"name": "X"}).status_code == 404
        assert as_admin.delete(f"{HERE}{foreign.pk}/").status_code == 404


def test_viewer__reads_members__and_writes_nothing(
    maelle: Customer, as_viewer: APIClient, untouched: Untouched
) -> None:
    segment = SegmentFactory(platform=maelle.platform)
    assert names(as_viewer.get(f"{HERE}{segment.pk}/members/")) == ["Dubois"]
    with untouched():
        assert as_viewer.post(HERE, {"name": "A", "rules": [ACTIVE]}).status_code == 403
        assert as_viewer.delete(f"{HERE}{segment.pk}/").status_code == 403


# --- for the other modules -------------------------------------------------------------------------------------------


def test_recipients__of_segments__each_mailbox_once_and_of_this_platform(
    maelle: Customer, gold: Tag, tidewater: Platform
) -> None:
    other = CustomerFactory(platform=maelle.platform, email="kerbrat@example.com", tags=[gold])
    CustomerFactory(platform=maelle.platform, email="", tags=[gold])
    everybody, golden = (SegmentFactory(platform=maelle.platform, rules=[rule]) for rule in (ACTIVE, GOLD))
    foreign = SegmentFactory(platform=tidewater)
    CustomerFactory(platform=tidewater)

    def told(*ids: object, **fields: Any) -> list[str]:
        selector = Selector(segments=tuple(map(str, ids)), **fields)
        return [recipient.address for recipient in ports.recipients(maelle.platform, selector)]

    assert told(golden.pk) == ["kerbrat@example.com"]
    assert told(everybody.pk, golden.pk, addresses=("desk@example.com",)) == [
        "Maelle@Example.com",
        "kerbrat@example.com",
        "desk@example.com",
    ]
    assert told(golden.pk, people=(str(maelle.pk),)) == ["Maelle@Example.com", "kerbrat@example.com"]
    assert told(foreign.pk, uuid4(), "no id", golden.name) == []
    assert ports.recipients(maelle.platform, Selector(segments=(str(golden.pk),))) == (
        Recipient(address="kerbrat@example.com", person=str(other.pk)),
    )
    Customer.objects.filter(pk=other.pk).update(status="erased")
    assert told(golden.pk) == []


def test_recipients__of_segments_and_people__queries_pinned(
    maelle: Customer, gold: Tag, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    segment = SegmentFactory(platform=maelle.platform, rules=[GOLD])
    # Among them the gate's: in a test, nothing is ever committed that it could keep.
    for selector, queries in (
        (Selector(addresses=("desk@example.com",)), 1),
        (Selector(people=(str(maelle.pk),)), 2),
        (Selector(segments=(str(segment.pk),)), 4),
    ):
        with django_assert_num_queries(queries):
            ports.recipients(maelle.platform, selector)


def test_segments__module_off__dark_and_nobody_is_meant(maelle: Customer, as_admin: APIClient) -> None:
    segment = SegmentFactory(platform=maelle.platform)
    module_services.disable(platform=maelle.platform, module="customers", origin=origin(), cascade=True)
    platform = Platform.objects.get(pk=maelle.platform_id)
    assert ports.recipients(platform, Selector(segments=(str(segment.pk),))) == ()
    assert as_admin.get(f"{HERE}{segment.pk}/members/").status_code == 403
    assert Segment.objects.get() == segment
