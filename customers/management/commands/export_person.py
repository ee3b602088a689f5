import json
from typing import Any

from django.core.management.base import CommandError

from customers import privacy
from customers.management.base import PersonCommand
from customers.models import Customer
from platforms.access import Actor
from platforms.conflicts import Conflict


class Command(PersonCommand):
    permission = "export"
    help = (
        "Print all that every module, on or off, holds on a person and on everybody who was merged into them, as JSON "
        "on stdout. That it was fetched is written down in the customer's timeline."
    )

    def about(self, customer: Customer, by: Actor | None, options: dict[str, Any]) -> None:
        try:
            held = privacy.fetch_now(customer=customer, reason=options["reason"].strip(), by=by)
        except Conflict as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(held, ensure_ascii=False, indent=2))
