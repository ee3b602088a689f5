"""Customers in the admin: a list that stays fast, and everything about one of them on one page."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import BaseModelFormSet, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from customers import consents, segments, selectors, services
from customers.admin import wording
from customers.admin.consents import ConsentPages
from customers.admin.exports import ExportableAdmin
from customers.admin.forms import AddressForm, CustomerForm
from customers.admin.merge_pages import MergePages
from customers.admin.privacy import privacy_panel
from customers.admin.queues import StatusFilter
from customers.admin.segments import SegmentFilter
from customers.models import Address, Customer, Note
from modules.admin.bases import ModuleInline
from platforms.access import Actor, Right
from platforms.admin import VendorAdmin
from platforms.admin_base import BoundedPaginator
from platforms.admin_displays import day_of, pill
from platforms.admin_scope import may
from platforms.models import Vendor

# How much of ledger and timeline the page of a customer shows.
_SHOWN = 50

_PILLS = {
    Customer.Status.ACTIVE: "on",
    Customer.Status.BLOCKED: "warn",
    Customer.Status.MERGED: "off",
    Customer.Status.ERASED: "off",
}


class CustomerStatusFilter(StatusFilter):
    """Whether somebody is a customer still: those who are come first."""

    statuses = Customer.Status
    first, first_label = Customer.OPEN, "Active or blocked"


class OfOpenCustomerInline(ModuleInline):
    """What hangs on a customer: of one who was merged or erased it is only to be read."""

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether what stands on this customer's page may be changed."""
        is_open = not isinstance(obj, Customer) or obj.is_open
        return is_open and super().has_change_permission(request, obj)


class AddressInline(OfOpenCustomerInline):
    """Where things are sent to, and where invoices go."""

    model = Address
    form = AddressForm


class NoteInline(OfOpenCustomerInline):
    """What was written down about a customer: added and deleted, and never rewritten."""

    model = Note
    fields = ("text", "author", "vendor", "created_at")
    readonly_fields = ("author", "vendor", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Note]:
        """Bring the vendors along."""
        return super().get_queryset(request).select_related("vendor")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As for a change of anything else here."""
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Likewise."""
        return super().has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody rewrites a note."""
        return False


@admin.register(Customer)
class CustomerAdmin(ConsentPages, ExportableAdmin):
    """Customers of every platform in scope. Every write goes through the services."""

    form = CustomerForm
    paginator = BoundedPaginator
    # None for many rows at once: beyond a page, nobody could say which.
    actions = None
    list_display = ("full_name", "email", "phone", "platform", "state", "created")
    list_filter = ("platform", CustomerStatusFilter, "tags", "vendors", SegmentFilter, "created_at")
    list_select_related = ("platform",)
    sortable_by = ("created",)
    # Each count would read every customer.
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("email_key",)
    search_help_text = "Start of a name, e-mail, phone or reference"
    ordering = ("-created_at", "-pk")
    autocomplete_fields = ("platform",)
    inlines = (AddressInline, NoteInline)
    change_form_template = "admin/customers/customer/change_form.html"

    # --- the list --------------------------------------------------------------------------------------------------

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        """Find by how something starts, through an index; Django would look for a part of it in every row."""
        return selectors.search(queryset, search_term, within=self.get_queryset(request)), False

    def autocomplete_label(self, row: Customer) -> str:
        """Return the name with what tells people of one name apart."""
        return row.label

    @admin.display(description="name")
    def full_name(self, customer: Customer) -> str:
        """What they are called, as far as it is known."""
        return str(customer)

    @admin.display(description="status")
    def state(self, customer: Customer) -> SafeString:
        """Whether they are a customer still."""
        return pill(_PILLS[Customer.Status(customer.status)], customer.get_status_display())

    @admin.display(description="since", ordering="created_at")
    def created(self, customer: Customer) -> str:
        """The day since when they are there."""
        return day_of(customer.created_at)

    # --- who may ---------------------------------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the customer, or any at all, may be changed: one who was merged or erased never."""
        is_open = not isinstance(obj, Customer) or obj.is_open
        return is_open and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A customer goes with their platform, when an operator deletes that, and in no other way."""
        return obj is not None and may(request, Right.OPERATE, obj)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse: there is no such page."""
        return HttpResponseNotAllowed([])

    # --- addresses -------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Put the page where two become one before Django's own, which are about a customer's key."""
        page = self.admin_site.admin_view(MergePages(self).merge)
        return [path("merge/", page, name="customers_customer_merge"), *super().get_urls()]

    # --- one customer ----------------------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> list[Any]:
        """Return the fields in groups; of one who was erased there is nothing but the record."""
        if obj is not None and obj.status == Customer.Status.ERASED:
            return [("Record", {"fields": ("platform", "state", "created_at", "updated_at")})]
        groups: list[Any] = [
            ("Who", {"fields": ("platform", "first_name", "last_name", "locale")}),
            ("Contact", {"fields": ("email", "phone", "external_ref")}),
        ]
        can_type = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        if can_type:
            groups.append(("Where they belong", {"fields": ("tag_names", "vendor_codes", "is_blocked")}))
        if obj is not None:
            record = ("state", "created_at", "updated_at")
            groups.append(("Record", {"fields": record if can_type else ("tagged", "bought_from", *record)}))
        return groups

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        """A customer stays on their platform."""
        record = ("tagged", "bought_from", "state", "created_at", "updated_at")
        return record if obj is None else ("platform", *record)

    def get_form(
        self, request: HttpRequest, obj: Customer | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        """Return the form; where nothing can be typed, nothing says how."""
        if obj is not None and not self.has_change_permission(request, obj):
            kwargs["help_texts"] = dict.fromkeys(services.FIELDS, "")
        return super().get_form(request, obj, change=change, **kwargs)

    @admin.display(description="tags")
    def tagged(self, customer: Customer) -> str:
        """The words that the platform put on them."""
        return ", ".join(customer.tags.values_list("name", flat=True)) or self.get_empty_value_display()

    @admin.display(description="vendors")
    def bought_from(self, customer: Customer) -> str:
        """Where they bought."""
        return ", ".join(customer.vendors.values_list("name", flat=True)) or self.get_empty_value_display()

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Customer | None = None,
    ) -> HttpResponse:
        """Draw the page with what they agreed to and what happened to them."""
        if obj is not None:
            context["consents"] = consents.standing(obj)
            context["ledger"] = list(obj.consents.order_by("-at")[:_SHOWN])
            context["events"] = [(event, wording.told(event)) for event in obj.events.order_by("-at")[:_SHOWN]]
            context["lines"], context["happened"] = obj.consents.count(), obj.events.count()
            context["merge_url"] = wording.merge_address(obj)
            context["kept_url"] = wording.customer_address(obj.merged_into) if obj.merged_into else ""
            context |= privacy_panel(obj, may_ask=self.has_change_permission(request, obj))
        # Beside "Save" there is no "Delete": that page is not there.
        return super().render_change_form(request, {**context, "show_delete": False}, add, change, form_url, obj)

    # --- saving ----------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Customer, form: ModelForm, change: bool) -> None:
        """Have the services write what was typed."""
        data, by = form.cleaned_data, Actor.of(request)
        names = (*services.FIELDS, "tags", "vendors")
        values = {name: data[name] for name in names if name in data}
        if change:
            saved = services.update_customer(customer=obj, values=values, by=by)
        else:
            saved = services.create_customer(platform=obj.platform, values=values, by=by)
        if data["is_blocked"]:
            saved = services.block_customer(customer=saved, by=by)
        elif change:
            saved = services.unblock_customer(customer=saved, by=by)
        obj.pk, obj._state.adding = saved.pk, False

    def get_inlines(self, request: HttpRequest, obj: Customer | None) -> Any:
        """Return what hangs on the customer: on one who was erased, nothing does."""
        return () if obj is not None and obj.status == Customer.Status.ERASED else super().get_inlines(request, obj)

    def save_formset(self, request: HttpRequest, form: ModelForm, formset: BaseModelFormSet, change: bool) -> None:
        """Have the services write what hangs on the customer."""
        by = Actor.of(request)
        formset.save(commit=False)
        for row in formset.deleted_objects:
            if isinstance(row, Address):
                services.delete_address(address=row, by=by)
            else:
                services.delete_note(note=row, by=by)
        for row in [*(row for row, _ in formset.changed_objects), *formset.new_objects]:
            row.customer = form.instance
            if isinstance(row, Address):
                services.save_address(address=row, by=by)
            else:
                services.add_note(customer=form.instance, text=row.text, by=by)


def warn_of_customers(request: HttpRequest, vendor: Vendor) -> list[Any]:
    """Return how many customers a vendor is taken off that is to be deleted, as a line of a nested list."""
    seen = admin.site.get_model_admin(Customer).get_queryset(request)
    theirs = segments.count(seen.filter(vendors=vendor, status__in=Customer.OPEN))
    if theirs.number <= 1 and not theirs.is_cut:
        return ["It is taken off 1 customer, who stays."] if theirs.number else []
    return [f"It is taken off {'more than ' * theirs.is_cut}{theirs.number:,} customers, who stay."]


VendorAdmin.add_warning(warn_of_customers)
