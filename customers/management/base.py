"""What the commands about a person share."""

import uuid
from argparse import ArgumentParser
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from customers import privacy
from customers.keys import email_key
from customers.models import Customer
from modules.permissions import right_for
from platforms import access
from platforms.access import Actor
from platforms.management.base import OperatorCommand, find_platform, find_user, shortened
from platforms.models import Platform
from platforms.validators import validate_reason


class PersonCommand(OperatorCommand):
    """Does something about one person of one platform, whether the module is on there or off."""

    permission: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add who it is about, who asks, and why."""
        parser.add_argument("platform", metavar="PLATFORM", help="the platform's code, e.g. kestrel")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--email", metavar="ADDRESS", help="the customer's e-mail address")
        who.add_argument("--customer", metavar="ID", help="the customer's id")
        parser.add_argument("--reason", default="", help="why, kept with the request; at most 500 characters")
        parser.add_argument("--user", metavar="USERNAME", help="who does it. Without it, the operator")

    def handle(self, *args: Any, **options: Any) -> None:
        """Find who is meant, and do it. Raises CommandError."""
        try:
            validate_reason(options["reason"])
        except ValidationError as error:
            raise CommandError(f"--reason: {' '.join(error.messages)}") from error
        platform = find_platform(options["platform"])
        by = self._actor(platform, options["user"]) if options["user"] is not None else None
        self.about(self._find(platform, options["email"], options["customer"]), by, options)

    def about(self, customer: Customer, by: Actor | None, options: dict[str, Any]) -> None:
        """Do it. Raises what the services raise."""
        raise NotImplementedError

    def _actor(self, platform: Platform, username: str) -> Actor:
        actor = Actor(find_user(username))
        if not access.may(actor, right_for("customers", self.permission), platform):
            raise CommandError(f"{shortened(username)} may not do this on {platform.code}.")
        return actor

    def _find(self, platform: Platform, email: str | None, key: str | None) -> Customer:
        """Return the customer; for one who was merged, whom they are now."""
        people = Customer.objects.filter(platform=platform).select_related("platform")
        if email is not None:
            # What cannot be printed is no address, and some databases fail when asked for it.
            known = people.filter(email_key=email_key(email)) if email.isprintable() and email else people.none()
            found = known.open().first() or known.order_by("-created_at").first()
        else:
            found = people.filter(pk=self._id(cast(str, key))).first()
        if found is None:
            raise CommandError(f"{platform.code} has no such customer: {shortened(email or key or '')}.")
        return privacy.people_of(found)[0]

    def _id(self, text: str) -> uuid.UUID:
        try:
            return uuid.UUID(text)
        except ValueError:
            raise CommandError(f"{shortened(text)} is no id of a customer.") from None
