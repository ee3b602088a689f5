"""`platforms.counters`: how often, over all processes."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, transaction
from django.utils import timezone

from platforms import counters, services
from platforms.models import RequestCount

MINUTE = 1_700_000_040  # a multiple of 60


def hits(count, limit, name="a"):
    """Count so often; return how many were let through."""
    return sum(counters.hit(name, limit=limit, seconds=60) == 0 for _ in range(count))


@pytest.fixture
def stopped():
    with counters.clock_at(MINUTE):
        yield


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [1, 5, 60, 119, 120, 600])
def test_hit__one_process__lets_through_the_limit_exactly(stopped, limit):
    assert hits(limit + 50, limit) == limit
    assert hits(3, limit, name="another") == min(3, limit)


@pytest.mark.django_db
@pytest.mark.parametrize(("limit", "beyond"), [(5, 0), (60, 0), (119, 0), (120, 4 * 1), (600, 4 * 9)])
def test_hit__other_processes__let_through_less_than_a_block_each_beyond_the_limit(stopped, limit, beyond):
    for _ in range(4):
        # What they hold back is the most that they can.
        assert hits(max(1, limit // 60) - 1, limit) == beyond // 4
        counters.forget()
    assert hits(limit // 2, limit) == limit // 2
    counters.forget()
    assert hits(limit, limit) == limit - limit // 2


@pytest.mark.django_db
def test_hit__next_window__begins_anew():
    with counters.clock_at(MINUTE + 59):
        assert hits(9, 5) == 5
        assert counters.hit("a", limit=5, seconds=60) == 1
    with counters.clock_at(MINUTE + 60):
        assert hits(9, 5) == 5
        assert counters.hit("a", limit=5, seconds=60) == 60


@pytest.mark.django_db
def test_hit__costs_a_statement_a_block_and_none_beyond_the_limit(stopped, django_assert_num_queries):
    with django_assert_num_queries(5):
        hits(50, 5)
    with django_assert_num_queries(60):
        hits(600, 600, name="b")
    with django_assert_num_queries(0):
        hits(100, 600, name="b")
        hits(9, 600, name="c")


@pytest.mark.django_db(transaction=True)
def test_hit__four_threads_at_once__let_through_the_limit_exactly(stopped):
    start = Barrier(4)

    def run(_):
        try:
            start.wait()
            return hits(20, 30)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 30


@pytest.mark.django_db(transaction=True)
def test_hit__database_is_anothers__is_let_through_soon(in_thread):
    """SQLite has one writer at a time: to be counted is no reason to wait for it."""
    started = timezone.now()
    with transaction.atomic():
        RequestCount.objects.create(key="other", hits=1, ends_at=0)
        assert in_thread(lambda: hits(3, 5)) == 3
    assert (timezone.now() - started).total_seconds() < 5


@pytest.mark.django_db
def test_hit__very_many_names__are_not_remembered_for_ever(stopped, monkeypatch):
    monkeypatch.setattr("platforms.counters._MOST_TALLIES", 10)
    for number in range(25):
        hits(1, 600, name=str(number))
    assert len(counters._tallies) <= 10
    with counters.clock_at(MINUTE + 60):
        hits(1, 600)


@pytest.mark.django_db
def test_purge__deletes_the_windows_that_are_over():
    now = int(timezone.now().timestamp())
    for key, ends_at in (("old", now - 1), ("now", now), ("new", now + 60)):
        RequestCount.objects.create(key=key, hits=1, ends_at=ends_at)
    assert services.purge_request_counts() == 2
    assert RequestCount.objects.get().key == "new"
