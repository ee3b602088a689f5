"""How long it takes to find the members of a segment among a million customers: a part of `make bench-customers`."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from benchmarks.database_time import time_in_database
from customers import segments
from customers.keys import name_key
from customers.models import Customer, Segment, Tag
from platforms.models import Platform, Vendor
from platforms.search import MOST_COUNTED

# How many customers carry each tag, by a condition on their number; Founders are the oldest.
TAGS = {
    "Newsletter": "number %% 2 = 1",
    "No newsletter": "number %% 2 = 0",
    "Gold": "number %% 10 = 3",
    "Silver": "number %% 100 = 33",
    "Complained": "number %% 1000 = 330",
    "Press": "number %% 100000 = 33333",
    "Founder": "created_at < now() - interval '399 days'",
}
CUSTOMERS = """
    WITH people AS (
        SELECT id, platform_id, created_at, substr(external_ref, 3)::int AS number
        FROM customers_customer WHERE platform_id = %(platform)s
    )
"""
TAGGED = """
    INSERT INTO customers_customer_tags (customer_id, tag_id) SELECT id, %(tag)s FROM people WHERE
"""
BOUGHT = """
    INSERT INTO customers_customervendor (id, customer_id, vendor_id, created_at)
    SELECT gen_random_uuid(), people.id, vendor.id, people.created_at
    FROM people JOIN platforms_vendor AS vendor USING (platform_id)
    WHERE CASE vendor.code WHEN 'everywhere' THEN number %% 5 < 3 ELSE number %% 2000 = 5 END
"""
HOUSED = """
    INSERT INTO customers_address (
        id, platform_id, customer_id, kind, is_default, recipient, line1, line2, postal_code, city, region, country,
        created_at
    )
    SELECT
        gen_random_uuid(), platform_id, id, 'shipping', true, '', '1 Mill Street', '', '',
        CASE WHEN number %% 5000 = 7 THEN 'Kiel'
            ELSE (ARRAY['Berlin', 'Hamburg', 'Brest', 'Paris'])[1 + number %% 4] END, '',
        (ARRAY['DE', 'DE', 'FR', 'FR'])[1 + number %% 4], created_at
    FROM people
"""
# E-mail: 55 of a hundred said yes, three quarters of them confirmed it, one in sixteen took it back. SMS: nearly all
# took it back. Post: 50 of a million.
AGREED = """
    INSERT INTO customers_consentrecord (
        id, platform_id, customer_id, channel, purpose, action, needs_confirmation, source, document_version,
        actor_label, at
    )
    SELECT
        gen_random_uuid(), platform_id, id, channel, 'marketing', action, action = 'given' AND channel = 'email',
        'checkout', '', '', created_at + place * interval '1 hour'
    FROM people JOIN (
        VALUES (1, 'email', 'given'), (2, 'email', 'confirmed'), (3, 'email', 'withdrawn'), (1, 'sms', 'given'),
            (2, 'sms', 'withdrawn'), (1, 'post', 'given')
    ) AS said (place, channel, action) ON CASE channel
        WHEN 'email' THEN number %% 20 < 11 AND (place = 1 OR number %% 4 <> 0) AND (place < 3 OR number %% 16 = 1)
        WHEN 'sms' THEN number %% 10 = 0 AND (place = 1 OR number %% 1000 <> 0)
        ELSE number %% 20000 = 0 END
"""
# What the ledger comes to.
IN_FORCE = """
    INSERT INTO customers_consentinforce (platform_id, customer_id, channel, purpose)
    SELECT platform_id, customer_id, channel, purpose
    FROM (
        SELECT DISTINCT ON (customer_id, channel, purpose) * FROM customers_consentrecord
        ORDER BY customer_id, channel, purpose, at DESC
    ) AS newest
    WHERE platform_id = %(platform)s AND (action = 'confirmed' OR (action = 'given' AND NOT needs_confirmation))
"""


def fill(platform: Platform) -> None:
    """Give the platform's customers tags, vendors, addresses and consents."""
    for code in ("everywhere", "corner"):
        Vendor.objects.create(platform=platform, code=code, name=code.title())
    with connection.cursor() as cursor:
        for name, condition in TAGS.items():
            tag = Tag.objects.create(platform=platform, name=name, key=name_key(name))
            cursor.execute(f"{CUSTOMERS} {TAGGED} {condition}", {"platform": platform.pk, "tag": tag.pk})
        for statement in (BOUGHT, HOUSED, AGREED):
            cursor.execute(f"{CUSTOMERS} {statement}", {"platform": platform.pk})
        cursor.execute(IN_FORCE, {"platform": platform.pk})


def rule(field: str, operator: str, value: Any = None) -> dict[str, Any]:
    """Return a rule."""
    return {"field": field, "operator": operator, **({} if value is None else {"value": value})}


ACTIVE, MAILED = rule("status", "is", ["active"]), rule("email", "is_set")


def agreed(channel: str, operator: str = "given") -> dict[str, Any]:
    """Return the rule that they agreed, or did not, to marketing on this channel."""
    return rule("consent", operator, {"channel": channel, "purpose": "marketing"})


ALL: Mapping[str, list[dict[str, Any]]] = {
    "three that many match": [
        rule("tag", "has", ["Newsletter"]),
        rule("vendor", "bought_from", ["everywhere"]),
        rule("country", "is", ["FR"]),
    ],
    "three of their own columns": [ACTIVE, MAILED, rule("created", "within", 100)],
    "a tag of ten": [rule("tag", "has", ["Press"]), ACTIVE, MAILED],
    "a tag of a thousand and a consent": [
        rule("tag", "has", ["Complained"]),
        rule("city", "is", ["Brest"]),
        agreed("email"),
    ],
    "a consent that many gave": [agreed("email"), rule("tag", "has", ["Gold"]), ACTIVE],
    "a consent that fifty gave": [agreed("post"), ACTIVE, MAILED],
    "a consent that nearly all took back": [agreed("sms"), ACTIVE, MAILED],
    "none of a tag, no consent": [rule("tag", "has_not", ["Newsletter"]), agreed("email", "not_given"), MAILED],
    "the oldest": [rule("tag", "has", ["Founder"]), rule("vendor", "bought_from", ["everywhere"]), MAILED],
    "two that never meet": [rule("tag", "has", ["Silver"]), rule("vendor", "bought_from", ["corner"]), MAILED],
    "two halves that never meet": [rule("tag", "has", ["Newsletter"]), rule("tag", "has", ["No newsletter"]), MAILED],
    "the start of a name": [
        rule("name", "starts_with", "Dubois12"),
        rule("email", "ends_with", "example.com"),
        rule("locale", "is", ["de"]),
    ],
    "a domain of nobody": [rule("email", "ends_with", "nowhere.example"), ACTIVE, rule("phone", "is_set")],
}
ANY: Mapping[str, list[dict[str, Any]]] = {
    "any of three that many match": [rule("tag", "has", ["Newsletter"]), rule("city", "is", ["Kiel"]), agreed("email")],
    "any of three that few match": [
        rule("tag", "has", ["Press"]),
        rule("city", "is", ["Kiel"]),
        rule("vendor", "bought_from", ["corner"]),
    ],
}


def measure(platform: Platform, *, page: int, with_plans: bool) -> None:
    """Print what PostgreSQL needs for the first page of each segment, and for its count."""
    print("\nsegments: the first page, all its queries together; the count, as far as it goes")
    for match, by_name in (("all", ALL), ("any", ANY)):
        for name, rules in by_name.items():
            segment = Segment(platform=platform, match=match, rules=rules)
            paged, plans = time_in_database(partial(_first_page, segment, page))
            counted, _ = time_in_database(partial(_count, segment))
            indexes = sorted(set(re.findall(r"\b(?:idx|uq)_\w+", " ".join(plans))))
            print(f"{name:36} {paged:9.3f} ms {counted:9.3f} ms  {', '.join(indexes) or 'the keys alone'}")
            if with_plans:
                print("\n".join(plans))


def _first_page(segment: Segment, page: int) -> QuerySet[Customer]:
    return segments.in_pages(segment).order_by("-created_at", "id")[:page]


def _count(segment: Segment) -> QuerySet[Customer]:
    return segments.in_pages(segment).order_by()[: MOST_COUNTED + 1]
