from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from platforms import services
from platforms.management.base import OperatorCommand, find_platform, find_user, shortened
from platforms.models import Platform, Vendor


class Command(OperatorCommand):
    help = (
        "Issue an API token that acts for a user, and print it and nothing else. It is shown this once: only a digest "
        "is kept. With --platform it reaches that platform alone, with --vendor as well that vendor alone; without, it "
        "reaches as far as the user does. Scopes: read sees; write works with the data of modules; admin switches and "
        "configures modules and changes the platform."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="whom the token acts for")
        parser.add_argument("--platform", help="code of the one platform that it reaches")
        parser.add_argument("--vendor", help="code of the one vendor of that platform that it reaches")
        parser.add_argument(
            "--scopes", default="read", help="one or more of read,write,admin, with commas between; read if left out"
        )
        # Taken as text, so that a wrong number gets the same one line as every other mistake.
        parser.add_argument(
            "--days",
            default=str(services.DEFAULT_TOKEN_DAYS),
            help=f"how long it lives, 1 to {services.MAX_TOKEN_DAYS}; {services.DEFAULT_TOKEN_DAYS} if left out",
        )
        parser.add_argument("--name", default="issued from the command line", help="what uses it")

    def handle(self, *args: Any, **options: Any) -> None:
        user = find_user(options["username"])
        platform = find_platform(options["platform"]) if options["platform"] is not None else None
        try:
            _, token = services.issue_token(
                user=user,
                platform=platform,
                vendor=self._vendor(options["vendor"], platform),
                name=options["name"],
                scopes=[scope.strip() for scope in options["scopes"].split(",")],
                days=self._days(options["days"]),
            )
        except ValidationError as error:
            raise CommandError(self._line(error)) from error
        self.stdout.write(token)

    @staticmethod
    def _line(error: ValidationError) -> str:
        options = {"name": "--name: ", "scopes": "--scopes: ", "expires_in_days": "--days: "}
        return " ".join(
            f"{options.get(field, '')}{message}"
            for field, messages in error.message_dict.items()
            for message in messages
        )

    @staticmethod
    def _vendor(code: str | None, platform: Platform | None) -> Vendor | None:
        if code is None:
            return None
        if platform is None:
            raise CommandError("A vendor is named together with its platform: add --platform.")
        vendor = platform.vendors.filter(code=code).first() if code.isprintable() else None
        if vendor is None:
            raise CommandError(f"There is no vendor {shortened(code)} on {platform.code}.")
        return vendor

    @staticmethod
    def _days(value: str | int) -> int:
        try:
            return int(value)
        except ValueError:
            raise CommandError(f"--days takes a number, not {shortened(str(value))}.") from None
