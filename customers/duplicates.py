"""Who may be the same person twice: found by a scan, set against set, and put to staff, who have the last word.

A platform's `duplicate_match` says what makes two customers a pair: the same mailbox, phone number or name. No two of
them have the same e-mail address; a mailbox is the address without what many providers ignore in it, the dots and the
`+tag` before the @. What more than a few share tells nobody apart, a switchboard's number, say, or a common name: a
group beyond MOST makes no pairs, so that their number grows with that of the customers and not with its square.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from customers.definition import CustomersConfig
from customers.models import Customer, DuplicatePair
from modules import gate
from platforms.access import Actor
from platforms.models import Platform

# How many customers may share a thing and still make pairs: of ten, 45. A name alone is weak.
MOST = {"email": 10, "phone": 10, "name": 5}
_KEYS = {"email": "mailbox", "phone": "phone", "name": "name_key"}
# What the two databases call alike things.
_NEW_ID = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}
_POSITION = {"postgresql": "strpos", "sqlite": "instr"}

# The customers who share something with somebody, and how many share it: sorted once for each word, and the others
# left out, before anybody is joined with anybody.
_PEOPLE = """
    SELECT id, mailbox, phone, name_key, {counts}
    FROM (
        SELECT
            id, phone, name_key,
            CASE WHEN at = 0 THEN ''
                ELSE replace(CASE WHEN tag > 1 THEN substr(local, 1, tag - 1) ELSE local END, '.', '')
                    || substr(email_key, at)
            END AS mailbox
        FROM (
            SELECT id, phone, name_key, email_key, at, local, {position}(local, '+') AS tag
            FROM (
                SELECT
                    id, phone, name_key, email_key, {position}(email_key, '@') AS at,
                    substr(email_key, 1, {position}(email_key || '@', '@') - 1) AS local
                FROM {customers}
                WHERE platform_id = %s AND status IN ('active', 'blocked')
            ) AS apart
        ) AS tagged
    ) AS keyed
"""
_COUNT = "count(*) OVER (PARTITION BY {key}) AS {word}_count"
_SHARED = "({key} <> '' AND {word}_count BETWEEN 2 AND {most})"
# A pair that is there already keeps its id, its status and when it was found. Rows are written in the order of their
# keys and never with an older time: of two scans at once, neither locks the other out or takes its pairs away.
_FIND = """
    WITH counted AS ({people}),
    people AS (SELECT * FROM counted WHERE {shared}),
    found AS ({found})
    INSERT INTO {pairs} (
        id, platform_id, a_id, b_id, same_email, same_phone, same_name, strength, status, found_at, seen_at,
        dismissed_by
    )
    SELECT
        {new_id}, %s, a, b, same_email, same_phone, same_name,
        CASE WHEN same_email THEN {email} ELSE 0 END + CASE WHEN same_phone THEN {phone} ELSE 0 END
            + CASE WHEN same_name THEN {name} ELSE 0 END,
        'open', %s, %s, ''
    FROM (
        SELECT
            found.a, found.b,
            one.mailbox <> '' AND one.mailbox = other.mailbox AS same_email,
            one.phone <> '' AND one.phone = other.phone AS same_phone,
            one.name_key <> '' AND one.name_key = other.name_key AS same_name
        FROM found JOIN people AS one ON one.id = found.a JOIN people AS other ON other.id = found.b
    ) AS compared
    WHERE true
    ORDER BY a, b
    ON CONFLICT (a_id, b_id) DO UPDATE SET
        same_email = excluded.same_email, same_phone = excluded.same_phone, same_name = excluded.same_name,
        strength = excluded.strength, seen_at = excluded.seen_at
    WHERE {pairs}.seen_at < excluded.seen_at
"""
_FOUND = """
    SELECT one.id AS a, other.id AS b
    FROM people AS one JOIN people AS other ON one.{key} = other.{key} AND one.id < other.id
    WHERE one.{key} <> '' AND one.{word}_count BETWEEN 2 AND {most}
"""


@transaction.atomic
def find(*, platform: Platform) -> None:
    """Find the platform's pairs: new ones are added, those that are none any more go, and what staff said stays.

    A dismissed pair stays also while it is none, or it would be put to staff again once it is one: it goes with its
    customers. Two statements, however many customers there are.
    """
    words = gate.config_of(platform, CustomersConfig).duplicate_match
    now = timezone.now()
    if words:
        sql, parameters = statement(platform, list(dict.fromkeys(words)), now)
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
    not_seen = DuplicatePair.objects.filter(platform=platform, seen_at__lt=now)
    said = DuplicatePair.objects.live().filter(platform=platform, status=DuplicatePair.Status.DISMISSED)
    not_seen.exclude(pk__in=said.values("pk")).delete()


def statement(platform: Platform, words: Sequence[str], now: datetime) -> tuple[str, tuple[Any, ...]]:
    """Return the SQL that adds and renews a platform's pairs by these words, with its parameters."""
    vendor, quote = connection.vendor, connection.ops.quote_name
    said = [{"word": word, "key": _KEYS[word], "most": MOST[word]} for word in words]
    sql = _FIND.format(
        people=_PEOPLE.format(
            counts=", ".join(_COUNT.format_map(one) for one in said),
            position=_POSITION[vendor],
            customers=quote(Customer._meta.db_table),
        ),
        shared=" OR ".join(_SHARED.format_map(one) for one in said),
        found=" UNION ".join(_FOUND.format_map(one) for one in said),
        pairs=quote(DuplicatePair._meta.db_table),
        new_id=_NEW_ID[vendor],
        **DuplicatePair.WEIGHTS,
    )
    at = connection.ops.adapt_datetimefield_value(now)
    return sql, (platform.pk, platform.pk, at, at)


def dismiss(*, pair: DuplicatePair, by: Actor | None = None) -> DuplicatePair:
    """Say that the two are not one person: no scan proposes them again. Dismissed already, it stays as it is.

    Raises DuplicatePair.DoesNotExist where it is gone.
    """
    return _set_status(pair, DuplicatePair.Status.DISMISSED, by)


def reopen(*, pair: DuplicatePair, by: Actor | None = None) -> DuplicatePair:
    """Put a pair that was dismissed to staff again. Raises as `dismiss` does."""
    return _set_status(pair, DuplicatePair.Status.OPEN, by)


@transaction.atomic
def _set_status(pair: DuplicatePair, status: DuplicatePair.Status, by: Actor | None) -> DuplicatePair:
    locked = DuplicatePair.objects.select_for_update(no_key=True).get(pk=pair.pk)
    if locked.status != status:
        is_dismissed = status == DuplicatePair.Status.DISMISSED
        locked.status = status
        locked.dismissed_at = timezone.now() if is_dismissed else None
        locked.dismissed_by = by.label if is_dismissed and by is not None else ""
        locked.save(update_fields=["status", "dismissed_at", "dismissed_by"])
    return locked
