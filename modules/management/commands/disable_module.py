from argparse import ArgumentParser
from typing import Any

from modules import services
from modules.management.base import SwitchCommand
from modules.services import Outcome


class Command(SwitchCommand):
    name = "disable_module"
    help = (
        "Switch a module off for a platform, as one change; its config and its data stay. Where modules that are on "
        "need it, nothing is changed and it names them; with --cascade they go off too, before it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--cascade", action="store_true", help="also switch off what needs the module")

    def switch(self, **wanted: Any) -> Outcome:
        return services.disable(**wanted)
