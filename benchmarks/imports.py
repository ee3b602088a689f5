"""How fast a file of 100,000 customers comes in and goes out again: `make bench-import`.

Makes the file with Faker, seeded, in several languages and scripts, 5 % of its rows broken in every way that we know
of. On the database of DATABASE_URL, in one of its own, it checks and writes the file, corrects the error file and sends
that, exports everything, and imports the export into an empty platform. Prints rows per second and the peak of memory.
"""

import argparse
import csv
import hashlib
import io
import os
import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import django
from django.core.management import call_command
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()

from faker import Faker  # noqa: E402  (once Django is set up)

from customers import exports, imports  # noqa: E402
from customers.cells import COLUMNS, escape  # noqa: E402
from customers.models import BrokenRow, Customer, ErrorPolicy, ImportRun, Match  # noqa: E402
from modules import services  # noqa: E402
from modules.origins import Origin  # noqa: E402
from platforms.access import Actor  # noqa: E402
from platforms.models import Platform, User, Vendor  # noqa: E402

SEED = 20260316
BROKEN_EVERY = 20
LOCALES = {"de_DE": "DE", "fr_FR": "FR", "en_GB": "GB", "ja_JP": "JP", "ru_RU": "RU", "ar_EG": "EG", "pl_PL": "PL"}
PHONES = {"DE": "+493023125{:03}", "FR": "+3319900{:04}", "GB": "+442079460{:03}", "PL": "+48221234{:03}"}


def person(fake: Faker, country: str, number: int, chance: random.Random) -> dict[str, str]:
    """Return a good row."""
    phone = PHONES[country].format(chance.randrange(100)) if country in PHONES and chance.random() < 0.6 else ""
    return {
        "email": f"person-{number}@example.com" if chance.random() < 0.9 else "",
        "phone": phone,
        "first_name": fake.first_name()[:100],
        "last_name": fake.last_name()[:100],
        "locale": {"JP": "ja", "GB": "en", "EG": "ar"}.get(country, country.lower()),
        "external_ref": f"P-{number}",
        "tags": chance.choice(("", "", "Gold", "Silver, Newsletter")),
        "vendors": chance.choice(("", "brindle")),
        "address_kind": "shipping",
        "address_recipient": chance.choice(("", "", "", "Goods in, gate 3")),
        "address_line1": fake.street_address().replace("\n", " ")[:200],
        "address_postal_code": fake.postcode()[:20],
        "address_city": fake.city()[:100],
        "address_country": country,
    }


def bad_email(row: dict[str, str], number: int) -> None:
    """Break the address."""
    row["email"] = f"person {number} at example"


def bad_phone(row: dict[str, str], number: int) -> None:
    """Break the number."""
    row["phone"] = "+49 1"


def bad_country(row: dict[str, str], number: int) -> None:
    """Name a country that is none."""
    row["address_country"] = "XX"


def formula(row: dict[str, str], number: int) -> None:
    """Have a spreadsheet compute something; that the language is none is what breaks the row."""
    row["first_name"], row["locale"] = "=HYPERLINK(1)", "@SUM(1+1)"


def wrong_encoding(row: dict[str, str], number: int) -> None:
    """Write a letter as an old program would."""
    row["last_name"] = "M\udcfcller"


def same_reference(row: dict[str, str], number: int) -> None:
    """Take the reference of the row before."""
    row["external_ref"] = f"P-{number - 1}"


def long_name(row: dict[str, str], number: int) -> None:
    """Make the name far too long."""
    row["last_name"] = "x" * 10_000


BREAKS: tuple[Callable[[dict[str, str], int], None], ...] = (
    bad_email,
    bad_phone,
    bad_country,
    formula,
    wrong_encoding,
    same_reference,
    long_name,
)


def write_file(path: Path, rows: int) -> None:
    """Write the file."""
    Faker.seed(SEED)
    chance = random.Random(SEED)
    fakes = [(Faker(locale), country) for locale, country in LOCALES.items()]
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number in range(rows):
            fake, country = fakes[number % len(fakes)]
            row = person(fake, country, number, chance)
            if number % BROKEN_EVERY == BROKEN_EVERY - 1:
                BREAKS[number // BROKEN_EVERY % len(BREAKS)](row, number)
            writer.writerow({name: escape(text) for name, text in row.items()})


def corrected(data: bytes) -> bytes:
    """Correct an error file as somebody would in a spreadsheet."""
    lines = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    for number, row in enumerate(lines):
        broken = set(re.findall(r"(\w+): ", row["errors"]))
        good = {"email": "", "phone": "", "address_country": "DE", "locale": "de", "last_name": "Corrected"}
        row |= {name: good[name] for name in broken & set(good)}
        if "external_ref" in broken:
            row |= {"external_ref": f"Q-{number}", "email": ""}
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue().encode()


def peak() -> int:
    """Return the most memory that this process ever had, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


@contextmanager
def measured(what: str, rows: int) -> Iterator[None]:
    """Print how long a block took, how much of that was work of this process, and the memory at its end."""
    began, cpu = time.perf_counter(), time.process_time()
    yield
    took, worked = time.perf_counter() - began, time.process_time() - cpu
    print(f"{what:<40} {took:7.1f} s {rows / took:8.0f} rows/s   CPU {worked:6.1f} s   peak {peak():4} MiB", flush=True)


def bring_in(platform: Platform, by: User, file: BinaryIO, what: str, rows: int) -> ImportRun:
    """Upload, check and write a file; print what each took."""
    match = Match.EXTERNAL_REF
    with measured(f"{what}: upload", rows), imports.received(platform=platform, file=file, match=match) as received:
        run = imports.begin(
            platform=platform,
            received=received,
            file_name="people.csv",
            match=match,
            policy=ErrorPolicy.SKIP_ROW,
            by=Actor(by),
        )
    for step in ("check", "write"):
        with measured(f"{what}: {step}", rows):
            run.refresh_from_db()
            while run.is_at_work:
                imports.work_on(str(run.pk))
                run.refresh_from_db()
        if step == "check":
            said = (run.created, run.updated, run.unchanged, run.failed)
            imports.start(run=run, by=Actor(by))
            run.refresh_from_db()
    print(f"  checked {said}, written {(run.created, run.updated, run.unchanged, run.failed)}")
    return run


def take_out(platform: Platform, by: User, file_format: ImportRun.Format, path: Path, rows: int) -> str:
    """Export everything into a file; return its digest."""
    digest = hashlib.sha256()
    with measured(f"export {file_format}", rows), path.open("wb") as file:
        pieces = exports.export(
            platform=platform, customers=Customer.objects.all(), file_format=file_format, by=Actor(by)
        )
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def make_platform(code: str) -> Platform:
    """Make a platform with a vendor, customers on and the longest imports."""
    platform = Platform.objects.create(code=code, name=code, kind="loyalty", currency="EUR", locales=["en"])
    Vendor.objects.create(platform=platform, code="brindle", name="Brindle Coffee")
    origin = Origin(actor_id=None, actor_label="benchmark", may_switch_restricted=True, source="command")
    config: dict[str, Any] = {"import_max_rows": 100_000}
    services.enable(platform=platform, module="customers", origin=origin)
    services.configure(platform=platform, module="customers", config=config, origin=origin)
    return Platform.objects.get(code=code)


def run_all(rows: int, folder: Path) -> None:
    """Measure the whole way of a file."""
    by = User.objects.create_user(username="bench")
    first, second = make_platform("bench-one"), make_platform("bench-two")
    source = folder / "people.csv"
    write_file(source, rows)
    print(f"{connection.vendor}: {rows} rows, {source.stat().st_size / 2**20:.0f} MiB, before: peak {peak()} MiB")
    with source.open("rb") as file:
        run = bring_in(first, by, file, "file", rows)
    errors = Counter(error["code"] for row in BrokenRow.objects.filter(run=run).iterator() for error in row.errors)
    print(f"  errors: {dict(errors)}")
    again = corrected(b"".join(imports.error_file(run)))
    bring_in(first, by, io.BytesIO(again), "corrected error file", run.failed)
    print(f"  customers: {Customer.objects.filter(platform=first).count()}")
    for file_format in ImportRun.Format:
        exported = folder / f"one.{file_format}"
        before = take_out(first, by, file_format, exported, rows)
        if file_format == ImportRun.Format.CSV:
            continue
        with exported.open("rb") as file:
            bring_in(second, by, file, "into an empty platform, as XLSX", rows)
        after = take_out(second, by, file_format, folder / f"two.{file_format}", rows)
        print(f"  came back equal: {before == after}")


def main() -> int:
    """Read the command line and measure, in a database of our own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        call_command("migrate", verbosity=0)
        with tempfile.TemporaryDirectory() as folder:
            run_all(rows, Path(folder))
    finally:
        connection.creation.destroy_test_db("bench", verbosity=0)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
