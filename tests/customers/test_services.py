"""Customers are written in one way: whole, with a line in the timeline, told to the others, and never once closed."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from customers import consents, services
from customers.models import Address, Customer, CustomerEvent, CustomerVendor, Note
from modules.models import Event
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.models import Platform, User, Vendor
from platforms.services import delete_platform
from tests.customers.conftest import Untouched
from tests.factories import AddressFactory, ConsentFactory, CustomerFactory, NoteFactory, TagFactory, VendorFactory

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, event.data) for event in Event.objects.order_by("at")]


def timeline(customer: Customer) -> list[tuple[str, str, dict[str, Any]]]:
    return [(line.kind, line.actor_label, line.data) for line in customer.events.order_by("at")]


def close(customer: Customer, status: str = "erased") -> None:
    into = CustomerFactory(platform=customer.platform) if status == "merged" else None
    Customer.objects.filter(pk=customer.pk).update(status=status, merged_into=into)


def errors_of(refused: pytest.ExceptionInfo[ValidationError]) -> set[tuple[str, str | None]]:
    return {(field, error.code) for field, found in refused.value.error_dict.items() for error in found}


# --- made and changed ----------------------------------------------------------------------------------------------


def test_create__whole__kept_as_typed_found_by_keys_and_told(shop: Platform, brindle: Vendor, ann: User) -> None:
    gold = TagFactory(platform=shop, name="Gold")
    values = {"email": "Maelle@Example.com", "phone": "+49 30 23125042", "first_name": "Maëlle", "tags": [gold]}

    made = services.create_customer(platform=shop, values={**values, "vendors": [brindle]}, by=Actor(ann))

    kept = Customer.objects.get()
    assert (kept.pk, kept.email, kept.email_key) == (made.pk, "Maelle@Example.com", "maelle@example.com")
    assert (str(kept.phone), kept.name_key, kept.status) == ("+493023125042", "maelle", "active")
    assert (list(kept.tags.all()), list(kept.vendors.all())) == ([gold], [brindle])
    assert timeline(kept) == [("created", "ann", {})]
    assert told() == [("customers.created", {"customer": str(kept.pk)})]
    assert Event.objects.get().actor_id == ann.pk


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {("__all__", "nobody")}),
        ({"email": "nobody"}, {("email", "invalid")}),
        ({"phone": "+49 1"}, {("phone", "invalid")}),
        ({"phone": "+49 30 23125042;ext=5"}, {("phone", "extension")}),
        ({"first_name": "x" * 101}, {("first_name", "max_length")}),
        ({"last_name": "a\x07b"}, {("last_name", "control_characters")}),
        ({"locale": "german", "first_name": "A"}, {("locale", "invalid_locale")}),
        ({"email": "MAELLE@example.COM"}, {("__all__", "email_taken")}),
        ({"external_ref": "C-1"}, {("__all__", "external_ref_taken")}),
        ({"email": "a@" + "ﷺ" * 60 + ".com"}, {("email", "max_length")}),
    ],
)
def test_create__bad_values__refused_and_nothing_written(
    values: dict[str, Any], expected: set[tuple[str, str]], maelle: Customer, untouched: Untouched
) -> None:
    with untouched(), pytest.raises(ValidationError) as refused:
        services.create_customer(platform=maelle.platform, values=values)
    assert errors_of(refused) == expected


def test_create__on_another_platform__same_address_and_reference_are_free(
    maelle: Customer, tidewater: Platform
) -> None:
    values = {"email": maelle.email, "external_ref": maelle.external_ref}
    assert services.create_customer(platform=tidewater, values=values).pk
    close(maelle)
    assert services.create_customer(platform=maelle.platform, values=values).pk


@pytest.mark.parametrize("field", ["tags", "vendors"])
def test_create__with_a_foreign_row__refused_and_nothing_written(
    field: str, shop: Platform, tidewater: Platform, untouched: Untouched
) -> None:
    foreign = TagFactory(platform=tidewater) if field == "tags" else VendorFactory(platform=tidewater)
    with untouched(), pytest.raises(ValidationError) as refused:
        services.create_customer(platform=shop, values={"first_name": "A", field: [foreign]})
    assert errors_of(refused) == {(field, "foreign")}


def test_create__unknown_field__is_our_own_mistake(shop: Platform, untouched: Untouched) -> None:
    with untouched(), pytest.raises(TypeError, match="status"):
        services.create_customer(platform=shop, values={"first_name": "A", "status": "erased"})


def test_update__some_fields__those_and_their_keys_are_written_and_told(maelle: Customer, ann: User) -> None:
    values = {"last_name": "Le Goff", "first_name": "Maëlle", "vendors": []}

    services.update_customer(customer=maelle, values=values, by=Actor(ann))

    maelle.refresh_from_db()
    assert (maelle.last_name, maelle.last_name_key) == ("Le Goff", "le goff maelle")
    assert not maelle.vendors.exists()
    assert timeline(maelle)[-1] == ("updated", "ann", {"fields": ["last_name", "vendors"]})
    said = {"customer": str(maelle.pk), "fields": ["last_name", "vendors"]}
    assert told() == [("customers.updated", said)]


def test_update__to_what_is_so_already__nothing_written(
    maelle: Customer, brindle: Vendor, untouched: Untouched
) -> None:
    with untouched():
        services.update_customer(customer=maelle, values={"email": maelle.email, "vendors": [brindle]})
        services.link_vendor(customer=maelle, vendor=brindle)
        services.unblock_customer(customer=maelle)


def test_update__address_of_another__refused_and_nothing_written(maelle: Customer, untouched: Untouched) -> None:
    other = CustomerFactory(platform=maelle.platform)
    with untouched(), pytest.raises(ValidationError):
        services.update_customer(customer=other, values={"email": "maelle@EXAMPLE.com", "first_name": "New"})


def test_link_vendor__another_one__is_added(maelle: Customer, brindle: Vendor) -> None:
    fernhill = VendorFactory(platform=maelle.platform)
    services.link_vendor(customer=maelle, vendor=fernhill)
    assert set(maelle.vendors.all()) == {brindle, fernhill}


def test_block__and_unblock__state_timeline_and_event(maelle: Customer, ann: User) -> None:
    services.block_customer(customer=maelle, by=Actor(ann), reason="Never pays.")
    maelle.refresh_from_db()
    assert maelle.status == "blocked"
    services.unblock_customer(customer=maelle, by=Actor(ann))
    maelle.refresh_from_db()
    assert maelle.status == "active"
    assert timeline(maelle)[-2:] == [
        ("blocked", "ann", {"reason": "Never pays."}),
        ("unblocked", "ann", {"reason": ""}),
    ]
    assert [name for name, _ in told()] == ["customers.updated"] * 2


# --- closed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["merged", "erased"])
def test_closed_customer__any_write__is_a_conflict_and_writes_nothing(
    status: str, maelle: Customer, brindle: Vendor, untouched: Untouched
) -> None:
    address, note = AddressFactory(customer=maelle), NoteFactory(customer=maelle)
    close(maelle, status)
    consent = {"customer": maelle, "channel": "post", "purpose": "marketing", "source": "desk"}
    writes = (
        lambda: services.update_customer(customer=maelle, values={"first_name": "New"}),
        lambda: services.block_customer(customer=maelle),
        lambda: services.unblock_customer(customer=maelle),
        lambda: services.link_vendor(customer=maelle, vendor=brindle),
        lambda: services.save_address(address=address),
        lambda: services.delete_address(address=address),
        lambda: services.add_note(customer=maelle, text="New"),
        lambda: services.delete_note(note=note),
        lambda: consents.give(**consent),
        lambda: consents.withdraw(**consent),
    )
    with untouched():
        for write in writes:
            with pytest.raises(Conflict, match=status):
                write()


# --- addresses and notes -------------------------------------------------------------------------------------------


def test_address__second_default__takes_the_place_of_the_first_of_its_kind(maelle: Customer) -> None:
    def default(kind: str) -> Address:
        address = AddressFactory.build(customer=maelle, platform=maelle.platform, kind=kind, is_default=True)
        return services.save_address(address=address)

    first, billing, second = default("shipping"), default("billing"), default("shipping")

    assert set(maelle.addresses.filter(is_default=True)) == {billing, second}
    with pytest.raises(IntegrityError, match=r"uq_customers_default_address|UNIQUE"), transaction.atomic():
        Address.objects.filter(pk=first.pk).update(is_default=True)


def test_address__of_a_customer_of_another_platform__refused(maelle: Customer, tidewater: Platform) -> None:
    with pytest.raises(ValidationError) as refused:
        services.save_address(address=AddressFactory.build(customer=maelle, platform=tidewater))
    assert errors_of(refused) == {("customer", "foreign_customer")}
    assert not Address.objects.exists()


def test_note__of_staff_and_of_a_vendor__each_says_whose(maelle: Customer, brindle: Vendor, ann: User) -> None:
    services.add_note(customer=maelle, text="Rang.", by=Actor(ann))
    services.add_note(customer=maelle, text="Wrote.", vendor=brindle)
    assert set(maelle.notes.values_list("text", "author", "vendor")) == {
        ("Rang.", "ann", None),
        ("Wrote.", "", brindle.pk),
    }
    assert [kind for kind, *_ in timeline(maelle)] == ["created", "note", "note"]
    assert told() == [("customers.updated", {"customer": str(maelle.pk), "fields": ["notes"]})] * 2


def test_note__deleted__timeline_says_which_and_by_whom_and_never_what_it_said(
    maelle: Customer, brindle: Vendor, ann: User
) -> None:
    notes = [NoteFactory(customer=maelle, text="Rang twice."), NoteFactory(customer=maelle, vendor=brindle)]
    keys, again = [str(note.pk) for note in notes], Note.objects.get(pk=notes[0].pk)
    for note in notes:
        services.delete_note(note=note, by=Actor(ann))
    assert not maelle.notes.exists()
    assert timeline(maelle)[-2:] == [
        ("updated", "ann", {"fields": ["notes"], "note": keys[0], "vendor": None}),
        ("updated", "ann", {"fields": ["notes"], "note": keys[1], "vendor": "brindle"}),
    ]
    assert told() == [("customers.updated", {"customer": str(maelle.pk), "fields": ["notes"]})] * 2
    assert set(Event.objects.values_list("actor_id", flat=True)) == {ann.pk}

    # Somebody else has deleted it meanwhile.
    services.delete_note(note=again)
    assert len(told()) == 2


# --- what the tables hold ------------------------------------------------------------------------------------------


def test_tables__merged_without_into_whom__refused_by_the_database(maelle: Customer) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Customer.objects.filter(pk=maelle.pk).update(status="merged")


def test_tables__same_vendor_twice__refused_by_the_database(maelle: Customer, brindle: Vendor) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CustomerVendor.objects.create(customer=maelle, vendor=brindle)


def test_platform__deleted__customers_go_and_the_ledger_of_consents_stays(maelle: Customer, operator: User) -> None:
    line = ConsentFactory(customer=maelle)
    NoteFactory(customer=maelle)
    delete_platform(platform=maelle.platform, actor=Actor(operator), source="admin")
    assert not Customer.objects.exists()
    assert (Note.objects.count(), CustomerEvent.objects.count()) == (0, 0)
    assert type(line).objects.get().platform_id == line.platform_id
