"""Customers are found by how their name, address, number or reference starts, in any script, through an index."""

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from customers import selectors
from customers.keys import email_key, name_key
from customers.models import Customer
from customers.selectors import search
from platforms.models import Platform
from platforms.search import fold
from tests.factories import CustomerFactory


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Maëlle  DUBOIS", "maelle dubois"),
        ("Groß", "GROSS"),
        ("ﾀﾅｶ", "タナカ"),
        ("Ελένη", "ΕΛΕΝΗ"),
        ("Дмитрий", "ДМИТРИЙ"),
        ("Zoe\u0308", "Zoë"),
        (" \u00a0 Ann\t", "ann"),
    ],
)
def test_fold__two_spellings_of_a_name__are_one(one: str, other: str) -> None:
    assert fold(one) == fold(other) != ""


@pytest.mark.parametrize(("one", "other"), [("สมชาย", "สมชีย"), ("שלום", "שלם"), ("田中", "田仲")])
def test_fold__two_names_in_other_scripts__stay_two(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_email_key__same_mailbox__same_key_and_tags_stay() -> None:
    assert email_key(" Maelle@EXAMPLE.com ") == email_key("maelle@example.com") == "maelle@example.com"
    assert email_key("ma.elle+news@example.com") == "ma.elle+news@example.com"
    assert len(name_key("ﷺ" * 100)) == 200


@pytest.fixture
def crowd(shop: Platform, tidewater: Platform) -> dict[str, Customer]:
    """Five on kestrel, and one on tidewater who would be found by everything."""
    CustomerFactory(platform=tidewater, email="maelle@example.com", first_name="Maëlle", external_ref="C-77")
    people = {
        "maelle": {"email": "Maelle@Example.com", "first_name": "Maëlle", "last_name": "Dubois"},
        "misaki": {"email": "misaki@example.com", "first_name": "美咲", "last_name": "田中"},
        "dmitri": {"email": "d.sokolov@example.com", "first_name": "Дмитрий", "last_name": "Соколов"},
        "percent": {"email": "100%_off@example.com", "first_name": "100%", "last_name": "_Off"},
        "caller": {"email": "", "first_name": "", "last_name": "", "phone": "+493023125042", "external_ref": "C-77"},
    }
    return {name: CustomerFactory(platform=shop, **fields) for name, fields in people.items()}


# How many of the newest are looked at, and how many make a page: all of them, none, or so few that it depends.
LOOKS = [(5000, 50), (0, 50), (0, 0), (3, 1)]


@pytest.mark.parametrize(("newest", "page"), LOOKS)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mae", {"maelle"}),
        ("Maëlle dub", {"maelle"}),
        ("DUBOIS", {"maelle"}),
        ("dubois, m", set()),
        ("ubois", set()),
        ("maelle@ex", {"maelle"}),
        ("田", {"misaki"}),
        ("美咲 田", {"misaki"}),
        ("соколов Д", {"dmitri"}),
        ("100%", {"percent"}),
        ("_", {"percent"}),
        ("%", set()),
        ("+49 (30) 231", {"caller"}),
        ("0049 30 23125042", {"caller"}),
        ("C-7", {"caller"}),
        ("m", {"maelle", "misaki"}),
        ("   ", {"maelle", "misaki", "dmitri", "percent", "caller"}),
        ("\U0010ffff", set()),
    ],
)
def test_search__start_of_what_is_known__finds_it_on_the_platform(
    text: str,
    expected: set[str],
    newest: int,
    page: int,
    shop: Platform,
    crowd: dict[str, Customer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selectors, "_NEWEST", newest)
    monkeypatch.setattr(selectors, "_PAGE", page)
    everybody = Customer.objects.filter(platform=shop)
    found = list(search(everybody.order_by("-created_at"), text))
    assert found == sorted((crowd[name] for name in expected), key=lambda one: one.created_at, reverse=True)
    some = everybody.filter(external_ref="")
    assert set(search(some, text, within=everybody)) == {crowd[name] for name in expected - {"caller"}}


def test_search__many_customers_or_not__two_queries_more_at_most(
    shop: Platform,
    crowd: dict[str, Customer],
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    customers = Customer.objects.filter(platform=shop).order_by("-created_at")
    with django_assert_num_queries(2):
        assert list(search(customers, "C-7")) == [crowd["caller"]]
    monkeypatch.setattr(selectors, "_NEWEST", 1)
    with django_assert_num_queries(3):
        assert list(search(customers, "maelle")) == [crowd["maelle"]]


def test_search__among_many__goes_by_the_index_of_each_key(shop: Platform) -> None:
    rows = [
        Customer(
            platform=shop,
            email=f"{number}@example.com",
            first_name=f"{number} first",
            last_name=f"{number} last",
            phone=f"+4930{number:06}",
            external_ref=f"{number}",
        )
        for number in range(3000)
    ]
    for row in rows:
        row.make_keys()
    Customer.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE customers_customer")
    keys = {
        "name_key": "idx_customers_name",
        "last_name_key": "idx_customers_last_name",
        "email_key": "idx_customers_email",
        "phone": "idx_customers_phone",
        "external_ref": "idx_customers_external_ref",
    }
    customers = Customer.objects.filter(platform=shop).order_by()
    for key, index in keys.items():
        plan = customers.filter(**{f"{key}__begins_with": "299"}).explain()
        assert index in plan, plan
    plan = search(customers, "+493000299").explain()
    if connection.vendor == "postgresql":
        assert all(index in plan for index in keys.values()), plan
    else:
        # SQLite takes one index for this query, that of the platform: enough for what SQLite is for.
        assert "SEARCH customers_customer USING INDEX" in plan, plan
