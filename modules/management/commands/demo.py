import os
from argparse import ArgumentParser
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.db import transaction
from django.utils.module_loading import module_has_submodule

from platforms.demo import PEOPLE, Story
from platforms.management.base import OperatorCommand

_PART = "demo"
_DEFAULT_PORT = "8000"


class Command(OperatorCommand):
    help = (
        "Load the demo story: three platforms with their people, vendors, modules and history, and one that still "
        "carries the old system's settings. What is there already stays as it is, so that running it twice changes "
        "nothing. Prints the address and the logins. As everybody knows their password, it refuses to run where "
        "DEMO_ALLOWED is off, as in production."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--force", action="store_true", help="also where DEMO_ALLOWED is off")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.DEMO_ALLOWED or options["force"]):
            raise CommandError(
                "The demo plants logins whose password everybody knows, and DEMO_ALLOWED is off here. "
                "Add --force to load it all the same."
            )
        story = Story()
        # All parts or none, so that a part never finds another half told.
        with transaction.atomic():
            for app in apps.get_app_configs():
                if app.module is not None and module_has_submodule(app.module, _PART):
                    import_module(f"{app.name}.{_PART}").load(story)
        self._welcome(story)

    def _welcome(self, story: Story) -> None:
        address = f"http://127.0.0.1:{os.environ.get('PORT') or _DEFAULT_PORT}"
        self.stdout.write("The demo of Harbour & Vale Commerce is loaded.\n\n")
        self.stdout.write(f"  Admin  {address}/admin/")
        self.stdout.write(f"  API    {address}/api/v1/docs/\n\n")
        self.stdout.write(f"Log in with the password {story.password} as")
        width = max(len(person.username) for person in PEOPLE)
        for person in PEOPLE:
            self.stdout.write(f"  {person.username:<{width}}  {person.does}")
