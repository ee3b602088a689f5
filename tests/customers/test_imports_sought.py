"""Whom the database finds in rows of imports: nobody is missed, however a cell says it, and few others are read."""

import random
from typing import Any

import pytest

from customers import imports
from customers.imports import Sought
from customers.models import BrokenRow, ImportChunk, ImportRun
from platforms.models import Platform
from tests.customers.importing import people
from tests.factories import ImportRunFactory

pytestmark = pytest.mark.django_db

SOUGHT = Sought.by(
    emails=["weiss.k+1@example.com", "maëlle@example.com"],
    phones=["+493023125020", "+18003569377", "+4412345"],
    refs=["C-20", 'C-"20"', "Ç-20", "C\\20", "C_20%"],
)
THEIRS: list[dict[str, str]] = [
    {"email": "Weiss.K+1@EXAMPLE.com"},
    {"email": "weiß.k+1@example.com"},
    {"email": "weiẞ.k+1@example.com"},
    {"email": "ｗｅｉｓｓ．ｋ＋１＠ｅｘａｍｐｌｅ．ｃｏｍ"},
    {"email": "weiss.k+1﹫example.com"},
    {"email": "weiſs.K+1@example.com"},
    {"email": "\u00a0weiss.k+1@example.com\u00a0"},
    {"email": "MAËLLE@example.com"},
    {"email": "mae\u0308lle@example.com"},
    {"address_line2": "weiss.k+1@example.com"},
    {"phone": "0049 (30) 231250-20"},
    {"phone": "+49\u00a030\u2009231250\u201320"},
    {"first_name": "rang: 0049 30/231250.20 \\ „Müller“"},
    {"last_name": '0049"30"23125"020'},
    {"phone": "030 / 231250-20", "address_country": "DE"},
    {"phone": "030 / 231250-20 ext. 7", "address_country": "de"},
    {"phone": "030 / 231250-20#7", "address_country": "de"},
    {"phone": "٠٣٠ ٢٣١٢٥٠ ٢٠", "address_country": "DE"},
    {"phone": "800-FLOWERS", "address_country": "US"},
    {"phone": "+44 12345"},
    *({"external_ref": ref} for ref in ("C-20", 'C-"20"', "Ç-20", "C\\20", "C_20%")),
]


@pytest.fixture
def run(shop: Platform) -> ImportRun:
    """An import that waits, on kestrel; with nothing in it yet."""
    run = ImportRunFactory(platform=shop, status=ImportRun.Status.CHECKED)
    run.broken_rows.all().delete()
    run.chunks.all().delete()
    return run


def put(run: ImportRun, rows: list[dict[str, str]]) -> None:
    BrokenRow.objects.bulk_create(
        BrokenRow(run=run, line=line, values=values, errors=[]) for line, values in enumerate(rows, 2)
    )
    ImportChunk.objects.bulk_create(
        ImportChunk(run=run, number=number, rows=[{"line": 2, "values": values, "faults": []}])
        for number, values in enumerate(rows)
    )


@pytest.mark.parametrize("row", THEIRS, ids=str)
def test_sought__however_a_cell_says_it__is_found_and_forgotten(row: dict[str, str], run: ImportRun) -> None:
    put(run, [{"locale": "de", **row}])
    assert SOUGHT.is_in(row)
    values = {"locale": "de", **row}
    assert imports.told(platform=run.platform, sought=SOUGHT) == [
        {"file_name": "customers.csv", "rows": [{"line": 2, "values": values, "faults": []}]},
        {"file_name": "customers.csv", "values": values, "errors": []},
    ]
    assert imports.forget(platform=run.platform, sought=SOUGHT) == 2
    assert (run.broken_rows.get().values, run.chunks.get().rows[0]["values"]) == ({}, {})


def test_sought__any_cells__the_database_misses_none_that_they_are_in(run: ImportRun) -> None:
    chance = random.Random(20260316)
    cells = [(name, text) for row in THEIRS for name, text in row.items()]
    pieces = [piece for _, text in cells for piece in (text, text[:4], text[-6:], text.swapcase())]
    rows = [
        {
            chance.choice(["email", "phone", "external_ref", "tags", "address_country"]): chance.choice(pieces)
            + chance.choice(["", "", " ", "\t", "x", "\\", '"', "é", "\x7f"])
            for _ in range(chance.randrange(1, 4))
        }
        for _ in range(1500)
    ]
    put(run, rows)
    for sought in (SOUGHT, Sought.by(emails=['"q\\q"@example.com', "no-mailbox"]), Sought.by(phones=["7", "20"])):
        found = sought.looked_up(run.broken_rows.all(), "values").values_list("values", flat=True)
        read = list(found)
        assert [row for row in rows if sought.is_in(row) and row not in read] == []
    assert sum(map(SOUGHT.is_in, rows)) > 100


def test_sought__among_many__hardly_anybody_else_is_read(run: ImportRun) -> None:
    said = people(735)
    for number, row in enumerate(said):
        row |= {"phone": f"030 / 88{number:04}", "first_name": "Zoë Weiß", "last_name": "Дмитрий", "tags": "№ 1, ½"}
    put(run, said)
    sought = Sought.by(emails=["c7@example.com"], phones=["+4930880009"], refs=["C-11"])
    looked: Any = [sought.looked_up(rows, column) for rows, column in _tables(run)]
    assert [rows.count() for rows in looked] == [3, 3]


def _tables(run: ImportRun) -> list[tuple[Any, str]]:
    return [(run.broken_rows.all(), "values"), (run.chunks.all(), "rows")]
