"""A file on its way in: checked, written chunk by chunk, each once, whatever dies or happens meanwhile."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone

from customers import exports, imports, merging, segments, selectors
from customers.files import writing
from customers.imports import running
from customers.models import Customer, CustomerEvent, ErrorPolicy, ImportChunk, ImportRun, Match
from modules import services as module_services
from modules import worker
from modules.models import Event, TaskRun
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.models import Platform, User, Vendor
from tests.admin.pages import logged_in
from tests.customers.conftest import Untouched
from tests.customers.importing import BAD, GOOD, begin, counts, exported, people, table, worked
from tests.factories import AddressFactory, CustomerFactory, ImportRunFactory, SegmentFactory, VendorFactory
from tests.modules.building import enable, origin

pytestmark = pytest.mark.django_db


@pytest.fixture
def checked(shop: Platform, ann: User) -> ImportRun:
    """An import of 735 rows, 35 of them with errors, that was checked."""
    return worked(begin(shop, ann, table(people())))


# --- from beginning to end -----------------------------------------------------------------------------------------


def test_check__of_a_file__counts_and_names_errors_and_writes_no_customer(checked: ImportRun) -> None:
    assert counts(checked) == ("checked", GOOD + BAD, GOOD, 0, 0, BAD)
    assert not Customer.objects.exists()
    assert not Event.objects.exists()
    first = checked.broken_rows.first()
    assert first is not None
    assert (first.line, first.values["email"], first.is_taken) == (22, "nobody 20", False)
    assert first.errors == [{"code": "invalid", "attr": "email", "detail": "Enter a valid email address."}]
    assert checked.broken_rows.count() == BAD
    assert checked.chunks.count() == 2


def test_start__of_a_checked_import__writes_each_good_row_once_and_tells(checked: ImportRun, ann: User) -> None:
    started = imports.start(run=checked, by=Actor(ann))
    assert counts(started) == ("running", 0, 0, 0, 0, 0)
    done = worked(checked)

    assert counts(done) == ("done", GOOD + BAD, GOOD, 0, 0, BAD)
    assert Customer.objects.count() == CustomerEvent.objects.filter(kind="created", actor_label="ann").count() == GOOD
    assert done.broken_rows.count() == BAD
    assert not ImportChunk.objects.exists()
    assert done.finished_at is not None
    told = Event.objects.get(name="customers.import_completed")
    assert told.data["import"] == str(done.pk)
    assert told.data["counts"] == {"total": 735, "created": 700, "updated": 0, "unchanged": 0, "failed": 35}
    assert Event.objects.filter(name="customers.created").count() == GOOD


def test_import__without_a_check__is_written_at_once(shop: Platform, ann: User) -> None:
    run = begin(shop, ann, table(people(30, 0)), checks_first=False)
    assert counts(worked(run)) == ("done", 30, 30, 0, 0, 0)


def test_import__sent_twice__changes_nothing_the_second_time(shop: Platform, ann: User) -> None:
    for expected in (("done", 30, 30, 0, 0, 0), ("done", 30, 0, 0, 30, 0)):
        assert counts(worked(begin(shop, ann, table(people(30, 0)), checks_first=False))) == expected
    assert Customer.objects.count() == CustomerEvent.objects.count() == 30


def test_ignored_fields__rows_are_taken_and_named(shop: Platform, ann: User) -> None:
    run = worked(begin(shop, ann, table(people(63)), checks_first=False, policy=ErrorPolicy.IGNORE_FIELD))
    assert counts(run) == ("done", 63, 63, 0, 0, 0)
    assert set(run.broken_rows.values_list("is_taken", flat=True)) == {True}


# --- all or nothing ------------------------------------------------------------------------------------------------


def test_all_or_nothing__whole_file_good__is_written(shop: Platform, ann: User) -> None:
    run = begin(shop, ann, table(people(600, 0)), policy=ErrorPolicy.ALL_OR_NOTHING)
    assert counts(worked(run)) == ("checked", 600, 600, 0, 0, 0)
    imports.start(run=run, by=Actor(ann))
    assert counts(worked(run)) == ("done", 600, 600, 0, 0, 0)


def test_all_or_nothing__row_with_an_error__is_not_started(shop: Platform, ann: User, untouched: Untouched) -> None:
    run = worked(begin(shop, ann, table(people(63)), policy=ErrorPolicy.ALL_OR_NOTHING))
    with untouched(), pytest.raises(Conflict) as refused:
        imports.start(run=run, by=Actor(ann))
    assert refused.value.code == "has_errors"


def test_all_or_nothing__error_that_was_not_there_when_checked__nothing_is_written(shop: Platform, ann: User) -> None:
    said = people(600, 0)
    said[550]["email"] = "nobody"
    run = worked(begin(shop, ann, table(said), policy=ErrorPolicy.ALL_OR_NOTHING, checks_first=False))
    assert counts(run) == ("failed", 0, 0, 0, 0, 1)
    assert run.problem == "A row has an error: nothing was written."
    assert [(row.line, row.errors[0]["code"]) for row in run.broken_rows.all()] == [(552, "invalid")]
    assert not Customer.objects.exists()
    assert not CustomerEvent.objects.exists()
    assert not ImportChunk.objects.exists()
    assert not Event.objects.filter(name__startswith="customers").exists()


def test_all_or_nothing__cancelled_in_the_middle__nothing_is_written(
    shop: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(shop, ann, table(people(600, 0)), policy=ErrorPolicy.ALL_OR_NOTHING, checks_first=False)
    monkeypatch.setattr(running, "_status_of", lambda run: "cancelled")
    taken = running._take_next(str(run.pk))
    assert taken is None
    assert not Customer.objects.exists()


# --- stopped, killed, gone on --------------------------------------------------------------------------------------


def interrupted(monkeypatch: pytest.MonkeyPatch, at: int) -> Callable[[], None]:
    """Have the worker die over the chunk of this number, after it was written and before it is counted."""
    count = running._count

    def die(run: ImportRun, chunk: ImportChunk, results: Any) -> None:
        if chunk.number == at:
            raise SystemExit("killed")
        count(run, chunk, results)

    monkeypatch.setattr(running, "_count", die)
    return lambda: monkeypatch.setattr(running, "_count", count)


def test_worker__dies_over_a_chunk__next_one_goes_on_there(
    shop: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(shop, ann, table(people(1200, 0)), checks_first=False)
    heal = interrupted(monkeypatch, at=1)
    with pytest.raises(SystemExit):
        imports.work_on(str(run.pk))
    run.refresh_from_db()
    assert counts(run) == ("running", 500, 500, 0, 0, 0)
    assert (run.next_chunk, run.next_line, Customer.objects.count()) == (1, 502, 500)

    heal()
    for _ in range(2):
        imports.work_on(str(run.pk))
    run.refresh_from_db()
    assert counts(run) == ("done", 1200, 1200, 0, 0, 0)
    assert Customer.objects.count() == CustomerEvent.objects.count() == 1200


def test_worker__busy_database__tries_the_chunk_again(
    shop: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(shop, ann, table(people(20, 0)), checks_first=False)
    take, tries = running._take_one, []

    def busy(run: ImportRun) -> ImportRun | None:
        tries.append(run)
        if len(tries) < 3:
            raise OperationalError("deadlock")
        return take(run)

    monkeypatch.setattr(running, "_take_one", busy)
    monkeypatch.setattr(running, "is_busy", lambda error: True)
    monkeypatch.setattr(running.time, "sleep", lambda seconds: None)
    imports.work_on(str(run.pk))
    run.refresh_from_db()
    assert counts(run) == ("done", 20, 20, 0, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_worker__vendor_deleted_while_a_chunk_is_written__is_an_error_of_its_row(
    shop: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = VendorFactory(platform=shop, code="gone")
    said = people(20, 0)
    said[3]["vendors"] = "gone"
    run = begin(shop, ann, table(said), checks_first=False)
    upserted, tries = running._upserted, []

    def deleted_meanwhile(*args: Any, **kwargs: Any) -> Any:
        tries.append(1)
        results = upserted(*args, **kwargs)
        if len(tries) == 1:
            Vendor.objects.filter(pk=vendor.pk)._raw_delete("default")
        return results

    monkeypatch.setattr(running, "_upserted", deleted_meanwhile)
    monkeypatch.setattr(running.time, "sleep", lambda seconds: Vendor.objects.filter(pk=vendor.pk).delete())
    imports.work_on(str(run.pk))
    run.refresh_from_db()
    assert counts(run) == ("done", 20, 19, 0, 0, 1)
    assert [error["code"] for error in run.broken_rows.get().errors] == ["does_not_exist"]


def test_worker__out_of_time__leaves_the_rest_to_another_run_of_the_task(
    shop: Platform, ann: User, settings: Any
) -> None:
    run = begin(shop, ann, table(people(1200, 0)), checks_first=False)
    settings.TASK_TIMEOUT_SECONDS = 0
    [first] = TaskRun.objects.filter(task="customers.import")
    worker.work_off("TaskRun", [str(first.pk)])
    run.refresh_from_db()
    assert counts(run) == ("running", 500, 500, 0, 0, 0)
    assert TaskRun.objects.filter(task="customers.import", state="waiting").count() == 1
    assert counts(worked(run)) == ("done", 1200, 1200, 0, 0, 0)


def test_cancel__while_it_runs__stops_after_the_chunk_and_throws_the_rest_away(
    shop: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(shop, ann, table(people(1200, 0)), checks_first=False)
    running._take_next(str(run.pk))
    cancelled = imports.cancel(run=run)
    assert counts(worked(run)) == ("cancelled", 500, 500, 0, 0, 0)
    assert cancelled.finished_at is not None
    assert not ImportChunk.objects.exists()
    assert Customer.objects.count() == 500
    assert not Event.objects.filter(name="customers.import_completed").exists()


def test_cancel__checked_and_never_started__says_that_nothing_was_done(shop: Platform, ann: User) -> None:
    run = worked(begin(shop, ann, table(people(30, 0))))
    assert counts(run) == ("checked", 30, 30, 0, 0, 0)
    imports.cancel(run=run)
    assert counts(worked(run)) == ("cancelled", 30, 0, 0, 0, 0)
    assert not Customer.objects.exists()
    page = logged_in(ann).get(reverse("admin:customers_importrun_change", args=[run.pk]))
    assert b"Nothing was written." in page.content


@pytest.mark.parametrize("status", ["done", "failed", "cancelled", "running", "checking"])
def test_start__of_what_cannot_be_started__is_refused(
    status: str, shop: Platform, ann: User, untouched: Untouched
) -> None:
    run = ImportRunFactory(platform=shop, status=status)
    with untouched(), pytest.raises(Conflict) as refused:
        imports.start(run=run, by=Actor(ann))
    assert refused.value.code == "status"


@pytest.mark.parametrize("status", ["done", "failed", "cancelled"])
def test_cancel__of_what_has_ended__is_refused(status: str, shop: Platform, untouched: Untouched) -> None:
    with_end = ImportRunFactory(platform=shop, status=status)
    with untouched(), pytest.raises(Conflict):
        imports.cancel(run=with_end)


def test_stuck__no_sign_of_life__is_reported_and_can_go_on(shop: Platform, tidewater: Platform, ann: User) -> None:
    run = begin(shop, ann, table(people(30, 0)), checks_first=False)
    assert imports.stuck_imports(shop) == []
    TaskRun.objects.all().delete()
    ImportRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=16))
    assert imports.stuck_imports(shop) == [run]
    assert imports.stuck_imports(tidewater) == []

    imports.start(run=run, by=Actor(ann))

    assert imports.stuck_imports(shop) == []
    assert counts(worked(run)) == ("done", 30, 30, 0, 0, 0)


def test_module__off_meanwhile__import_waits_and_goes_on(shop: Platform, ann: User) -> None:
    run = begin(shop, ann, table(people(30, 0)), checks_first=False)
    module_services.disable(platform=shop, module="customers", origin=origin(), cascade=True)
    assert counts(worked(run)) == ("running", 0, 0, 0, 0, 0)
    assert TaskRun.objects.get(task="customers.import").state == "skipped"
    enable(shop, "customers")
    TaskRun.objects.update(state="waiting", attempts=0, due_at=timezone.now())
    assert counts(worked(run)) == ("done", 30, 30, 0, 0, 0)


# --- refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "match", "code"),
    [
        (b"", Match.NONE, "empty_file"),
        (b"email\n", Match.NONE, "empty_file"),
        (b"email,colour\nx,y\n", Match.NONE, "unknown_column"),
        (b"email\nx\n", Match.EXTERNAL_REF, "missing_column"),
        (b"email\n" + b"x\n" * 4, Match.EMAIL, "too_many_rows"),
    ],
)
def test_begin__no_file_of_customers__refused_and_nothing_written(
    data: bytes, match: Match, code: str, shop: Platform, ann: User, untouched: Untouched
) -> None:
    module_services.configure(platform=shop, module="customers", config={"import_max_rows": 3}, origin=origin())
    with untouched(), pytest.raises(ValidationError) as refused:
        begin(shop, ann, data, match=match)
    [error] = refused.value.error_dict["file"]
    assert error.code == code


# --- exports -------------------------------------------------------------------------------------------------------


def test_export__says_who_took_how_many(
    checked: ImportRun, ann: User, shop: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    imports.start(run=checked, by=Actor(ann))
    worked(checked)
    Customer.objects.filter(external_ref="C-1").update(status="erased")
    with caplog.at_level(logging.INFO, logger="customers.exports"):
        data = exported(shop, ann)
    assert caplog.messages == ["ann exported 699 customers of kestrel (whole)"]
    assert len(data.decode().splitlines()) == 700
    assert "C-1," not in data.decode()


def test_export__statements__do_not_grow_with_the_rows_of_a_page(
    checked: ImportRun, ann: User, shop: Platform, django_assert_max_num_queries: Any
) -> None:
    imports.start(run=checked, by=Actor(ann))
    worked(checked)
    with django_assert_max_num_queries(13):
        exported(shop, ann)


def test_export__of_a_segment_in_many_pages__finds_its_members_once(
    ann: User, shop: Platform, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    members = CustomerFactory.create_batch(5, platform=shop, locale="de")
    CustomerFactory(platform=shop, locale="fr")
    german = {"field": "locale", "operator": "is", "value": ["de"]}
    monkeypatch.setattr(exports, "_PAGE", 2)
    monkeypatch.setattr(selectors, "_NEWEST", 1)
    found = segments.in_pages(SegmentFactory(platform=shop, rules=[german]))
    # The keys; then for each of three pages the customers, their tags, vendors and addresses.
    with django_assert_num_queries(1 + 3 * 4):
        pieces = list(exports.export(platform=shop, customers=found, file_format=ImportRun.Format.CSV, by=Actor(ann)))
    lines = b"".join(pieces).decode().splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == [str(member.email) for member in members]


def test_export__who_is_erased_while_it_runs__is_left_out(
    ann: User, shop: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = CustomerFactory.create_batch(3, platform=shop)
    monkeypatch.setattr(exports, "_PAGE", 1)
    monkeypatch.setattr(writing, "_PIECE", 0)
    everybody = Customer.objects.filter(platform=shop)
    pieces = exports.export(platform=shop, customers=everybody, file_format=ImportRun.Format.CSV, by=Actor(ann))
    read = [next(pieces), next(pieces)]
    Customer.objects.filter(pk__in=[second.pk, third.pk]).update(status="erased")
    text = b"".join([*read, *pieces]).decode()
    assert first.email in text
    assert third.email not in text


def test_import__of_who_was_merged_since__fills_in_the_kept_one(shop: Platform, ann: User) -> None:
    kept = CustomerFactory(platform=shop, external_ref="K-1", email="")
    merging.merge(kept=kept, merged=CustomerFactory(platform=shop, external_ref="C-1", email=""))
    said = [{"external_ref": "C-1", "first_name": "Zoé", "locale": "fr"}]
    for expected in (("done", 1, 0, 1, 0, 0), ("done", 1, 0, 0, 1, 0)):
        assert counts(worked(begin(shop, ann, table(said), checks_first=False))) == expected
    was, now = kept, Customer.objects.get(pk=kept.pk)
    assert (now.first_name, now.locale) == (was.first_name, "fr")


def test_import__of_who_was_merged_and_of_the_kept_one__both_change_one_address(shop: Platform, ann: User) -> None:
    kept = AddressFactory(customer=CustomerFactory(platform=shop, external_ref="K-1", email="")).customer
    merging.merge(kept=kept, merged=CustomerFactory(platform=shop, external_ref="C-1", email=""))
    said = [{"external_ref": ref, "address_city": city} for ref, city in (("C-1", "Nantes"), ("K-1", "Rennes"))]
    run = worked(begin(shop, ann, table(said), checks_first=False))
    assert counts(run)[:2] == ("done", 2)
    assert kept.addresses.get().city == "Rennes"
