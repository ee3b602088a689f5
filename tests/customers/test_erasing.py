"""Erasing a person: whole or not at all, when it is due, and never where something keeps them."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event as Signal
from typing import Any

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction

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
from tests.customers.asking import erasure, export, later, refused
from tests.customers.conftest import Untouched
from tests.factories import (
    AddressFactory,
    ConsentFactory,
    CustomerFactory,
    NoteFactory,
)
from tests.fixtures.module_fixtures import Install
from tests.modules.building import definition, origin

pytestmark = pytest.mark.django_db


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
    here = "tests.customers.test_erasing"
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
