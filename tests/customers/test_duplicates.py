"""Who may be the same person twice: found by what they share, put to staff, and never put to them again against it."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from customers import duplicates, merging, services, tasks
from customers.models import Customer, DuplicatePair
from modules import events
from modules import services as module_services
from modules.models import Delivery, TaskRun
from platforms.access import Actor
from platforms.models import Platform, User
from tests.customers.conftest import Untouched
from tests.factories import CustomerFactory
from tests.modules.building import origin

pytestmark = pytest.mark.django_db

Found = set[tuple[frozenset[str], tuple[str, ...]]]


def found(platform: Platform) -> Found:
    duplicates.find(platform=platform)
    return {(frozenset({str(one.a), str(one.b)}), tuple(one.why)) for one in DuplicatePair.objects.all()}


def pair(*names: str) -> frozenset[str]:
    return frozenset(names)


def match_by(platform: Platform, *words: str) -> None:
    config = {"duplicate_match": list(words)}
    module_services.configure(platform=platform, module="customers", config=config, origin=origin())


@pytest.fixture
def people(shop: Platform) -> Callable[..., list[Customer]]:
    """Make a customer of each of these: name, e-mail address and phone number."""

    def make(*said: tuple[str, str, str]) -> list[Customer]:
        return [
            CustomerFactory.create(platform=shop, first_name=name, last_name="", email=email, phone=phone)
            for name, email, phone in said
        ]

    return make


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("m.dubois@example.com", "mdubois@example.com", True),
        ("m.dubois+shop@example.com", "M.Dubois@EXAMPLE.com", True),
        ("m.dubois+a+b@example.com", "mdubois+c@example.com", True),
        ("m.dubois@example.com", "m.dubois@other.example", False),
        ("m.dubois@example.com", "m.dubois@exam.ple.com", False),
        ("m_dubois@example.com", "mdubois@example.com", False),
        ("+one@example.com", "+two@example.com", False),
        ("", "", False),
    ],
)
def test_find__by_mailbox__without_dots_and_tags(
    one: str, other: str, same: bool, people: Callable[..., list[Customer]], shop: Platform
) -> None:
    people(("A", one, ""), ("B", other, ""))
    assert found(shop) == ({(pair("A", "B"), ("email",))} if same else set())


def test_find__by_phone__says_all_that_they_share(people: Callable[..., list[Customer]], shop: Platform) -> None:
    people(("A", "a@example.com", "+493023125042"), ("A", "", "+493023125042"), ("B", "", "+493023125043"))
    assert found(shop) == {(pair("A"), ("phone", "name"))}
    assert DuplicatePair.objects.get().strength == 3


def test_find__by_name__only_where_the_platform_says_so(people: Callable[..., list[Customer]], shop: Platform) -> None:
    people(("Maëlle", "", ""), ("MAELLE", "", ""), ("Yann", "", ""))
    assert found(shop) == set()
    match_by(shop, "name", "name")
    assert found(shop) == {(pair("Maëlle", "MAELLE"), ("name",))}
    match_by(shop)
    assert found(shop) == set()


@pytest.mark.parametrize("word", ["email", "phone", "name"])
def test_find__shared_by_very_many__makes_no_pairs(
    word: str, people: Callable[..., list[Customer]], shop: Platform
) -> None:
    match_by(shop, word)
    most = duplicates.MOST[word]
    for number in range(most + 1):
        people(("Maëlle", f"m.d+{number}@example.com", "+493023125042"))
        made = found(shop)
        count = (number + 1) if number < most else 0
        assert len(made) == (1 if count > 1 else 0)
        assert DuplicatePair.objects.count() == count * (count - 1) // 2


def test_find__on_another_platform_or_closed__is_no_pair(
    people: Callable[..., list[Customer]], shop: Platform, tidewater: Platform
) -> None:
    _, two, three = people(*((name, "", "+493023125042") for name in ("A", "B", "C")))
    CustomerFactory(platform=tidewater, phone="+493023125042")
    Customer.objects.filter(pk=three.pk).update(status="erased")
    services.block_customer(customer=two)
    assert found(shop) == {(pair("A", "B"), ("phone",))}


def test_find__again__keeps_pairs_and_what_staff_said(
    people: Callable[..., list[Customer]], shop: Platform, ann: User, untouched: Untouched
) -> None:
    one, two = people(("A", "", "+493023125042"), ("B", "", "+493023125042"))
    found(shop)
    dismissed = duplicates.dismiss(pair=DuplicatePair.objects.get(), by=Actor(ann))
    services.update_customer(customer=one, values={"first_name": "B"})
    assert found(shop) == {(pair("B"), ("phone", "name"))}
    kept = DuplicatePair.objects.get()
    assert (kept.pk, kept.found_at, kept.status) == (dismissed.pk, dismissed.found_at, "dismissed")
    assert (kept.dismissed_at, kept.dismissed_by, kept.seen_at > dismissed.seen_at) == (
        dismissed.dismissed_at,
        "ann",
        True,
    )
    with untouched():
        duplicates.dismiss(pair=kept, by=Actor(ann))
    reopened = duplicates.reopen(pair=kept)
    assert (reopened.status, reopened.dismissed_at, reopened.dismissed_by) == ("open", None, "")
    services.update_customer(customer=two, values={"phone": ""})
    assert found(shop) == set()
    with pytest.raises(DuplicatePair.DoesNotExist):
        duplicates.dismiss(pair=kept)


def test_find__dismissed_and_none_for_a_while__is_not_put_to_staff_again(
    people: Callable[..., list[Customer]], shop: Platform
) -> None:
    one, two = people(("A", "", "+493023125042"), ("B", "", "+493023125042"))
    found(shop)
    dismissed = duplicates.dismiss(pair=DuplicatePair.objects.get())
    services.update_customer(customer=two, values={"phone": ""})
    duplicates.find(platform=shop)
    services.update_customer(customer=two, values={"phone": "+493023125042"})
    duplicates.find(platform=shop)
    assert DuplicatePair.objects.get(pk=dismissed.pk).status == "dismissed"
    merging.merge(kept=one, merged=two)
    duplicates.find(platform=shop)
    assert not DuplicatePair.objects.exists()


def test_find__an_older_scan_that_comes_late__takes_nothing_away(
    people: Callable[..., list[Customer]], shop: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(("A", "", "+493023125042"), ("B", "", "+493023125042"))
    before = duplicates.timezone.now()
    found(shop)
    newer = list(DuplicatePair.objects.values())
    monkeypatch.setattr(duplicates.timezone, "now", lambda: before)
    duplicates.find(platform=shop)
    assert list(DuplicatePair.objects.values()) == newer


def test_live__of_whom_one_was_merged__is_hidden_at_once_and_back_with_them(
    people: Callable[..., list[Customer]], shop: Platform
) -> None:
    people(*((name, "", "+493023125042") for name in ("A", "B", "C")))
    found(shop)
    assert DuplicatePair.objects.live().count() == 3
    first = DuplicatePair.objects.select_related("a", "b").earliest("pk")
    trail = merging.merge(kept=first.a, merged=first.b)
    assert DuplicatePair.objects.live().count() == 1
    merging.undo(trail=trail)
    assert DuplicatePair.objects.live().count() == 3


@pytest.mark.parametrize("count", [2, 40])
def test_find__many_customers__same_queries(
    count: int, people: Callable[..., list[Customer]], shop: Platform, django_assert_num_queries: Any
) -> None:
    numbers: Iterable[int] = range(count)
    people(*((f"A{number}", "", f"+4930231250{number // 2:02}") for number in numbers))
    duplicates.find(platform=shop)
    with django_assert_num_queries(5):
        duplicates.find(platform=shop)
    assert DuplicatePair.objects.count() == count // 2


def test_task__performed__finds(people: Callable[..., list[Customer]], shop: Platform) -> None:
    people(("A", "", "+493023125042"), ("B", "", "+493023125042"))
    tasks.find_duplicates.function(platform=shop)
    assert DuplicatePair.objects.count() == 1


def test_import__completed__has_duplicates_looked_for(shop: Platform) -> None:
    events.emit("customers.import_completed", platform=shop)
    events.perform(Delivery.objects.get(module="customers").pk)
    run = TaskRun.objects.get(task="customers.find_duplicates")
    assert run.platform_id == shop.pk
