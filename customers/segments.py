"""Segments: customers whom rules find. Who they are is asked anew each time; what may be asked stands in `rules`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from customers.models import Customer, Segment
from customers.rules import Rule, Told, condition_of, known_on, tell, validate_rules
from customers.selectors import any_of
from platforms.models import Platform
from platforms.search import MOST_COUNTED


@dataclass(frozen=True, slots=True)
class Count:
    """How many members there are, as far as they are counted."""

    number: int
    is_cut: bool


def members(
    *, platform: Platform, match: str, rules: Sequence[Rule], among: QuerySet[Customer] | None = None
) -> QuerySet[Customer]:
    """Return the platform's open customers, among these, whom all or any of the rules find.

    rules: as `validate_rules` returns them. To be gone through whole; what counts, or shows the newest first, takes
    `in_pages`. A query for tags and one for vendors, where rules name any.
    """
    conditions = _conditions(platform, rules)
    return _open(platform, among).filter(reduce(and_ if match == Segment.Match.ALL else or_, conditions))


def members_of(segment: Segment, among: QuerySet[Customer] | None = None) -> QuerySet[Customer]:
    """Return a segment's members, as `members` does."""
    return members(platform=segment.platform, match=segment.match, rules=segment.rules, among=among)


def in_pages(segment: Segment, among: QuerySet[Customer] | None = None) -> QuerySet[Customer]:
    """Return a segment's members, among these, to be counted, or listed page by page with the newest customers first.

    Queries as `selectors.any_of`, and those of `members`.
    """
    conditions = _conditions(segment.platform, segment.rules)
    if segment.match == Segment.Match.ALL:
        conditions = [reduce(and_, conditions)]
    return any_of(_open(segment.platform, among), conditions, within=_open(segment.platform))


def count(found: QuerySet[Customer]) -> Count:
    """Count members as `in_pages` returns them, to 10,000 and no further. One query."""
    number = found.order_by()[: MOST_COUNTED + 1].count()
    return Count(min(number, MOST_COUNTED), number > MOST_COUNTED)


def told(segment: Segment) -> list[Told]:
    """Return a segment's rules in words, with what has gone of that which they name. Queries as `members`."""
    known = known_on(segment.platform, segment.rules)
    return [tell(rule, known) for rule in segment.rules]


@transaction.atomic
def save_segment(*, segment: Segment) -> Segment:
    """Save a segment as it is in memory, new or changed.

    A rule that was there before may go on naming what has gone. Raises ValidationError, of rules as `validate_rules`.
    """
    kept = Segment.objects.select_for_update(no_key=True).filter(pk=segment.pk).values_list("rules", flat=True)
    errors: dict[str, list[ValidationError]] = {}
    try:
        segment.rules = validate_rules(segment.rules, segment.platform, kept=kept.first() or ())
    except ValidationError as error:
        errors |= error.error_dict
    try:
        segment.full_clean()
    except ValidationError as error:
        errors |= error.error_dict
    if errors:
        raise ValidationError(errors)
    segment.updated_at = timezone.now()
    segment.save()
    return segment


def _open(platform: Platform, among: QuerySet[Customer] | None = None) -> QuerySet[Customer]:
    # As `open()` has it, of rows that may come from anybody.
    customers = Customer.objects.all() if among is None else among
    return customers.filter(status__in=Customer.OPEN, platform=platform)


def _conditions(platform: Platform, rules: Sequence[Rule]) -> list[Q]:
    known = known_on(platform, rules)
    return [condition_of(rule, known) for rule in rules]
