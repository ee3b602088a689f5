"""The privacy queue in the admin: what is due soonest first, and what an erasure would do before it is done."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import BaseModelFormSet, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from customers import privacy
from customers.admin import wording
from customers.admin.queues import StatusFilter
from customers.models import Customer, PrivacyRequest, PrivacyRequestQuerySet
from modules.admin.bases import ModuleModelAdmin
from modules.admin.places import name_of
from modules.permissions import right_for
from platforms.access import Actor
from platforms.admin_base import BoundedPaginator
from platforms.admin_displays import day_of, pill
from platforms.admin_forms import GuardedForm
from platforms.conflicts import Conflict
from platforms.validators import MAX_REASON, validate_reason

# How many requests a customer's page shows.
_SHOWN = 10
Kind, Status, Source = PrivacyRequest.Kind, PrivacyRequest.Status, PrivacyRequest.Source

_PILLS = {Status.OPEN: "core", Status.ON_HOLD: "warn", Status.DONE: "on", Status.CANCELLED: "off"}
# The buttons of a request's page, by the names that they send, and what each needs.
_BUTTONS = {"_hold": "erase", "_release": "erase", "_cancel": "manage", "_execute": "erase", "_download": "export"}
_SAID = {
    "_hold": "On hold: nobody is erased until it is released.",
    "_release": "Released: it goes on from where it stood still.",
    "_cancel": "Called off.",
    "_execute": "Erased. What is left of them says nothing any more.",
}


def state_pill(request: PrivacyRequest) -> SafeString:
    """Return how a request, one of `with_export`, stands as a pill."""
    is_behind = request.kind == Kind.ERASURE and request.has_open_export  # type: ignore[attr-defined]
    waits = "export first" if is_behind and request.status == Status.OPEN and not request.is_in_grace else ""
    if request.is_overdue or waits:
        return pill("warn", ", ".join(filter(None, ["overdue" if request.is_overdue else "", waits])).capitalize())
    return pill(_PILLS[Status(request.status)], request.get_status_display())


def permission_for(kind: str) -> str:
    """Return the module's permission that a request of this kind needs."""
    return "erase" if kind == Kind.ERASURE else "export"


def privacy_panel(customer: Customer, *, may_ask: bool) -> dict[str, Any]:
    """Return what the panel on a customer's page says: their requests, and the ways to note another."""
    rows = list(PrivacyRequest.objects.with_export().filter(customer=customer).order_by("-created_at")[:_SHOWN])
    # A notice for doing nothing keeps nobody from asking themselves.
    waiting = {row.kind for row in rows if row.is_pending and row.source != Source.INACTIVITY}
    return {
        "privacy_requests": [{"row": row, "state": state_pill(row)} for row in rows],
        "privacy_ways": [_way(customer, kind) for kind in Kind if may_ask and kind not in waiting],
    }


def _way(customer: Customer, kind: PrivacyRequest.Kind) -> dict[str, str]:
    query = urlencode({"customer": str(customer.pk), "kind": kind.value})
    return {
        "text": f"Request {kind.label.lower()}",
        "url": f"{reverse('admin:customers_privacyrequest_add')}?{query}",
    }


class RequestStatusFilter(StatusFilter):
    """How a request stands: those that are still to be done come first."""

    statuses = Status
    first, first_label = PrivacyRequest.PENDING, "To be done"


class OverdueFilter(admin.SimpleListFilter):
    """What should have been done by now."""

    title = "overdue"
    parameter_name = "overdue"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """Return the one choice that there is beside all."""
        return [("yes", "Overdue")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> PrivacyRequestQuerySet | QuerySet:
        """Narrow, if it is chosen."""
        overdue = PrivacyRequest.objects.overdue()
        return queryset.filter(pk__in=overdue) if self.value() == "yes" else queryset


class ServiceForm(GuardedForm):
    """A form whose whole effect is a service's: what that refuses stands in the form, and nothing is written."""

    actor: Actor  # the admin's, for each request

    def _post_clean(self) -> None:
        # What the database allows is for the service to say: a notice that waits is in the way of a row, and of nobody.
        super(GuardedForm, self)._post_clean()
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.serve()
        except Conflict as error:
            self.add_error(None, ValidationError(str(error), code=error.code))
        except ValidationError as error:
            for name, found in error.update_error_dict({}).items():
                self.add_error(name if name in self.fields else None, found)

    def serve(self) -> None:
        """Have the service do it. Raises Conflict, ValidationError."""
        raise NotImplementedError

    def save_m2m(self) -> None:
        """Save nothing more."""


def _label(customer: Customer) -> str:
    return customer.label


class AskForm(ServiceForm):
    """What somebody asked for, and how."""

    source = forms.ChoiceField(
        label="Asked by",
        choices=[choice for choice in Source.choices if choice[0] not in (Source.OPERATOR, Source.INACTIVITY)],
    )

    class Meta:
        model = PrivacyRequest
        fields = ("customer", "kind", "source", "reason")
        widgets = {"reason": AdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "customer" in self.fields:
            cast(forms.ModelChoiceField, self.fields["customer"]).label_from_instance = _label  # type: ignore[method-assign, assignment]

    def _get_validation_exclusions(self) -> set[str]:
        # The service makes the row, and has the model judge it.
        return {field.name for field in PrivacyRequest._meta.fields}

    def serve(self) -> None:
        """Have it noted."""
        data = self.cleaned_data
        ask = privacy.request_erasure if data["kind"] == Kind.ERASURE else privacy.request_export
        self.instance = ask(customer=data["customer"], source=data["source"], reason=data["reason"], by=self.actor)


class ActForm(ServiceForm):
    """What is done with a request: one of the buttons, and why, where somebody has to say."""

    why = forms.CharField(
        label="Why it has to wait",
        required=False,
        max_length=MAX_REASON,
        validators=[validate_reason],
        widget=AdminTextInputWidget,
        help_text="Said to those who ask later why nobody was erased.",
    )
    export: dict[str, Any] | None = None

    class Meta:
        model = PrivacyRequest
        fields = ()

    @property
    def button(self) -> str:
        """The button that was pressed."""
        return next((name for name in _BUTTONS if name in self.data), "")

    def _digest_of_row(self) -> str:
        """Compare how the request stands: it has no other fields here."""
        row = self.instance
        return f"{row.status} {row.not_before.isoformat()}"

    def serve(self) -> None:
        """Have it done."""
        row = self.instance
        match self.button:
            case "_hold":
                try:
                    privacy.hold(request=row, reason=self.cleaned_data["why"], by=self.actor)
                except ValidationError as error:
                    raise ValidationError({"why": error.messages}) from None
            case "_release":
                privacy.release(request=row, by=self.actor)
            case "_cancel":
                privacy.cancel(request=row, by=self.actor)
            case "_execute":
                privacy.execute(request=row, by=self.actor)
            case "_download":
                self.export = privacy.fetch(request=row, by=self.actor)
            case _:
                raise ValidationError("Choose what to do.", code="required")


@admin.register(PrivacyRequest)
class PrivacyRequestAdmin(ModuleModelAdmin):
    """What people asked about their own data. Every write goes through the services."""

    paginator = BoundedPaginator
    actions = None
    list_display = ("what", "who", "platform", "state", "due", "asked")
    list_filter = ("platform", "kind", RequestStatusFilter, OverdueFilter, "source")
    list_select_related = ("platform", "customer")
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ("due",)
    ordering = ("due_at", "pk")
    autocomplete_fields = ("customer",)
    change_form_template = "admin/customers/privacyrequest/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Narrow as all do; each says whether its customer waits for an export."""
        return cast(PrivacyRequestQuerySet, super().get_queryset(request)).with_export()

    # --- the queue -------------------------------------------------------------------------------------------------

    @admin.display(description="request", ordering="created_at")
    def what(self, row: PrivacyRequest) -> str:
        """What is asked for, and since when."""
        return str(row)

    @admin.display(description="customer")
    def who(self, row: PrivacyRequest) -> str:
        """Whom it is about, as far as they are known still."""
        return row.customer.label

    @admin.display(description="status")
    def state(self, row: PrivacyRequest) -> SafeString:
        """How it stands."""
        return state_pill(row)

    @admin.display(description="due", ordering="due_at")
    def due(self, row: PrivacyRequest) -> str:
        """By when it has to be done."""
        return day_of(row.due_at)

    @admin.display(description="asked by")
    def asked(self, row: PrivacyRequest) -> str:
        """How it was asked for."""
        return row.get_source_display()

    # --- who may ---------------------------------------------------------------------------------------------------

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A request goes with its customer's platform, and in no other way."""
        return False

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse: there is no such page."""
        return HttpResponseNotAllowed([])

    def scope_choices(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Leave out who was merged or erased: the service would refuse them."""
        choices = super().scope_choices(request, queryset)
        return choices.filter(status__in=Customer.OPEN) if choices.model is Customer else choices

    def _may(self, request: HttpRequest, permission: str, row: PrivacyRequest) -> bool:
        return self.may(request, right_for(self.module, permission), row)

    # --- one request -----------------------------------------------------------------------------------------------

    def lock_row(self, key: Any) -> None:
        """Lock whom the request is about, and then the request, as the services do."""
        row = PrivacyRequest.objects.select_related("customer").filter(pk=key).first()
        if row is not None:
            privacy.lock(request=row)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """What was asked stays as it was: the page shows it in words of its own."""
        return ()

    def get_fieldsets(self, request: HttpRequest, obj: PrivacyRequest | None = None) -> list[Any]:
        """Return what is typed: all of a new request; of another, why it has to wait."""
        if obj is None:
            return [(None, {"fields": ("customer", "kind", "source", "reason")})]
        can_hold = obj.kind == Kind.ERASURE and obj.status == Status.OPEN and self.has_change_permission(request, obj)
        return [("Legal hold", {"fields": ("why",)})] if can_hold else []

    def get_form(
        self, request: HttpRequest, obj: PrivacyRequest | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        """Return the form of a new request, or of what is done with one; it knows who asks."""
        if not change:
            form = super().get_form(request, obj, change=change, **{**kwargs, "form": AskForm})
        else:
            form = super().get_form(request, obj, change=change, **{**kwargs, "form": ActForm, "fields": ()})
        return type(form.__name__, (form,), {"actor": Actor.of(request)})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Fill in what a customer's page says: whom it is about, and what they want."""
        return {name: request.GET[name] for name in ("customer", "kind") if name in request.GET}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: PrivacyRequest | None = None,
    ) -> HttpResponse:
        """Draw the page with what would be done, or was, and the buttons that may be pressed."""
        if obj is not None:
            context |= self._facts(request, obj)
        context |= {"show_delete": False, "show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _facts(self, request: HttpRequest, row: PrivacyRequest) -> dict[str, Any]:
        is_erasure, is_open = row.kind == Kind.ERASURE, row.status == Status.OPEN
        lines = _lines(row)
        exports = list(privacy.open_exports(row.customer)) if is_erasure and row.is_pending else []
        offered = {
            "_hold": is_erasure and is_open,
            "_release": row.status == Status.ON_HOLD,
            "_execute": is_erasure and is_open and not row.is_in_grace and not exports,
            "_download": not is_erasure and row.status != Status.CANCELLED,
            "_cancel": is_open,
        }
        return {
            "row": row,
            "state": state_pill(row),
            "lines": lines,
            "kept": [said for line in lines for said in line.get("kept", {}).items()],
            "exports": exports,
            "is_in_grace": is_open and row.is_in_grace,
            "called_off": wording.called_off(row) if row.status == Status.CANCELLED else "",
            "buttons": {
                name.removeprefix("_"): True
                for name, is_offered in offered.items()
                if is_offered and self._may(request, _BUTTONS[name], row)
            },
        }

    # --- saving ----------------------------------------------------------------------------------------------------

    def save_form(self, request: HttpRequest, form: ModelForm, change: bool) -> PrivacyRequest:
        """Refuse who may see the button and not press it; the form's service has done the rest."""
        assert isinstance(form, ServiceForm)
        permission = _BUTTONS[form.button] if isinstance(form, ActForm) else permission_for(form.instance.kind)
        if not self._may(request, permission, form.instance):
            raise PermissionDenied
        return form.instance

    def save_model(self, request: HttpRequest, obj: PrivacyRequest, form: ModelForm, change: bool) -> None:
        """Nothing is left to be saved."""

    def save_related(
        self, request: HttpRequest, form: ModelForm, formsets: list[BaseModelFormSet], change: bool
    ) -> None:
        """See that the request is in scope still."""
        super().save_related(request, form, formsets, change)
        request.__dict__["_privacy_form"] = form

    def response_change(self, request: HttpRequest, obj: PrivacyRequest) -> HttpResponse:
        """Hand the export over, or say what was done on the same page."""
        form: ActForm = request.__dict__["_privacy_form"]
        if form.export is not None:
            name = f'attachment; filename="{obj.pk}.json"'
            return JsonResponse(
                form.export,
                encoder=DjangoJSONEncoder,
                json_dumps_params={"ensure_ascii": False, "indent": 2},
                headers={"Content-Disposition": name},
            )
        messages.success(request, _SAID[form.button])
        return HttpResponseRedirect(request.get_full_path())


def _lines(row: PrivacyRequest) -> list[dict[str, Any]]:
    """Return by module what was done; of an erasure that waits, what it would come to as things stand."""
    if row.is_pending and row.kind == Kind.ERASURE:
        outcomes = privacy.preview(row.customer)
        return [_erased(code, one.deleted, one.anonymised, one.kept) for code, one in outcomes.items()]
    if row.status != Status.DONE:
        return []
    if row.kind == Kind.ERASURE:
        return [_erased(code, one["deleted"], one["anonymised"], one["kept"]) for code, one in row.outcome.items()]
    return [
        {"module": name_of(code), "rows": ", ".join(f"{count} {kind}" for kind, count in one["rows"].items())}
        for code, one in row.outcome.items()
    ]


def _erased(code: str, deleted: int, anonymised: int, kept: Any) -> dict[str, Any]:
    return {"module": name_of(code), "deleted": deleted, "anonymised": anonymised, "kept": dict(kept)}
