"""What rules find: every field with every operator, of the own platform only, and of nothing that has gone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError

from customers import consents, segments, selectors, services
from customers.models import Customer, Tag
from customers.rules import FIELDS, MAX_RULES, validate_rules
from platforms.models import Platform, Vendor
from tests.factories import AddressFactory, CustomerFactory, SegmentFactory, TagFactory, VendorFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)
MAIL = {"channel": "email", "purpose": "marketing"}
POST = {"channel": "post", "purpose": "marketing"}


def rule(field: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "operator": operator, **({} if value is None else {"value": value})}


@pytest.fixture
def crowd(shop: Platform, brindle: Vendor, tidewater: Platform) -> dict[str, Customer]:
    """Four on kestrel, two who were closed, and one on tidewater who would be found by everything."""
    gold, silver = (TagFactory(platform=shop, name=name, key=name.lower()) for name in ("Gold", "Silver"))
    fernhill = VendorFactory(platform=shop, code="fernhill")
    fields: dict[str, dict[str, Any]] = {
        "maelle": {
            "email": "Maelle@Example.com",
            "locale": "fr",
            "external_ref": "C-1",
            "phone": "+33199004242",
            "tags": [gold],
            "vendors": [brindle],
        },
        "jurgen": {
            "email": "j@post.example.com",
            "first_name": "Jürgen",
            "last_name": "Groß",
            "locale": "de-AT",
            "tags": [gold, silver],
            "vendors": [brindle, fernhill],
        },
        "priya": {"email": "", "first_name": "Priya", "last_name": "Jürgensen", "external_ref": "D-2"},
        "misaki": {"email": "m@example.org", "first_name": "美咲", "last_name": "田中", "locale": "de"},
        "merged": {"locale": "fr", "tags": [gold], "vendors": [brindle]},
        "erased": {"locale": "fr", "tags": [gold], "vendors": [brindle]},
    }
    people = {}
    for place, (name, values) in enumerate(fields.items()):
        with time_machine.travel(NOW - timedelta(days=10 * place), tick=False):
            people[name] = CustomerFactory(platform=shop, **values)
    services.block_customer(customer=people["priya"])
    for name, city, country in (("maelle", "Brest", "FR"), ("maelle", "Paris", "FR"), ("jurgen", "Wien", "AT")):
        AddressFactory(customer=people[name], city=city, country=country, kind="shipping")
    AddressFactory(customer=people["merged"], city="Brest", country="FR")
    for name in ("maelle", "jurgen", "misaki", "erased"):
        given = consents.give(customer=people[name], **MAIL, source="checkout")
        if name != "misaki":
            token = consents.confirmation_token(given, people[name])
            consents.confirm(platform=shop, token=token)
    consents.withdraw(customer=people["jurgen"], **MAIL, source="mail")
    consents.withdraw(customer=people["priya"], **POST, source="mail")
    consents.give(customer=people["priya"], **POST, source="checkout")
    Customer.objects.filter(pk=people["merged"].pk).update(status="merged", merged_into=people["maelle"])
    Customer.objects.filter(pk=people["erased"].pk).update(status="erased")
    saltmarsh = VendorFactory(platform=tidewater, code="brindle")
    CustomerFactory(
        platform=tidewater,
        email="maelle@example.com",
        external_ref="C-1",
        locale="fr",
        tags=[TagFactory(platform=tidewater, name="Gold", key="gold")],
        vendors=[saltmarsh],
    )
    return people


def found_by(platform: Platform, crowd: dict[str, Customer], *rules: dict[str, Any], match: str = "all") -> set[str]:
    names = {customer.pk: name for name, customer in crowd.items()}
    read = validate_rules(list(rules), platform)
    found = segments.members(platform=platform, match=match, rules=read)
    return {names[customer.pk] for customer in found}


CASES: list[tuple[dict[str, Any], set[str]]] = [
    (rule("status", "is", ["active"]), {"maelle", "jurgen", "misaki"}),
    (rule("status", "is", ["active", "blocked"]), {"maelle", "jurgen", "misaki", "priya"}),
    (rule("email", "is_set"), {"maelle", "jurgen", "misaki"}),
    (rule("email", "is_not_set"), {"priya"}),
    (rule("email", "ends_with", "@EXAMPLE.com"), {"maelle"}),
    (rule("email", "ends_with", "le.com"), set()),
    (rule("phone", "is_set"), {"maelle"}),
    (rule("phone", "is_not_set"), {"jurgen", "misaki", "priya"}),
    (rule("name", "starts_with", "JURGEN"), {"jurgen", "priya"}),
    (rule("name", "starts_with", "田"), {"misaki"}),
    (rule("name", "starts_with", "%"), set()),
    (rule("locale", "is", ["de"]), {"jurgen", "misaki"}),
    (rule("locale", "is", ["de-AT", "fr"]), {"jurgen", "maelle"}),
    (rule("reference", "is_set"), {"maelle", "priya"}),
    (rule("reference", "is_not_set"), {"jurgen", "misaki"}),
    (rule("reference", "starts_with", "C"), {"maelle"}),
    (rule("tag", "has", ["GOLD"]), {"maelle", "jurgen"}),
    (rule("tag", "has", ["silver", "gold"]), {"maelle", "jurgen"}),
    (rule("tag", "has_not", ["Silver"]), {"maelle", "misaki", "priya"}),
    (rule("vendor", "bought_from", ["fernhill"]), {"jurgen"}),
    (rule("vendor", "not_bought_from", ["brindle", "fernhill"]), {"misaki", "priya"}),
    (rule("country", "is", ["FR", "DE"]), {"maelle"}),
    (rule("city", "is", ["Wien", "Brest"]), {"maelle", "jurgen"}),
    (rule("created", "before", "2026-03-06"), {"priya", "misaki"}),
    (rule("created", "after", "2026-03-06"), {"maelle", "jurgen"}),
    (rule("created", "within", 5), {"maelle"}),
    (rule("consent", "given", MAIL), {"maelle"}),
    (rule("consent", "given", POST), {"priya"}),
    (rule("consent", "not_given", MAIL), {"jurgen", "misaki", "priya"}),
]


def test_table__every_field_and_operator__is_tried_below() -> None:
    assert {(case["field"], case["operator"]) for case, _ in CASES} == {
        (name, code) for name, field in FIELDS.items() for code in field.operators
    }


@pytest.mark.parametrize(
    ("asked", "expected"), CASES, ids=lambda case: str(sorted(case) if isinstance(case, set) else case)[:80]
)
def test_rule__of_each_kind__finds_open_customers_of_the_platform(
    asked: dict[str, Any],
    expected: set[str],
    shop: Platform,
    crowd: dict[str, Customer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with time_machine.travel(NOW, tick=False):
        assert found_by(shop, crowd, asked) == expected
        segment = SegmentFactory(platform=shop, rules=[asked])
        monkeypatch.setattr(selectors, "_NEWEST", 1)
        assert set(segments.in_pages(segment)) == {crowd[name] for name in expected}


def test_rules__several__all_or_any(shop: Platform, crowd: dict[str, Customer]) -> None:
    rules = [rule("tag", "has", ["Gold"]), rule("locale", "is", ["de"]), rule("email", "is_set")]
    assert found_by(shop, crowd, *rules) == {"jurgen"}
    assert found_by(shop, crowd, *rules[:2], match="any") == {"maelle", "jurgen", "misaki"}


@pytest.mark.parametrize("match", ["all", "any"])
@pytest.mark.parametrize(("newest", "page"), [(5000, 50), (1, 50), (3, 2), (0, 0)])
def test_in_pages__quick_or_not__finds_the_same(
    newest: int, page: int, match: str, shop: Platform, crowd: dict[str, Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "_NEWEST", newest)
    monkeypatch.setattr(selectors, "_PAGE", page)
    rules = [rule("tag", "has", ["Gold"]), rule("locale", "is", ["de"])]
    segment = SegmentFactory(platform=shop, match=match, rules=rules)
    paged = segments.in_pages(segment).order_by("-created_at", "pk")
    assert list(paged) == list(segments.members_of(segment).order_by("-created_at", "pk"))
    assert len(paged[:1]) == 1
    among = Customer.objects.filter(pk=crowd["jurgen"].pk)
    assert [*segments.in_pages(segment, among)] == [*segments.members_of(segment, among)] == [crowd["jurgen"]]


def test_rule__that_names_what_has_gone__finds_nobody_and_says_so(shop: Platform, crowd: dict[str, Customer]) -> None:
    rules = [rule("tag", "has_not", ["Silver"]), rule("vendor", "bought_from", ["fernhill"])]
    segment = SegmentFactory(platform=shop, match="any", rules=rules)
    assert segments.count(segments.members_of(segment)).number == 4
    Tag.objects.get(platform=shop, name="Silver").delete()
    assert set(segments.members_of(segment)) == set(segments.in_pages(segment)) == {crowd["jurgen"]}
    assert [(told.text, list(told.gone), told.finds_nobody) for told in segments.told(segment)] == [
        ("Tag is none of Silver", ["Silver"], True),
        ("Vendor bought from one of fernhill", [], False),
    ]
    segment.match = "all"
    assert not segments.members_of(segment).exists()
    Vendor.objects.get(code="fernhill").delete()
    assert not segments.in_pages(segment).exists()


def test_rule__of_a_table_that_is_not_this_one__finds_nobody(shop: Platform, crowd: dict[str, Customer]) -> None:
    segment = SegmentFactory(platform=shop)
    segment.rules = [rule("shoe_size", "is", [42]), rule("status", "has", ["active"])]
    assert not segments.members_of(segment).exists()
    assert [told.finds_nobody for told in segments.told(segment)] == [True, True]


# --- bad input -------------------------------------------------------------------------------------------------------

BAD: list[tuple[Any, str, str]] = [
    (None, "rules", "invalid"),
    ({}, "rules", "invalid"),
    ([], "rules", "required"),
    ([rule("email", "is_set")] * (MAX_RULES + 1), "rules", "max_length"),
    (["email"], "rules.0", "invalid"),
    ([{}], "rules.0.field", "unknown_field"),
    ([{**rule("email", "is_set"), "not": True}], "rules.0.not", "unknown_field"),
    ([rule("shoe_size", "is", 42)], "rules.0.field", "unknown_field"),
    ([rule(["email"], "is_set")], "rules.0.field", "unknown_field"),  # type: ignore[arg-type]
    ([rule("email", "is_set"), rule("email", "has")], "rules.1.operator", "unknown_operator"),
    ([rule("email", {}, 1)], "rules.0.operator", "unknown_operator"),  # type: ignore[arg-type]
    *(
        ([rule(field, operator, value)], "rules.0.value", "invalid_value")
        for field, operator, value in (
            ("email", "is_set", "yes"),
            ("status", "is", "active"),
            ("status", "is", ["erased"]),
            ("status", "is", [["active"]]),
            ("status", "is", []),
            ("email", "ends_with", "@"),
            ("email", "ends_with", "two words.com"),
            ("email", "ends_with", 5),
            ("name", "starts_with", "  "),
            ("name", "starts_with", "\u0301"),
            ("name", "starts_with", "a\x00b"),
            ("name", "starts_with", "a" * 101),
            ("locale", "is", ["german"]),
            ("tag", "has", [f"tag {number}" for number in range(101)]),
            ("tag", "has", ["Nowhere"]),
            ("tag", "has", [None]),
            ("vendor", "bought_from", ["saltmarsh"]),
            ("country", "is", ["XX"]),
            ("city", "is", ["Br\u0007est"]),
            ("created", "before", "2026-02-30"),
            ("created", "before", "20260216"),
            ("created", "before", 2026),
            ("created", "within", 0),
            ("created", "within", True),
            ("created", "within", 10**30),
            ("created", "within", "5"),
            ("consent", "given", "email"),
            ("consent", "given", {"channel": "pigeon", "purpose": "marketing"}),
            ("consent", "given", {"channel": [], "purpose": "marketing"}),
            ("consent", "given", {"channel": "email", "purpose": "Two Words"}),
            ("consent", "given", {"channel": "email", "purpose": "a" * 60}),
            ("consent", "given", {"channel": "email"}),
        )
    ),
]


@pytest.mark.parametrize(("rules", "place", "code"), BAD, ids=lambda case: str(case)[:60])
def test_validate__bad_rules__each_blamed_where_it_is(rules: Any, place: str, code: str, shop: Platform) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_rules(rules, shop)
    assert {key: [one.code for one in found] for key, found in refused.value.error_dict.items()} == {place: [code]}


def test_validate__operators_without_a_value__take_none_and_null(shop: Platform) -> None:
    for name, field in FIELDS.items():
        for code, operator in field.operators.items():
            if operator.kind is None:
                read = validate_rules([{"field": name, "operator": code, "value": None}], shop)
                assert read == [{"field": name, "operator": code}]
            else:
                with pytest.raises(ValidationError):
                    validate_rules([{"field": name, "operator": code, "value": None}], shop)


def test_validate__names_of_another_platform__are_not_there(shop: Platform, tidewater: Platform) -> None:
    saltmarsh = VendorFactory(platform=tidewater, code="saltmarsh")
    TagFactory(platform=tidewater, name="Theirs", key="theirs")
    for asked in (rule("tag", "has", ["Theirs"]), rule("vendor", "bought_from", [saltmarsh.code])):
        with pytest.raises(ValidationError) as refused:
            validate_rules([asked], shop)
        assert list(refused.value.error_dict) == ["rules.0.value"]
        assert validate_rules([asked], tidewater)


@pytest.mark.parametrize("match", ["any", "all"])
def test_members__of_as_many_languages_as_may_be_named__found(match: str, shop: Platform) -> None:
    """A database takes only so many conditions."""
    tags = [f"{first}{second}" for first in "abcdefghijklmnopqrst" for second in "abcdefghijklmnopqrst"]
    rules = [rule("locale", "is", tags[start : start + 20]) for start in range(0, 400, 20)]
    validate_rules(platform=shop, rules=rules)
    CustomerFactory(platform=shop, locale="ac-AT")
    found = list(segments.members(platform=shop, match=match, rules=rules))
    assert len(found) == (1 if match == "any" else 0)


def test_validate__more_languages_than_a_rule_takes__refused(shop: Platform) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_rules(
            platform=shop, rules=[rule("locale", "is", [f"a{letter}" for letter in "abcdefghijklmnopqrstu"])]
        )
    assert "Name 1 to 20" in str(refused.value)
