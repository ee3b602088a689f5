import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError

from modules import legacy
from modules.registry import registry
from platforms.imports import import_platforms
from platforms.management.base import OperatorCommand, one_line


class Command(OperatorCommand):
    help = (
        "Import platforms of the old system from a file with one JSON object a line: code, name, kind, currency, and "
        "optionally locales, is_active and settings, which are kept as they are for migrate_enabled_modules. A row "
        "that cannot be imported is named on stderr with line and reason, and the others go on; the status is then 1. "
        "Platforms that are there are never overwritten, so that running it twice changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the file, or - for the standard input")
        parser.add_argument("--dry-run", action="store_true", help="say what would be imported, and import nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[str] = Counter()
        with _opened(options["file"]) as (file, size), self.progress(size) as progress:
            rows = import_platforms(file, dry_run=options["dry_run"], remaining=_remaining)
            for number, row in enumerate(rows, start=1):
                counts[row.outcome] += 1
                if row.outcome == "refused":
                    progress.hide()
                    self.stderr.write(one_line(f"Line {row.line}{f' ({row.code})' if row.code else ''}: {row.reason}"))
                progress.show(row.position if size else number)
        summary = f"{counts['imported']} imported, {counts['unchanged']} unchanged, {counts['refused']} refused"
        if options["dry_run"]:
            summary = f"Dry run, nothing was written: {summary}"
        if counts["refused"]:
            raise CommandError(f"{summary}.")
        self.stdout.write(f"{summary}.")


def _remaining(settings: Any) -> Any:
    """Return what the migration of modules leaves of a platform's settings."""
    return legacy.read(settings, registry).remaining


@contextmanager
def _opened(name: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """Yield the file and its size in bytes; None for what has no size. Raises OSError."""
    if name == "-":
        yield sys.stdin.buffer, None
        return
    path = Path(name)
    with path.open("rb") as file:
        yield file, path.stat().st_size if path.is_file() else None
