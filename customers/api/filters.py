"""How customers and what hangs on them are found in the API."""

import django_filters
from django.db.models import Q, QuerySet

from customers import segments, selectors
from customers.models import (
    Address,
    ConsentRecord,
    Customer,
    CustomerEvent,
    DuplicatePair,
    Merge,
    Note,
    PrivacyRequest,
    PrivacyRequestQuerySet,
    Segment,
    Tag,
)
from modules.api.filters import MomentFilter
from platforms.api.filters import FilterSet, StrictBooleanFilter, TenantChoiceFilter
from platforms.models import Vendor


class CustomerFilter(FilterSet):
    """By status, tag, vendor, segment, time of coming, and how name, e-mail, phone or reference start."""

    # First, as they are applied in this order: it looks among all whom one may see.
    search = django_filters.CharFilter(
        method="filter_search",
        max_length=200,
        help_text="How first or last name, e-mail, phone (with the country's code) or reference start.",
    )
    status = django_filters.MultipleChoiceFilter(
        choices=Customer.Status.choices,
        distinct=False,
        help_text="Once or more often. Without it: those who are customers still, active or blocked.",
    )
    tag = TenantChoiceFilter(
        field_name="tags", queryset=Tag.objects.all(), to_field_name="name", help_text="The tag's name."
    )
    vendor = TenantChoiceFilter(
        field_name="vendors", queryset=Vendor.objects.all(), to_field_name="code", help_text="The vendor's code."
    )
    segment = TenantChoiceFilter(
        queryset=Segment.objects.select_related("platform"), method="filter_segment", help_text="A segment's id."
    )
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte", help_text="At this time or later.")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt", help_text="Before this time.")

    class Meta:
        model = Customer
        fields: list[str] = []

    def filter_segment(self, queryset: QuerySet[Customer], name: str, value: Segment) -> QuerySet[Customer]:
        """Narrow to a segment's members."""
        return segments.in_pages(value, queryset)

    def filter_search(self, queryset: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
        """Narrow to whom the text finds."""
        return selectors.search(queryset, value)

    def filter_queryset(self, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        """Narrow to whom is asked for; who was merged or erased is found by their status alone."""
        found: QuerySet[Customer] = super().filter_queryset(queryset)
        return found if self.form.cleaned_data["status"] else found.filter(status__in=Customer.OPEN)


class OfCustomerFilter(FilterSet):
    """By customer."""

    customer = TenantChoiceFilter(queryset=Customer.objects.all(), help_text="The customer's id.")


class AddressFilter(OfCustomerFilter):
    """By customer and kind."""

    class Meta:
        model = Address
        fields = ["kind"]


class NoteFilter(OfCustomerFilter):
    """By customer."""

    class Meta:
        model = Note
        fields: list[str] = []


class ConsentFilter(OfCustomerFilter):
    """By customer, channel and purpose."""

    class Meta:
        model = ConsentRecord
        fields = ["channel", "purpose"]


class TimelineFilter(OfCustomerFilter):
    """By customer and what happened."""

    class Meta:
        model = CustomerEvent
        fields = ["kind"]


class DuplicatePairFilter(FilterSet):
    """By status, what the two share, and customer."""

    why = django_filters.ChoiceFilter(
        choices=[(word, word) for word in DuplicatePair.WEIGHTS], method="filter_why", help_text="What they share."
    )
    customer = TenantChoiceFilter(
        queryset=Customer.objects.all(), method="filter_customer", help_text="The id of either of the two."
    )

    class Meta:
        model = DuplicatePair
        fields = ["status"]

    def filter_why(self, queryset: QuerySet[DuplicatePair], name: str, value: str) -> QuerySet[DuplicatePair]:
        """Narrow to those who share this."""
        return queryset.filter(**{f"same_{value}": True})

    def filter_customer(self, queryset: QuerySet[DuplicatePair], name: str, value: Customer) -> QuerySet[DuplicatePair]:
        """Narrow to the pairs of one customer."""
        return queryset.filter(Q(a=value) | Q(b=value))


class MergeFilter(FilterSet):
    """By either of the two."""

    kept = TenantChoiceFilter(queryset=Customer.objects.all(), help_text="The id of the customer who was kept.")
    merged = TenantChoiceFilter(queryset=Customer.objects.all(), help_text="The id of the customer who was merged.")

    class Meta:
        model = Merge
        fields: list[str] = []


class PrivacyRequestFilter(OfCustomerFilter):
    """By customer, kind, status, source, and when it is or was due."""

    is_overdue = StrictBooleanFilter(method="filter_is_overdue", help_text="Open, and should have been done by now.")
    due_before = MomentFilter(field_name="due_at", lookup_expr="lt", help_text="Before this time.")

    class Meta:
        model = PrivacyRequest
        fields = ["kind", "status", "source"]

    def filter_is_overdue(self, queryset: PrivacyRequestQuerySet, name: str, value: bool) -> PrivacyRequestQuerySet:
        """Narrow to what is overdue, or is not."""
        overdue = PrivacyRequest.objects.overdue()
        return queryset.filter(pk__in=overdue) if value else queryset.exclude(pk__in=overdue)
