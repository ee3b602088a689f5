"""Imports in tests: files that are begun, and workers that do what is to be done."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from customers import exports, imports
from customers.cells import escape
from customers.files import csv_file
from customers.models import Customer, ErrorPolicy, ImportRun, Match
from modules import worker
from platforms.access import Actor
from platforms.models import Platform, User

GOOD, BAD = 700, 35


def table(rows: Sequence[Mapping[str, str]], columns: Sequence[str] | None = None) -> bytes:
    """Return a CSV file of these rows."""
    named = list(columns or dict.fromkeys(name for row in rows for name in row))
    cells = [[escape(row.get(name, "")) for name in named] for row in rows]
    return b"".join(csv_file([named, *cells]))


def people(count: int = GOOD + BAD, bad_every: int = 21) -> list[dict[str, str]]:
    """Return rows, of which every so many has an error."""
    return [
        {
            "external_ref": f"C-{number}",
            "email": f"nobody {number}" if bad_every and number % bad_every == 20 else f"c{number}@example.com",
            "first_name": "=Zoé" if number % 3 else "Дмитрий",
            "last_name": f"Müller {number}",
            "tags": "Gold, Silver" if number % 2 else "",
            "address_line1": f"{number} rue de Siam",
            "address_city": "Brest",
            "address_country": "FR",
        }
        for number in range(count)
    ]


def begin(platform: Platform, user: User, data: bytes, **options: Any) -> ImportRun:
    """Begin an import, as somebody."""
    match = options.pop("match", Match.EXTERNAL_REF)
    with imports.received(platform=platform, file=io.BytesIO(data), match=match) as received:
        return imports.begin(
            platform=platform,
            received=received,
            match=match,
            by=Actor(user),
            **{"file_name": "customers.csv", "policy": ErrorPolicy.SKIP_ROW, **options},
        )


def worked(run: ImportRun) -> ImportRun:
    """Have the workers do all that is to be done; return the import as it is then."""
    worker.sweep()
    run.refresh_from_db()
    return run


def counts(run: ImportRun) -> tuple[str, int, int, int, int, int]:
    """Return how an import stands."""
    return (run.status, run.processed, run.created, run.updated, run.unchanged, run.failed)


def exported(platform: Platform, user: User, file_format: str = "csv") -> bytes:
    """Return a file of all customers of the platform."""
    pieces = exports.export(
        platform=platform,
        customers=Customer.objects.all(),
        file_format=ImportRun.Format(file_format),
        by=Actor(user),
    )
    return b"".join(pieces)
