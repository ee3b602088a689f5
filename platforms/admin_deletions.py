"""What the admin says goes along with rows that are to be deleted."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import NestedObjects, quote
from django.db import router
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.text import capfirst

from platforms.search import MOST_COUNTED


class _GoingAlong(NestedObjects):
    """What goes along, as a tree. Rows of models without an admin of their own are not read: nobody could open one.

    Where something hangs on such rows in turn, they are read to find it, and listed as all others are.
    """

    def __init__(self, rows: Sequence[Model], site: AdminSite) -> None:
        super().__init__(using=router.db_for_write(type(rows[0])), origin=rows)
        self.site = site

    def can_fast_delete(self, objs: Any, from_field: Any = None) -> bool:
        """Whether these are but counted. What somebody chose to delete, and not what hangs on it, never is."""
        if from_field is None or self.site.is_registered(objs):
            return False
        # What Django's tree overrides: there, every row is read.
        return super(NestedObjects, self).can_fast_delete(objs, from_field)

    def counts(self) -> dict[str, int | str]:
        """Return how many rows of each model go along, by its name, as far as they are counted."""
        read: dict[type[Model], set[Model]] = self.model_objs  # type: ignore[assignment]
        found: dict[str, int | str] = {str(model._meta.verbose_name_plural): len(rows) for model, rows in read.items()}
        unread: dict[type[Model], list[QuerySet[Model]]] = defaultdict(list)
        for rows in self.fast_deletes:
            unread[rows.model].append(rows.order_by())
        for model, ways in unread.items():
            if count := _count(ways):
                found[str(model._meta.verbose_name_plural)] = (
                    f"more than {MOST_COUNTED:,}" if count > MOST_COUNTED else count
                )
        return found


def _count(ways: Sequence[QuerySet[Model]]) -> int:
    """Return how many rows there are, up to one more than are counted, each once although several ways lead to it."""
    if len(ways) == 1:
        return ways[0][: MOST_COUNTED + 1].count()
    keys: set[Any] = set()
    for rows in ways:
        keys.update(rows.values_list("pk", flat=True)[: MOST_COUNTED + 1])
        if len(keys) > MOST_COUNTED:
            break
    return len(keys)


def going_along(
    rows: Sequence[Model], request: HttpRequest, site: AdminSite
) -> tuple[list[Any], dict[str, int | str], set[str], list[Any]]:
    """Return what a page says before rows are deleted, as `ModelAdmin.get_deleted_objects` does.

    The rows with what hangs on them, as a nested list; how many there are of each model; the names of models of which
    the asking person may not delete one; and the rows that stand in the way.
    """
    if not rows:
        return [], {}, set(), []
    tree = _GoingAlong(rows, site)
    tree.collect(rows)
    needed: set[str] = set()

    def told(row: Model) -> str:
        opts = row._meta
        name = capfirst(str(opts.verbose_name))
        if not site.is_registered(type(row)):
            return f"{name}: {row}"
        if not site.get_model_admin(type(row)).has_delete_permission(request, row):
            needed.add(str(opts.verbose_name))
        try:
            address = reverse(f"{site.name}:{opts.app_label}_{opts.model_name}_change", args=[quote(row.pk)])
        except NoReverseMatch:
            return f"{name}: {row}"
        return format_html('{}: <a href="{}">{}</a>', name, address, row)

    return tree.nested(told), tree.counts(), needed, [told(row) for row in tree.protected]
