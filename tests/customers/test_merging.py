"""Two customers become one: shown first, whole or not at all, nothing lost, and no consent made up."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from customers import consents, contacts, merging, privacy, services
from customers.merging.blockers import Blocked
from customers.models import Address, ConsentRecord, Customer, Merge
from modules.ports import Recipient, Selector
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.models import Platform, User, Vendor
from platforms.services import delete_platform
from tests.customers.conftest import Untouched
from tests.customers.doubles import STATES, codes, counts, say, told
from tests.factories import AddressFactory, CustomerFactory, NoteFactory, PrivacyRequestFactory

pytestmark = pytest.mark.django_db


# --- shown first -----------------------------------------------------------------------------------------------------


def test_preview__without_choices__takes_the_kept_ones_unless_blank(
    maelle: Customer, double: Customer, untouched: Untouched
) -> None:
    with untouched():
        plan = merging.preview(maelle, double)
    assert [(line.name, line.value, line.taken) for line in plan.fields] == [
        ("email", "Maelle@Example.com", "kept"),
        ("phone", "+493023125042", "merged"),
        ("first_name", "Maëlle", "kept"),
        ("last_name", "Dubois", "kept"),
        ("locale", "fr", "merged"),
        ("external_ref", "C-1", "kept"),
    ]
    assert plan.changed == ("phone", "locale")
    assert plan.moves == {
        "vendors": 1,
        "tags": 1,
        "addresses": 2,
        "notes": 1,
        "timeline": double.events.count(),
        "customers": 0,
    }
    assert [(one.channel, one.adds, one.counts) for one in plan.consents] == [("post", "given", True)]
    assert plan.blockers == ()


def test_preview__digest__is_of_how_the_two_stand_and_not_of_the_choices(maelle: Customer, double: Customer) -> None:
    digest = merging.preview(maelle, double).digest
    assert merging.preview(maelle, double, {"email": "merged"}).digest == digest
    assert merging.preview(double, maelle).digest != digest
    NoteFactory(customer=double)
    assert merging.preview(maelle, double).digest != digest


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"email": "both"}, {("choices.email", "invalid_choice")}),
        ({"status": "kept"}, {("choices.status", "unknown_field")}),
        (dict.fromkeys(services.FIELDS, "merged"), {("__all__", "nobody")}),
    ],
)
def test_merge__bad_choices__refused_and_nothing_written(
    choices: dict[str, str], expected: set[tuple[str, str]], maelle: Customer, untouched: Untouched
) -> None:
    blank = CustomerFactory(platform=maelle.platform)
    Customer.objects.filter(pk=blank.pk).update(email="", email_key="", first_name="", last_name="")
    with untouched(), pytest.raises(ValidationError) as refused:
        merging.merge(kept=maelle, merged=blank, choices=choices)
    assert {
        (name, one.code) for name, found in refused.value.update_error_dict({}).items() for one in found
    } == expected


# --- merged ----------------------------------------------------------------------------------------------------------


def test_merge__whole__everything_is_with_the_kept_one_and_told(
    maelle: Customer, double: Customer, brindle: Vendor, ann: User
) -> None:
    other = AddressFactory(customer=CustomerFactory(platform=maelle.platform))
    choices = {"email": "merged", "external_ref": "merged"}
    digest = merging.preview(maelle, double).digest

    trail = merging.merge(
        kept=maelle, merged=double, choices=choices, digest=digest, by=Actor(ann), reason="Rang to say so."
    )

    maelle.refresh_from_db()
    double.refresh_from_db()
    assert (maelle.email, maelle.email_key, str(maelle.phone)) == (
        "m.dubois@example.com",
        "m.dubois@example.com",
        "+493023125042",
    )
    assert (maelle.external_ref, maelle.locale, maelle.status) == ("C-2", "fr", "active")
    assert (double.status, double.merged_into, double.email) == ("merged", maelle, "m.dubois@example.com")
    assert set(maelle.vendors.values_list("code", flat=True)) == {"brindle", "fernhill"}
    assert set(maelle.tags.values_list("name", flat=True)) == {"Gold", "Silver"}
    assert set(maelle.addresses.values_list("kind", "city", "is_default")) == {
        ("shipping", "Brest", True),
        ("shipping", "Nantes", False),
        ("billing", "Brest", True),
    }
    assert maelle.notes.count() == 1
    assert [(line.kind, line.data) for line in double.events.all()] == [
        ("merged", {"into": str(maelle.pk), "reason": "Rang to say so."})
    ]
    line = maelle.events.get(kind="merged")
    assert (line.actor_label, line.data) == ("ann", {"merged": str(double.pk), "reason": "Rang to say so."})
    assert told()[-1] == ("customers.merged", {"customer": str(maelle.pk), "merged": str(double.pk)})
    assert (trail.actor_label, trail.reason, trail.merged_status) == ("ann", "Rang to say so.", "active")
    assert trail.before == {"email": "Maelle@Example.com", "phone": "", "locale": "", "external_ref": "C-1"}
    assert Address.objects.get(pk=other.pk).customer_id == other.customer_id


@pytest.mark.parametrize("sides", [("blocked", "active"), ("active", "blocked")])
def test_merge__either_is_blocked__so_is_the_kept_one(
    sides: tuple[str, str], maelle: Customer, double: Customer
) -> None:
    for customer, status in zip((maelle, double), sides, strict=True):
        Customer.objects.filter(pk=customer.pk).update(status=status)
    trail = merging.merge(kept=maelle, merged=double)
    assert Customer.objects.get(pk=maelle.pk).status == "blocked"
    merging.undo(trail=trail)
    assert [Customer.objects.get(pk=customer.pk).status for customer in (maelle, double)] == list(sides)


def test_merge__one_who_took_others_in__they_lead_to_the_last(maelle: Customer, double: Customer) -> None:
    first = CustomerFactory(platform=maelle.platform)
    earlier = merging.merge(kept=double, merged=first)
    later = merging.merge(kept=maelle, merged=double)
    assert Customer.objects.get(pk=first.pk).merged_into == maelle
    merging.undo(trail=later)
    assert Customer.objects.get(pk=first.pk).merged_into == double
    merging.undo(trail=earlier)
    assert Customer.objects.get(pk=first.pk).is_open


def test_merge__address_and_reference_of_the_merged_one__are_free_again(maelle: Customer, double: Customer) -> None:
    merging.merge(kept=maelle, merged=double)
    again = services.create_customer(
        platform=maelle.platform, values={"email": double.email, "external_ref": double.external_ref}
    )
    assert again.is_open


@pytest.mark.parametrize("case", ["same_customer", "other_platform", "closed", "both closed"])
def test_merge__something_in_the_way__named_and_nothing_written(
    case: str, maelle: Customer, double: Customer, tidewater: Platform, untouched: Untouched
) -> None:
    kept = maelle
    if case == "same_customer":
        double = maelle
    elif case == "other_platform":
        double = CustomerFactory(platform=tidewater)
    else:
        Customer.objects.filter(pk=double.pk).update(status="erased")
        if case == "both closed":
            Customer.objects.filter(pk=maelle.pk).update(status="erased")
    with untouched(), pytest.raises(merging.Blocked) as refused:
        merging.merge(kept=kept, merged=double)
    assert codes(refused) == (["closed", "closed"] if case == "both closed" else [case])


def test_merge__changed_since_it_was_shown__refused_and_nothing_written(
    maelle: Customer, double: Customer, untouched: Untouched
) -> None:
    digest = merging.preview(maelle, double).digest
    services.update_customer(customer=double, values={"last_name": "Le Goff"})
    with untouched(), pytest.raises(Conflict) as refused:
        merging.merge(kept=maelle, merged=double, digest=digest)
    assert refused.value.code == "stale"


def test_merge__reason_too_long__refused_and_nothing_written(
    maelle: Customer, double: Customer, untouched: Untouched
) -> None:
    with untouched(), pytest.raises(ValidationError):
        merging.merge(kept=maelle, merged=double, reason="x" * 501)


def test_merge__somebody_who_is_gone__is_not_there(maelle: Customer, untouched: Untouched) -> None:
    with untouched(), pytest.raises(Customer.DoesNotExist):
        merging.merge(kept=maelle, merged=Customer(platform=maelle.platform))


@pytest.mark.parametrize("count", [1, 15])
def test_merge__with_many_rows__same_queries(
    count: int, maelle: Customer, double: Customer, django_assert_num_queries: Any
) -> None:
    for number in range(count):
        NoteFactory(customer=double)
        AddressFactory(customer=double, line1=f"{number} rue de Siam")
    with django_assert_num_queries(54):
        trail = merging.merge(kept=maelle, merged=double)
    with django_assert_num_queries(34):
        merging.undo(trail=trail)


def test_platform__with_merged_customers__can_be_deleted(maelle: Customer, double: Customer, operator: User) -> None:
    merging.merge(kept=maelle, merged=double)
    delete_platform(platform=maelle.platform, actor=Actor(operator), source="api")
    assert not Customer.objects.exists()
    assert not Merge.objects.exists()


# --- consents: the stricter wins ------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", ["kept", "merged"])
@pytest.mark.parametrize("merged_state", STATES)
@pytest.mark.parametrize("kept_state", STATES)
def test_consents__to_email__count_only_for_the_mailbox_that_agreed_and_never_against_a_withdrawal(
    kept_state: str, merged_state: str, taken: str, maelle: Customer, double: Customer
) -> None:
    say(maelle, kept_state, "email")
    say(double, merged_state, "email")
    before = list(ConsentRecord.objects.order_by("pk").values())
    stood = counts(maelle)

    trail = merging.merge(kept=maelle, merged=double, choices={"email": taken})

    states = (kept_state, merged_state)
    expected = "withdrawn" not in states and states[taken == "merged"] == "counts"
    assert counts(maelle) == expected
    newest = consents.newest(maelle.consents.filter(channel="email"))
    if "withdrawn" in states:
        assert [line.action for line in newest] == ["withdrawn"]
    keys = [row["id"] for row in before]
    assert list(ConsentRecord.objects.filter(pk__in=keys).order_by("pk").values()) == before
    if len(before) + 1 < ConsentRecord.objects.count():
        assert maelle.consents.filter(source="merge", channel="email").count() == 1

    merging.undo(trail=trail)
    assert counts(maelle) == stood
    assert list(ConsentRecord.objects.filter(pk__in=keys).order_by("pk").values()) == before


@pytest.mark.parametrize("channel", ["post", "phone", "sms"])
@pytest.mark.parametrize("merged_state", ["nothing", "counts", "withdrawn"])
@pytest.mark.parametrize("kept_state", ["nothing", "counts", "withdrawn"])
def test_consents__to_other_channels__go_over_with_address_and_number(
    kept_state: str, merged_state: str, channel: str, maelle: Customer, double: Customer
) -> None:
    # Maëlle has no number, and gets the other one's: what she agreed to for none does not count for it.
    platform = maelle.platform
    two = CustomerFactory(platform=platform, phone="+493023125043")
    say(maelle, kept_state, channel)
    say(two, merged_state, channel)
    merging.merge(kept=maelle, merged=two)
    states = (kept_state, merged_state)
    agreed = "counts" in states if channel == "post" else merged_state == "counts"
    assert counts(maelle, channel) == ("withdrawn" not in states and agreed)


def test_consents__said_since_the_merge__stand_after_it_is_undone(maelle: Customer, double: Customer) -> None:
    trail = merging.merge(kept=maelle, merged=double)
    assert counts(maelle, "post")
    consents.give(customer=maelle, channel="post", purpose="marketing", source="checkout")
    merging.undo(trail=trail)
    assert counts(maelle, "post")


# --- who is meant by the merged one's id -----------------------------------------------------------------------------


def test_contacts__of_who_was_merged__are_those_of_the_kept_one(maelle: Customer, double: Customer) -> None:
    say(double, "counts", "email")
    merging.merge(kept=maelle, merged=double, choices={"email": "merged"})
    both = Selector(people=(str(double.pk), str(maelle.pk)))
    found = contacts.recipients(platform=maelle.platform, selector=both)
    assert found == (Recipient(address="m.dubois@example.com", person=str(maelle.pk), locale="fr"),)

    def may(person: Customer) -> bool:
        return contacts.may_contact(
            platform=maelle.platform, person=str(person.pk), channel="email", purpose="marketing"
        )

    assert may(double)
    assert may(maelle)
    services.block_customer(customer=maelle)
    assert not may(double)
    Customer.objects.filter(pk=maelle.pk).update(status="erased")
    assert contacts.recipients(platform=maelle.platform, selector=both) == ()
    assert not may(double)


@pytest.mark.parametrize("side", ["kept", "merged"])
@pytest.mark.parametrize("is_held", [False, True])
def test_merge__one_of_them_asked_to_be_forgotten__refused_and_nothing_written(
    side: str, is_held: bool, maelle: Customer, double: Customer, untouched: Untouched
) -> None:
    request = PrivacyRequestFactory.create(customer=maelle if side == "kept" else double)
    if is_held:
        privacy.hold(request=request, reason="A lawsuit.")
    with untouched(), pytest.raises(Blocked) as refused:
        merging.merge(kept=maelle, merged=double)
    assert [(one.code, one.detail.split()[1]) for one in refused.value.blockers] == [("privacy_request", side)]
    if not is_held:
        privacy.cancel(request=request)
        merging.merge(kept=maelle, merged=double)
