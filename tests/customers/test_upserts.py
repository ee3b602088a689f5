"""Many customers at once: judged by the models' rules, written set by set, and told as if one by one."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers import services
from customers.cells import ADDRESS_COLUMNS
from customers.models import Address, Customer, CustomerEvent, ErrorPolicy, Match, Tag
from customers.upserts import Fault, Result, Row, Seen, engine, upsert
from modules.models import Event
from platforms.access import Actor
from platforms.models import Platform, User, Vendor
from tests.customers.conftest import Untouched
from tests.factories import AddressFactory, CustomerFactory, VendorFactory

pytestmark = pytest.mark.django_db

BY_REF, BY_EMAIL = Match.EXTERNAL_REF, Match.EMAIL


def rows(*values: Mapping[str, str]) -> list[Row]:
    with Seen() as seen:
        return [seen.marked(Row(line=number, values=said)) for number, said in enumerate(values, 2)]


def put(platform: Platform, *values: Mapping[str, str], match: Match = BY_REF, **options: Any) -> list[Result]:
    return upsert(platform=platform, rows=rows(*values), match=match, **{"policy": ErrorPolicy.SKIP_ROW, **options})


def outcomes(results: list[Result]) -> list[Any]:
    return [(result.outcome, *[(fault.attr, fault.code) for fault in result.faults]) for result in results]


def test_new__whole__is_what_the_service_would_have_made(shop: Platform, brindle: Vendor, ann: User) -> None:
    said = {
        "email": "Maelle@Example.com",
        "phone": "+49 30 23125042",
        "first_name": "Maëlle",
        "last_name": "Dubois",
        "external_ref": "C-9",
        "tags": 'Gold; "Paris, Texas"',
        "vendors": "brindle",
        "address_line1": "12 rue de Siam",
        "address_city": "Brest",
        "address_country": "fr",
    }
    [result] = put(shop, said, by=Actor(ann), note={"import": "x"})

    kept = Customer.objects.get(pk=result.customer)
    assert outcomes([result]) == [("created",)]
    assert (kept.email, kept.email_key, str(kept.phone)) == (
        "Maelle@Example.com",
        "maelle@example.com",
        "+493023125042",
    )
    assert (kept.name_key, kept.last_name_key) == ("maelle dubois", "dubois maelle")
    assert sorted(kept.tags.values_list("name", "key")) == [("Gold", "gold"), ("Paris, Texas", "paris, texas")]
    assert list(kept.vendors.all()) == [brindle]
    address = kept.addresses.get()
    assert (address.kind, address.is_default, address.line1, str(address.country)) == (
        "shipping",
        True,
        "12 rue de Siam",
        "FR",
    )
    line = kept.events.get()
    assert (line.kind, line.actor_label, line.data) == ("created", "ann", {"import": "x"})
    event = Event.objects.get()
    assert (event.name, event.actor_id, event.data) == ("customers.created", ann.pk, {"customer": str(kept.pk)})
    kept.full_clean()


def test_known__some_fields__changed_and_blank_left_as_it_is(maelle: Customer) -> None:
    AddressFactory(customer=maelle, kind="shipping")
    Event.objects.all().delete()
    said = {"external_ref": "C-1", "last_name": "Martin", "email": "", "tags": "Gold", "address_city": "Nantes"}

    results = put(maelle.platform, said)

    maelle.refresh_from_db()
    assert outcomes(results) == [("updated",)]
    assert (maelle.last_name, maelle.last_name_key, maelle.email) == ("Martin", "martin maelle", "Maelle@Example.com")
    assert (maelle.addresses.get().city, maelle.addresses.get().line1) == ("Nantes", "12 rue de Siam")
    fields = ["last_name", "tags", "addresses"]
    assert maelle.events.latest("at").data == {"fields": fields}
    assert Event.objects.get().data == {"customer": str(maelle.pk), "fields": fields}
    assert maelle.vendors.count() == 1


def test_known__says_nothing_new__nothing_written_and_nothing_told(maelle: Customer, untouched: Untouched) -> None:
    said = {"external_ref": "C-1", "email": "Maelle@Example.com", "first_name": "Maëlle", "vendors": "brindle"}
    with untouched():
        results = put(maelle.platform, said)
    assert outcomes(results) == [("unchanged",)]


@pytest.mark.parametrize(
    ("said", "faults"),
    [
        ({"email": "nobody"}, [("email", "invalid")]),
        ({"phone": "+49 1"}, [("phone", "invalid")]),
        ({"phone": "+49 30 23125042;ext=5"}, [("phone", "extension")]),
        ({"first_name": "x" * 10_000}, [("first_name", "max_length")]),
        ({"last_name": "a\x07b"}, [("last_name", "control_characters")]),
        ({"locale": "german"}, [("locale", "invalid_locale")]),
        ({"email": "MAELLE@example.COM"}, [("email", "unique")]),
        ({"vendors": "nobody, brindle"}, [("vendors", "does_not_exist")]),
        ({"tags": "x" * 51}, [("tags", "max_length")]),
        ({"tags": ",".join(map(str, range(101)))}, [("tags", "max_length")]),
        ({"address_line1": "x", "address_city": "Brest"}, [("address_country", "blank")]),
        (
            {"address_line1": "x", "address_city": "Brest", "address_country": "XX"},
            [("address_country", "invalid_choice")],
        ),
        (
            {"address_line1": "x", "address_city": "x", "address_country": "FR", "address_kind": "home"},
            [("address_kind", "invalid_choice")],
        ),
        ({"email": "nobody", "phone": "1"}, [("email", "invalid"), ("phone", "invalid")]),
    ],
)
def test_bad_value__by_policy__row_left_out_or_taken_without_it(
    said: dict[str, str], faults: list[tuple[str, str]], maelle: Customer, untouched: Untouched
) -> None:
    whole = {"external_ref": "C-2", "first_name": "Yann", **said}
    with untouched():
        assert outcomes(put(maelle.platform, whole)) == [("failed", *faults)]

    [result] = put(maelle.platform, whole, policy=ErrorPolicy.IGNORE_FIELD)

    assert outcomes([result]) == [("created", *faults)]
    made = Customer.objects.get(external_ref="C-2")
    made.full_clean()
    assert not made.addresses.exists()
    assert not made.vendors.exists()
    for attr, _ in faults:
        assert getattr(made, attr, "") == "" or attr in ("tags", "vendors")


@pytest.mark.parametrize(
    ("said", "match", "faults"),
    [
        ({"first_name": "A"}, BY_REF, [("external_ref", "required")]),
        ({"first_name": "A"}, BY_EMAIL, [("email", "required")]),
        ({"email": "nobody"}, BY_EMAIL, [("email", "invalid")]),
        ({"external_ref": "x" * 101}, BY_REF, [("external_ref", "max_length")]),
        ({}, Match.NONE, [(None, "nobody")]),
        ({"locale": "de"}, Match.NONE, [(None, "nobody")]),
        ({"email": "maelle@example.com"}, Match.NONE, [("email", "unique")]),
    ],
)
def test_bad_value__of_the_row_as_a_whole__fails_also_where_fields_are_ignored(
    said: dict[str, str], match: Match, faults: list[Any], maelle: Customer, untouched: Untouched
) -> None:
    with untouched():
        results = put(maelle.platform, said, match=match, policy=ErrorPolicy.IGNORE_FIELD)
    assert outcomes(results) == [("failed", *faults)]


def test_rows__same_key_twice__second_is_the_error(shop: Platform) -> None:
    results = put(
        shop,
        {"external_ref": "A", "email": "a@example.com"},
        {"external_ref": "A", "email": "b@example.com"},
        {"external_ref": "B", "email": "A@Example.com"},
    )
    assert outcomes(results) == [
        ("created",),
        ("failed", ("external_ref", "duplicate")),
        ("failed", ("email", "duplicate")),
    ]
    assert results[1].faults[0].detail == "The same stands on line 2 already."
    assert Customer.objects.get().email == "a@example.com"


def test_match__by_email_in_another_case__finds_the_customer(maelle: Customer) -> None:
    results = put(maelle.platform, {"email": "MAELLE@EXAMPLE.COM", "external_ref": "C-7"}, match=BY_EMAIL)
    maelle.refresh_from_db()
    assert outcomes(results) == [("updated",)]
    assert (maelle.email, maelle.external_ref) == ("MAELLE@EXAMPLE.COM", "C-7")


def test_match__closed_or_foreign_customer__is_not_found(maelle: Customer, tidewater: Platform) -> None:
    CustomerFactory(platform=tidewater, external_ref="C-2")
    Customer.objects.filter(pk=maelle.pk).update(status="erased")
    results = put(
        maelle.platform, {"external_ref": "C-1", "first_name": "A"}, {"external_ref": "C-2", "first_name": "B"}
    )
    assert outcomes(results) == [("created",), ("created",)]
    maelle.refresh_from_db()
    assert maelle.first_name == "Maëlle"


def test_vendor__of_another_platform__does_not_exist(shop: Platform, tidewater: Platform) -> None:
    VendorFactory(platform=tidewater, code="saltmarsh")
    assert outcomes(put(shop, {"external_ref": "A", "vendors": "saltmarsh"})) == [
        ("failed", ("vendors", "does_not_exist"))
    ]


def test_dry_run__of_everything__says_the_same_and_writes_nothing(maelle: Customer, untouched: Untouched) -> None:
    said = [
        {"external_ref": "C-1", "first_name": "Anna", "tags": "New"},
        {"external_ref": "C-2", "email": "x"},
        {"external_ref": "C-3", "phone": "+4930231250"},
    ]
    with untouched():
        tried = put(maelle.platform, *said, dry_run=True)
    assert outcomes(tried) == outcomes(put(maelle.platform, *said))


def test_cost__five_hundred_rows__are_some_statements_a_table(shop: Platform, brindle: Vendor) -> None:
    assert brindle.code == "brindle"

    def said(first_name: str) -> list[dict[str, str]]:
        return [
            {
                "external_ref": f"R{n}",
                "first_name": first_name,
                "tags": "Gold",
                "vendors": "brindle",
                "address_line1": "x",
                "address_city": "Brest",
                "address_country": "FR",
            }
            for n in range(500)
        ]

    def statements(first_name: str, count: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            put(shop, *said(first_name)[:count])
        # SQLite takes 999 values a statement, and so several for one table.
        return sum(not query["sql"].startswith(("INSERT", "SAVEPOINT", "RELEASE")) for query in asked.captured_queries)

    assert statements("A", 500) <= 6
    assert statements("B", 500) <= 10
    assert statements("B", 500) == statements("B", 10)


# --- somebody else at the same time --------------------------------------------------------------------------------


def test_set__somebody_else_makes_one_of_them_meanwhile__loses_no_other(
    shop: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the write another saves the same address. (Here it goes with the savepoint.)"""
    look, looks = engine.there.read, []

    def read(platform: Platform, some: Any, *, is_locked: bool) -> Any:
        found = look(platform, some, is_locked=is_locked)
        if not looks:
            services.create_customer(platform=platform, values={"email": "b@example.com"})
        looks.append(len(some))
        return found

    monkeypatch.setattr(engine.there, "read", read)
    results = put(
        shop,
        {"external_ref": "A", "email": "a@example.com"},
        {"external_ref": "B", "email": "b@example.com"},
        {"external_ref": "C", "email": "c@example.com"},
    )
    assert outcomes(results) == [("created",)] * 3
    # The set, and then once more as it is by now: nobody is asked for by themselves.
    assert looks == [3, 3]
    assert Customer.objects.count() == CustomerEvent.objects.count() == 3


def test_set__same_customer_moves_its_address_to_another__both_are_written(maelle: Customer) -> None:
    """In the order of the file it is right; in that of the tables it collides, and is taken row by row."""
    results = put(
        maelle.platform,
        {"external_ref": "C-1", "email": "new@example.com"},
        {"external_ref": "C-2", "email": "maelle@example.com"},
    )
    assert outcomes(results) == [("updated",), ("created",)]
    assert dict(Customer.objects.values_list("external_ref", "email")) == {
        "C-1": "new@example.com",
        "C-2": "maelle@example.com",
    }
    assert CustomerEvent.objects.filter(customer=maelle, kind="updated").count() == 1


def test_row__collides_for_ever__is_an_error_and_never_raised(
    shop: Platform, monkeypatch: pytest.MonkeyPatch, untouched: Untouched
) -> None:
    there = engine.there.There
    CustomerFactory(platform=shop, email="a@example.com")
    monkeypatch.setattr(engine.there, "read", lambda *args, **kwargs: there(platform=shop))
    with untouched():
        results = put(shop, {"external_ref": "A", "email": "a@example.com"})
    assert outcomes(results) == [("failed", (None, "unique"))]


@pytest.mark.django_db(transaction=True)
def test_row__vendor_deleted_meanwhile__is_named_as_what_it_is(shop: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor, look = VendorFactory(platform=shop, code="gone"), engine.there.read

    def read(*args: Any, **kwargs: Any) -> Any:
        found = look(*args, **kwargs)
        Vendor.objects.filter(pk=vendor.pk).delete()
        return found

    monkeypatch.setattr(engine.there, "read", read)
    results = put(shop, {"external_ref": "A", "vendors": "gone"})
    assert outcomes(results) == [("failed", (None, "does_not_exist"))]
    assert not Customer.objects.exists()


def test_upsert__too_many_rows__is_a_mistake_of_ours(shop: Platform) -> None:
    with pytest.raises(ValueError, match="500"):
        put(shop, *({"external_ref": str(uuid.uuid4())} for _ in range(501)))


def test_row__as_json_and_back__is_the_same() -> None:
    row = Row(line=3, values={"email": "a"}, faults=(Fault(code="x", attr="email", detail="No."),))
    assert Row.of_json(row.as_json()) == row


def test_tag__in_another_spelling__is_the_one_that_is_there(maelle: Customer) -> None:
    put(maelle.platform, {"external_ref": "C-1", "tags": "Gold"})
    put(maelle.platform, {"external_ref": "C-1", "tags": "GÖLD, gold"})
    assert sorted(Tag.objects.values_list("name", flat=True)) == ["Gold"]


def test_rows__of_one_customer__write_each_row_of_a_table_once_and_the_last_one_wins(maelle: Customer) -> None:
    """PostgreSQL refuses a statement that would write a row twice; callers need not have marked what stands twice."""
    AddressFactory(customer=maelle, is_default=True)
    said = [
        {"external_ref": "C-1", "last_name": "Martin", "tags": "Gold", "address_city": "Nantes"},
        {"external_ref": "C-1", "last_name": "Le Goff", "tags": "gold, Silver", "address_line1": "1 quai de la Fosse"},
        {"external_ref": "C-1", "address_city": "Rennes", "vendors": "brindle"},
    ]
    marked = [Row(line=number, values=values) for number, values in enumerate(said)]
    results = upsert(platform=maelle.platform, rows=marked, match=BY_REF, policy=ErrorPolicy.SKIP_ROW)

    maelle.refresh_from_db()
    address = maelle.addresses.get()
    assert outcomes(results) == [("updated",)] * 3
    assert (maelle.last_name, address.line1, address.city) == ("Le Goff", "1 quai de la Fosse", "Rennes")
    assert sorted(maelle.tags.values_list("name", flat=True)) == ["Gold", "Silver"]
    assert maelle.events.filter(kind="updated").count() == 3


@pytest.mark.parametrize("column", sorted(set(ADDRESS_COLUMNS) - {"address_kind"}))
def test_address__one_column_of_it_alone__changes_the_one_that_is_there(column: str, maelle: Customer) -> None:
    address = AddressFactory(customer=maelle)
    results = put(maelle.platform, {"external_ref": "C-1", column: "DE"})
    address.refresh_from_db()
    assert outcomes(results) == [("updated",)]
    assert str(getattr(address, ADDRESS_COLUMNS[column])) == "DE"


def test_address__kind_alone__is_no_address(maelle: Customer, untouched: Untouched) -> None:
    with untouched():
        assert outcomes(put(maelle.platform, {"external_ref": "C-1", "address_kind": "billing"})) == [("unchanged",)]


def test_address__of_another_kind__is_one_more(maelle: Customer) -> None:
    AddressFactory(customer=maelle, is_default=True)
    said = {"external_ref": "C-1", "address_line1": "x", "address_city": "Brest", "address_country": "FR"}
    put(maelle.platform, {**said, "address_kind": "billing"})
    assert sorted(Address.objects.values_list("kind", "is_default", "line1")) == [
        ("billing", True, "x"),
        ("shipping", True, "12 rue de Siam"),
    ]
