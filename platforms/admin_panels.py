"""What other apps add to the pages about platforms. Imports run one way, so they bring it themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from platforms.models import Platform, Vendor

# What is said before a vendor is deleted: lines of a nested list, as Django's `unordered_list` takes them.
DeletionWarning = Callable[[HttpRequest, Vendor], list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A section of the platform's page, above its form.

    `template` is rendered with `platform`, `request` and what `context(request, platform)` returns; where that is None
    the panel is not shown to this person. A panel stands outside the page's form, so it may hold forms of its own.
    """

    template: str
    context: Callable[[HttpRequest, Platform], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPanel:
    """A section of the start page; `template` is rendered with `request` and what `context(request)` returns."""

    template: str
    context: Callable[[HttpRequest], Mapping[str, Any]]


# In the order in which they came.
start_panels: list[StartPanel] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the list of platforms, and a fact on the start page.

    `display` is what the admin calls with a platform, decorated with `admin.display`. What it reads beyond the
    platform's own row comes from `annotate`, so that the list takes the same queries however long it is.
    """

    display: Callable[[Platform], Any]
    annotate: Callable[[QuerySet[Platform]], QuerySet[Platform]] | None = None

    @property
    def label(self) -> str:
        """The column's heading."""
        return str(getattr(self.display, "short_description", self.display.__name__))
