"""Imports beside each other and beside people, and workers that are killed: nothing lost, nothing doubled, no error."""

import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from customers import imports, services
from customers.imports import running
from customers.models import Customer, CustomerEvent, ErrorPolicy, ImportChunk, ImportRun
from modules.models import Event
from platforms.models import Platform, User
from tests.customers.importing import begin, counts, people, table
from tests.factories import CustomerFactory
from tests.processes import kill_group, started, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

SEED = 17


def at_once(*works: Any) -> list[Any]:
    """Call each in a thread and with a connection of its own, all of them from the same moment on."""
    start = threading.Barrier(len(works))

    def run(work: Any) -> Any:
        start.wait()
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result() for done in [pool.submit(run, work) for work in works]]


def processed(run: ImportRun) -> int:
    return ImportRun.objects.values_list("processed", flat=True).get(pk=run.pk)


def killed_in_the_middle(run: ImportRun, kills: int) -> None:
    """Have workers take the import up, and kill each at a random point of its work; then let one come to its end."""
    chance = random.Random(SEED)
    command = [sys.executable, "-W", "ignore", "-m", "tests.customers.import_worker", str(run.pk), "0.1"]
    for _ in range(kills):
        run.refresh_from_db()
        before = run.processed
        with started(command) as worker:
            wait_for(lambda worker=worker, before=before: worker.poll() is not None or processed(run) > before)
            time.sleep(chance.uniform(0, 0.3))
            kill_group(worker)
        run.refresh_from_db()
        # Whatever the point: what is counted is there, and nothing else.
        assert Customer.objects.count() == CustomerEvent.objects.count() == run.created
        assert Event.objects.filter(name="customers.created").count() == run.created
    imports.work_on(str(run.pk))
    run.refresh_from_db()


def assert_whole(run: ImportRun, total: int) -> None:
    assert counts(run) == ("done", total, total, 0, 0, 0)
    assert Customer.objects.count() == CustomerEvent.objects.count() == total
    assert Event.objects.filter(name="customers.created").count() == total
    assert Event.objects.filter(name="customers.import_completed").count() == 1
    assert not ImportChunk.objects.exists()


def test_worker__killed_in_the_middle__no_row_is_lost_and_none_doubled(shop: Platform, ann: User) -> None:
    run = begin(shop, ann, table(people(1700, 0)), checks_first=False)
    killed_in_the_middle(run, kills=2)
    assert_whole(run, 1700)


@pytest.mark.faults
def test_worker__killed_many_times__no_row_is_lost_and_none_doubled(shop: Platform, ann: User) -> None:
    run = begin(shop, ann, table(people(5000, 0)), checks_first=False)
    killed_in_the_middle(run, kills=9)
    assert_whole(run, 5000)


def test_import__two_workers_at_once__each_row_is_written_once(shop: Platform, ann: User) -> None:
    run = begin(shop, ann, table(people(1600, 0)), checks_first=False)
    at_once(*[lambda: imports.work_on(str(run.pk))] * 3)
    run.refresh_from_db()
    assert_whole(run, 1600)


def test_imports__two_of_the_same_people_at_once__nobody_is_there_twice(shop: Platform, ann: User) -> None:
    """In opposite orders, so that each would wait for the other."""
    said = people(1200, 0)
    runs = [begin(shop, ann, table(rows), checks_first=False) for rows in (said, said[::-1])]
    at_once(*[lambda run=run: imports.work_on(str(run.pk)) for run in runs])
    found = [counts(ImportRun.objects.get(pk=run.pk)) for run in runs]
    assert [one[0] for one in found] == ["done", "done"]
    assert sum(one[2] for one in found) == 1200
    assert sum(one[5] for one in found) == 0
    assert Customer.objects.count() == 1200


def test_import__staff_make_some_of_the_people_meanwhile__nothing_raised_and_nobody_twice(
    shop: Platform, ann: User
) -> None:
    said = people(900, 0)
    run = begin(shop, ann, table(said), checks_first=False)
    refused = []

    def type_them() -> None:
        for row in said[::60]:
            values = {"email": row["email"], "first_name": "Typed"}
            try:
                services.create_customer(platform=shop, values=values)
            except (ValidationError, DatabaseError) as error:
                refused.append(type(error).__name__)

    at_once(lambda: imports.work_on(str(run.pk)), type_them)
    run.refresh_from_db()
    typed = Customer.objects.filter(first_name="Typed").count()
    assert (run.status, run.created, run.failed) == ("done", 900 - typed, typed)
    assert len(refused) == 15 - typed
    assert set(refused) <= {"ValidationError", "IntegrityError", "OperationalError"}
    assert Customer.objects.count() == 900


# --- somebody is to be forgotten meanwhile -------------------------------------------------------------------------


def test_forget__while_all_or_nothing_is_written__waits_for_its_end(
    shop: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"policy": ErrorPolicy.ALL_OR_NOTHING, "checks_first": False}
    run = begin(shop, ann, table(people(1200, 0)), **options)
    count, is_on, seen = running._count, threading.Event(), []

    def slowly(*what: Any) -> None:
        count(*what)
        is_on.set()
        time.sleep(0.2)

    def forget() -> None:
        is_on.wait(30)
        imports.forget(platform=shop, sought=imports.Sought.by(refs=["C-1100"]))
        seen.append(ImportRun.objects.get(pk=run.pk).status)

    monkeypatch.setattr(running, "_count", slowly)
    at_once(lambda: imports.work_on(str(run.pk)), forget)
    assert seen == ["done"]


if connection.vendor == "postgresql":
    # SQLite has one writer at a time.

    def test_cancel__while_all_or_nothing_is_written__does_not_wait(
        shop: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options = {"policy": ErrorPolicy.ALL_OR_NOTHING, "checks_first": False}
        run = begin(shop, ann, table(people(1200, 0)), **options)
        count, is_on, is_cancelled = running._count, threading.Event(), threading.Event()

        def wait(*what: Any) -> None:
            count(*what)
            is_on.set()
            assert is_cancelled.wait(5)

        def cancel() -> None:
            is_on.wait(30)
            imports.cancel(run=run)
            is_cancelled.set()

        monkeypatch.setattr(running, "_count", wait)
        at_once(lambda: imports.work_on(str(run.pk)), cancel)
        assert ImportRun.objects.get(pk=run.pk).status == "cancelled"
        assert not Customer.objects.exists()


def test_erasure__locks_the_imports_first__nobody_waits_in_a_circle(
    shop: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = CustomerFactory(platform=shop, external_ref="C-1", email="")
    run = begin(shop, ann, table(people(20, 0)), checks_first=False)
    has_locked, busy = threading.Event(), []

    def erase() -> None:
        with transaction.atomic():
            imports.lock_open_runs(shop)
            Customer.objects.select_for_update(no_key=True).get(pk=known.pk)
            has_locked.set()
            time.sleep(0.5)
            assert imports.forget(platform=shop, sought=imports.Sought.by(refs=["C-1"])) == 1

    def work() -> None:
        has_locked.wait(30)
        imports.work_on(str(run.pk))

    monkeypatch.setattr(running, "is_busy", lambda error: busy.append(error) or False)
    at_once(erase, work)
    assert busy == []
    run.refresh_from_db()
    known.refresh_from_db()
    assert (counts(run), known.email) == (("done", 20, 19, 0, 0, 1), "")
