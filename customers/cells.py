"""The columns of a file of customers, and how a cell says what is more than a text. The same on the way in and out."""

import re
from collections.abc import Iterable

from customers.services import FIELDS

# Column of a file → field of the one address that a row may have.
ADDRESS_COLUMNS = {
    "address_kind": "kind",
    "address_recipient": "recipient",
    "address_line1": "line1",
    "address_line2": "line2",
    "address_postal_code": "postal_code",
    "address_city": "city",
    "address_region": "region",
    "address_country": "country",
}
COLUMNS = (*FIELDS, "tags", "vendors", *ADDRESS_COLUMNS)
# What the error file says beside the rows; when that is sent again, nobody reads it.
ERROR_COLUMN = "errors"
# What a row calls the cells that it has beyond the header, from 1.
EXTRA = "extra_{}".format
# As many as a cell of a spreadsheet holds.
MAX_CELL = 32_767
# As many as a column could take: a hundred tags of fifty characters each, all of them quotation marks.
MAX_VALUE = 10_400

# How a cell starts that a spreadsheet would compute, also behind apostrophes that were put before it already.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NAME = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,;]+))')
_SEPARATES = re.compile(r'[,;"]')


def escape(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: with an apostrophe before it. `unescape` takes it off."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape(cell: str) -> str:
    """Return what a cell says, white space around it aside."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def join_names(names: Iterable[str]) -> str:
    """Return names in one cell, with commas between them, in quotation marks where they hold a separator themselves."""
    return ", ".join(f'"{name.replace(chr(34), chr(34) * 2)}"' if _SEPARATES.search(name) else name for name in names)


def split_names(cell: str) -> list[str]:
    """Return the names in a cell, each once: with commas or semicolons between them, as `join_names` writes them."""
    found = (quoted.replace('""', '"') if quoted else plain for quoted, plain in _NAME.findall(cell))
    return list(dict.fromkeys(filter(None, map(str.strip, found))))
