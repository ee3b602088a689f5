"""Writes that touch more than one row, or that are more than a row's own rules."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from platforms import access
from platforms.access import Actor, Right
from platforms.models import ApiToken, Membership, Platform, User, Vendor

DEFAULT_TOKEN_DAYS = 90
MAX_TOKEN_DAYS = 3650


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
    the platform, with a vendor of another platform, with unknown scopes, or with a life outside of 1..3650 days.
    """
    if not 1 <= days <= MAX_TOKEN_DAYS:
        message = f"A token lives from 1 to {MAX_TOKEN_DAYS} days."
        raise ValidationError({"expires_in_days": ValidationError(message, code="out_of_range")})
    if not user.is_active:
        raise ValidationError({"user": ValidationError(f"{user} is not active.", code="inactive")})
    if vendor is not None and platform is None:
        raise ValidationError({"vendor": ValidationError("Name the vendor's platform too.", code="no_platform")})
    if platform is not None and not _belongs(user, platform):
        message = f"{user} does not belong to {platform}."
        raise ValidationError({"user": ValidationError(message, code="not_a_member")})
    fields = {"name": name, "platform": platform, "vendor": vendor, "scopes": list(scopes)}
    ApiToken(user=user, **fields).full_clean(exclude=["digest", "token_key"])
    return ApiToken.objects.create(user=user, expiry=timedelta(days=days), **fields)


def _belongs(user: User, platform: Platform) -> bool:
    return user.is_superuser or Membership.objects.filter(user=user, platform=platform).exists()
