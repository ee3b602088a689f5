"""How long it takes to find customers, and members of segments, among a million: `make bench-customers`.

Fills a PostgreSQL database of its own with one platform of a million customers and one of a thousand, asks what the API
and the admin ask of them, and prints what PostgreSQL needed for each, and by which indexes.
"""

import argparse
import os
import re
import time
from datetime import timedelta

import django
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()

from benchmarks import segments  # noqa: E402  (once Django is set up)
from customers.models import Customer  # noqa: E402
from customers.selectors import search  # noqa: E402
from platforms.admin_base import BoundedPaginator  # noqa: E402
from platforms.models import Platform  # noqa: E402

FILL = """
    INSERT INTO customers_customer (
        id, platform_id, email, email_key, phone, first_name, last_name, name_key, last_name_key, locale, status,
        external_ref, created_at, updated_at
    )
    SELECT
        gen_random_uuid(), %(platform)s, 'c' || number || '@example.com', 'c' || number || '@example.com',
        '+4930' || (10000000 + number), first, last, lower(first || ' ' || last), lower(last || ' ' || first), 'de',
        CASE WHEN number %% 33 = 0 THEN 'blocked' ELSE 'active' END, 'C-' || number,
        now() - random() * 400 * interval '1 day', now()
    FROM (
        SELECT
            number,
            (ARRAY['Maelle', 'Yann', 'Anke', 'Bjorn', 'Harriet', 'Owen', 'Priya', 'Idris', 'Agnes', 'Zoe'])
                [1 + floor(random() * 10)::int] AS first,
            (ARRAY['Dubois', 'Moreau', 'Muller', 'Gross', 'Patel', 'MacLeod', 'Ashdown', 'Brandt'])
                [1 + floor(random() * 8)::int] || number AS last
        FROM generate_series(1, %(count)s) AS number
    ) AS people
"""
# From one that finds one customer to one that finds half of them.
TEXTS = (
    "c123456@example.com",
    "+49 30 10123456",
    "C-123456",
    "dubois12345",
    "anke gross987",
    "anke gross9",
    "maelle d",
    "mae",
    "d",
    "nobody at all",
)
PAGE = 51


def fill(code: str, count: int) -> Platform:
    """Make a platform with so many customers."""
    platform = Platform.objects.create(code=code, name=code.title(), kind=Platform.Kind.LOYALTY, currency="EUR")
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"platform": platform.pk, "count": count})
    return platform


def measure(what: str, rows: QuerySet[Customer]) -> None:
    """Print the time of the second of two runs, in the database, and the indexes that it went by."""
    plan = [rows.explain(analyze=True) for _ in range(2)][-1]
    [milliseconds] = re.findall(r"Execution Time: ([\d.]+) ms", plan)
    indexes = sorted(set(re.findall(r"\b(?:idx|uq)_\w+", plan)))
    print(f"{what:36} {float(milliseconds):9.3f} ms  {', '.join(indexes) or 'no index'}")


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="customers of the large platform")
    parser.add_argument("--plans", action="store_true", help="print PostgreSQL's plans for the segments, too")
    asked = parser.parse_args()
    count = asked.rows
    call_command("migrate", verbosity=0)
    started = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    large, small = fill("large", count), fill("small", 1000)
    segments.fill(large)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(f"{count} customers made in {time.monotonic() - started:.0f} s\n")

    listed = Customer.objects.filter(platform=large).order_by("-created_at", "id")
    for text in TEXTS:
        measure(f"search {text}", search(listed, text)[:PAGE])
    measure("first page", listed[:PAGE])
    newest = listed.first()
    assert newest is not None
    measure("a page in the middle", listed.filter(created_at__lt=newest.created_at - timedelta(days=200))[:PAGE])
    measure("first page of the blocked", listed.filter(status="blocked")[:PAGE])
    for name, platforms in (("all platforms", (large, small)), ("the small platform", (small,))):
        seen = Platform.objects.filter(pk__in=[platform.pk for platform in platforms])
        shown = Customer.objects.filter(platform__in=seen).order_by("-created_at", "-id")
        measure(f"admin, {name}: a page", shown[:50])
        measure(f"admin, {name}: the count", shown.order_by()[: BoundedPaginator.MOST + 1])
        measure(f"admin, {name}: search d, the count", search(shown, "d").order_by()[: BoundedPaginator.MOST + 1])
    segments.measure(large, page=PAGE, with_plans=asked.plans)


if __name__ == "__main__":
    main()
