import json
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError

from modules import verification
from modules.models import Change
from modules.tables import Tables
from modules.verification import Anchor, Difference
from platforms.management.base import OperatorCommand, find_platform, one_line
from platforms.models import Platform

_HASH = re.compile("[0-9a-f]{64}")


class Command(OperatorCommand):
    help = (
        "Prove that the record is whole: every platform's changes are numbered without gaps and chained by their "
        "hashes, each says what its history says, and replaying them gives what is stored now. The status is 1 where "
        "that is not so, and the first difference stands on stderr. Whoever can rewrite everything can also make new "
        "hashes: --anchor prints the newest of every platform, to be kept elsewhere; --against compares with such a "
        "file later. It reads one moment of the database and keeps nobody from writing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "platform", metavar="PLATFORM", nargs="?", help="the code of one platform, there or deleted; without it all"
        )
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print counts and each platform's first difference")
        form.add_argument("--anchor", action="store_true", help="print each platform's newest hash, one a line")
        parser.add_argument("--against", metavar="FILE", help="what --anchor printed earlier: all of it must be there")

    def handle(self, *args: Any, **options: Any) -> None:
        platform_ids = _platform_ids(options["platform"]) if options["platform"] is not None else None
        differences: list[Difference] = []
        platforms = changes = history = 0
        with (
            _anchors(options["against"]) as anchors,
            self.progress(self._total(platform_ids)) as progress,
            closing(verification.verify(Tables.of(apps), platform_ids, anchors)) as verdicts,
        ):
            for verdict in verdicts:
                platforms += 1
                changes += verdict.newest.number
                history += verdict.history
                progress.show(changes)
                if verdict.difference is not None:
                    differences.append(verdict.difference)
                    if not options["json"]:
                        break
                elif options["anchor"] and verdict.newest.number:
                    progress.hide()
                    self.stdout.write(json.dumps(asdict(verdict.newest), ensure_ascii=False))
        if options["json"]:
            counts = {"platforms": platforms, "changes": changes, "history": history}
            found = [asdict(difference) for difference in differences]
            self.stdout.write(json.dumps({**counts, "differences": found}, indent=2, ensure_ascii=False))
        if differences:
            raise CommandError(one_line(str(differences[0])))
        if not (options["json"] or options["anchor"]):
            self.stdout.write(
                f"{platforms} platforms, {changes} changes and {history} history rows: the record is whole."
            )

    def _total(self, platform_ids: list[int] | None) -> int:
        changes = Change.objects.all()
        return (changes if platform_ids is None else changes.filter(platform_id__in=platform_ids)).count()


def _platform_ids(code: str) -> list[int]:
    """Return the number of the platform of this code, and of those that were called so before they were deleted.

    Raises CommandError where there was none.
    """
    known: set[int] = set()
    if code.isprintable():
        known |= set(Platform.objects.filter(code=code).values_list("pk", flat=True))
        known |= set(Change.objects.filter(platform_code=code).values_list("platform_id", flat=True))
    return sorted(known) or [find_platform(code).pk]


@contextmanager
def _anchors(name: str | None) -> Iterator[Iterator[Anchor]]:
    """Yield the anchors of a file, one by one. Raises CommandError for a line that is none."""
    if name is None:
        yield iter(())
        return
    with Path(name).open(encoding="utf-8") as lines:
        yield _read(name, lines)


def _read(name: str, lines: Iterator[str]) -> Iterator[Anchor]:
    last = 0
    for number, line in enumerate(lines, start=1):
        try:
            anchor = Anchor(**json.loads(line))
            is_sound = (
                isinstance(anchor.platform, str)
                and anchor.platform_id > last
                and anchor.number > 0
                and _HASH.fullmatch(anchor.hash) is not None
            )
        except (TypeError, ValueError, RecursionError):
            is_sound = False
        if not is_sound:
            raise CommandError(
                one_line(f"{name}: line {number} is not what verify_audit --anchor prints, in its order.")
            )
        last = anchor.platform_id
        yield anchor
