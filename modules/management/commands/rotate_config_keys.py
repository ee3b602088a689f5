from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from modules import selectors, services
from platforms import second_factor
from platforms.management.base import OperatorCommand, one_line

_BATCH_SIZE = 200


class Command(OperatorCommand):
    help = (
        "Encrypt every stored secret, of modules' configs and of second factors, with the newest key, the first in "
        "MODULE_CONFIG_KEYS, so that the older ones can be taken out of it. What a secret says stays as it is, so "
        "there is no change to record. A secret that no key opens is named on stderr and left alone, and the status is "
        "1. It may be interrupted and run again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count and name them, and write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        self.moved = self.current = self.shut = 0
        try:
            self._modules(options["dry_run"])
            self._factors(options["dry_run"])
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        tense = "would be sealed anew" if options["dry_run"] else "sealed anew"
        summary = f"{self.moved} secrets {tense}, {self.current} had the newest key, {self.shut} cannot be opened."
        if self.shut:
            raise CommandError(summary)
        self.stdout.write(summary)

    def _modules(self, dry_run: bool) -> None:
        last = done = 0
        with self.progress(selectors.platforms_with_secrets().count()) as progress:
            while keys := list(selectors.platforms_with_secrets(after=last)[:_BATCH_SIZE]):
                found = services.reseal_secrets(platform_ids=keys, dry_run=dry_run)
                last, done = keys[-1], done + len(keys)
                progress.hide()
                places = (f"The secret {one.name} of {one.module} on {one.platform}" for one in found.unreadable)
                self._count(found.moved, found.current, places)
                progress.show(done)

    def _factors(self, dry_run: bool) -> None:
        last: int | None = 0
        while last is not None:
            found = second_factor.reseal_batch(after=last, size=_BATCH_SIZE, dry_run=dry_run)
            last = found.last
            self._count(found.moved, found.current, (f"A second factor of {user}" for user in found.unreadable))

    def _count(self, moved: int, current: int, unreadable: Iterable[str]) -> None:
        self.moved += moved
        self.current += current
        for what in unreadable:
            self.shut += 1
            self.stderr.write(one_line(f"{what} is opened by none of the keys."))
