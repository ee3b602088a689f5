"""Lists that show what there is to be looked at, and the rest where somebody asks for it."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet, TextChoices
from django.http import HttpRequest

_ALL = "all"


class StatusFilter(admin.SimpleListFilter):
    """Rows by their status: those that staff come for, unless the address asks for another or for all."""

    title = parameter_name = "status"
    statuses: ClassVar[type[TextChoices]]
    # What is shown where nothing is asked for, and what that is called.
    first: ClassVar[tuple[str, ...]]
    first_label: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return what may be asked for besides."""
        others = [(value, str(label)) for value, label in self.statuses.choices if (value,) != self.first]
        return [*others, (_ALL, "All")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Return the choices; the first is there without a parameter."""
        first, *others = super().choices(changelist)
        yield {**first, "display": self.first_label}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        """Narrow; no row has a status that there is not."""
        asked = self.value()
        if asked == _ALL:
            return queryset
        wanted = self.first if asked is None else [status for status in self.statuses.values if status == asked]
        return queryset.filter(status__in=wanted)
