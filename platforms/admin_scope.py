"""What staff see, choose and change in the admin, on a page of its own or on another row's: `access` decides."""

from typing import Any, ClassVar

from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.widgets import AutocompleteSelect, RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.forms import Field as FormField
from django.forms import ModelChoiceField
from django.http import HttpRequest

from platforms import access
from platforms.access import Actor, Right


def may(request: HttpRequest, right: Right, row: Model | None = None) -> bool:
    """Whether the asking person has this right on the row's platform, or on any platform where no row is named.

    The admin asks the same question dozens of times to draw one page; the answer is kept for the request.
    """
    answers: dict[tuple[object, ...], bool] = request.__dict__.setdefault("_rights", {})
    key = (right,) if row is None else (right, type(row), row.pk)
    if key not in answers:
        actor = Actor.of(request)
        if row is None or right is Right.OPERATE:
            # A superuser is let in before there is any platform: somebody has to make the first one.
            answers[key] = actor.is_superuser or access.may(actor, right)
        else:
            answers[key] = access.scope(actor, type(row)._base_manager.all(), right).filter(pk=row.pk).exists()
    return answers[key]


class KnownAutocompleteSelect(AutocompleteSelect):
    """An autocomplete that shows a form again with what was typed, also where that could be no row's key at all."""

    def optgroups(self, name: str, value: list[Any], attr: dict[str, Any] | None = None) -> Any:
        """Return the chosen rows; Django would ask the database for a key that it refuses, and crash."""
        return super().optgroups(name, [key for key in value if self._is_key(key)], attr)

    def _is_key(self, key: Any) -> bool:
        column = self.field.target_field
        try:
            value = column.to_python(key)
            # A number that the column has no room for is nobody's, too.
            column.run_validators(value)
        except ValidationError:
            return False
        return value is not None


class ScopeMixin(BaseModelAdmin):
    """Rights and rows come from `platforms.access`, never from Django's model permissions.

    A subclass says which right shows a row and which changes it; what narrows that further overrides `in_scope()` and
    `may()`, which all else goes through.
    """

    view_right: ClassVar[Right] = Right.VIEW
    change_right: ClassVar[Right] = Right.CHANGE

    def in_scope(self, request: HttpRequest, queryset: QuerySet, right: Right) -> QuerySet:
        """Narrow rows of any tenant's model to those on which the asking person has this right, as far as it goes."""
        return access.scope(Actor.of(request), queryset, right)

    def may(self, request: HttpRequest, right: Right, row: Model | None = None) -> bool:
        """Whether the asking person has this right on the row, or on any row at all, as far as it goes here."""
        return may(request, right, row)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows that the asking person may see."""
        return self.in_scope(request, super().get_queryset(request), self.view_right)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the row, or any row at all, may be seen."""
        return self.may(request, self.view_right, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the row, or any row at all, may be changed."""
        return self.may(request, self.change_right, obj)

    def scope_choices(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Narrow what a relation may be set to: rows of platforms on which the asking person may change this model."""
        if not access.is_tenant_model(queryset.model):
            return queryset
        return self.in_scope(request, queryset, self.change_right)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        """Build the field with the choices in scope."""
        queryset = kwargs.get("queryset")
        if queryset is None:
            queryset = db_field.related_model._default_manager.all()
        kwargs["queryset"] = self.scope_choices(request, queryset)
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", KnownAutocompleteSelect(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> FormField | None:
        """Build the field; beside a relation stands only the button that adds: the lists have the rest."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget.can_change_related = field.widget.can_delete_related = field.widget.can_view_related = False
        return field
