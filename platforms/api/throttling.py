"""How often one may ask: by token or user, and by address where nobody is known.

The rates stand in `THROTTLE_RATES`, by scope (`platforms.rates`).
"""

from typing import Any

from django.conf import settings
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from platforms import counters
from platforms.access import Actor
from platforms.addresses import client_network
from platforms.rates import parse_rate


def _hit(scope: str, who: str, rate: str) -> int:
    """Count one request; return the seconds to wait, 0 where it is within the rate."""
    parsed = parse_rate(rate)
    return counters.hit(f"{scope}:{who}", limit=parsed[0], seconds=parsed[1]) if parsed else 0


class ClientThrottle(BaseThrottle):
    """By token, by user where there is a session, by address where there is neither."""

    seconds = 0

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request; return whether it is within the rate."""
        actor = Actor.of(request)
        if actor.token is not None:
            scope, who = "client", f"token-{actor.token.pk}"
        elif actor.user_id is not None:
            scope, who = "client", f"user-{actor.user_id}"
        else:
            scope, who = "anonymous", client_network(request)
        self.seconds = _hit(scope, who, settings.THROTTLE_RATES[scope])
        return not self.seconds

    def wait(self) -> int:
        """Return the seconds until the next request is within the rate."""
        return self.seconds


class PublicThrottle(ClientThrottle):
    """By address, whoever asks: for the public API.

    All public views share the scope `public`. Where an action needs a rate of its own, the view says so in
    `throttle_rates = {"create": "5/min"}` and names the scope in `throttle_scope = "messaging.contact"`; an operator's
    `THROTTLE_RATES` for `messaging.contact.create` comes first.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request; return whether it is within the rate."""
        action = getattr(view, "action", None)
        scope, rate = "public", settings.THROTTLE_RATES["public"]
        if action in getattr(view, "throttle_rates", {}):
            scope = f"{view.throttle_scope}.{action}"
            rate = settings.THROTTLE_RATES.get(scope, view.throttle_rates[action])
        self.seconds = _hit(scope, client_network(request), rate)
        return not self.seconds


def count_bad_credentials(request: Request) -> None:
    """Count that somebody at this address came with a token that is none; raise Throttled where it is too often."""
    wait = _hit("bad_credentials", client_network(request), settings.THROTTLE_RATES["bad_credentials"])
    if wait:
        raise Throttled(wait)
