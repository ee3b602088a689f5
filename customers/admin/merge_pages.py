"""The page where two customers are compared, field by field, and made one.

What stands in the way and what becomes of consents is for `customers.merging` to say; here it is only put to people.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from customers import duplicates, merging, selectors, services
from customers.admin import wording
from customers.keys import email_key, ids_of
from customers.merging import Preview
from customers.models import Customer, CustomerQuerySet, DuplicatePair, Merge
from modules.permissions import right_for
from platforms.access import Actor
from platforms.admin_forms import ReasonForm
from platforms.conflicts import Conflict

# How many who may be meant are listed.
_MOST_FOUND = 20
# What is said of a pair, by what became of it.
_SETTLED = {
    DuplicatePair.Status.DISMISSED: "They are two: nobody is asked about them again.",
    DuplicatePair.Status.OPEN: "They are in the queue again.",
}


class OtherForm(forms.Form):
    """Who the other one is."""

    other = forms.CharField(
        max_length=300,
        label="The other customer",
        help_text="How their name, e-mail address, phone number or reference starts.",
        widget=AdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, data: Mapping[str, Any] | None, *, kept: Customer, customers: CustomerQuerySet) -> None:
        super().__init__(data)
        self.kept = kept
        self.customers = customers.filter(platform=kept.platform)
        # Who may be meant, where several are found.
        self.found: list[Customer] = []

    def clean_other(self) -> Customer:
        """Return the customer. Raises ValidationError for what is nobody's, or that of several."""
        text = self.cleaned_data["other"]
        # What could be an id may be the reference of a system that calls everything so.
        found = list(self.customers.filter(pk__in=ids_of([text]))) or self._find(text)
        if not found:
            raise ValidationError("There is no customer of this platform with it.", code="does_not_exist")
        if len(found) > 1:
            self.found = found
            raise ValidationError("Several are found: choose one of them, or type more.", code="several")
        return found[0]

    def _find(self, text: str) -> list[Customer]:
        customers = self.customers.open()
        for exact in ({"email_key": email_key(text)}, {"external_ref": text}):
            if found := list(customers.filter(**exact)):
                return found
        others = selectors.search(customers.exclude(pk=self.kept.pk), text)
        return list(others.order_by("-created_at", "pk")[:_MOST_FOUND])

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that the template prints."""
        return [{"field": self["other"]}]


class MergePages:
    """The page; `admin` lends it its site, its scope and its templates' context."""

    def __init__(self, admin: ModelAdmin) -> None:
        self.admin: Any = admin

    def merge(self, request: HttpRequest) -> HttpResponse:
        """Ask for the other one, show the two side by side, and on POST merge them or settle that they are two."""
        if not self.admin.has_view_permission(request):
            raise PermissionDenied
        if "kept" not in request.GET:
            messages.info(request, "Open the customer who is to be kept, and choose “Merge with…” there.")
            return HttpResponseRedirect(reverse("admin:customers_customer_changelist"))
        seen = self.admin.get_queryset(request).select_related("platform")
        kept = self._kept(seen, request.GET["kept"])
        form = OtherForm(request.GET if "other" in request.GET else None, kept=kept, customers=seen)
        if not form.is_valid():
            return self._choose(request, kept, form)
        other = form.cleaned_data["other"]
        if request.method != "POST":
            if request.GET["other"] != str(other.pk):
                # What was typed may be somebody else's by the time when the two are merged.
                return HttpResponseRedirect(wording.merge_address(kept, other))
            return self._compare(request, kept, other)
        if not self._may(request, kept):
            raise PermissionDenied
        if "dismiss" in request.POST:
            return self._settle(request, kept, other, duplicates.dismiss)
        if "reopen" in request.POST:
            return self._settle(request, kept, other, duplicates.reopen)
        return self._merge(request, kept, other)

    @staticmethod
    def _kept(seen: QuerySet[Customer], text: str) -> Customer:
        try:
            return seen.get(pk=uuid.UUID(text))
        except (ValueError, Customer.DoesNotExist):
            raise Http404("No such customer.") from None

    def _may(self, request: HttpRequest, kept: Customer) -> bool:
        return self.admin.may(request, right_for("customers", "merge"), kept)

    def _merge(self, request: HttpRequest, kept: Customer, other: Customer) -> HttpResponse:
        asked = ReasonForm(request.POST)
        choices = {name: request.POST[name] for name in services.FIELDS if name in request.POST}
        if not asked.is_valid():
            return self._compare(request, kept, other, choices=choices, reason_form=asked)
        try:
            trail = merging.merge(
                kept=kept,
                merged=other,
                choices=choices,
                digest=request.POST.get("digest", ""),
                by=Actor.of(request),
                reason=asked.cleaned_data["reason"],
            )
        except Customer.DoesNotExist:
            raise Http404("One of the two is gone.") from None
        except ValidationError as error:
            return self._compare(request, kept, other, reason_form=asked, problem=" ".join(error.messages))
        except IntegrityError:
            return self._compare(request, kept, other, choices=choices, reason_form=asked, problem=wording.COLLISION)
        except Conflict as error:
            fresh = [Customer.objects.select_related("platform").get(pk=one.pk) for one in (kept, other)]
            is_stale = error.code == "stale"
            return self._compare(request, *fresh, choices=choices, reason_form=asked, is_stale=is_stale)
        self.admin.log_change(request, trail.kept, "Took in another customer.")
        messages.success(request, self._done(trail))
        return HttpResponseRedirect(wording.customer_address(trail.kept))

    @staticmethod
    def _done(trail: Merge) -> str:
        address = reverse("admin:customers_merge_change", args=[trail.pk])
        names = wording.merged_and_kept(trail)
        return format_html('{} was merged into {}. <a href="{}">Look at it, or undo it</a>', *names, address)

    def _settle(self, request: HttpRequest, kept: Customer, other: Customer, settle: Any) -> HttpResponse:
        pair = self._pair(kept, other)
        try:
            if pair is None:
                raise DuplicatePair.DoesNotExist
            settled = settle(pair=pair, by=Actor.of(request))
        except DuplicatePair.DoesNotExist:
            messages.info(request, "Nobody asks about these two any more.")
        else:
            messages.success(request, _SETTLED[settled.status])
        return HttpResponseRedirect(reverse("admin:customers_duplicatepair_changelist"))

    @staticmethod
    def _pair(one: Customer, other: Customer) -> DuplicatePair | None:
        a, b = sorted((one, other), key=lambda customer: customer.pk)
        return DuplicatePair.objects.live().filter(a=a, b=b).first()

    def _choose(self, request: HttpRequest, kept: Customer, form: OtherForm) -> HttpResponse:
        found = [{"label": one.label, "url": wording.merge_address(kept, one)} for one in form.found]
        return self._render(request, "choose", kept, title=f"Merge with {kept}", form=form, found=found)

    def _compare(
        self,
        request: HttpRequest,
        kept: Customer,
        other: Customer,
        *,
        choices: Mapping[str, str] | None = None,
        reason_form: ReasonForm | None = None,
        is_stale: bool = False,
        problem: str = "",
    ) -> HttpResponse:
        """Draw the two side by side, with what moves and what stands in the way."""
        try:
            plan = merging.preview(kept, other, choices)
        except ValidationError as error:
            plan, problem = merging.preview(kept, other), " ".join(error.messages)
        pair = self._pair(kept, other)
        may_merge = self._may(request, kept)
        status = pair.status if pair is not None and may_merge else None
        response = self._render(
            request,
            "compare",
            kept,
            title="Merge two customers",
            names=wording.named(kept, other),
            other=other,
            other_url=wording.customer_address(other),
            swap_url=wording.merge_address(other, kept),
            plan=plan,
            lines=[{"label": wording.field_name(line.name), "line": line} for line in plan.fields],
            moves=wording.moves(plan.moves),
            pair=pair,
            why=[wording.WHY[word] for word in pair.why] if pair else [],
            will_block=self._will_block(plan),
            can_merge=may_merge and not plan.blockers,
            can_dismiss=status == DuplicatePair.Status.OPEN,
            can_reopen=status == DuplicatePair.Status.DISMISSED,
            reason_form=reason_form or ReasonForm(),
            is_stale=is_stale,
            problem=problem,
        )
        response["Cache-Control"] = "no-store"
        return response

    @staticmethod
    def _will_block(plan: Preview) -> bool:
        return "status" in plan.changed

    def _render(self, request: HttpRequest, page: str, kept: Customer, **context: Any) -> TemplateResponse:
        trail = [
            {"text": "Customers", "url": reverse("admin:customers_customer_changelist")},
            {"text": str(kept), "url": wording.customer_address(kept)},
            {"text": "Merge", "url": ""},
        ]
        return TemplateResponse(
            request,
            f"admin/customers/merging/{page}.html",
            {
                **self.admin.admin_site.each_context(request),
                "opts": self.admin.opts,
                "subtitle": None,
                "kept": kept,
                "kept_url": wording.customer_address(kept),
                "trail": trail,
                **context,
            },
        )
