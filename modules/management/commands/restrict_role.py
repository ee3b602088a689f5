from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import connection

from modules import roles
from modules.roles import RoleRefused
from platforms.management.base import OperatorCommand, one_line, shortened


class Command(OperatorCommand):
    help = (
        "Leave a PostgreSQL role what the application needs and no more: it reads and writes every table, adds to "
        "changes and their history, and can neither alter nor delete those, nor take away what guards them. Run it as "
        "the owner of the tables, after every migrate; run twice it changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("role", metavar="ROLE", help="the role, which is there already and owns no table")
        parser.add_argument("--sql", action="store_true", help="print the statements, and run none")

    def handle(self, *args: Any, **options: Any) -> None:
        role = options["role"]
        if connection.vendor != "postgresql":
            raise CommandError("Only PostgreSQL has roles.")
        if not role.isprintable():
            raise CommandError(f"There is no role {shortened(role)}.")
        if options["sql"]:
            for statement in roles.grants(role, connection):
                self.stdout.write(f"{statement};")
            return
        try:
            roles.restrict(role, connection)
        except RoleRefused as error:
            raise CommandError(one_line(str(error))) from error
        self.stdout.write(
            f"{role} adds to {' and '.join(roles.append_only_tables(connection))}, and rewrites nothing there."
        )
