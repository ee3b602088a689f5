"""What the commands that switch modules share."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from modules import selectors, services
from modules.models import Change
from modules.registry import registry
from modules.services import Blocked, Collision, InvalidConfig, Outcome
from platforms.management.base import (
    OperatorCommand,
    did_you_mean,
    find_platform,
    find_user,
    one_line,
    shortened,
)
from platforms.models import Platform
from platforms.validators import validate_reason


def find_module(code: str) -> str:
    """Return the code if there is such a module, installed or not. Raises CommandError, which names a close one."""
    if code.isprintable() and selectors.is_known(code):
        return code
    hint = did_you_mean(code, [definition.code for definition in registry])
    raise CommandError(f"There is no module {shortened(code)}.{hint}")


class SwitchCommand(OperatorCommand):
    """Switches one module of one platform, and says what was done and why, or what stands in the way."""

    name: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add what both directions take."""
        parser.add_argument("platform", metavar="PLATFORM", help="the platform's code, e.g. kestrel")
        parser.add_argument("module", metavar="MODULE", help="the module's code, e.g. customers")
        parser.add_argument("--reason", default="", help="why, kept with the change; at most 500 characters")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument(
            "--user",
            metavar="USERNAME",
            help="whose change it is; restricted modules are then left to superusers. Without it, the operator's",
        )

    def switch(self, **wanted: Any) -> Outcome:
        """Ask the services for it. Raises what they raise."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        """Switch, and print the steps. Raises CommandError."""
        try:
            validate_reason(options["reason"])
        except ValidationError as error:
            raise CommandError(f"--reason: {' '.join(error.messages)}") from error
        platform = find_platform(options["platform"])
        module = find_module(options["module"])
        origin = services.origin_of_system(
            f"manage.py {self.name}",
            Change.Source.COMMAND,
            options["reason"].strip(),
            find_user(options["user"]) if options["user"] is not None else None,
        )
        try:
            outcome = self.switch(
                platform=platform,
                module=module,
                origin=origin,
                dry_run=options["dry_run"],
                **({"cascade": options["cascade"]} if "cascade" in options else {}),
            )
        except (Blocked, Collision, InvalidConfig) as error:
            raise CommandError(one_line(str(error))) from error
        except Platform.DoesNotExist as error:
            raise CommandError(str(error)) from error
        self._say(outcome)

    def _say(self, outcome: Outcome) -> None:
        steps = outcome.plan.steps
        if not steps:
            self.stdout.write(f"Nothing to do: {outcome.platform.code} is so already.")
            return
        width = max(len(step.module) for step in steps)
        for step in steps:
            self.stdout.write(f"{step.action:<8} {step.module:<{width}}  {step.cause}")
        if outcome.dry_run:
            self.stdout.write("Dry run: nothing was written.")
        elif outcome.change:
            self.stdout.write(f"Change {outcome.change.number} of {outcome.platform.code}.")
