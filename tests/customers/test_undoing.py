"""A merge that was wrong is undone: what went over goes back, and what was said since stays said."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from customers import merging, privacy, services
from customers.models import Address, Customer, CustomerEvent, CustomerVendor, Merge, Note, Tag
from modules.models import Event
from platforms.access import Actor
from platforms.models import Platform, User, Vendor
from tests.customers.conftest import Untouched
from tests.customers.doubles import STATES, codes, counts, say, told
from tests.factories import AddressFactory, CustomerFactory, NoteFactory, TagFactory, VendorFactory

pytestmark = pytest.mark.django_db


# Written anew by every change, and by nothing else.
_CLOCKS = {"updated_at"}


def rows(*customers: Customer) -> dict[str, list[dict[str, Any]]]:
    """Return all that hangs on these customers, but the ledger, to which lines are only ever added, and the trail."""
    keys = [customer.pk for customer in customers]
    found = {
        "customers": Customer.objects.filter(pk__in=keys),
        "vendors": CustomerVendor.objects.filter(customer__in=keys),
        "tags": Customer.tags.through.objects.filter(customer__in=keys),
        "addresses": Address.objects.filter(customer__in=keys),
        "notes": Note.objects.filter(customer__in=keys),
        "timeline": CustomerEvent.objects.filter(customer__in=keys).exclude(kind__in=("merged", "unmerged", "consent")),
    }
    return {
        kind: [
            {name: value for name, value in row.items() if name not in _CLOCKS} for row in rows.order_by("pk").values()
        ]
        for kind, rows in found.items()
    }


def populate(chance: random.Random, customer: Customer, vendors: list[Vendor], tags: list[Tag]) -> None:
    """Give a customer some of everything."""
    values = {
        "phone": chance.choice(["", "+493023125001", "+493023125002"]),
        "first_name": chance.choice(["", "Maëlle", "M."]),
        "locale": chance.choice(["", "fr", "de"]),
        "external_ref": chance.choice(["", f"R-{customer.pk}"]),
        "tags": chance.sample(tags, chance.randrange(3)),
        "vendors": chance.sample(vendors, chance.randrange(3)),
    }
    services.update_customer(customer=customer, values=values)
    for _ in range(chance.randrange(4)):
        AddressFactory(
            customer=customer,
            kind=chance.choice(["shipping", "billing"]),
            line1=chance.choice(["1 rue de Siam", "2 rue de Siam"]),
            country="FR",
        )
    for kind in ("shipping", "billing"):
        address = customer.addresses.filter(kind=kind).first()
        if address is not None and chance.random() < 0.6:
            address.is_default = True
            services.save_address(address=address)
    for _ in range(chance.randrange(3)):
        NoteFactory(customer=customer)
    if chance.random() < 0.3:
        services.block_customer(customer=customer)
    for channel in ("post", "email"):
        say(customer, chance.choice(STATES), channel)


@pytest.mark.parametrize("seed", range(25))
def test_undo__right_after__every_row_is_as_it_was(seed: int, shop: Platform) -> None:
    chance = random.Random(seed)
    vendors = VendorFactory.create_batch(3, platform=shop)
    tags = TagFactory.create_batch(3, platform=shop)
    people = CustomerFactory.create_batch(3, platform=shop)
    for customer in people:
        populate(chance, customer, vendors, tags)
    kept, merged, other = people
    choices = {name: chance.choice(merging.SIDES) for name in services.FIELDS if chance.random() < 0.5}
    earlier = merging.merge(kept=merged, merged=other) if chance.random() < 0.3 else None
    before = rows(kept, merged)
    stood = [counts(customer, channel) for customer in (kept, merged) for channel in ("post", "email")]
    digest = merging.preview(*(Customer.objects.get(pk=one.pk) for one in (kept, merged))).digest

    trail = merging.merge(kept=kept, merged=merged, choices=choices, digest=digest)
    assert rows(kept, merged) != before
    undoing = merging.undo(trail=trail)

    assert rows(kept, merged) == before
    assert stood == [counts(customer, channel) for customer in (kept, merged) for channel in ("post", "email")]
    assert set(undoing.restored) == set(trail.before)
    assert undoing.newer == ()
    if earlier is not None:
        assert Customer.objects.get(pk=other.pk).merged_into_id == merged.pk


def test_undo__whole__in_both_timelines_and_told(maelle: Customer, double: Customer, ann: User) -> None:
    trail = merging.merge(kept=maelle, merged=double)
    Event.objects.all().delete()
    merging.undo(trail=trail, by=Actor(ann))
    trail.refresh_from_db()
    assert (trail.undone_at is not None, trail.undone_by) == (True, "ann")
    assert maelle.events.get(kind="unmerged").data == {"merged": str(double.pk), "newer": []}
    assert double.events.get(kind="unmerged").data == {"into": str(maelle.pk)}
    said = {"customer": str(maelle.pk), "merged": str(double.pk)}
    assert [data for name, data in told() if name == "customers.unmerged"] == [said]
    # Post was agreed to by the other one alone.
    assert [data["action"] for name, data in told() if name == "customers.consent_changed"] == ["withdrawn"]


def test_undo__changed_since__the_newer_stays_and_is_named(maelle: Customer, double: Customer) -> None:
    trail = merging.merge(kept=maelle, merged=double, choices={"email": "merged"})
    services.update_customer(customer=maelle, values={"locale": "de", "last_name": "Le Goff"})
    moved = maelle.addresses.get(city="Nantes")
    moved.is_default, moved.line2 = True, "2e étage"
    services.save_address(address=moved)
    services.delete_note(note=maelle.notes.get())
    added = NoteFactory(customer=maelle)

    undoing = merging.undo(trail=trail)

    maelle.refresh_from_db()
    double.refresh_from_db()
    assert (undoing.restored, undoing.newer) == (("email", "phone"), ("locale",))
    assert (maelle.email, str(maelle.phone), maelle.locale, maelle.last_name) == (
        "Maelle@Example.com",
        "",
        "de",
        "Le Goff",
    )
    assert (double.email, double.email_key, double.is_open) == ("m.dubois@example.com", "m.dubois@example.com", True)
    assert list(maelle.notes.all()) == [added]
    assert not double.notes.exists()
    assert set(double.addresses.filter(is_default=True).values_list("kind", "line2")) == {
        ("shipping", "2e étage"),
        ("billing", ""),
    }


def test_undo__another_default_made_of_what_went_over__the_one_that_stayed_is_theirs(
    maelle: Customer, double: Customer
) -> None:
    # Word for word the address that both have, which stays with the merged one.
    double.addresses.filter(is_default=True).update(is_default=False)
    double.addresses.filter(line1=maelle.addresses.get().line1, kind="shipping").update(is_default=True)
    trail = merging.merge(kept=maelle, merged=double)
    moved = maelle.addresses.get(city="Nantes")
    moved.is_default = True
    services.save_address(address=moved)
    merging.undo(trail=trail)
    moved.refresh_from_db()
    assert (moved.customer, moved.is_default) == (double, False)
    assert double.addresses.get(kind="shipping", is_default=True).line1 == maelle.addresses.get().line1


def _undo_twice(trail: Merge, maelle: Customer, double: Customer) -> None:
    merging.undo(trail=trail)


def _erase(trail: Merge, maelle: Customer, double: Customer) -> None:
    Customer.objects.filter(pk=maelle.pk).update(status="erased")


def _forget(trail: Merge, maelle: Customer, double: Customer) -> None:
    merging.forget(customer=double)


def _merge_on(trail: Merge, maelle: Customer, double: Customer) -> None:
    merging.merge(kept=CustomerFactory(platform=maelle.platform), merged=maelle)


def _merge_another(trail: Merge, maelle: Customer, double: Customer) -> None:
    merging.merge(kept=maelle, merged=CustomerFactory(platform=maelle.platform))


def _ask_to_be_forgotten(trail: Merge, maelle: Customer, double: Customer) -> None:
    privacy.request_erasure(customer=maelle, source="email")


def _hold(trail: Merge, maelle: Customer, double: Customer) -> None:
    privacy.hold(request=privacy.request_erasure(customer=maelle, source="email"), reason="A lawsuit.")


def _take_email(trail: Merge, maelle: Customer, double: Customer) -> None:
    CustomerFactory(platform=maelle.platform, email="M.Dubois@example.com")


def _take_ref_of_kept(trail: Merge, maelle: Customer, double: Customer) -> None:
    CustomerFactory(platform=maelle.platform, external_ref="C-1")


def _take_email_oneself(trail: Merge, maelle: Customer, double: Customer) -> None:
    services.update_customer(customer=maelle, values={"email": "M.DUBOIS@example.com"})


@pytest.mark.parametrize(
    ("meanwhile", "code"),
    [
        (_undo_twice, "undone"),
        (_erase, "erased"),
        (_forget, "forgotten"),
        (_merge_on, "merged_on"),
        (_merge_another, "later_merge"),
        (_ask_to_be_forgotten, "privacy_request"),
        (_hold, "privacy_request"),
        (_take_email, "email_taken"),
        (_take_email_oneself, "email_taken"),
        (_take_ref_of_kept, "external_ref_taken"),
    ],
)
def test_undo__something_in_the_way__named_and_nothing_written(
    meanwhile: Callable[..., None], code: str, maelle: Customer, double: Customer, untouched: Untouched
) -> None:
    trail = merging.merge(kept=maelle, merged=double, choices={"external_ref": "merged"})
    meanwhile(trail, maelle, double)
    with untouched(), pytest.raises(merging.Blocked) as refused:
        merging.undo(trail=trail)
    assert codes(refused) == [code]
    assert [one.code for one in merging.preview_undo(trail).blockers] == [code]


def test_forget__either_of_the_two__strips_what_the_trail_says_of_people(maelle: Customer, double: Customer) -> None:
    trail = merging.merge(kept=maelle, merged=double, choices={"email": "merged"}, reason="Maëlle rang.")
    other = CustomerFactory(platform=maelle.platform)
    beside = merging.merge(kept=other, merged=CustomerFactory(platform=maelle.platform), reason="Stays.")
    merging.forget(customer=maelle)
    trail.refresh_from_db()
    beside.refresh_from_db()
    assert (trail.before, trail.reason, trail.is_forgotten, trail.moves["notes"]) == ({}, "", True, 1)
    assert (beside.reason, beside.is_forgotten) == ("Stays.", False)
    stored = str(Merge.objects.filter(pk=trail.pk).values())
    assert not any(text in stored for text in ("Example.com", "Maëlle", "+49"))
