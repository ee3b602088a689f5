"""Privacy requests: asked, held, called off and fetched; what stands in the way is refused, and nothing written."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from customers import privacy
from customers.models import Customer, PrivacyRequest
from modules import services as module_services
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.models import User
from tests.customers.asking import DAY, erasure, export, later, refused
from tests.customers.conftest import Untouched
from tests.factories import (
    NoteFactory,
)
from tests.modules.building import origin

pytestmark = pytest.mark.django_db


# --- asking ----------------------------------------------------------------------------------------------------------


def test_request__config__says_by_when_and_not_before(maelle: Customer, ann: User) -> None:
    config = {"privacy_due_days": 10, "erase_grace_days": 2}
    module_services.configure(platform=maelle.platform, module="customers", config=config, origin=origin())
    customer = Customer.objects.get()
    with later(0):
        made = erasure(customer, reason=" Wrote to us. ", by=Actor(ann))
        now = timezone.now()
        assert (made.due_at, made.not_before, made.created_at) == (now + 10 * DAY, now + 2 * DAY, now)
        assert export(customer).not_before == now
    assert (made.status, made.reason, made.actor_label, made.is_in_grace) == ("open", "Wrote to us.", "ann", True)


def test_request__waits_already__refused_and_the_other_kind_is_not(maelle: Customer, untouched: Untouched) -> None:
    erasure(maelle)
    with untouched(), refused("pending"):
        erasure(maelle)
    export(maelle)
    doubled = PrivacyRequest.objects.filter(kind="export").values().get() | {"id": uuid4()}
    with untouched(), pytest.raises(IntegrityError), transaction.atomic():
        PrivacyRequest.objects.create(**doubled)


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"source": "pigeon"}, "source", "invalid_choice"),
        ({"reason": "x" * 501}, "reason", "max_length"),
        ({"reason": "a\x1b"}, "reason", "control_characters"),
    ],
)
def test_request__bad_words__refused_and_nothing_written(
    fields: dict[str, str], field: str, code: str, maelle: Customer, untouched: Untouched
) -> None:
    with untouched(), pytest.raises(ValidationError) as error:
        erasure(maelle, **fields)
    assert code in {one.code for one in error.value.error_dict[field]}


def test_request__of_somebody_merged__refused(old: Customer, untouched: Untouched) -> None:
    with untouched(), refused("closed"):
        erasure(old)


# --- hold, release, cancel -------------------------------------------------------------------------------------------


def test_hold__erasure__stands_still_until_released(maelle: Customer, ann: User) -> None:
    made = erasure(maelle)
    held = privacy.hold(request=made, reason="A lawsuit.", by=Actor(ann))
    assert (held.status, held.hold_reason, held.held_by_label) == ("on_hold", "A lawsuit.", "ann")
    with later(60):
        assert not PrivacyRequest.objects.overdue().exists()
        with refused("on_hold"):
            privacy.execute(request=held, is_early=True)
        released = privacy.release(request=held)
    assert released.status == "open"
    assert made.due_at + 60 * DAY <= released.due_at <= made.due_at + 60.1 * DAY
    assert released.not_before - made.not_before == released.due_at - made.due_at
    assert Customer.objects.get().is_open


def test_timeline__of_a_request__has_each_step_with_who_and_why(maelle: Customer, ann: User, vic: User) -> None:
    privacy.cancel(request=export(maelle), by=Actor(vic))
    made = erasure(maelle, reason=" Wants it. ", source="post", by=Actor(vic))
    for reason in (" A lawsuit. ", "Another one."):
        privacy.hold(request=made, reason=reason, by=Actor(ann))
        privacy.release(request=made, by=Actor(vic))
    lines = maelle.events.exclude(kind="created").order_by("at").values_list("kind", "actor_label", "data")
    had = PrivacyRequest.objects.get(kind="export")
    cancelled, request = {"request": str(had.pk), "wanted": "export"}, {"request": str(made.pk)}
    assert list(lines) == [
        ("asked", "", {**cancelled, "source": "email", "reason": ""}),
        ("called_off", "vic", {**cancelled, "why": "called_off"}),
        ("asked", "vic", {**request, "wanted": "erasure", "source": "post", "reason": "Wants it."}),
        ("held", "ann", {**request, "reason": "A lawsuit."}),
        ("released", "vic", request),
        ("held", "ann", {**request, "reason": "Another one."}),
        ("released", "vic", request),
    ]
    privacy.execute(request=made, is_early=True)
    for reason in ("lawsuit", "Another", "Wants it"):
        assert reason not in str(list(lines.all()))


def test_timeline__called_off_by_another_erasure__says_so(maelle: Customer, ann: User) -> None:
    waits = export(maelle)
    privacy.execute(request=erasure(maelle), is_early=True, by=Actor(ann))
    line = maelle.events.get(kind="called_off")
    said = {"request": str(waits.pk), "wanted": "export", "why": "erased"}
    assert (line.actor_label, line.data) == ("ann", said)


def test_hold_release_cancel__so_already__nothing_written(maelle: Customer, untouched: Untouched) -> None:
    made = erasure(maelle)
    with untouched():
        privacy.release(request=made)
    privacy.hold(request=made, reason="A lawsuit.")
    with untouched():
        assert privacy.hold(request=made, reason="Another.").hold_reason == "A lawsuit."
    with untouched(), pytest.raises(Conflict) as refused:
        privacy.cancel(request=made)  # the hold would end with it
    assert refused.value.code == "on_hold"
    privacy.release(request=made)
    privacy.cancel(request=made)
    with untouched():
        privacy.cancel(request=made)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\x00"])
def test_hold__without_a_good_reason__refused(reason: str, maelle: Customer, untouched: Untouched) -> None:
    made = erasure(maelle)
    with untouched(), pytest.raises(ValidationError) as error:
        privacy.hold(request=made, reason=reason)
    assert set(error.value.error_dict) == {"reason"}


def test_hold__export__refused(maelle: Customer, untouched: Untouched) -> None:
    made = export(maelle)
    with untouched(), refused("other_kind"):
        privacy.hold(request=made, reason="A lawsuit.")


def test_cancel__pending__is_called_off_and_can_be_asked_again(maelle: Customer, ann: User) -> None:
    made = privacy.cancel(request=erasure(maelle), by=Actor(ann))
    assert (made.status, made.report) == ("cancelled", {"why": "called_off", "by": "ann"})
    with later(30), refused("closed"):
        privacy.execute(request=made)
    assert erasure(maelle).pk != made.pk


def test_closed_request__whatever_is_asked__refused(maelle: Customer, untouched: Untouched) -> None:
    done = privacy.execute(request=erasure(maelle), is_early=True)
    acts: list[Callable[[], object]] = [
        lambda: privacy.hold(request=done, reason="Late."),
        lambda: privacy.release(request=done),
        lambda: privacy.cancel(request=done),
    ]
    with untouched():
        for act in acts:
            with refused("closed"):
                act()


# --- exporting -------------------------------------------------------------------------------------------------------


def test_fetch__first_time__is_done_and_written_down(maelle: Customer, ann: User) -> None:
    NoteFactory(customer=maelle)
    made = export(maelle)
    held = privacy.fetch(request=made, by=Actor(ann))
    [part] = held["customers"]
    assert (held["platform"], part["customer"]) == ("kestrel", str(maelle.pk))
    [said] = part["modules"]["customers"]["customers"]
    assert (said["email"], said["first_name"]) == ("Maelle@Example.com", "Maëlle")
    made.refresh_from_db()
    assert (made.status, made.outcome["customers"]["rows"]["notes"]) == ("done", 1)
    assert made.erased == []
    assert maelle.events.latest("at").kind == "exported"
    assert "Maelle" not in str(made.report)


def test_fetch__again__for_some_days_and_no_longer(maelle: Customer, untouched: Untouched) -> None:
    made = export(maelle)
    privacy.fetch(request=made)
    with later(6.9):
        privacy.fetch(request=made)
    assert maelle.events.filter(kind="exported").count() == 2
    with later(7.1), untouched(), refused("expired"):
        privacy.fetch(request=made)


def test_fetch__called_off_or_erased__refused(maelle: Customer, untouched: Untouched) -> None:
    cancelled = privacy.cancel(request=export(maelle))
    fetched = export(maelle)
    privacy.fetch(request=fetched)
    made = erasure(maelle)
    with refused("other_kind"):
        privacy.fetch(request=made)
    privacy.execute(request=made, is_early=True)
    with untouched():
        for request in (cancelled, fetched):
            with refused("closed"):
                privacy.fetch(request=request)
