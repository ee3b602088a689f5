"""How customers are found."""

import re
from collections.abc import Sequence
from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet

from customers.keys import email_key, name_key
from customers.models import Customer

# Among so many of the newest customers a page is looked for: a matter of milliseconds.
_NEWEST = 5_000
_PAGE = 50
# More than any platform has.
_EVERYBODY = 1_000_000_000
_NUMBER = re.compile(r"\A(?:\+|00)[0-9]{2,}\Z")
_BETWEEN_DIGITS = re.compile(r"[\s()./-]")


def search(customers: QuerySet[Customer], text: str, *, within: QuerySet[Customer] | None = None) -> QuerySet[Customer]:
    """Narrow to customers whose name, e-mail address, phone number or reference starts with the text.

    Names by first or by last name, in any script, case and accents aside; numbers with the country's code. Each has an
    index of its own, so the cost does not grow with the number of customers. Queries and `within` as `any_of` has them.
    """
    text = text.strip()
    key = name_key(text)
    if not key:
        return customers
    conditions = [Q(name_key__begins_with=key), Q(last_name_key__begins_with=key), Q(external_ref__begins_with=text)]
    if not re.search(r"\s", text):
        conditions.append(Q(email_key__begins_with=email_key(text)))
    digits = _BETWEEN_DIGITS.sub("", text)
    if _NUMBER.match(digits):
        conditions.append(Q(phone__begins_with="+" + digits.lstrip("+").removeprefix("00")))
    return any_of(customers, conditions, within=within)


def any_of(
    customers: QuerySet[Customer], conditions: Sequence[Q], *, within: QuerySet[Customer] | None = None
) -> QuerySet[Customer]:
    """Narrow to whom any of the conditions finds, to be counted, or listed page by page with the newest first.

    within: all whom one may see, of whom the customers are some; the customers themselves where it is not said.

    Where a page of them is among the newest of all, a database does well to go through these until the page is full.
    Where it is not, it would go through a million: it is made to find them all first, each condition by its own index,
    and to sort them then. To know which costs two queries, and one where there are not many customers.
    """
    everybody = customers if within is None else within
    if _is_quick(everybody, reduce(or_, conditions)):
        return customers.filter(reduce(or_, conditions))
    first, *others = [everybody.filter(one).order_by().values("pk") for one in conditions]
    # PostgreSQL looks into neither a limit nor a union for a way to go from the newest on.
    return customers.filter(pk__in=first.union(*others) if others else first[:_EVERYBODY])


def _is_quick(everybody: QuerySet[Customer], found: Q) -> bool:
    """Whether there is a page of these among the newest customers, or there are not many customers."""
    newest = everybody.order_by("-created_at").values_list("created_at", flat=True)
    oldest_of_them = next(iter(newest[_NEWEST : _NEWEST + 1]), None)
    if oldest_of_them is None:
        return True
    return everybody.filter(found, created_at__gt=oldest_of_them).order_by()[:_PAGE].count() == _PAGE
