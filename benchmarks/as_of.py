"""How long it takes to say how a platform stood, however long its history: `make bench-as-of`.

Fills a PostgreSQL database of its own with history rows, of which 1,000, 10,000 and 100,000 belong to one platform each
and lie among all the others as they would have come in. Then asks, in turns, how each platform stood at moments all
over its history: our `timeline.standing()`, the same by a LATERAL join written by hand, and simple-history's `as_of()`
where it can be waited for. Prints medians, their ratios, and what PostgreSQL did.
"""

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import django
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()

from modules import timeline  # noqa: E402  (once Django is set up)
from modules.models import PlatformModule  # noqa: E402
from modules.registry import registry  # noqa: E402
from modules.timeline import Moment  # noqa: E402
from platforms.models import Platform  # noqa: E402

History = PlatformModule.history.model
START = datetime(2017, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=30)
# Every how many rows one belongs to the platform; the offset keeps them apart.
SHARES = {"busy": (100, 0), "steady": (1_000, 1), "quiet": (10_000, 2)}
FILL = """
    INSERT INTO platform_modules_history (
        id, platform_id, module_code, change_number, history_date, history_type, is_enabled, enabled_at, disabled_at,
        config, config_version, secret_fingerprints, created_at, updated_at
    )
    SELECT
        platform_id * 100 + turn %% %(modules)s, platform_id, (%(codes)s::text[])[1 + turn %% %(modules)s],
        turn + 1, at,
        CASE WHEN turn < %(modules)s THEN '+' ELSE '~' END, turn %% 3 = 0, at, NULL,
        jsonb_build_object('max_attempts', turn %% 20, 'from_name', 'Kestrel Rewards'), 1, '{}'::jsonb, at, at
    FROM (
        SELECT
            %(start)s::timestamptz + number * %(step)s::interval AS at,
            CASE WHEN number %% 100 = 0 THEN %(busy)s WHEN number %% 1000 = 1 THEN %(steady)s
                WHEN number %% 10000 = 2 THEN %(quiet)s ELSE %(others)s + number %% 10007 END AS platform_id,
            CASE WHEN number %% 100 = 0 THEN number / 100 WHEN number %% 1000 = 1 THEN number / 1000
                WHEN number %% 10000 = 2 THEN number / 10000 ELSE number / 10007 END AS turn
        FROM generate_series(%(first)s, %(last)s) AS number
    ) AS rows
"""
BATCH = 500_000


@contextmanager
def database() -> Iterator[None]:
    """Have a migrated database of our own, gone afterwards."""
    if connection.vendor != "postgresql":
        raise SystemExit("This measures PostgreSQL: make bench-as-of")
    outer = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(outer, verbosity=0)


def fill(rows: int) -> dict[str, Platform]:
    """Make the platforms and their history; the indexes are built when the rows are there, which is faster."""
    platforms = {
        name: Platform.objects.create(code=name, name=name.title(), kind="loyalty", currency="EUR") for name in SHARES
    }
    codes = [definition.code for definition in registry]
    indexes = History._meta.indexes
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.remove_index(History, index)
    said = {name: platform.pk for name, platform in platforms.items()}
    said |= {"others": 1_000, "start": START, "step": STEP, "codes": codes, "modules": len(codes)}
    with connection.cursor() as cursor:
        for first in range(0, rows, BATCH):
            cursor.execute(FILL, said | {"first": first, "last": min(first + BATCH, rows) - 1})
            print(f"\r{min(first + BATCH, rows):,} of {rows:,} rows", end="", flush=True, file=sys.stderr)
        print(file=sys.stderr)
        for index in indexes:
            with connection.schema_editor() as editor:
                editor.add_index(History, index)
        cursor.execute("VACUUM ANALYZE")
    for name, (every, _) in SHARES.items():
        Platform.objects.filter(pk=platforms[name].pk).update(revision=rows // every)
    return platforms


def milliseconds(ask: Callable[[Moment], Any], moments: list[Moment]) -> float:
    """Return the median time of asking, one moment after the other; the first is not counted."""
    ask(moments[0])
    times = []
    for moment in moments:
        started = time.perf_counter()
        ask(moment)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1_000


def ours(platform: Platform) -> Callable[[Moment], Any]:
    """Ask as the API does: every module's state, and the revision of then."""
    return lambda moment: timeline.standing(platform, moment)


def rows_alone(platform: Platform) -> Callable[[Moment], Any]:
    """Ask for the rows alone."""
    return lambda moment: timeline._newest_versions(platform, moment)


def simple_history(platform: Platform) -> Callable[[Moment], Any]:
    """Ask simple-history."""
    return lambda moment: list(PlatformModule.history.as_of(moment.at).filter(platform=platform))


def compare(platforms: dict[str, Platform], rows: int, rounds: int, patience: int) -> None:
    """Ask each for each platform, and print what it took."""
    span = STEP * rows
    moments = [Moment(at=START + span * (0.02 + 0.98 * random.random())) for _ in range(rounds)]
    print(f"{rows:,} history rows; median of {rounds} moments all over the history, in ms")
    print(f"{'rows of the platform':>22}{'standing()':>14}{'its query':>12}{'as_of()':>14}")
    first: float | None = None
    for name in reversed(SHARES):
        platform = platforms[name]
        whole = milliseconds(ours(platform), moments)
        query = milliseconds(rows_alone(platform), moments)
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{patience}s'")
                theirs = milliseconds(simple_history(platform), [moments[0], *moments[:2]])
            said = f"{theirs:,.0f}"
            ratio = f"  as_of() / standing() = {theirs / whole:,.0f}"
        except DatabaseError:
            said, ratio = f"> {patience:,} s", f"  as_of() / standing() > {patience * 1_000 / whole:,.0f}"
        first = first or whole
        count = rows // SHARES[name][0]
        print(f"{count:>22,}{whole:>14.2f}{query:>12.2f}{said:>14}{ratio}", end="")
        print(f", standing() / its time at {rows // SHARES['quiet'][0]:,} rows = {whole / first:.2f}")


def explain(platform: Platform, rows: int) -> None:
    """Print what PostgreSQL does for one moment in the middle of the longest history."""
    print("\nEXPLAIN (ANALYZE, BUFFERS) of the query of standing(), the platform with the longest history:")
    with CaptureQueriesContext(connection) as captured:
        timeline.standing(platform, Moment(at=START + STEP * rows / 2))
    [query] = captured.captured_queries
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query['sql']}")
        print("\n".join(line for (line,) in cursor.fetchall()))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of history, all platforms together")
    parser.add_argument("--rounds", type=int, default=200, help="moments that are asked for")
    parser.add_argument("--patience", type=int, default=60, help="seconds to wait for simple-history")
    options = parser.parse_args()
    random.seed(4)
    with database():
        started = time.perf_counter()
        platforms = fill(options.rows)
        print(f"Filled in {time.perf_counter() - started:.0f} s.")
        compare(platforms, options.rows, options.rounds, options.patience)
        explain(platforms["busy"], options.rows)


if __name__ == "__main__":
    main()
