"""What a customer said about being written to, recorded by staff: on a page of its own, beside the customer's."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from customers import consents, services
from customers.models import ConsentRecord, Customer
from modules.admin.bases import ModuleModelAdmin
from modules.ports import MARKETING, NOTIFY
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.validators import validate_code, validate_name

_GIVEN, _WITHDRAWN = ConsentRecord.Action.GIVEN.value, ConsentRecord.Action.WITHDRAWN.value
_NOBODY_ASKS = "no module that is on here sends the mail that asks for it"


class ConsentForm(forms.Form):
    """What somebody said: the service has the last word, and its words stand at these fields."""

    action = forms.ChoiceField(
        label="They",
        choices=[(_GIVEN, "agreed"), (_WITHDRAWN, "do not agree, or not any more")],
        widget=forms.RadioSelect,
    )
    channel = forms.ChoiceField(label="To be reached by", choices=ConsentRecord.Channel.choices)
    purpose = forms.CharField(
        max_length=50,
        initial=MARKETING,
        validators=[validate_code],
        widget=AdminTextInputWidget,
        help_text="What for: a word, e.g. marketing.",
    )
    source = forms.CharField(
        max_length=100,
        validators=[validate_name],
        widget=AdminTextInputWidget,
        help_text="Where they said so, e.g. telephone.",
    )
    document_version = forms.CharField(
        label="Document",
        required=False,
        max_length=50,
        validators=[validate_name],
        widget=AdminTextInputWidget,
        help_text="Version of the text that they agreed to, if there was one.",
    )

    def rows(self) -> list[dict[str, Any]]:
        """Return the fields for the page's template."""
        return [{"field": field, "is_group": field.name == "action"} for field in self]


class ConsentPages(ModuleModelAdmin):
    """The admin of customers, with the page that records a consent."""

    def get_urls(self) -> list[URLPattern]:
        """Return the address of the page before Django's own."""
        page = self.admin_site.admin_view(self.consent_view)
        return [path("<path:object_id>/consent/", page, name="customers_customer_consent"), *super().get_urls()]

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Customer | None = None,
    ) -> HttpResponse:
        """Lead to the page whoever may record something there."""
        if obj is not None and self.has_change_permission(request, obj):
            context["consent_url"] = reverse("admin:customers_customer_consent", args=[obj.pk])
        return super().render_change_form(request, context, add, change, form_url, obj)

    def consent_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what they said; on POST have the service write it into the ledger. Raises Http404, PermissionDenied."""
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        customer = self.get_object(request, unquote(object_id))
        if not isinstance(customer, Customer):
            raise Http404("No such customer.")
        if not self.may(request, self.change_right, customer):
            raise PermissionDenied
        back = reverse("admin:customers_customer_change", args=[customer.pk])
        form = ConsentForm(request.POST if request.method == "POST" else None)
        try:
            services.refuse_closed(customer)
            line = self._record(request, customer, form) if form.is_valid() else None
        except Conflict as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(back)
        except Customer.DoesNotExist:
            raise Http404("This customer is gone.") from None
        if line is None:
            return self._ask(request, customer, form, back)
        self._tell(request, customer, line)
        return HttpResponseRedirect(back)

    def _tell(self, request: HttpRequest, customer: Customer, line: ConsentRecord) -> None:
        told = f"Recorded: {line}."
        if not line.needs_confirmation:
            messages.success(request, told)
        elif not NOTIFY.is_served_on(customer.platform):
            why = f"it would have to be confirmed from {customer.email}, and {_NOBODY_ASKS}"
            messages.warning(request, f"{told} It does not count: {why}.")
        else:
            messages.success(
                request, f"{told} It counts once it is confirmed from {customer.email}: a mail asks for it."
            )

    def _record(self, request: HttpRequest, customer: Customer, form: ConsentForm) -> ConsentRecord | None:
        """Return the line that was written; None where the service refused what was typed, and the form says why."""
        said = dict(form.cleaned_data)
        act = consents.give if said.pop("action") == _GIVEN else consents.withdraw
        try:
            with transaction.atomic():
                line = act(customer=customer, **said, by=Actor.of(request))
                self.log_change(request, customer, f"Recorded: {line}.")
            return line
        except ValidationError as error:
            for name, found in error.error_dict.items():
                form.add_error(name if name in form.fields else None, found)
            return None

    def _ask(self, request: HttpRequest, customer: Customer, form: ConsentForm, back: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Record a consent",
            "customer": customer,
            "form": form,
            "back": back,
            "nobody_asks": "" if NOTIFY.is_served_on(customer.platform) else _NOBODY_ASKS,
            "is_to_be_confirmed": consents.has_to_be_confirmed(customer.platform, ConsentRecord.Channel.EMAIL),
            "trail": [
                {"text": "Customers", "url": reverse("admin:customers_customer_changelist")},
                {"text": str(customer), "url": back},
                {"text": "Record a consent"},
            ],
        }
        return TemplateResponse(request, "admin/customers/customer/consent.html", context)
