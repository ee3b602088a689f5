"""What somebody was known by before, whoever changed it: once they are erased, no row of an import says it either."""

from itertools import permutations
from typing import Any

import pytest

from customers import imports, merging, privacy, services
from customers.models import BrokenRow, Customer, CustomerEvent, ErrorPolicy, ImportRun, Match, Merge
from customers.personal_data import MAP
from customers.upserts import Row, upsert
from modules.ports import Person
from platforms.models import Platform
from tests.customers.planting import found
from tests.factories import CustomerFactory, ImportRunFactory

pytestmark = pytest.mark.django_db

OLD = {"email": "Zq.Old@example.com", "phone": "+493023125099", "external_ref": "zq-old-ref"}
NEW = {"email": "zq.new@example.com", "phone": "+493023125098", "external_ref": "zq-new-ref"}


@pytest.fixture
def kept_rows(shop: Platform) -> ImportRun:
    """An import with a row of errors and one that waits for each of what they were known by before."""
    run = ImportRunFactory(platform=shop, status=ImportRun.Status.CHECKED)
    rows = [{name: value.upper() if name == "email" else value} for name, value in OLD.items()]
    said = [{**row, "first_name": f"zq-{name}"} for row, name in zip(rows, OLD, strict=True)]
    for line, values in enumerate(said, 10):
        BrokenRow.objects.create(run=run, line=line, values=values, errors=[])
    run.chunks.create(number=1, rows=[{"line": 10, "values": values, "faults": []} for values in said])
    assert found("zq-email", "zq-phone", "zq-external_ref")
    return run


def erase(customer: Customer) -> None:
    customer.refresh_from_db()
    privacy.erase_now(customer=customer)


def left() -> list[str]:
    """Return in which tables anything stands still of what they were known by."""
    return sorted({table for table, _ in found("zq", "ZQ", "Zq", "493023125099", "493023125098")})


def person(platform: Platform, **values: str) -> Customer:
    return CustomerFactory(platform=platform, **{"first_name": "zq", **values})


def test_erasure__of_who_was_edited__forgets_what_they_were_known_by(kept_rows: ImportRun) -> None:
    customer = person(kept_rows.platform, **OLD)
    for values in (NEW, {"first_name": "zq zq"}):
        services.update_customer(customer=customer, values=values)
    was = CustomerEvent.objects.filter(customer=customer, kind="updated").values_list("data", flat=True)
    assert {"fields": list(OLD), "before": OLD} in list(was)
    assert {"fields": ["first_name"]} in list(was)
    told = MAP.export(kept_rows.platform, Person(customer=str(customer.pk)))
    assert len(told["rows of imports"]) == 6
    erase(customer)
    assert left() == []


def test_erasure__of_whom_an_import_changed__forgets_what_they_were_known_by(kept_rows: ImportRun) -> None:
    customer = person(kept_rows.platform, **OLD)
    for match, values in (
        (Match.EXTERNAL_REF, {"external_ref": OLD["external_ref"], "email": NEW["email"], "phone": NEW["phone"]}),
        (Match.EMAIL, {"email": NEW["email"], "external_ref": NEW["external_ref"]}),
    ):
        row = Row(line=1, values=values)
        upsert(platform=kept_rows.platform, rows=[row], match=match, policy=ErrorPolicy.SKIP_ROW)
    customer.refresh_from_db()
    assert (customer.email, customer.external_ref, str(customer.phone)) == tuple(
        NEW[name] for name in ("email", "external_ref", "phone")
    )
    erase(customer)
    assert left() == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_erasure__after_a_chain_of_merges__forgets_what_any_of_them_was_known_by(
    order: tuple[int, ...], kept_rows: ImportRun
) -> None:
    """Profiles are erased in the order of their keys, which is no order of the merges."""
    shop = kept_rows.platform
    three = sorted((CustomerFactory(platform=shop, first_name="zq") for _ in range(3)), key=lambda one: one.pk)
    a, b, c = (three[place] for place in order)
    # Each of them had one of the values, and gave it up for the other's.
    services.update_customer(customer=b, values={"email": OLD["email"]})
    merging.merge(kept=b, merged=c, choices={"email": "merged"})
    b.refresh_from_db()
    Customer.objects.filter(pk=a.pk).update(phone=OLD["phone"])
    Customer.objects.filter(pk=b.pk).update(phone=NEW["phone"], external_ref=OLD["external_ref"])
    CustomerEvent.objects.all().delete()
    merging.merge(kept=a, merged=b, choices={"email": "merged", "phone": "merged", "external_ref": "merged"})
    services.update_customer(customer=a, values=NEW)
    assert Merge.objects.filter(before__has_key="email").count() == 2
    erase(a)
    assert left() == []


@pytest.mark.parametrize("is_other_first", [False, True])
def test_erasure__after_an_undone_merge__forgets_theirs_and_keeps_the_others(
    is_other_first: bool, kept_rows: ImportRun
) -> None:
    shop = kept_rows.platform
    customer = person(shop, **OLD)
    other = CustomerFactory(
        platform=shop, email="other@example.com", phone="+493023125097", external_ref="other-ref", first_name="Other"
    )
    theirs = {"email": "other@example.com", "first_name": "Other"}
    row = BrokenRow.objects.create(run=kept_rows, line=90, values=theirs, errors=[])
    trail = merging.merge(kept=customer, merged=other, choices=dict.fromkeys(OLD, "merged"))
    # While the two are one, this is what they were known by.
    services.update_customer(customer=customer, values={"email": "both@example.com"})
    merging.undo(trail=trail)
    customer.refresh_from_db()
    Customer.objects.filter(pk=customer.pk).update(email="zq.new@example.com", external_ref="", phone="")
    if is_other_first:
        erase(other)
        row.refresh_from_db()
        assert row.values == {}
        trail.refresh_from_db()
        assert (trail.is_forgotten, trail.before["email"]) == (True, OLD["email"])
    erase(customer)
    assert left() == []
    row.refresh_from_db()
    assert (row.values == theirs) is not is_other_first


def test_erasure__what_is_somebody_elses_by_now__stays_in_their_rows(kept_rows: ImportRun) -> None:
    customer = person(kept_rows.platform, **OLD)
    services.update_customer(customer=customer, values=NEW)
    other = CustomerFactory(platform=kept_rows.platform, **{**OLD, "email": OLD["email"].lower()})
    erase(customer)
    assert len(imports.told(platform=kept_rows.platform, sought=imports.Sought.by(emails=[other.email]))) == 2
    assert BrokenRow.objects.exclude(values={}).count() == 4


def test_timeline__of_an_edit__says_nothing_of_before_where_there_was_nothing(shop: Platform) -> None:
    customer = CustomerFactory(platform=shop, phone="")
    services.update_customer(customer=customer, values={"phone": NEW["phone"]})
    data: Any = customer.events.latest("at").data
    assert data == {"fields": ["phone"]}
