"""Inlines of tenant models: rows that stand on another row's page, under the same rules as a page of their own."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import BaseInlineFormSet, ModelChoiceField
from django.http import HttpRequest

from platforms import access
from platforms.access import Actor, Right
from platforms.admin_base import is_tenant_model, may


class ScopedInlineFormSet(BaseInlineFormSet):
    """Refuses a row that is not there for the asking person: foreign, or deleted since the page was drawn.

    Django takes any row's key here, then saves nothing and says that all went well.
    """

    def clean(self) -> None:
        """Say so, and save nothing."""
        super().clean()
        if any(form.instance._state.adding for form in self.initial_forms):
            raise ValidationError("One of these rows is not there any more. Open the page again.", code="missing")


class ScopedInlineMixin(admin.options.InlineModelAdmin):
    """Shows, offers and saves only what is in scope; rights are asked of the row on whose page it stands."""

    view_right: ClassVar[Right] = Right.VIEW
    change_right: ClassVar[Right] = Right.CHANGE
    extra = 0
    formset = ScopedInlineFormSet

    def in_scope(self, request: HttpRequest, queryset: QuerySet, right: Right) -> QuerySet:
        """Narrow rows of any tenant's model to those on which the asking person has this right, as far as it goes."""
        return access.scope(Actor.of(request), queryset, right)

    def may(self, request: HttpRequest, right: Right, row: Model | None = None) -> bool:
        """Whether the asking person has this right on the row on whose page it stands, or on any."""
        return may(request, right, row)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows that the asking person may see."""
        return self.in_scope(request, super().get_queryset(request), self.view_right)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        """Build the field with the choices in scope."""
        queryset = kwargs.get("queryset")
        if queryset is None:
            queryset = db_field.related_model._default_manager.all()
        if is_tenant_model(queryset.model):
            queryset = self.in_scope(request, queryset, self.change_right)
        return super().formfield_for_foreignkey(db_field, request, **{**kwargs, "queryset": queryset})

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether what stands on this page may be seen."""
        return self.may(request, self.view_right, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether what stands on this page may be changed."""
        return self.may(request, self.change_right, obj)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As for a change."""
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As for a change."""
        return self.has_change_permission(request, obj)


class ScopedInline(ScopedInlineMixin, admin.StackedInline):
    """Forms under one another: in Django's table of them no field has a label that a screen reader could say."""
