"""Merges at once, of the same two, in a ring, against an update: one wins, the others are told, nothing is half."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from customers import consents, duplicates, merging, services
from customers.models import Customer, DuplicatePair, Merge
from platforms.conflicts import Conflict
from platforms.models import Platform
from tests.factories import CustomerFactory
from tests.modules.building import enable

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5


@pytest.fixture
def place(kestrel: Platform) -> Platform:
    """Kestrel with customers on."""
    enable(kestrel, "customers")
    return kestrel


def at_once(*calls: Callable[[], Any]) -> list[str]:
    """Make these calls at the same moment, each on a connection of its own; return what came of each of them."""
    barrier = threading.Barrier(len(calls))
    outcomes = [""] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
        try:
            barrier.wait(timeout=20)
            call()
            outcomes[number] = "done"
        except Conflict as error:
            outcomes[number] = error.code
        except ValidationError as error:
            outcomes[number] = str(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number, call)) for number, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcomes


def check_whole() -> None:
    """Everybody who was merged has a trail, a line on both sides, and leads to somebody who is open."""
    for trail in Merge.objects.filter(undone_at=None).select_related("kept", "merged__merged_into"):
        assert trail.merged.status == "merged"
        assert trail.merged.merged_into is not None
        assert trail.merged.merged_into.is_open
        assert trail.merged.events.filter(kind="merged", data__into=str(trail.kept_id)).count() == 1
    assert Customer.objects.filter(status="merged").count() == Merge.objects.filter(undone_at=None).count()


def test_race__the_same_two__are_merged_once(place: Platform) -> None:
    for _ in range(ROUNDS):
        one, two = CustomerFactory.create_batch(2, platform=place)
        outcomes = at_once(
            lambda one=one, two=two: merging.merge(kept=one, merged=two),
            lambda one=one, two=two: merging.merge(kept=two, merged=one),
            lambda one=one, two=two: merging.merge(kept=one, merged=two),
        )
        assert sorted(outcomes) == ["closed", "closed", "done"]
        check_whole()


def test_race__in_a_ring__nobody_waits_for_ever_and_one_is_left(place: Platform) -> None:
    for _ in range(ROUNDS):
        people = CustomerFactory.create_batch(4, platform=place)
        calls = [
            lambda kept=kept, merged=merged: merging.merge(kept=kept, merged=merged)
            for kept, merged in zip(people, [*people[1:], people[0]], strict=True)
        ]
        outcomes = at_once(*calls)
        assert set(outcomes) <= {"done", "closed"}
        assert outcomes.count("done") >= 2
        check_whole()


def test_race__against_an_update__either_is_first_and_none_is_lost(place: Platform) -> None:
    for _ in range(ROUNDS):
        one, two = CustomerFactory.create_batch(2, platform=place)
        digest = merging.preview(one, two).digest
        merged, updated = at_once(
            lambda one=one, two=two, digest=digest: merging.merge(kept=one, merged=two, digest=digest),
            lambda two=two: services.update_customer(customer=two, values={"phone": "+493023125042"}),
        )
        assert (merged, updated) in {("done", "closed"), ("stale", "done")}
        two.refresh_from_db()
        assert (two.status, str(two.phone)) == (("merged", "") if merged == "done" else ("active", "+493023125042"))
        check_whole()


def test_race__against_a_withdrawal__it_counts_nowhere_or_is_refused_to_who_can_say_it_again(place: Platform) -> None:
    said = {"channel": "post", "purpose": "marketing"}
    for _ in range(ROUNDS):
        one, two = CustomerFactory.create_batch(2, platform=place)
        consents.give(customer=two, **said, source="checkout")
        merged, withdrawn = at_once(
            lambda one=one, two=two: merging.merge(kept=one, merged=two),
            lambda two=two: consents.withdraw(customer=two, **said, source="mail"),
        )
        assert merged == "done"
        assert withdrawn in ("done", "closed")
        assert consents.is_given(customer=one, **said) == (withdrawn == "closed")


def test_race__undone_twice__is_undone_once(place: Platform) -> None:
    for _ in range(ROUNDS):
        one, two = CustomerFactory.create_batch(2, platform=place)
        trail = merging.merge(kept=one, merged=two)
        undo = [lambda trail=trail: merging.undo(trail=trail)] * 3
        assert sorted(at_once(*undo)) == ["done", "undone", "undone"]
        check_whole()


def test_race__scans_and_a_dismissal__what_staff_said_stays(place: Platform) -> None:
    CustomerFactory.create_batch(2, platform=place, phone="+493023125042")
    duplicates.find(platform=place)
    for _ in range(ROUNDS):
        pair = duplicates.reopen(pair=DuplicatePair.objects.get())
        scan = [lambda: duplicates.find(platform=place)] * 2
        outcomes = at_once(*scan, lambda pair=pair: duplicates.dismiss(pair=pair))
        assert outcomes == ["done"] * 3
        assert DuplicatePair.objects.get().status == "dismissed"
