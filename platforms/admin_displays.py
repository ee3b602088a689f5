"""How the admin shows what many of its lists have: states, days, counts."""

from datetime import datetime

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from platforms.models import Platform, User, Vendor


def pill(kind: str, text: str) -> SafeString:
    """Return a status pill of the theme: `on`, `off`, `core`, `unknown` or `warn`."""
    return format_html('<span class="pill pill--{}">{}</span>', kind, text)


def day_of(moment: datetime) -> str:
    """Return the day, short enough for a column."""
    return date_format(timezone.localtime(moment), "j M Y")


def active_pill(row: Platform | Vendor | User) -> SafeString:
    """Return the pill of a row that is active or not."""
    return pill("on", "Active") if row.is_active else pill("off", "Inactive")


def count_of(queryset: QuerySet, path: str) -> Coalesce:
    """Return how many rows of the queryset point at the outer row by `path`, as a subquery: joins would multiply."""
    counted = queryset.order_by().filter(**{path: OuterRef("pk")}).values(path).annotate(rows=Count("pk"))
    return Coalesce(Subquery(counted.values("rows"), output_field=IntegerField()), 0)
