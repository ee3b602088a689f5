"""What a token is worth at this moment: nothing once its time, its maker's right or its vendor is gone."""

from typing import Any

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, TextChoices

from platforms.models import ApiToken, Membership


class Standing(TextChoices):
    """Whether a token is taken, and why not."""

    VALID = "valid", "Valid"
    EXPIRED = "expired", "Expired"
    MAKER_INACTIVE = "maker_inactive", "User inactive"
    MAKER_LEFT = "maker_left", "User left"
    PLATFORM_INACTIVE = "platform_inactive", "Platform inactive"
    VENDOR_INACTIVE = "vendor_inactive", "Vendor inactive"


def with_standing(queryset: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
    """Read with the tokens, in the same query, what `standing_of` looks at."""
    mine = {"user": OuterRef("user"), "platform": OuterRef("platform")}
    reaches = (
        Q(platform__isnull=True)
        | Q(user__is_superuser=True)
        | (Q(vendor__isnull=True) & Q(Exists(memberships_reaching(**mine))))
        | Q(Exists(memberships_reaching(**mine, vendor=OuterRef("vendor"))))
    )
    return queryset.select_related("user", "platform", "vendor").annotate(
        maker_reaches=ExpressionWrapper(reaches, output_field=BooleanField())
    )


def standing_of(token: Any) -> Standing:
    """Return what the token is worth. token: one that was read by `with_standing`."""
    if token.is_expired:
        return Standing.EXPIRED
    if not token.user.is_active:
        return Standing.MAKER_INACTIVE
    if not token.maker_reaches:
        return Standing.MAKER_LEFT
    if token.vendor is not None and not token.platform.is_active:
        return Standing.PLATFORM_INACTIVE
    if token.vendor is not None and not token.vendor.is_active:
        return Standing.VENDOR_INACTIVE
    return Standing.VALID


def memberships_reaching(*, user: Any, platform: Any, vendor: Any = None) -> QuerySet[Membership]:
    """Return the memberships that let a user have a token on the platform, or of that vendor of it.

    Each may also be a reference to an outer query's column.
    """
    rows = Membership.objects.filter(user=user, platform=platform)
    return rows if vendor is None else rows.filter(Q(vendor__isnull=True) | Q(vendor=vendor))
