from typing import Any

from django.core.management.commands.flush import Command as FlushCommand

from modules import guards


class Command(FlushCommand):
    help = (
        "Remove all data from the database, the changes and their history too. What guards those is taken away "
        "meanwhile, which only the owner of the tables can do: not a role that restrict_role has restricted."
    )

    def handle(self, **options: Any) -> None:
        if options["interactive"]:
            name = options["database"]
            # Asked before anything is locked: the answer may take its time.
            if input(f"Remove all data from the database “{name}”, for good? Type yes to go on: ") != "yes":
                self.stdout.write("Nothing was removed.")
                return
        with guards.lifted(options["database"]):
            super().handle(**{**options, "interactive": False})
