"""Customers on their way out: the columns that an import reads, row by row, in constant memory."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from uuid import UUID

from customers import files
from customers.cells import ADDRESS_COLUMNS, COLUMNS, escape, join_names
from customers.models import Address, Customer, CustomerQuerySet, ImportRun
from customers.services import FIELDS
from platforms.access import Actor
from platforms.models import Platform

logger = logging.getLogger(__name__)

# Read at a time: nothing is kept open for a reader who is slow.
_PAGE = 500
# Keys: how long one is, how many are fetched at once, and how many bytes of them stay in memory.
_KEY, _AT_ONCE, _IN_MEMORY = 16, 10_000, 1 << 20
_WRITERS: dict[str, Callable[[Iterable[Sequence[str]]], Iterator[bytes]]] = {
    ImportRun.Format.CSV: files.csv_file,
    ImportRun.Format.XLSX: files.xlsx_file,
}
CONTENT_TYPES = {
    ImportRun.Format.CSV: "text/csv; charset=utf-8",
    ImportRun.Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def export(
    *, platform: Platform, customers: CustomerQuerySet, file_format: ImportRun.Format, by: Actor
) -> Iterator[bytes]:
    """Return the pieces of a file of those of these customers who are customers still, the oldest first.

    Cells that a spreadsheet would compute start with an apostrophe, which an import takes off again. Of several
    addresses there is one: the default to send to, else the oldest. Who took how many with them stands in the log, also
    where they broke it off.
    """
    return _WRITERS[file_format](_noted(customers.filter(platform=platform).open(), platform, by))


def _noted(customers: CustomerQuerySet, platform: Platform, by: Actor) -> Iterator[list[str]]:
    count, end = 0, "broken off"
    try:
        yield list(COLUMNS)
        for customer in _pages(customers):
            yield _row(customer)
            count += 1
        end = "whole"
    finally:
        logger.info("%s exported %s customers of %s (%s)", by.label, count, platform.code, end)


def _pages(customers: CustomerQuerySet) -> Iterator[Customer]:
    """Yield the customers as they are when their page is reached, of those whom one query finds at the start.

    Asked page by page, a filter that has to find them all would do so for each page. Their keys wait in a file instead:
    16 bytes each.
    """
    rows = Customer.objects.open().prefetch_related("tags", "vendors", "addresses")
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as keys:
        for key in customers.order_by("created_at", "pk").values_list("pk", flat=True).iterator(_AT_ONCE):
            keys.write(key.bytes)
        keys.seek(0)
        while page := keys.read(_PAGE * _KEY):
            wanted = [UUID(bytes=page[place : place + _KEY]) for place in range(0, len(page), _KEY)]
            there = rows.in_bulk(wanted)
            yield from (there[key] for key in wanted if key in there)


def _row(customer: Customer) -> list[str]:
    cells = [str(getattr(customer, name)) for name in FIELDS]
    cells.append(join_names(sorted(tag.name for tag in customer.tags.all())))
    cells.append(join_names(sorted(vendor.code for vendor in customer.vendors.all())))
    address = min(customer.addresses.all(), key=_place, default=None)
    cells += [str(getattr(address, name)) if address else "" for name in ADDRESS_COLUMNS.values()]
    return [escape(cell) for cell in cells]


def _place(address: Address) -> tuple[object, ...]:
    return (address.kind != Address.Kind.SHIPPING, not address.is_default, address.created_at, address.pk)
