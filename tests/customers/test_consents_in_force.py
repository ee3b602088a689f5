"""Which consents are in force: what the ledger comes to, after whatever was done."""

import random
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from customers import consents, merging, privacy
from customers.models import ConsentInForce, ConsentRecord, Customer, Merge
from platforms.models import Platform
from tests.customers.doubles import STATES, say
from tests.factories import CustomerFactory

BEFORE, AFTER = [("customers", "0007_privacy")], [("customers", "0008_consents_in_force")]


def in_force() -> set[tuple[Any, str, str]]:
    return set(ConsentInForce.objects.values_list("customer", "channel", "purpose"))


def as_the_ledger_says() -> set[tuple[Any, str, str]]:
    """Read the whole ledger: whose newest line counts, of customers who were not erased."""
    newest = {(line.customer_id, line.channel, line.purpose): line for line in ConsentRecord.objects.order_by("at")}
    there = set(Customer.objects.exclude(status="erased").values_list("pk", flat=True))
    return {key for key, line in newest.items() if line.counts and key[0] in there}


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(10))
def test_in_force__whatever_was_said_merged_and_undone__as_the_ledger_says(seed: int, shop: Platform) -> None:
    chance = random.Random(seed)
    people = CustomerFactory.create_batch(4, platform=shop)
    seen = set()
    for _ in range(40):
        one, other = (Customer.objects.get(pk=person.pk) for person in chance.sample(people, 2))
        step = chance.random()
        if step < 0.7 and one.is_open:
            say(one, chance.choice(STATES), chance.choice(["post", "email"]))
        elif step < 0.85 and one.is_open and other.is_open:
            merging.merge(kept=one, merged=other)
        elif trail := Merge.objects.filter(undone_at=None).order_by("-at").first():
            merging.undo(trail=trail)
        assert in_force() == as_the_ledger_says()
        seen |= in_force()
    # It was not for nothing.
    assert len(seen) > 3


@pytest.mark.django_db
def test_in_force__who_was_erased__agrees_to_nothing_though_the_ledger_is_kept(shop: Platform) -> None:
    erased, other = CustomerFactory.create_batch(2, platform=shop)
    for customer in (erased, other):
        consents.give(customer=customer, channel="post", purpose="marketing", source="checkout")
    privacy.erase_now(customer=erased)
    assert in_force() == as_the_ledger_says() == {(other.pk, "post", "marketing")}
    assert ConsentRecord.objects.count() == 2


@pytest.mark.django_db
def test_in_force__the_demo_story__as_its_ledger_says() -> None:
    call_command("demo", stdout=StringIO())
    assert in_force() == as_the_ledger_says()
    assert len(in_force()) > 100


@pytest.fixture
def old_database(transactional_db: None) -> Iterator[None]:
    """A database from before there was the table; all migrations are there again afterwards."""
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_migration__a_ledger_of_before__is_summed_up(old_database: None, shop: Platform) -> None:
    people = CustomerFactory.create_batch(4, platform=shop)
    for customer, state in zip(people, STATES, strict=False):
        say(customer, state, "email")
    gone = CustomerFactory(platform=shop)
    for customer in (*people, gone):
        consents.give(customer=customer, channel="post", purpose="marketing", source="checkout")
    consents.withdraw(customer=people[0], channel="post", purpose="marketing", source="checkout")
    privacy.erase_now(customer=gone)
    said = in_force()
    MigrationExecutor(connection).migrate(BEFORE)
    MigrationExecutor(connection).migrate(AFTER)
    assert in_force() == said == as_the_ledger_says()
    assert len(said) >= 3
