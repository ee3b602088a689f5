"""What was said between a merge and its undoing: no withdrawal is lost, and no consent counts for another mailbox."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from customers import consents, merging, services
from customers.models import ConsentRecord, Customer
from platforms.models import Platform
from tests.customers.doubles import counts, say
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db

CHANNELS = ("email", "sms", "post")


@pytest.fixture
def pair(shop: Platform) -> tuple[Customer, Customer]:
    """One who is kept, and one whose mailbox and number the kept one takes over."""
    kept = CustomerFactory(platform=shop, email="kay@example.com", phone="+493023125001")
    merged = CustomerFactory(platform=shop, email="em@example.com", phone="+493023125002")
    return kept, merged


def merge_and_undo(kept: Customer, merged: Customer, between: Callable[[Customer], object], **choices: str) -> None:
    trail = merging.merge(kept=kept, merged=merged, choices=choices)
    between(Customer.objects.get(pk=kept.pk))
    merging.undo(trail=trail)


def withdraw_all(customer: Customer) -> None:
    for channel in CHANNELS:
        say(customer, "withdrawn", channel)


def agree_to_all(customer: Customer) -> None:
    for channel in CHANNELS:
        say(customer, "counts", channel)


THEIRS = {"email": "merged", "phone": "merged"}


@pytest.mark.parametrize("choices", [{}, THEIRS], ids=["own mailbox", "the other's mailbox"])
@pytest.mark.parametrize("agreed", ["kept", "merged", "both"])
def test_undo__withdrawn_since__withdrawn_on_both_sides(
    agreed: str, choices: dict[str, str], pair: tuple[Customer, Customer]
) -> None:
    kept, merged = pair
    for customer, side in zip(pair, ("kept", "merged"), strict=True):
        if agreed in (side, "both"):
            agree_to_all(customer)
    merge_and_undo(kept, merged, withdraw_all, **choices)
    assert not [channel for customer in pair for channel in CHANNELS if counts(customer, channel)]
    # Of one who never said anything nothing is written down either.
    assert merged.consents.filter(source="merge undone").count() == (0 if agreed == "kept" else len(CHANNELS))


def test_undo__waits_for_a_click_and_withdrawn_since__the_link_does_not_count(pair: tuple[Customer, Customer]) -> None:
    kept, merged = pair
    line = consents.give(customer=merged, channel="email", purpose="marketing", source="checkout")
    token = consents.confirmation_token(line, merged)
    merge_and_undo(kept, merged, withdraw_all)
    with pytest.raises(ValidationError, match="does not count any more"):
        consents.confirm(platform=merged.platform, token=token)
    assert not counts(merged)


def test_undo__agreed_since_for_a_mailbox_that_goes_back__counts_for_neither(pair: tuple[Customer, Customer]) -> None:
    kept, merged = pair
    merge_and_undo(kept, merged, agree_to_all, **THEIRS)
    assert [channel for channel in CHANNELS if counts(kept, channel)] == ["post"]
    assert [channel for channel in CHANNELS if counts(merged, channel)] == []


def test_undo__agreed_since_for_their_own_mailbox__stands(pair: tuple[Customer, Customer]) -> None:
    kept, merged = pair
    merge_and_undo(kept, merged, agree_to_all)
    assert [channel for channel in CHANNELS if counts(kept, channel)] == list(CHANNELS)
    assert [channel for channel in CHANNELS if counts(merged, channel)] == []


def test_undo__agreed_before_and_again_since_for_the_others_mailbox__counts_as_before(
    pair: tuple[Customer, Customer],
) -> None:
    kept, merged = pair
    agree_to_all(kept)
    merge_and_undo(kept, merged, agree_to_all, **THEIRS)
    assert [channel for channel in CHANNELS if counts(kept, channel)] == list(CHANNELS)
    assert [channel for channel in CHANNELS if counts(merged, channel)] == []


def test_undo__mailbox_that_is_the_kept_ones_own_by_now__its_consent_stands(pair: tuple[Customer, Customer]) -> None:
    kept, merged = pair

    def move_and_agree(customer: Customer) -> None:
        moved = services.update_customer(customer=customer, values={"email": "new@example.com"})
        say(moved, "counts", "email")

    merge_and_undo(kept, merged, move_and_agree, **THEIRS)
    kept.refresh_from_db()
    assert (kept.email, counts(kept), counts(merged)) == ("new@example.com", True, False)


def test_undo__two_merges__what_one_of_them_wrote_was_said_by_nobody(pair: tuple[Customer, Customer]) -> None:
    kept, first = pair
    second = CustomerFactory(platform=kept.platform, email="second@example.com")
    for customer in (first, second):
        agree_to_all(customer)
    trails = []
    for merged in (first, second):
        trails.append(merging.merge(kept=Customer.objects.get(pk=kept.pk), merged=merged))
    for trail in reversed(trails):
        merging.undo(trail=trail)
    assert [[channel for channel in CHANNELS if counts(customer, channel)] for customer in (kept, first, second)] == [
        [],
        list(CHANNELS),
        list(CHANNELS),
    ]


def test_undo__two_merges_and_withdrawn_between__reaches_the_first_and_not_the_second(
    pair: tuple[Customer, Customer],
) -> None:
    kept, first = pair
    second = CustomerFactory(platform=kept.platform, email="second@example.com")
    for customer in (first, second):
        say(customer, "counts", "post")
    one = merging.merge(kept=kept, merged=first)
    say(Customer.objects.get(pk=kept.pk), "withdrawn", "post")
    other = merging.merge(kept=Customer.objects.get(pk=kept.pk), merged=second)
    merging.undo(trail=other)
    merging.undo(trail=one)
    assert [counts(customer, "post") for customer in (kept, first, second)] == [False, False, True]


def test_undo__lines_that_were_there__are_never_touched(pair: tuple[Customer, Customer]) -> None:
    kept, merged = pair
    agree_to_all(merged)
    before = list(ConsentRecord.objects.order_by("pk").values())
    merge_and_undo(kept, merged, withdraw_all)
    assert list(ConsentRecord.objects.filter(pk__in=[line["id"] for line in before]).order_by("pk").values()) == before
