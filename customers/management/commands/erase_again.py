import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from customers import erased
from customers.erased import Outcome
from platforms.conflicts import Conflict
from platforms.management.base import OperatorCommand, one_line


class Command(OperatorCommand):
    help = (
        "Erase again who was erased, after a backup from before was restored: everybody whom a list of list_erased "
        "names, at once and in every module, as erase_person does. Who cannot be erased is named on stderr with the "
        "line and why, and the others go on; the status is then 1. It may be interrupted, and run again: who is "
        "erased already, or was no customer yet when the backup was made, is passed over."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the list, or - for the standard input")
        parser.add_argument("--dry-run", action="store_true", help="say how many would be erased, and erase nobody")

    def handle(self, *args: Any, **options: Any) -> None:
        text = sys.stdin.read() if options["file"] == "-" else Path(options["file"]).read_text(encoding="utf-8")
        lines = {number: line for number, line in enumerate(text.splitlines(), start=1) if line.strip()}
        named = {number: found for number, line in lines.items() if (found := erased.read(line)) is not None}
        those = {customer for _, customer in named.values()}
        counts: Counter[str] = Counter()
        with self.progress(len(lines)) as progress:
            for done, number in enumerate(lines, start=1):
                try:
                    if number not in named:
                        raise Conflict("This is no line of list_erased.", code="invalid")
                    code, customer = named[number]
                    outcome = erased.erase_again(code=code, customer=customer, those=those, dry_run=options["dry_run"])
                    counts[outcome] += 1
                except Conflict as error:
                    counts["refused"] += 1
                    progress.hide()
                    self.stderr.write(one_line(f"Line {number}: {error}"))
                progress.show(done)
        said = (
            f"{counts[Outcome.ERASED]} {'to be erased' if options['dry_run'] else 'erased'}, "
            f"{counts[Outcome.ALREADY]} erased already, {counts[Outcome.GONE]} not there, {counts['refused']} refused."
        )
        if options["dry_run"]:
            said = f"Dry run, nothing was erased: {said}"
        if counts["refused"]:
            raise CommandError(said)
        self.stdout.write(said)
