"""The forms of the platforms' admin: how people type what the models keep."""

import hashlib
import json
import re
from typing import Any, cast

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder

from platforms import access, services
from platforms.access import Actor
from platforms.models import ApiToken, Platform, User
from platforms.validators import MAX_REASON, validate_locales, validate_reason


class ReasonField(forms.CharField):
    """Why something is changed, where nobody has to say."""

    widget = AdminTextInputWidget

    def __init__(self) -> None:
        super().__init__(
            required=False,
            label="Reason",
            help_text=f"Kept with the change, for those who ask later. At most {MAX_REASON} characters.",
        )
        # One fault, one error: what Django's field would say of length and NUL, this says too.
        self.validators = [validate_reason]
        self.widget.attrs["maxlength"] = MAX_REASON


class ReasonForm(forms.Form):
    """Why something is changed: asked on the page that confirms it."""

    reason = ReasonField()

    def row(self) -> dict[str, Any]:
        """Return the row that asks why."""
        return {"field": self["reason"]}


class DigestField(forms.CharField):
    """What the page said of the row when it was drawn; never a change of its own."""

    widget = forms.HiddenInput

    def has_changed(self, initial: object, data: object) -> bool:
        """Leave it out of what the history says has changed."""
        return False


class TenantForm(forms.ModelForm):
    """A form of a tenant's row, which points at rows of its own platform only."""

    def _post_clean(self) -> None:
        """Say which fields lead to another platform, where nothing else is wrong with them."""
        super()._post_clean()  # type: ignore[misc]
        for name in access.foreign_relations(self.instance):
            if name not in self.errors:
                error = ValidationError("This is not on the same platform.", code="foreign")
                self.add_error(name if name in self.fields else None, error)


class GuardedForm(TenantForm):
    """A form that overwrites nothing that somebody else has saved since it was opened.

    The page carries a digest of the fields as they were shown. The admin locks the row before it reads it, so that what
    the digest is compared with cannot change before the save.
    """

    row_as_shown = DigestField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._digest = "" if self.instance._state.adding else self._digest_of_row()
        self.initial["row_as_shown"] = self._digest

    def _digest_of_row(self) -> str:
        values = {
            field.name: field.value_to_string(self.instance)
            for field in self.instance._meta.concrete_fields
            if field.name in self.fields
        }
        return hashlib.sha256(json.dumps(values, cls=DjangoJSONEncoder, sort_keys=True).encode()).hexdigest()[:32]

    def clean(self) -> dict[str, Any]:
        """Refuse where the row has changed since the page was drawn."""
        data = super().clean() or self.cleaned_data
        # A form that does not say what it showed is taken for one that showed something else.
        if not self.instance._state.adding and data.get("row_as_shown") != self._digest:
            raise ValidationError(
                "Somebody else saved this while you were editing. Nothing of yours was saved; "
                "open the page again to see what it says now.",
                code="stale",
            )
        return data

    def _post_clean(self) -> None:
        """Check constraints over fields that the form leaves out, too: the database would refuse with a crash."""
        super()._post_clean()
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error.messages)


class BeatenForm(forms.BaseModelForm):
    """A form that refuses whatever it holds: the database has just refused it for what somebody else saved."""

    def clean(self) -> dict[str, Any]:
        """Say so, beside what the form itself finds now that the other's row is there."""
        super().clean()
        raise ValidationError(
            "Somebody else was faster: what they saved just now stands in the way. Nothing of yours was saved.",
            code="beaten",
        )


class LocalesField(forms.CharField):
    """Language tags, typed with commas or one on a line, kept as a list."""

    default_validators = [validate_locales]

    def to_python(self, value: object) -> Any:
        """Split what was typed; an empty field is an empty list."""
        if isinstance(value, list):
            return value
        return [tag for tag in re.split(r"[\s,;]+", super().to_python(value) or "") if tag]

    def prepare_value(self, value: object) -> object:
        """Show a list as people type it."""
        return ", ".join(map(str, value)) if isinstance(value, list) else value


class PlatformForm(GuardedForm):
    """A platform's own fields."""

    locales = LocalesField(
        widget=AdminTextInputWidget,
        initial=["en"],
        help_text="Language tags with commas between them, the default first: en, de, fr-CH.",
    )

    class Meta:
        model = Platform
        fields = ("code", "name", "kind", "currency", "locales", "is_active")


class UsernameField(forms.ModelChoiceField):
    """A user named exactly: for staff who may make somebody a member, but may not browse everybody."""

    def __init__(self) -> None:
        super().__init__(
            User.objects.filter(is_active=True),
            to_field_name="username",
            widget=AdminTextInputWidget,
            help_text="Their username, exactly.",
            error_messages={"invalid_choice": "There is no active user of this name."},
        )


class ApiTokenForm(forms.ModelForm):
    """What a new token is for, how far it reaches and how long."""

    scopes = forms.MultipleChoiceField(
        choices=ApiToken.Scope.choices,
        initial=[ApiToken.Scope.READ],
        widget=forms.CheckboxSelectMultiple,
        help_text="Read sees; write also works with modules' data; admin also changes platforms and switches modules.",
    )
    expires_in_days = forms.IntegerField(
        min_value=1,
        max_value=services.MAX_TOKEN_DAYS,
        initial=services.DEFAULT_TOKEN_DAYS,
        help_text=f"1 to {services.MAX_TOKEN_DAYS} days from now.",
        widget=forms.NumberInput(attrs={"class": "vIntegerField"}),
    )

    actor: Actor  # the admin's, for each request

    class Meta:
        model = ApiToken
        fields = ("name", "platform", "vendor", "scopes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "platform" in self.fields:
            # A token without a platform reaches as far as its user: only an operator makes one, from the command line.
            self.fields["platform"].required = True
        self.plain_text = ""

    def _post_clean(self) -> None:
        """Have the service make the token, where all else is well; keep its plain text for the answer that shows it.

        The service has the last word on what may be made, and its words stand at their fields. What it made is rolled
        back with the request, should anything fail after it.
        """
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        data = self.cleaned_data
        try:
            self.instance, self.plain_text = services.issue_token(
                user=cast(User, self.actor.user),
                name=data["name"],
                platform=data["platform"],
                vendor=data["vendor"],
                scopes=data["scopes"],
                days=data["expires_in_days"],
            )
        except ValidationError as error:
            for name, found in error.error_dict.items():
                self.add_error(name if name in self.fields else None, found)

    def save_m2m(self) -> None:
        """Save nothing more: a token has no relations of this kind."""
