"""How long it takes to find duplicates among a million customers: `make bench-duplicates`.

Fills a PostgreSQL database of its own with the customers of `benchmarks.customers`. One in a hundred shares the mailbox
of another, one in a hundred the phone number, one in a hundred the name; 2,000 share one number, and 5,000 one name.
Prints what the scan needs, the first time and again, beside a sort of the same table, and how it is gone about.
"""

import argparse
import time

from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from benchmarks.customers import fill  # sets Django up
from customers import duplicates
from customers.models import DuplicatePair
from platforms.models import Platform

SHARE = """
    UPDATE customers_customer AS one SET
        email_key = CASE number %% 100 WHEN 1 THEN 'c.' || (number - 1) || '+x@example.com' ELSE one.email_key END,
        phone = CASE WHEN number <= 200000 AND number %% 100 = 7 THEN '+49301234567'
            WHEN number %% 100 = 2 THEN '+4930' || (10000000 + number - 1) ELSE one.phone END,
        name_key = CASE WHEN number <= 500000 AND number %% 100 = 8 THEN 'john smith'
            WHEN number %% 100 = 3 THEN other.name_key ELSE one.name_key END
    FROM (SELECT id, substr(external_ref, 3)::int AS number FROM customers_customer WHERE platform_id = %(platform)s)
        AS numbered
    JOIN customers_customer AS other
        ON other.platform_id = %(platform)s AND other.external_ref = 'C-' || (number + 2)
    WHERE one.id = numbered.id AND number %% 100 IN (1, 2, 3, 7, 8)
"""
SORT = """
    SELECT count(*) FROM (
        SELECT id, email_key FROM customers_customer WHERE platform_id = %s ORDER BY email_key OFFSET 0
    ) AS sorted
"""
WORDS = (("email",), ("phone",), ("name",), ("email", "phone"), ("email", "phone", "name"))


def seconds(sql: str, parameters: object) -> float:
    """Return how long a statement takes."""
    started = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
    return time.monotonic() - started


def scan(platform: Platform, words: tuple[str, ...]) -> None:
    """Print what a scan by these words needs, on no pairs and on those that it found."""
    DuplicatePair.objects.all().delete()
    first, again = (seconds(*duplicates.statement(platform, words, timezone.now())) for _ in range(2))
    print(f"{', '.join(words):24} {first:7.2f} s, again {again:7.2f} s  {DuplicatePair.objects.count():9,} pairs")


def main() -> None:
    """Fill, sort, scan, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="customers of the platform")
    count = parser.parse_args().rows
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    started = time.monotonic()
    platform = fill("large", count)
    seconds(SHARE, {"platform": platform.pk})
    seconds("VACUUM ANALYZE", None)
    print(f"{count:,} customers made in {time.monotonic() - started:.0f} s\n")
    print(f"{'one sort, by email_key':24} {min(seconds(SORT, [platform.pk]) for _ in range(2)):7.2f} s")
    for words in WORDS:
        scan(platform, words)
    sql, parameters = duplicates.statement(platform, ("email", "phone"), timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}", parameters)
        print("", *(line for [line] in cursor.fetchall()), sep="\n")


if __name__ == "__main__":
    main()
