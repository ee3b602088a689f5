"""Segments in the admin: rules put together line by line, with a look at whom they find before anything is saved."""

import hashlib
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.forms.utils import ErrorDict
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from customers import segments
from customers.admin import rule_forms
from customers.admin.forms import NamesOn, platform_of
from customers.admin.rule_forms import RuleFormSet
from customers.keys import name_key
from customers.models import Customer, Segment, Tag
from customers.rules import MAX_RULES, Names, names_in, validate_rules
from modules.admin.bases import ModuleModelAdmin
from platforms.access import Right
from platforms.admin import VendorAdmin
from platforms.admin_base import MOST_CHOICES, told_apart
from platforms.admin_displays import day_of
from platforms.admin_forms import GuardedForm
from platforms.models import Vendor

# How many members the page of a segment shows.
_SHOWN = 10


class SegmentForm(GuardedForm):
    """A segment with its rules. To add a rule, or to have a look, sends the form and saves nothing."""

    class Meta:
        model = Segment
        fields = ("platform", "name", "description", "match")
        widgets = {"description": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        said = data if data is not None else {}
        # Who adds nothing in particular wants to see how it stands.
        added = said.get("new_rule", "") if "_add_rule" in said else ""
        self.is_adding = added in dict(_flat(rule_forms.conditions()))
        self.is_look = "_preview" in said or ("_add_rule" in said and not self.is_adding)
        super().__init__(rule_forms.with_another(data, added) if self.is_adding else data, *args, **kwargs)
        self.rules = RuleFormSet(
            self.data if self.is_bound else None,
            prefix=rule_forms.PREFIX,
            initial=rule_forms.initial_of(self.instance.rules),
            form_kwargs={"names": NamesOn(platform_of(self))},
        )
        if self.is_adding:
            # Nobody is done yet: what is missing is no fault.
            self._errors, self.cleaned_data = ErrorDict(), {}
            for line in self.rules.forms:
                line._errors = ErrorDict()

    def _digest_of_row(self) -> str:
        """Count the rules in: each of their changes moves `updated_at`."""
        said = f"{super()._digest_of_row()} {self.instance.updated_at.isoformat()}"
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    @property
    def changed_data(self) -> list[str]:
        """What was changed, the rules among it."""
        return [*super().changed_data, *(["rules"] if self.rules.has_changed() else [])]

    def is_valid(self) -> bool:
        """Whether this is to be saved."""
        return super().is_valid() and not self.is_look and not self.is_adding

    def clean(self) -> dict[str, Any]:
        """Read the rules, by the one table that says what there may be."""
        data = super().clean()
        platform = self.instance.platform if self.instance.platform_id else data.get("platform")
        if not self.rules.is_valid():
            self.add_error(None, self.rules.non_form_errors() or ValidationError("Look at the rules.", code="rules"))
        elif platform is not None:
            lines = rule_forms.kept(self.rules)
            try:
                self.instance.rules = validate_rules([line.rule for line in lines], platform, self.instance.rules)
            except ValidationError as error:
                self._blame(lines, error)
        return data

    def _blame(self, lines: list[rule_forms.RuleForm], error: ValidationError) -> None:
        """Put what is wrong where it was typed."""
        for place, found in error.error_dict.items():
            _, _, rest = place.partition(".")
            number, _, key = rest.partition(".")
            if key == "value" and "value" in lines[int(number)].fields:
                lines[int(number)].add_error("value", found)
            else:
                self.add_error(None, found)
        if not self.non_field_errors():
            self.add_error(None, ValidationError("Look at the rules.", code="rules"))


def _flat(groups: list[tuple[str, list[tuple[str, str]]]]) -> list[tuple[str, str]]:
    return [choice for _, choices in groups for choice in choices]


@admin.register(Segment)
class SegmentAdmin(ModuleModelAdmin):
    """Segments of every platform in scope."""

    form = SegmentForm
    fields = ("platform", "name", "description", "match")
    list_display = ("name", "platform", "asks", "changed")
    list_filter = ("platform",)
    list_select_related = ("platform",)
    search_fields = ("name",)
    search_help_text = "Name"
    ordering = ("name",)
    sortable_by = ("name", "changed")
    autocomplete_fields = ("platform",)
    change_form_template = "admin/customers/segment/change_form.html"

    @admin.display(description="rules")
    def asks(self, segment: Segment) -> str:
        """How many rules there are, and how many have to hold."""
        return f"{len(segment.rules)}, {segment.get_match_display().lower()}"

    @admin.display(description="changed", ordering="updated_at")
    def changed(self, segment: Segment) -> str:
        """The day of the last change."""
        return day_of(segment.updated_at)

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> tuple[str, ...]:
        """A segment stays on its platform."""
        return () if obj is None else ("platform",)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Segment | None = None,
    ) -> HttpResponse:
        """Draw the page with the rules, and with whom they find."""
        form = context["adminform"].form
        can_type = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        context |= {
            "can_type": can_type,
            "conditions": rule_forms.conditions() if len(form.rules.forms) < MAX_RULES else [],
        }
        if obj is not None and not form.is_bound:
            told = segments.told(obj)
            # Who can type reads the rules where they are typed.
            context["told"] = told if not can_type or any(rule.finds_nobody for rule in told) else []
        is_look = form.is_look and not form.errors
        shown = form.instance if is_look else None if form.is_bound else obj
        if shown is not None:
            members = segments.in_pages(shown)
            context |= {
                "is_saved": not form.is_bound,
                "found": segments.count(members),
                "first": members.order_by("-created_at", "-pk")[:_SHOWN],
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(self, request: HttpRequest, obj: Segment, form: ModelForm, change: bool) -> None:
        """Have the service save it."""
        segments.save_segment(segment=obj)


def warn_of_segments(request: HttpRequest, row: Tag | Vendor) -> list[Any]:
    """Return which segments name a tag or a vendor that is to be deleted, as lines of a nested list."""
    names: Names = "tags" if isinstance(row, Tag) else "vendors"
    key_of, key = (name_key, row.key) if isinstance(row, Tag) else (str, row.code)
    seen = admin.site.get_model_admin(Segment).get_queryset(request)
    links = [
        format_html('Segment: <a href="{}">{}</a>', reverse("admin:customers_segment_change", args=[one.pk]), one)
        for one in seen.filter(platform=row.platform_id).order_by("name")
        if any(key_of(name) == key for rule in one.rules for name in names_in(rule, names))
    ]
    return [f"These stay, and their rules that name “{row}” find nobody any more:", links] if links else []


VendorAdmin.add_warning(warn_of_segments)


class SegmentFilter(admin.SimpleListFilter):
    """Customers who are members of a segment, in their own list; offers as many segments as can be read."""

    title, parameter_name = "segment", "segment"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        """Return the segments in scope; where they are too many, the chosen one."""
        self.rows: QuerySet[Segment] = model_admin.in_scope(
            request, Segment.objects.select_related("platform").order_by("name"), Right.VIEW
        )
        found = list(self.rows[: MOST_CHOICES + 1])
        if len(found) > MOST_CHOICES:
            found = list(filter(None, [self._chosen()]))
        return told_apart(found)

    def _chosen(self) -> Segment | None:
        try:
            return self.rows.filter(pk=self.value() or "").first()
        except ValidationError:
            return None

    def has_output(self) -> bool:
        """Whether there is anything to choose, or something was."""
        return super().has_output() or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        """Narrow to the members; nobody is one of a segment that is foreign or not there."""
        if self.value() is None:
            return queryset
        segment = self._chosen()
        return queryset.none() if segment is None else segments.in_pages(segment, queryset)
