"""Rows that name somebody who was merged: they find the kept one, add to it, and overwrite nothing that is there."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers import merging, services
from customers.models import Customer, ErrorPolicy, Match, Merge
from customers.upserts import Result, Row, upsert
from platforms.models import Platform
from tests.customers.conftest import Untouched
from tests.customers.doubles import counts, say
from tests.factories import AddressFactory, CustomerFactory

pytestmark = pytest.mark.django_db

BY_REF, BY_EMAIL = Match.EXTERNAL_REF, Match.EMAIL


def put(platform: Platform, *values: Mapping[str, str], match: Match = BY_REF, dry_run: bool = False) -> list[Result]:
    rows = [Row(line=line, values=said) for line, said in enumerate(values, 2)]
    return upsert(platform=platform, rows=rows, match=match, policy=ErrorPolicy.SKIP_ROW, dry_run=dry_run)


def outcomes(results: list[Result]) -> list[Any]:
    return [(result.outcome, *[(fault.attr, fault.code) for fault in result.faults]) for result in results]


# What a row says beside the key that it finds its customer by.
SAID = {
    "email": "m@example.com",
    "phone": "+493023125042",
    "first_name": "M.",
    "last_name": "Martin",
    "locale": "de",
    "external_ref": "C-9",
    "tags": "Gold",
    "vendors": "brindle",
    "address_line1": "1 quai de la Fosse",
    "address_line2": "2e étage",
    "address_city": "Nantes",
    "address_country": "FR",
}
KEYS = [(BY_REF, {"external_ref": "C-2"}), (BY_EMAIL, {"email": "OLD@example.com"})]


@pytest.fixture
def kept(maelle: Customer) -> Customer:
    """Maëlle, of whom everything is known, and who was somebody else, too."""
    values = {"phone": "+493023125043", "locale": "fr"}
    services.update_customer(customer=maelle, values=values)
    AddressFactory(customer=maelle, is_default=True)
    old = CustomerFactory(platform=maelle.platform, external_ref="C-2", email="old@example.com", phone="", locale="")
    merging.merge(kept=maelle, merged=old)
    maelle.refresh_from_db()
    return maelle


def emptied(customer: Customer, **values: str) -> Customer:
    """Have nothing be known of a customer but what they were merged from, and these."""
    customer.addresses.all().delete()
    blank = dict.fromkeys(services.FIELDS, "")
    return services.update_customer(customer=customer, values={**blank, "first_name": "Maëlle", **values})


@pytest.mark.parametrize(("match", "key"), KEYS)
def test_former_key__of_one_of_whom_all_is_known__adds_and_overwrites_nothing(
    match: Match, key: dict[str, str], kept: Customer
) -> None:
    before = {name: str(getattr(kept, name)) for name in services.FIELDS}
    count = Customer.objects.count()
    for dry_run in (True, False):
        [result] = put(kept.platform, {**SAID, **key}, match=match, dry_run=dry_run)
        assert (result.outcome, result.customer) == ("updated", kept.pk)
    kept.refresh_from_db()
    assert {name: str(getattr(kept, name)) for name in services.FIELDS} == before
    assert [tag.name for tag in kept.tags.all()] == ["Gold"]
    assert list(kept.addresses.values_list("line1", "line2", "city")) == [("12 rue de Siam", "", "Brest")]
    assert kept.events.latest("at").data == {"fields": ["tags"]}
    assert Customer.objects.count() == count


@pytest.mark.parametrize(("match", "key"), KEYS)
def test_former_key__of_one_of_whom_little_is_known__fills_what_is_blank(
    match: Match, key: dict[str, str], kept: Customer
) -> None:
    emptied(kept)
    said = {**SAID, **key}
    [result] = put(kept.platform, said, match=match)
    kept.refresh_from_db()
    assert (result.outcome, kept.first_name, kept.last_name) == ("updated", "Maëlle", "Martin")
    assert (str(kept.phone), kept.locale) == ("+493023125042", "de")
    assert list(kept.addresses.values_list("line1", "city")) == [("1 quai de la Fosse", "Nantes")]
    # What the merged one was known by is not; what is new is.
    by_ref = match == BY_REF
    assert (kept.email, kept.external_ref) == (("m@example.com", "") if by_ref else ("", "C-9"))


def test_former_key__both_keys_of_who_was_merged__staff_left_them_blank_and_the_merge_can_be_undone(
    kept: Customer,
) -> None:
    emptied(kept)
    said = {"external_ref": "C-2", "email": "old@example.com"}
    assert outcomes(put(kept.platform, said)) == [("unchanged",)]
    kept.refresh_from_db()
    assert (kept.email, kept.external_ref) == ("", "")
    merging.undo(trail=Merge.objects.get())


def test_former_key__night_after_night_beside_the_kept_one__nothing_flips(kept: Customer, untouched: Untouched) -> None:
    names = ("email", "first_name", "address_city")
    night = [
        {"external_ref": "C-1", "email": "k@example.com", "first_name": "Maëlle", "address_city": "Brest"},
        {"external_ref": "C-2", **{name: SAID[name] for name in names}},
    ]
    put(kept.platform, *night)
    for rows in (night, night[::-1]):
        with untouched():
            assert outcomes(put(kept.platform, *rows)) == [("unchanged",)] * 2


@pytest.mark.parametrize(
    ("channel", "filled"),
    [("email", {"phone"}), ("sms", {"email"}), ("phone", {"email"}), ("post", {"email", "phone"})],
)
def test_former_key__beside_a_consent__no_address_or_number_is_filled_that_it_would_count_for(
    channel: str, filled: set[str], kept: Customer
) -> None:
    say(kept, "counts", channel)
    emptied(kept)
    assert counts(kept, channel)
    said = {"external_ref": "C-2", "email": SAID["email"], "phone": SAID["phone"]}
    assert outcomes(put(kept.platform, said)) == [("updated",)]
    kept.refresh_from_db()
    assert {name for name in ("email", "phone") if getattr(kept, name)} == filled


def test_former_key__after_a_withdrawal__is_filled_and_stays_withdrawn(kept: Customer) -> None:
    say(kept, "withdrawn", "email")
    emptied(kept)
    put(kept.platform, {"external_ref": "C-2", "email": SAID["email"]})
    kept.refresh_from_db()
    assert kept.email == SAID["email"]
    assert not counts(kept)


def test_former_key__what_is_not_taken__is_not_judged_and_what_is_filled_is(kept: Customer) -> None:
    CustomerFactory(platform=kept.platform, email="taken@example.com")
    said = {"external_ref": "C-2", "email": "taken@example.com", "phone": "1", "address_country": "XX"}
    assert outcomes(put(kept.platform, said)) == [("unchanged",)]
    emptied(kept)
    faults = [("email", "unique"), ("phone", "invalid")]
    [result] = put(kept.platform, said)
    assert {(fault.attr, fault.code) for fault in result.faults} >= set(faults)


def test_former_key__among_other_rows__costs_one_query_more(kept: Customer) -> None:
    platform = kept.platform

    def queries(ref: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            put(platform, *({"external_ref": f"{ref}{n or ''}", "locale": "fr"} for n in range(20)), dry_run=True)
        return len(asked)

    assert queries("C-2") == queries("C-1") + 1


def test_known__by_what_a_merged_and_an_open_one_are_known_by__open_one_wins(maelle: Customer) -> None:
    old = CustomerFactory(platform=maelle.platform, external_ref="C-2", email="")
    merging.merge(kept=maelle, merged=old)
    now = CustomerFactory(platform=maelle.platform, external_ref="C-2", email="")
    [result] = put(maelle.platform, {"external_ref": "C-2", "last_name": "Martin"})
    assert result.customer == now.pk


def test_row__with_the_email_of_who_was_merged__may_take_it(maelle: Customer) -> None:
    old = CustomerFactory(platform=maelle.platform, external_ref="C-2", email="old@example.com")
    merging.merge(kept=maelle, merged=old)
    results = put(maelle.platform, {"external_ref": "C-3", "email": "old@example.com"})
    assert outcomes(results) == [("created",)]


def test_known__merged_into_who_was_erased__is_nobody(maelle: Customer) -> None:
    old = CustomerFactory(platform=maelle.platform, external_ref="C-2", email="")
    merging.merge(kept=maelle, merged=old)
    Customer.objects.filter(pk=maelle.pk).update(status="erased")
    assert outcomes(put(maelle.platform, {"external_ref": "C-2", "last_name": "Martin"})) == [("created",)]
