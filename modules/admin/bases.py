"""What the admin pages of a module start from: what is off is dark there, too."""

from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from modules import gate
from platforms import access
from platforms.access import Actor, Right
from platforms.admin_base import ScopedAdmin
from platforms.admin_inlines import ScopedInline
from platforms.models import Platform


def _on_for(request: HttpRequest) -> frozenset[str]:
    """Return the modules that are on for a platform that the asking person may see. One query a request."""
    found: frozenset[str] | None = request.__dict__.get("_modules_on")
    if found is None:
        seen = access.scope(Actor.of(request), Platform.objects.all(), Right.VIEW)
        found = request.__dict__["_modules_on"] = gate.enabled_on_any(seen)
    return found


class GateMixin:
    """Shows and offers the rows of platforms that have the module on; where no platform has, nothing is there.

    The module is the one whose code is the label of the model's app.
    """

    change_right: ClassVar[Right] = Right.MANAGE
    opts: Any

    @property
    def module(self) -> str:
        """The code of the module whose page this is."""
        return self.opts.app_label

    def in_scope(self, request: HttpRequest, queryset: QuerySet, right: Right) -> QuerySet:
        """Narrow to rows on which the asking person has this right, of platforms that have the module on."""
        return gate.narrow(super().in_scope(request, queryset, right), self.module)  # type: ignore[misc]

    def may(self, request: HttpRequest, right: Right, row: Model | None = None) -> bool:
        """Whether the asking person has this right on the row, or on any, and the module is on there."""
        if self.module not in _on_for(request) or not super().may(request, right, row):  # type: ignore[misc]
            return False
        if row is None:
            return True
        answers: dict[tuple[object, ...], bool] = request.__dict__.setdefault("_gates", {})
        key = (self.module, type(row), row.pk)
        if key not in answers:
            rows = type(row)._base_manager.filter(pk=row.pk)
            answers[key] = gate.narrow(rows, self.module).exists()
        return answers[key]


class ModuleModelAdmin(GateMixin, ScopedAdmin):
    """Admin of a module's model. Its autocompletes offer the rows of the platform that the form names."""

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """A row stays with its platform and vendor: what points at it does, too."""
        fixed = access.owners(self.model, {"platform": None, "vendor": None}) if obj is not None else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Choose the platform of a new row where there is only one to choose."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        if access.owners(self.model, {"platform": None}):
            found = list(self.scope_choices(request, Platform.objects.all())[:2])
            initial = {**({"platform": found[0].pk} if len(found) == 1 else {}), **initial}
        return initial

    class Media:
        js = ("admin/js/jquery.init.js", "admin_theme/rows_of_platform.js")


class ModuleInline(GateMixin, ScopedInline):
    """A module's rows on another row's page."""
