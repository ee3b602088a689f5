"""Who has shown a second factor in their session, and what is asked of them before they go on.

A session passes with one factor, and remembers which: when that factor is gone (removed by its owner, or reset by an
operator because a device was lost) the session has not passed any more, wherever it is open.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_used
from django.conf import settings
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from platforms import cipher
from platforms.models import User

SESSION_KEY = "second_factor"
RECOVERY_CODES = Authenticator.Type.RECOVERY_CODES
PASSKEYS = Authenticator.Type.WEBAUTHN
# What allauth keeps encrypted: of an authenticator app, and of recovery codes.
_SEALED = frozenset({"secret", "seed"})


class Standing(StrEnum):
    """How a session stands."""

    PASSED = "passed"  # go on: shown, or not asked for
    ENROL = "enrol"  # there is no factor to show yet: set one up first
    PROVE = "prove"  # there is one, and it was not shown in this session: log in again


def standing(request: HttpRequest) -> Standing:
    """Return how the request's session stands; costs a query where a second factor is required, none elsewhere."""
    if not settings.STAFF_SECOND_FACTOR_REQUIRED or not request.user.is_authenticated:
        return Standing.PASSED
    types = dict(Authenticator.objects.filter(user_id=request.user.pk).values_list("pk", "type"))
    # Recovery codes stand in for a factor; without one they are none.
    if all(kind == RECOVERY_CODES for kind in types.values()):
        return Standing.ENROL
    return Standing.PASSED if request.session.get(SESSION_KEY) in types else Standing.PROVE


def names_of(user: User) -> list[str]:
    """Return what a user has enrolled, in words."""
    names = {Authenticator.Type.TOTP: "authenticator app", RECOVERY_CODES: "recovery codes"}
    rows = Authenticator.objects.filter(user=user).order_by("pk")
    return [names.get(Authenticator.Type(row.type)) or f"passkey “{row.wrap().name}”" for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResealedFactors:
    """What became of the seeds of factors; `unreadable` names the users of those that no key opens."""

    moved: int = 0
    current: int = 0
    unreadable: tuple[str, ...] = ()
    last: int | None = None


@transaction.atomic
def reseal_batch(*, after: int = 0, size: int, dry_run: bool = False) -> ResealedFactors:
    """Encrypt the seeds of the next factors with the newest key, or say what that would do; they stay what they are.

    after: the number of the last factor that is done. The result's `last` is that of this batch; None: none is left.
    """
    rows = Authenticator.objects.select_for_update(of=("self",)).select_related("user").exclude(type=PASSKEYS)
    moved = current = 0
    unreadable, last = [], None
    for row in rows.filter(pk__gt=after).order_by("pk")[:size]:
        last = row.pk
        for name in _SEALED & row.data.keys():
            try:
                token = cipher.resealed(row.data[name])
            except cipher.SecretUnreadable:
                unreadable.append(row.user.get_username())
                continue
            moved += token != row.data[name]
            current += token == row.data[name]
            row.data[name] = token
        if not dry_run:
            row.save(update_fields=["data"])
    return ResealedFactors(moved=moved, current=current, unreadable=tuple(unreadable), last=last)


@receiver(authenticator_used)
def remember_used(request: HttpRequest, authenticator: Authenticator, **kwargs: Any) -> None:
    """Note in the session which factor was shown."""
    request.session[SESSION_KEY] = authenticator.pk


def remember_newest(request: HttpRequest) -> None:
    """Note in the session the factor that was just set up in it: setting up shows it."""
    rows = Authenticator.objects.filter(user_id=request.user.pk).exclude(type=RECOVERY_CODES)
    request.session[SESSION_KEY] = rows.latest("pk").pk


def stay_passed(request: HttpRequest) -> None:
    """Let a session that had passed stay so where its own factor was removed or renewed in it, if there is another."""
    if SESSION_KEY not in request.session:
        return
    keys = list(Authenticator.objects.filter(user_id=request.user.pk).order_by("pk").values_list("pk", flat=True))
    if not keys:
        del request.session[SESSION_KEY]
    elif request.session[SESSION_KEY] not in keys:
        request.session[SESSION_KEY] = keys[0]
