"""The base of every tenant model's admin: `platforms.access` decides what staff see, choose and change."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import get_fields_from_path, unquote
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import IntegrityError, router, transaction
from django.db.models import IntegerField, Model, QuerySet
from django.db.models.fields.related import RelatedField
from django.forms import BaseModelFormSet, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.functional import cached_property
from django.utils.safestring import SafeString

from platforms import access
from platforms.access import Actor, Right
from platforms.admin_deletions import going_along
from platforms.admin_forms import BeatenForm, TenantForm
from platforms.admin_scope import ScopeMixin
from platforms.search import MOST_COUNTED

# How many choices a filter shows.
MOST_CHOICES = 30
# What may follow the name of a column: a comparison of that very column, never a path to another table.
_COMPARISONS = "(?:__(?:exact|isnull|lt|lte|gt|gte))?"


def row_number(text: str) -> int | None:
    """Return the number of a row that an address or a form names; None for what is none that a table could hold."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def told_apart(rows: Sequence[Any]) -> list[tuple[Any, str]]:
    """Return rows as choices: of those that are called alike, each with its platform, if it is of one."""
    times = Counter(map(str, rows))
    alike = [row for row in rows if times[str(row)] > 1 and hasattr(row, "platform")]
    platforms = {row.pk: f" · {row.platform}" for row in alike}
    return [(row.pk, f"{row}{platforms.get(row.pk, '')}") for row in rows]


def _keyed(rows: QuerySet, text: str) -> list[Any]:
    """Return the row with the key that an address names, if there is one."""
    column = rows.model._meta.pk
    try:
        key = row_number(text) if isinstance(column, IntegerField) else column.to_python(text)
    except ValidationError:
        return []
    return list(rows.filter(pk=key)) if key is not None else []


class ScopedRelatedFilter(admin.RelatedFieldListFilter):
    """A filter by a related row that offers only the rows that the asking person may see.

    Where they are too many to be read, it offers none but the chosen one, and says so, and that there is a search.
    """

    template = "admin/platforms/scoped_filter.html"
    is_cut = is_searched = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What Django calls "-": the rows that point at none.
        self.empty_value_display = SafeString("None")

    def field_choices(self, field: RelatedField, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[Any]:
        """Return the choices in scope, in their admin's order."""
        related = field.related_model
        rows = related._default_manager.order_by(*self.field_admin_ordering(field, request, model_admin))
        rows = (
            model_admin.in_scope(request, rows, Right.VIEW)
            if isinstance(model_admin, ScopedAdmin)
            else access.scope(Actor.of(request), rows, Right.VIEW)
        )
        if access.tenant_path(related) == "platform":
            rows = rows.select_related("platform")
        found = list(rows[: MOST_CHOICES + 1])
        self.is_cut = len(found) > MOST_CHOICES
        if not self.is_cut:
            return told_apart(found)
        self.is_searched = any(name.startswith(f"{self.field_path}__") for name in model_admin.search_fields)
        return told_apart(_keyed(rows, (self.lookup_val or [""])[-1]))

    def has_output(self) -> bool:
        """Whether there is anything to choose, or to say."""
        return self.is_cut or super().has_output()


class BoundedPaginator(Paginator):
    """Counts to 10,000 and no further, so that a list of a million rows costs no more: beyond that people search."""

    MOST: ClassVar[int] = MOST_COUNTED

    @cached_property
    def _counted(self) -> int:
        return self.object_list.order_by()[: self.MOST + 1].count()  # type: ignore[attr-defined]

    @property
    def is_cut(self) -> bool:
        """Whether there are more rows than it has pages for."""
        return self._counted > self.MOST

    @property
    def count(self) -> int:
        """How many rows there are, as far as they are counted."""
        return min(self._counted, self.MOST)


class GuardedAdmin(admin.ModelAdmin):
    """The base of every admin here: what an address or a form says that nobody meant is answered in words."""

    list_per_page = 50
    show_full_result_count = False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow what the list's own filters ask; an address reaches no other column.

        Django would let anybody who sees the list probe every column of the table, character by character.
        """
        return any(
            lookup.startswith(name) and re.fullmatch(comparisons, lookup[len(name) :])
            for name, comparisons in self._askable(request)
        )

    def _askable(self, request: HttpRequest | None) -> Iterator[tuple[str, str]]:
        """Yield each column that the address may filter by, with the comparisons that may follow its name."""
        for item in self.get_list_filter(request) if request else self.list_filter:
            if not isinstance(item, (str, tuple)):
                yield getattr(item, "parameter_name", ""), ""
                continue
            name = str(item if isinstance(item, str) else item[0])
            field = get_fields_from_path(self.model, name)[-1]
            if isinstance(field, RelatedField):
                yield name, f"__{field.target_field.name}__exact|__isnull"
            else:
                yield name, _COMPARISONS

    def response_action(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        """Apply an action to all rows that are named; where one of them is not there, or foreign, do nothing."""
        try:
            keys = {self.opts.pk.clean(key, None) for key in request.POST.getlist(ACTION_CHECKBOX_NAME)}
        except ValidationError:
            keys = None
        # Beyond the page that was shown, what is meant is a filter, not rows by name.
        all_found = keys is not None and (
            request.POST.get("select_across") == "1" or queryset.filter(pk__in=keys).count() == len(keys)
        )
        if not all_found:
            messages.error(request, "One of these rows is not there. Nothing was done.")
            return HttpResponseRedirect(request.get_full_path())
        try:
            # With what the action notes of itself: Django's own logs what it is about to delete.
            with transaction.atomic():
                return super().response_action(request, queryset)
        except IntegrityError:
            return self._beaten(request)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """Say what goes along; of rows that have no page, however many they are, only how many."""
        return going_along(objs, request, self.admin_site)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask, or delete a row; where something has come to point at it meanwhile, delete nothing and say so."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except IntegrityError:
            return self._beaten(request)

    def _beaten(self, request: HttpRequest) -> HttpResponse:
        # Django has said already that it was done: the database has the last word when the transaction ends.
        list(messages.get_messages(request))
        messages.error(request, "Somebody saved something meanwhile that hangs on this. Nothing was done: try again.")
        return HttpResponseRedirect(request.get_full_path())

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show or save a row; where the database refuses it for what somebody else saved meanwhile, say so in the form.

        Between the form's look and the save there is no lock on a row that is not there yet: the table's constraint has
        the last word, and by then everything of this save is rolled back.
        """
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError:
            request.__dict__["_beaten"] = True
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(
        self, request: HttpRequest, obj: Any | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        """Return the form; after a collision one that says so and saves nothing."""
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (BeatenForm, form), {}) if request.__dict__.get("_beaten") else form


class LabelledForm(TenantForm):
    """A row of a list that can be edited in it: each field says what it is, and whose, as no label stands beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"{field.label}: {self.instance}"
            # Django points at a help text that it does not print in a list.
            field.help_text = ""


class ScopedAdmin(ScopeMixin, GuardedAdmin):
    """Admin of a tenant model: rights come from `platforms.access`, never from Django's model permissions.

    A subclass says which right shows a row and which changes it. A foreign row and a missing one are the same: they are
    not found. After a save the row is looked up again in scope; what left it is rolled back.
    """

    form: type[ModelForm] = TenantForm
    # Who may add and delete, where that differs from who may change.
    add_right: ClassVar[Right | None] = None
    delete_right: ClassVar[Right | None] = None

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        """Return the row, or None where it is missing or foreign; lock it first where the request will change it.

        Without the lock two people who save at the same moment would both be told that they were first.
        """
        if request.method == "POST" and transaction.get_connection(router.db_for_write(self.model)).in_atomic_block:
            self._lock(unquote(object_id))
        return super().get_object(request, object_id, from_field)

    def _lock(self, object_id: str) -> None:
        try:
            key = self.opts.pk.to_python(object_id)
        except ValidationError:
            return  # no key of this model at all: what looks it up next does not find it
        self.lock_row(key)

    def lock_row(self, key: Any) -> None:
        """Lock the row that a POST names, if it is there, until the transaction ends.

        Where what saves it locks other rows first, so does the admin here: two in opposite order would wait for ever.
        """
        # Without an order: it could join other tables, whose rows would be locked too.
        list(self.model._base_manager.select_for_update(no_key=True).filter(pk=key).order_by().values_list("pk"))

    # --- who may -------------------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether rows may be added on some platform."""
        return self.may(request, self.add_right or self.change_right)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the row, or any row at all, may be deleted."""
        return self.may(request, self.delete_right or self.change_right, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the app is shown at all."""
        return self.has_view_permission(request)

    # --- what may be chosen and asked ------------------------------------------------------------------------------

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Return the declared filters; those by a tenant's relation offer only what is in scope."""
        return [self._scoped_filter(item) for item in super().get_list_filter(request)]

    def _scoped_filter(self, item: Any) -> Any:
        if not isinstance(item, str):
            return item
        try:
            field = self.opts.get_field(item)
        except FieldDoesNotExist:
            return item
        if isinstance(field, RelatedField) and access.is_tenant_model(field.related_model):
            return (item, ScopedRelatedFilter)
        return item

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[ModelForm]:
        """Return the form for a row of a list that can be edited."""
        return super().get_changelist_form(request, **{"form": LabelledForm, **kwargs})

    def autocomplete_label(self, row: Model) -> str:
        """Return what an autocomplete shows for the row."""
        return str(row)

    # --- saving and looking back -----------------------------------------------------------------------------------

    def save_related(
        self, request: HttpRequest, form: ModelForm, formsets: list[BaseModelFormSet], change: bool
    ) -> None:
        """Save what hangs on the row, then see that the row is still in scope.

        Raises PermissionDenied otherwise, which rolls the whole request back.
        """
        super().save_related(request, form, formsets, change)
        right = self.change_right if change else self.add_right or self.change_right
        rows = self.model._base_manager.filter(pk=form.instance.pk)
        if not self.in_scope(request, rows, right).exists():
            raise PermissionDenied

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what staff did to the row, looked up in scope; 405 to anything but a reader."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return super().history_view(request, object_id, extra_context)


class ScopedAutocomplete(AutocompleteJsonView):
    """Autocompletes that offer what the form they stand in would accept: in scope, and of the chosen platform."""

    def get_queryset(self) -> QuerySet:
        """Narrow to what the asking form's admin may set, and to the platform that the form names, if any."""
        rows = super().get_queryset()
        try:
            source_admin = cast(admin.AdminSite, self.admin_site).get_model_admin(self.source_field.model)
        except NotRegistered:
            return rows.none()
        if not isinstance(source_admin, ScopedAdmin):
            return rows
        rows = source_admin.scope_choices(self.request, rows)
        platform = row_number(self.request.GET.get("platform", ""))
        if getattr(rows.model, "tenant_path", "") == "platform" and platform is not None:
            rows = rows.filter(platform=platform)
        return rows

    def serialize_result(self, obj: Model, to_field_name: str) -> dict[str, str]:
        """Return the row's key and what its admin calls it."""
        label = self.model_admin.autocomplete_label if isinstance(self.model_admin, ScopedAdmin) else str
        return {"id": str(getattr(obj, to_field_name)), "text": label(obj)}
