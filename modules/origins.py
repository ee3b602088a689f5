"""Who changes something, from where, and why: what every change is stamped with."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest

from platforms import access
from platforms.access import Actor
from platforms.middleware import current_request_id
from platforms.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who changes something, from where, and why.

    `actor` is who it is where somebody asked for it: their right is looked at again under the lock.
    `may_switch_restricted` says whether restricted modules are theirs to switch. `at` is when; None means when it is
    written, under the lock.
    """

    actor_id: int | None
    actor_label: str
    actor_token: UUID | None = None
    may_switch_restricted: bool
    source: str
    reason: str = ""
    request_id: str = ""
    at: datetime | None = None
    actor: Actor | None = None


def origin_of_actor(actor: Actor, source: str, reason: str = "") -> Origin:
    """Return who changes something: somebody who is logged in, or a client with a token."""
    return Origin(
        actor_id=actor.user_id,
        actor_label=actor.label,
        actor_token=actor.token.pk if actor.token else None,
        may_switch_restricted=access.may_switch_restricted(actor),
        source=source,
        reason=reason,
        request_id=current_request_id(),
        actor=actor,
    )


def origin_of_request(request: HttpRequest, source: str, reason: str = "") -> Origin:
    """Return who changes something through this request, and why."""
    return origin_of_actor(Actor.of(request), source, reason)


def origin_of_system(label: str, source: str, reason: str = "", user: User | None = None) -> Origin:
    """Return who changes something where nobody is logged in: an operator's command, a migration, a schedule.

    label: says what it is, e.g. `manage.py enable_module`; with a user, the change is theirs.
    """
    return Origin(
        actor_id=user.pk if user else None,
        actor_label=f"{user.get_username()} ({label})" if user else label,
        may_switch_restricted=user is None or access.may_switch_restricted(Actor(user)),
        source=source,
        reason=reason,
    )
