"""The one way to write many customers: judge a set of rows, write it, and where somebody else was faster, again."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from customers.models import ErrorPolicy, Match
from customers.upserts import there
from customers.upserts.judging import judge
from customers.upserts.rows import Author, Fault, Result, Row
from customers.upserts.writing import write
from platforms.database import points_nowhere
from platforms.models import Platform

# Rows that are judged and written together.
MAX_ROWS = 500
# Row by row takes long, while others wait for what is locked: it is the last that is tried.
_TOGETHER = 2


def upsert(
    *,
    platform: Platform,
    rows: Sequence[Row],
    match: Match,
    policy: ErrorPolicy,
    by: Author | None = None,
    note: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> list[Result]:
    """Make or change the customers that the rows speak of, in one transaction; return what became of each.

    At most 500 rows at a time; what a file says twice is for `Seen` to mark before. A row with a fault is left out, or
    under `ignore_field` taken without that field, unless it is the one that rows are matched by. Under
    `all_or_nothing` it is the caller who takes everything back where a row failed. A blank cell leaves as it is what is
    there, and tags and vendors are added, never taken away. What somebody was known by who was merged since finds the
    one they were merged into, unless an open customer is known by it; such a row fills what is blank, and overwrites
    nothing.

    Each customer is locked, stands in the timeline with `note`, and is told of. dry_run: nothing is written or locked.
    Raises ValueError for more rows.
    """
    if len(rows) > MAX_ROWS:
        raise ValueError(f"At most {MAX_ROWS} rows at a time.")

    def take(some: Sequence[Row]) -> list[Result]:
        known = there.read(platform, some, is_locked=not dry_run)
        ignores = policy == ErrorPolicy.IGNORE_FIELD
        verdicts = [judge(row, known, match, ignores_fields=ignores) for row in some]
        if not dry_run:
            write(verdicts, known, by=by, note=note or {})
        return [
            Result(
                row=verdict.row,
                outcome=verdict.outcome,
                customer=verdict.customer.pk if verdict.customer else None,
                faults=tuple(verdict.faults),
            )
            for verdict in verdicts
        ]

    for _ in range(_TOGETHER):
        try:
            with transaction.atomic():
                return take(rows)
        except IntegrityError:
            # One of them collides with what somebody else has just made, and is there to be found the next time.
            continue
    # Or not, as it is in the way by another key: row by row it shows which.
    return [_alone(row, take) for row in rows]


def _alone(row: Row, take: Any) -> Result:
    """Take one row; twice, as what it collides with the first time is there to be found the second time."""
    fault = Fault(code="unique", detail="Another customer, saved at the same time, has its e-mail or reference.")
    for _ in range(2):
        try:
            with transaction.atomic():
                [result] = take([row])
                return result
        except IntegrityError as error:
            if points_nowhere(error):
                detail = "A vendor or a tag that it names was deleted at the same time."
                fault = Fault(code="does_not_exist", detail=detail)
    return Result(row=row, outcome="failed", faults=(fault,))
