"""Writes that touch more than one row, or that are more than a row's own rules."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from allauth.mfa.models import Authenticator
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone

from platforms import access
from platforms.access import Actor, Right
from platforms.database import brief_wait
from platforms.models import ApiToken, IdempotentAnswer, Platform, RequestCount, User, Vendor
from platforms.second_factor import names_of
from platforms.tokens import memberships_reaching

DEFAULT_TOKEN_DAYS = 90
MAX_TOKEN_DAYS = 3650
# How exactly it is kept when a token was last used: so seldom is it written.
LAST_USED_STEP = timedelta(minutes=5)

_log = logging.getLogger(__name__)


class BeforePlatformDelete(Protocol):
    """What is called in the transaction that deletes a platform, while its rows are still there."""

    def __call__(self, *, platform: Platform, actor: Actor, source: str, reason: str) -> None:
        """Do what has to be done first; an exception keeps the platform."""


# Imports run one way, so the apps above register here, in their AppConfig.ready(), what a deletion owes them.
before_platform_delete: list[BeforePlatformDelete] = []


@transaction.atomic
def delete_platform(*, platform: Platform, actor: Actor, source: str, reason: str = "") -> None:
    """Delete a platform and all that is on it, after everybody in `before_platform_delete` had their turn.

    source: from where: `admin`, `api`, `command`. Raises Platform.DoesNotExist if it is gone already, PermissionDenied
    where the actor may not do it, or not any more.
    """
    locked = Platform.objects.select_for_update().get(pk=platform.pk)
    if not access.still_may(actor, Right.OPERATE, locked):
        raise PermissionDenied("Only superusers delete a platform.")
    for callback in before_platform_delete:
        callback(platform=locked, actor=actor, source=source, reason=reason)
    locked.delete()


@transaction.atomic
def issue_token(
    *,
    user: User,
    name: str,
    scopes: Sequence[str],
    days: int = DEFAULT_TOKEN_DAYS,
    platform: Platform | None = None,
    vendor: Vendor | None = None,
) -> tuple[ApiToken, str]:
    """Issue a token for this user and return it with its plain text, which is kept nowhere.

    Raises ValidationError for a token that could never be used: of an inactive user, of one who does not belong to
    the platform or, for a vendor's token, only to other vendors of it; with a vendor of another platform or one that
    is not active, with unknown scopes, or with a life outside of 1..3650 days.
    """
    if not 1 <= days <= MAX_TOKEN_DAYS:
        message = f"A token lives from 1 to {MAX_TOKEN_DAYS} days."
        raise ValidationError({"expires_in_days": ValidationError(message, code="out_of_range")})
    if not user.is_active:
        raise ValidationError({"user": ValidationError(f"{user} is not active.", code="inactive")})
    if vendor is not None and platform is None:
        raise ValidationError({"vendor": ValidationError("Name the vendor's platform too.", code="no_platform")})
    if platform is not None and not _may_reach(user, platform):
        message = f"{user} does not belong to {platform}."
        raise ValidationError({"user": ValidationError(message, code="not_a_member")})
    if vendor is not None and platform is not None:
        _check_vendor(user, platform, vendor)
    fields = {"name": name, "platform": platform, "vendor": vendor, "scopes": list(scopes)}
    ApiToken(user=user, **fields).full_clean(exclude=["digest", "token_key"])
    return ApiToken.objects.create(user=user, expiry=timedelta(days=days), **fields)


def _may_reach(user: User, platform: Platform, vendor: Vendor | None = None) -> bool:
    return user.is_superuser or memberships_reaching(user=user, platform=platform, vendor=vendor).exists()


def _check_vendor(user: User, platform: Platform, vendor: Vendor) -> None:
    for row in (platform, vendor):
        if not row.is_active:
            raise ValidationError({"vendor": ValidationError(f"{row} is not active.", code="inactive")})
    if not _may_reach(user, platform, vendor):
        message = f"{user} does not belong to {vendor}."
        raise ValidationError({"vendor": ValidationError(message, code="not_a_member")})


def note_token_use(*, token: ApiToken) -> None:
    """Keep when the token was last used, to within five minutes: one statement at most that often.

    Nobody waits for it and nothing fails by it: where the row, or on SQLite the database, is another's just now, it is
    left to the next use. To be called outside of the transaction that the request writes in.
    """
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - LAST_USED_STEP:
        return
    is_due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - LAST_USED_STEP)
    try:
        with brief_wait(), transaction.atomic():
            free = ApiToken.objects.select_for_update(skip_locked=True).filter(is_due, pk=token.pk)
            ApiToken.objects.filter(pk__in=free.values("pk")).update(last_used_at=now)
    except DatabaseError as error:
        _log.warning("Not kept that the token %s was used: %s", token.token_key, type(error).__name__)


def purge_idempotent_answers() -> int:
    """Delete the answers to POSTs that no longer count; return how many. To be called now and then."""
    over = timezone.now() - timedelta(hours=IdempotentAnswer.HOURS_KEPT)
    return IdempotentAnswer.objects.filter(created_at__lte=over).delete()[0]


def purge_request_counts() -> int:
    """Delete the counts of requests whose window is over; return how many. To be called now and then."""
    return RequestCount.objects.filter(ends_at__lte=int(timezone.now().timestamp())).delete()[0]


@transaction.atomic
def reset_second_factor(*, user: User) -> list[str]:
    """Remove all that a user shows beside their password, because a device is lost; return what it was, in words.

    Where a second factor is required, sessions that were opened with it have not passed any more. Whether the actor may
    do it is for the caller to ask.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    removed = names_of(user)
    Authenticator.objects.filter(user=user).delete()
    return removed
