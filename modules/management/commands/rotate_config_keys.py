from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from modules import selectors, services
from platforms.management.base import OperatorCommand, one_line

_BATCH_SIZE = 200


class Command(OperatorCommand):
    help = (
        "Encrypt every stored secret with the newest key, the first in MODULE_CONFIG_KEYS, so that the older ones can "
        "be taken out of it. What a secret says stays as it is, so there is no change to record. A secret that no key "
        "opens is named on stderr and left alone, and the status is 1. It may be interrupted and run again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count and name them, and write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        moved = current = shut = done = 0
        with self.progress(selectors.platforms_with_secrets().count()) as progress:
            last = 0
            while keys := list(selectors.platforms_with_secrets(after=last)[:_BATCH_SIZE]):
                try:
                    found = services.reseal_secrets(platform_ids=keys, dry_run=options["dry_run"])
                except ImproperlyConfigured as error:
                    raise CommandError(str(error)) from error
                last, done = keys[-1], done + len(keys)
                moved, current, shut = moved + found.moved, current + found.current, shut + len(found.unreadable)
                progress.hide()
                for secret in found.unreadable:
                    what = f"The secret {secret.name} of {secret.module} on {secret.platform}"
                    self.stderr.write(one_line(f"{what} is opened by none of the keys."))
                progress.show(done)
        tense = "would be sealed anew" if options["dry_run"] else "sealed anew"
        summary = f"{moved} secrets {tense}, {current} had the newest key, {shut} cannot be opened."
        if shut:
            raise CommandError(summary)
        self.stdout.write(summary)
