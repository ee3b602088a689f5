"""Privacy requests: asked, held, called off and done; whole or not at all, and never what stands in the way of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event as Signal
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from customers import privacy, services, tasks
from customers.models import ConsentRecord, Customer, PrivacyRequest
from modules import services as module_services
from modules import worker
from modules.declarations import Provider
from modules.models import Event, TaskRun
from modules.ports import Erased, Person
from modules.tasks import enqueue
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.models import Platform, User
from tests.customers.conftest import Untouched
from tests.factories import (
    AddressFactory,
    ConsentFactory,
    CustomerFactory,
    NoteFactory,
    PrivacyRequestFactory,
)
from tests.fixtures.module_fixtures import Install
from tests.modules.building import definition, origin

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def later(days: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(days=days), tick=False)


def erasure(customer: Customer, **fields: Any) -> PrivacyRequest:
    return PrivacyRequestFactory(customer=customer, **fields)


def export(customer: Customer) -> PrivacyRequest:
    return PrivacyRequestFactory(customer=customer, kind="export")


def refused(code: str) -> Any:
    return pytest.raises(Conflict, check=lambda error: error.code == code)  # type: ignore[call-overload]


@pytest.fixture
def old(maelle: Customer) -> Customer:
    """Another profile of Maëlle's, merged into hers; with a note."""
    old = CustomerFactory(platform=maelle.platform, email="old@example.com", first_name="Maëlle")
    NoteFactory(customer=old)
    Customer.objects.filter(pk=old.pk).update(status="merged", merged_into=maelle)
    return Customer.objects.get(pk=old.pk)


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


# --- erasing ---------------------------------------------------------------------------------------------------------


def test_execute__in_grace__refused_and_after_it_done(maelle: Customer, untouched: Untouched) -> None:
    made = erasure(maelle)
    with later(6.9), untouched(), refused("in_grace"):
        privacy.execute(request=made)
    with later(7):
        assert privacy.execute(request=made).status == "done"


def test_execute__a_person__leaves_a_row_that_says_nothing(maelle: Customer, old: Customer, ann: User) -> None:
    AddressFactory(customer=maelle)
    NoteFactory(customer=maelle)
    line = ConsentFactory(customer=maelle)
    waits = export(maelle)
    beside = CustomerFactory(platform=maelle.platform)
    before = list(Customer.objects.filter(pk=beside.pk).values())
    Event.objects.all().delete()
    done = privacy.execute(request=erasure(maelle, reason="Wants it."), by=Actor(ann), is_early=True)
    for key in (maelle.pk, old.pk):
        left = Customer.objects.get(pk=key)
        said = (left.email, left.email_key, left.first_name, left.last_name, left.name_key, left.last_name_key)
        assert said == ("",) * 6
        assert (left.status, left.merged_into, left.external_ref, str(left.phone)) == ("erased", None, "", "")
        assert [rows.count() for rows in (left.addresses, left.notes, left.vendor_links, left.tags)] == [0] * 4
        newest = left.events.latest("at")
        assert (newest.kind, newest.data, newest.actor_label) == ("erased", {"request": str(done.pk)}, "ann")
        assert set(left.events.exclude(pk=newest.pk).values_list("data__fields", flat=True)) <= {None}
    assert done.erased == [str(maelle.pk), str(old.pk)]
    assert ConsentRecord.objects.get() == line
    assert (done.status, done.reason, PrivacyRequest.objects.get(pk=done.pk).reason) == ("done", "Wants it.", "")
    waits.refresh_from_db()
    assert (waits.status, waits.report["why"]) == ("cancelled", "erased")
    told = Event.objects.filter(name="customers.erased").values_list("data", flat=True)
    assert {one["customer"] for one in told} == {str(maelle.pk), str(old.pk)}
    assert list(Customer.objects.filter(pk=beside.pk).values()) == before


def test_execute__done_already__nothing_written(maelle: Customer, untouched: Untouched) -> None:
    done = privacy.execute(request=erasure(maelle), is_early=True)
    with untouched():
        assert privacy.execute(request=done).done_at == done.done_at


def test_execute__erased__is_not_edited_any_more(maelle: Customer, untouched: Untouched) -> None:
    privacy.execute(request=erasure(maelle), is_early=True)
    with untouched():
        for act in (
            lambda: services.update_customer(customer=maelle, values={"first_name": "Back"}),
            lambda: erasure(maelle),
            lambda: export(maelle),
        ):
            with refused("closed"):
                act()


def test_execute__profile_merged_into_them_on_hold__refused(
    maelle: Customer, old: Customer, untouched: Untouched
) -> None:
    Customer.objects.filter(pk=old.pk).update(status="active", merged_into=None)
    privacy.hold(request=erasure(Customer.objects.get(pk=old.pk)), reason="A lawsuit.")
    Customer.objects.filter(pk=old.pk).update(status="merged", merged_into=maelle)
    made = erasure(maelle)
    with untouched(), refused("on_hold"):
        privacy.execute(request=made, is_early=True)


def test_execute__merged_since__erases_whom_they_are_now(maelle: Customer) -> None:
    other = CustomerFactory(platform=maelle.platform)
    made = erasure(maelle)
    Customer.objects.filter(pk=maelle.pk).update(status="merged", merged_into=other)
    privacy.execute(request=made, is_early=True)
    assert set(Customer.objects.values_list("status", flat=True)) == {"erased"}


def fail(platform: Platform, person: Person) -> Erased:
    raise RuntimeError("The mail provider is down.")


def hold_nothing(platform: Platform, person: Person) -> dict[str, Any]:
    return {}


def test_execute__a_module_fails__nothing_is_erased_anywhere(
    maelle: Customer, install: Install, untouched: Untouched
) -> None:
    NoteFactory(customer=maelle)
    here = "tests.customers.test_privacy"
    made = erasure(maelle)
    provides = (
        Provider(port="personal_data.export", provider=f"{here}.hold_nothing"),
        Provider(port="personal_data.erase", provider=f"{here}.fail"),
    )
    install(definition("zz_mail", provides=provides))
    with untouched(), pytest.raises(RuntimeError):
        privacy.execute(request=made, is_early=True)


@pytest.mark.parametrize("profiles", [1, 5])
def test_execute__queries__grow_with_profiles_and_not_with_what_they_hold(
    profiles: int, maelle: Customer, django_assert_num_queries: Any
) -> None:
    for _ in range(profiles):
        NoteFactory(customer=maelle)
        AddressFactory(customer=maelle)
    made = PrivacyRequest.objects.select_related("customer__platform").get(pk=erasure(maelle).pk)
    privacy.preview(made.customer)
    ContentType.objects.get_for_models(*apps.get_models())  # a process looks each up once
    with django_assert_num_queries(51):
        privacy.execute(request=made, is_early=True)


def test_execute__export_that_waits__is_fetched_or_called_off_first(maelle: Customer, untouched: Untouched) -> None:
    made = erasure(maelle)
    fetched = export(maelle)
    with later(8), untouched(), refused("export_open"):
        privacy.execute(request=made)
    privacy.fetch(request=fetched)
    called_off = export(maelle)
    with later(8):
        with untouched(), refused("export_open"):
            privacy.execute(request=made)
        privacy.cancel(request=called_off)
        assert privacy.execute(request=made).status == "done"
    fetched.refresh_from_db()
    assert fetched.status == "done"


def test_execute__export_of_another_profile_waits__refused(
    maelle: Customer, old: Customer, untouched: Untouched
) -> None:
    Customer.objects.filter(pk=old.pk).update(status="active", merged_into=None)
    export(Customer.objects.get(pk=old.pk))
    Customer.objects.filter(pk=old.pk).update(status="merged", merged_into=maelle)
    made = erasure(maelle)
    with later(8), untouched(), refused("export_open"):
        privacy.execute(request=made)


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


# --- by itself -------------------------------------------------------------------------------------------------------


def work_off() -> None:
    enqueue(tasks.erase_due)
    worker.sweep()
    worker.sweep()


def runs() -> list[tuple[str, str]]:
    return list(TaskRun.objects.filter(task="customers.erase").values_list("state", "note"))


@pytest.mark.parametrize("state", ["on", "off", "inactive"])
def test_erase_due__grace_over__erases_on_every_platform(state: str, maelle: Customer) -> None:
    erasure(maelle)
    if state == "off":
        module_services.disable(platform=maelle.platform, module="customers", origin=origin())
    if state == "inactive":
        Platform.objects.filter(pk=maelle.platform_id).update(is_active=False)
    work_off()
    assert (Customer.objects.get().is_open, runs()) == (True, [])
    with later(7.01):
        work_off()
        work_off()
    assert (Customer.objects.get().status, runs()) == ("erased", [("done", "")])


def test_erase_due__export_waits__tried_once_it_was_fetched(maelle: Customer) -> None:
    erasure(maelle)
    waits = export(maelle)
    with later(7.01):
        work_off()
        assert (Customer.objects.get().is_open, runs()) == (True, [])
        privacy.fetch(request=waits)
        work_off()
    assert (Customer.objects.get().status, runs()) == ("erased", [("done", "")])


def test_erase_due__export_asked_for_after_it_was_enqueued__skipped(maelle: Customer) -> None:
    erasure(maelle)
    with later(8):
        tasks.erase_due.function(platform=None)
        export(maelle)
        worker.sweep()
    assert Customer.objects.get().is_open
    said = "They wait for an export of their data: have it fetched first, or call it off."
    assert runs() == [("skipped", said)]


def test_erase_due__held_after_it_was_enqueued__skipped(maelle: Customer) -> None:
    made = erasure(maelle)
    with later(8):
        tasks.erase_due.function(platform=None)
        privacy.hold(request=made, reason="A lawsuit.")
        worker.sweep()
    assert Customer.objects.get().is_open
    assert runs() == [("skipped", "A legal hold keeps this person from being erased.")]


# --- two at once -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_update_while_being_erased__waits_and_is_refused(maelle: Customer) -> None:
    made, begun = erasure(maelle), Signal()

    def update() -> str:
        begun.set()
        try:
            services.update_customer(customer=maelle, values={"first_name": "Back"})
        except Conflict as error:
            return error.code
        finally:
            connection.close()
        return "written"

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            privacy.execute(request=made, is_early=True)
            outcome = pool.submit(update)
            assert begun.wait(10)
        assert outcome.result(30) == "closed"
    assert Customer.objects.get().first_name == ""


@pytest.mark.django_db(transaction=True)
def test_two_erasures_at_once__one_is_done_and_the_other_finds_it_so(maelle: Customer) -> None:
    made = erasure(maelle)

    def erase(number: int) -> Any:
        try:
            return privacy.execute(request=PrivacyRequest.objects.get(pk=made.pk), is_early=True).done_at
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(erase, range(4)))) == 1
    assert Customer.objects.get().events.filter(kind="erased").count() == 1
