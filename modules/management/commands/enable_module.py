from typing import Any

from modules import services
from modules.management.base import SwitchCommand
from modules.services import Outcome


class Command(SwitchCommand):
    name = "enable_module"
    help = (
        "Switch a module on for a platform, with all that it needs, as one change. Prints the steps and the cause of "
        "each; where something stands in the way, nothing is changed and it says what."
    )

    def switch(self, **wanted: Any) -> Outcome:
        return services.enable(**wanted)
