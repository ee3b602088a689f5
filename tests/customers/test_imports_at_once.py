"""Imports beside each other and beside people, and workers that are killed: nothing lost, nothing doubled, no error."""

import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection

from customers import imports, services
from customers.models import Customer, CustomerEvent, ImportChunk, ImportRun
from modules.models import Event
from platforms.models import Platform, User
from tests.customers.importing import begin, counts, people, table
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
