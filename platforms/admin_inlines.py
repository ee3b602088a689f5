"""Inlines of tenant models: rows that stand on another row's page, under the same rules as a page of their own."""

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest

from platforms.admin_forms import TenantForm
from platforms.admin_scope import ScopeMixin


class ScopedInlineFormSet(BaseInlineFormSet):
    """Refuses a row that is not there for the asking person: foreign, or deleted since the page was drawn.

    Django takes any row's key here, then saves nothing and says that all went well.
    """

    def clean(self) -> None:
        """Say so, and save nothing."""
        super().clean()
        if any(form.instance._state.adding for form in self.initial_forms):
            raise ValidationError("One of these rows is not there any more. Open the page again.", code="missing")


class ScopedInline(ScopeMixin, admin.StackedInline):
    """Shows, offers and saves only what is in scope; rights are asked of the row on whose page it stands.

    Forms under one another: in Django's table of them no field has a label that a screen reader could say.
    """

    form: type[ModelForm] = TenantForm
    extra = 0
    formset = ScopedInlineFormSet

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As for a change."""
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As for a change."""
        return self.has_change_permission(request, obj)
