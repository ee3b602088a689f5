from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from customers import privacy
from customers.management.base import PersonCommand
from customers.models import Customer
from platforms.access import Actor
from platforms.conflicts import Conflict


class Command(PersonCommand):
    permission = "erase"
    help = (
        "Erase a person, with everybody who was merged into them, in every module, on or off: at once, without the "
        "platform's grace; what the law wants kept is named. It cannot be undone: look first with --dry-run. Somebody "
        "on legal hold is not erased; an export that nobody has fetched is called off, and named. Whom the erasure "
        "would touch is asked of every module; where one fails, nothing is erased."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="say what would be erased, and erase nothing")

    def about(self, customer: Customer, by: Actor | None, options: dict[str, Any]) -> None:
        exports = list(privacy.open_exports(customer).values_list("pk", flat=True))
        if options["dry_run"]:
            self._say({code: asdict(outcome) for code, outcome in privacy.preview(customer).items()})
            self._say_called_off("would be called off", exports)
            self.stdout.write("Dry run: nothing was erased.")
            return
        try:
            request = privacy.erase_now(customer=customer, reason=options["reason"].strip(), by=by)
        except Conflict as error:
            raise CommandError(str(error)) from error
        self._say(request.outcome)
        self._say_called_off("called off", exports)
        erased = f"customer{'s' if len(request.erased) > 1 else ''} {', '.join(request.erased)}"
        self.stdout.write(f"Erased: {erased} of {customer.platform.code}, request {request.pk}.")

    def _say_called_off(self, what: str, exports: Iterable[Any]) -> None:
        for key in exports:
            self.stdout.write(f"{what}, as nobody has fetched it: export {key}")

    def _say(self, outcome: Mapping[str, Mapping[str, Any]]) -> None:
        width = max(map(len, outcome), default=0)
        for code, said in outcome.items():
            self.stdout.write(f"{code:<{width}}  {said['deleted']} deleted, {said['anonymised']} anonymised")
            for name, why in said["kept"].items():
                self.stdout.write(f"{'':<{width}}  kept: {name}. {why}")
