from argparse import ArgumentParser
from typing import Any

from platforms import services
from platforms.management.base import OperatorCommand, find_user, one_line


class Command(OperatorCommand):
    help = (
        "Remove every second factor of a user (authenticator app, passkeys, recovery codes), because the device is "
        "lost. Until they set up another, the password alone lets them in; where a second factor is required they are "
        "led to set it up at their next login. Run twice it changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="whose second factors are removed")

    def handle(self, *args: Any, **options: Any) -> None:
        user = find_user(options["username"])
        removed = services.reset_second_factor(user=user)
        what = ", ".join(removed) if removed else "there was none"
        self.stdout.write(one_line(f"Second factor of {user} reset: {what}."))
