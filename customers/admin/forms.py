"""The forms of the customers' admin: how staff type what the services keep."""

import hashlib
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.functional import cached_property

from customers.cells import join_names, split_names
from customers.keys import name_key
from customers.models import Address, Customer, Tag
from customers.values import MAX_TEXT
from platforms.admin_base import MOST_CHOICES
from platforms.admin_forms import GuardedForm
from platforms.models import Platform, Vendor

MAX_NAMES = 100
# So many names, as long as they may be, each of nothing but quotation marks.
_MAX_TYPED = MAX_NAMES * (2 * MAX_TEXT + 4)
# How several names are typed, to be said beside the field.
COMMAS = "with commas between them. One with a comma stands in quotation marks."


class NamesField(forms.CharField):
    """Several names, typed and shown as the cells of a file have them."""

    widget = AdminTextInputWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "max_length": _MAX_TYPED, **kwargs})

    def to_python(self, value: object) -> Any:
        """Split what was typed."""
        return value if isinstance(value, list) else split_names(super().to_python(value) or "")

    def prepare_value(self, value: object) -> object:
        """Show a list as people type it."""
        return join_names(map(str, value)) if isinstance(value, list) else value

    def run_validators(self, value: Any) -> None:
        """Judge the names as a text: in a list, Django's validators see neither NUL nor how long it is."""
        super().run_validators(join_names(value))

    def has_changed(self, initial: object, data: object) -> bool:
        """Compare the names, in whatever order they stand."""
        return sorted(initial or []) != sorted(self.to_python(data))  # type: ignore[call-overload]


class NamesOn:
    """The names that may be typed on a platform, to be read beside where they are: looked up once, if at all."""

    def __init__(self, platform: Platform | None) -> None:
        self.platform = platform

    @cached_property
    def tags(self) -> str:
        """Its tags, as far as they are few enough to be read."""
        return self._listed(Tag.objects.all(), "name")

    @cached_property
    def vendors(self) -> str:
        """The codes of its vendors, likewise."""
        return self._listed(Vendor.objects.all(), "code")

    def _listed(self, rows: QuerySet[Any], name: str) -> str:
        if self.platform is None:
            return ""
        rows = rows.filter(platform=self.platform).order_by(name)
        found = list(rows.values_list(name, flat=True)[: MOST_CHOICES + 1])
        return f" There are: {join_names(found)}." if 0 < len(found) <= MOST_CHOICES else ""


def platform_of(form: forms.ModelForm) -> Platform | None:
    """Return the platform of a form's row, or the one that is chosen for a new row, of those that may be."""
    if form.instance.platform_id is not None:
        return form.instance.platform
    try:
        return form.fields["platform"].clean(form["platform"].value())
    except ValidationError:
        return None


class CustomerForm(GuardedForm):
    """A customer's own fields, with the tags and vendors by name; what is checked here, the services check again."""

    tag_names = NamesField(label="Tags", help_text=f"Tags of the platform, {COMMAS}")
    vendor_codes = NamesField(
        label="Vendors", help_text="Codes of the vendors where they bought, with commas between them."
    )
    is_blocked = forms.BooleanField(required=False, label="Blocked", help_text="No marketing goes to them.")

    class Meta:
        model = Customer
        fields = ("platform", "first_name", "last_name", "email", "phone", "locale", "external_ref")
        widgets = {"phone": AdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        customer = self.instance
        if "tag_names" in self.fields:
            names = NamesOn(platform_of(self))
            self.fields["tag_names"].help_text += names.tags
            self.fields["vendor_codes"].help_text += names.vendors
        if not customer._state.adding:
            self.initial["tag_names"] = list(customer.tags.values_list("name", flat=True))
            self.initial["vendor_codes"] = sorted(customer.vendors.values_list("code", flat=True))
            self.initial["is_blocked"] = customer.status == Customer.Status.BLOCKED

    def _digest_of_row(self) -> str:
        """Count tags, vendors and state in: each of their changes moves `updated_at`."""
        said = f"{super()._digest_of_row()} {self.instance.updated_at.isoformat()}"
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    def clean(self) -> dict[str, Any]:
        """Look tags and vendors up on the customer's platform."""
        data = super().clean()
        platform = self.instance.platform if self.instance.platform_id else data.get("platform")
        if platform is not None:
            self._find(data, "tag_names", "tags", Tag.objects.all(), platform, "key", name_key)
            self._find(data, "vendor_codes", "vendors", Vendor.objects.all(), platform, "code", str)
        return data

    def _find(
        self,
        data: dict[str, Any],
        typed: str,
        found: str,
        rows: QuerySet[Any],
        platform: Platform,
        by: str,
        key_of: Callable[[str], str],
    ) -> None:
        names = data.get(typed)
        if names is None:
            return
        if len(names) > MAX_NAMES:
            self.add_error(typed, ValidationError(f"Name at most {MAX_NAMES}.", code="max_length"))
            return
        keys = {key_of(name): name for name in names}
        known = {getattr(row, by): row for row in rows.filter(platform=platform, **{f"{by}__in": keys})}
        for key, name in keys.items():
            if key not in known:
                self.add_error(typed, ValidationError(f"{platform} has no “{name[:40]}”.", code="does_not_exist"))
        data[found] = list(known.values())


class AddressForm(forms.ModelForm):
    """An address on its customer's page. A second default is no fault: it takes the first one's place."""

    class Meta:
        model = Address
        fields = ("kind", "is_default", "recipient", "line1", "line2", "postal_code", "city", "region", "country")

    def _get_validation_exclusions(self) -> set[str]:
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]
