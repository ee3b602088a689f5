"""How long it takes to find customers, and members of segments, among a million: `make bench-customers`.

Fills a PostgreSQL database of its own with one platform of a million customers and one of a thousand, asks what the API
and the admin ask of them, and prints what PostgreSQL needed for each, and by which indexes.
"""

import argparse
import os
import re
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import django
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()

from benchmarks import segments  # noqa: E402  (once Django is set up)
from benchmarks.database_time import time_in_database  # noqa: E402
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
        CASE WHEN number %% 33 = 0 THEN 'blocked' WHEN number %% 20 = 0 THEN 'erased' ELSE 'active' END,
        CASE WHEN days > 360 THEN 'L-' ELSE 'C-' END || number, now() - days * interval '1 day', now()
    FROM (
        SELECT
            number, random() * 400 AS days,
            (ARRAY['Maelle', 'Yann', 'Anke', 'Bjorn', 'Harriet', 'Owen', 'Priya', 'Idris', 'Agnes', 'Zoe'])
                [1 + floor(random() * 10)::int] AS first,
            (ARRAY['Dubois', 'Moreau', 'Muller', 'Gross', 'Patel', 'MacLeod', 'Ashdown', 'Brandt'])
                [1 + floor(random() * 8)::int] || number AS last
        FROM generate_series(1, %(count)s) AS number
    ) AS people
"""
# From one that finds one customer to one that finds a quarter of them; L- are the oldest.
TEXTS = (
    "c123456@example.com",
    "+49 30 10123456",
    "C-12345",
    "dubois12345",
    "anke gross987",
    "anke gross9",
    "maelle d",
    "mae",
    "d",
    "L-1234",
    "L-1",
    "L-",
    "nobody at all",
)
PAGE = 51


def fill(code: str, count: int) -> Platform:
    """Make a platform with so many customers."""
    platform = Platform.objects.create(code=code, name=code.title(), kind=Platform.Kind.LOYALTY, currency="EUR")
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"platform": platform.pk, "count": count})
    return platform


def measure(what: str, make: Callable[[], QuerySet[Customer]], *, with_plans: bool) -> None:
    """Print the time in the database, of all its queries together, and the indexes that they went by."""
    milliseconds, plans = time_in_database(make)
    indexes = sorted(set(re.findall(r"\b(?:idx|uq)_\w+", " ".join(plans))))
    print(f"{what:44} {milliseconds:9.3f} ms  {', '.join(indexes) or 'no index'}")
    if with_plans:
        print("\n".join(plans))


def _found(
    shown: QuerySet[Customer], text: str, most: int, within: QuerySet[Customer] | None = None
) -> QuerySet[Customer]:
    return search(shown, text, within=within)[:most]


def _cut(shown: QuerySet[Customer], most: int) -> QuerySet[Customer]:
    return shown[:most]


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="customers of the large platform")
    parser.add_argument("--plans", action="store_true", help="print PostgreSQL's plans, too")
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
    newest = listed.first()
    assert newest is not None
    older = listed.filter(created_at__lt=newest.created_at - timedelta(days=200))
    gold = listed.filter(tags__name="Gold")
    asked_for: dict[str, Callable[[], QuerySet[Customer]]] = {
        **{f"search {text}": partial(_found, listed, text, PAGE) for text in TEXTS},
        **{f"search {text}, of a tag": partial(_found, gold, text, PAGE, listed) for text in TEXTS},
        "first page": lambda: listed[:PAGE],
        "a page in the middle": lambda: older[:PAGE],
        "first page of the blocked": lambda: listed.filter(status="blocked")[:PAGE],
    }
    for name, platforms in (("all platforms", (large, small)), ("the small platform", (small,))):
        seen = Platform.objects.filter(pk__in=[platform.pk for platform in platforms])
        everybody = Customer.objects.filter(platform__in=seen).order_by("-created_at", "-id")
        shown = everybody.open()
        asked_for[f"admin, {name}: a page"] = partial(_cut, shown, 50)
        asked_for[f"admin, {name}: all of them"] = partial(_cut, everybody, 50)
        asked_for[f"admin, {name}: the erased"] = partial(_cut, everybody.filter(status="erased"), 50)
        asked_for[f"admin, {name}: the count"] = partial(_cut, shown.order_by(), BoundedPaginator.MOST + 1)
        for text in ("d", "L-1", "anke gross9"):
            asked_for[f"admin, {name}: search {text}"] = partial(_found, shown, text, 50, everybody)
            asked_for[f"admin, {name}: search {text}, the count"] = partial(
                _found, shown.order_by(), text, BoundedPaginator.MOST + 1, everybody
            )
    for what, make in asked_for.items():
        measure(what, make, with_plans=asked.plans)
    segments.measure(large, page=PAGE, with_plans=asked.plans)


if __name__ == "__main__":
    main()
