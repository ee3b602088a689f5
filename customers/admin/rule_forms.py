"""The rules of a segment as a form: each is a line with what it asks and, in a field of its kind, what it asks for."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.http import QueryDict

from customers.admin.forms import COMMAS, NamesField, NamesOn
from customers.models import ConsentRecord
from customers.rules import FIELDS, MAX_RULES, Operator, Rule
from customers.values import MAX_DAYS, ConsentOf, Day, Days, Kind, Text, Words

PREFIX = "rules"
# Beyond so many, boxes to tick have a frame of their own.
_MOST_BOXES = 10
# What is typed as names, where "several" does not say it.
_TYPED = {
    "tag": f"Tags, {COMMAS}",
    "vendor": "Codes of vendors, with commas between them.",
    "locale": "Language tags, with commas between them: de stands for de-AT, too.",
}


class ConsentField(forms.MultiValueField):
    """A channel and a purpose."""

    def __init__(self, **kwargs: Any) -> None:
        channels = forms.Select(choices=ConsentRecord.Channel.choices, attrs={"aria-label": "Channel"})
        purpose = AdminTextInputWidget({"aria-label": "Purpose", "maxlength": "50"})
        super().__init__(
            (forms.ChoiceField(choices=ConsentRecord.Channel.choices), forms.CharField(max_length=50)),
            widget=_ConsentWidget((channels, purpose)),
            **kwargs,
        )

    def compress(self, data_list: Any) -> dict[str, str]:
        """Return both as a rule has them."""
        return dict(zip(("channel", "purpose"), data_list, strict=False))


class _ConsentWidget(forms.MultiWidget):
    use_fieldset = True

    def decompress(self, value: Any) -> list[str | None]:
        return [value["channel"], value["purpose"]] if value else [None, None]


class _ManyBoxes(forms.CheckboxSelectMultiple):
    """Boxes in a frame that scrolls, the ticked ones first: what is chosen is seen, and no key has to be held down."""

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        groups = super().optgroups(name, value, attrs)
        return sorted(groups, key=lambda group: not group[1][0]["selected"])


def field_for(kind: Kind) -> forms.Field:
    """Return the form's field for a kind of value."""
    match kind:
        case Words() if kind.choices:
            choices = list(kind.choices.items())
            few = len(choices) <= _MOST_BOXES
            widget = forms.CheckboxSelectMultiple() if few else _ManyBoxes(attrs={"class": "rules__boxes"})
            return forms.MultipleChoiceField(choices=choices, widget=widget)
        case Words():
            return NamesField(required=True, help_text=f"Several {COMMAS}")
        case Day():
            return forms.DateField(widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))
        case Days():
            return forms.IntegerField(min_value=1, max_value=MAX_DAYS, help_text="Days.")
        case ConsentOf():
            return ConsentField(help_text="A channel, and the purpose in a word, e.g. marketing.")
        case _:
            return forms.CharField(max_length=Text.schema["maxLength"], widget=AdminTextInputWidget)


def conditions() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what may be asked, grouped by field, as choices of a select."""
    return [
        (
            field.label,
            [(f"{name}.{code}", f"{field.label} {operator.label}") for code, operator in field.operators.items()],
        )
        for name, field in FIELDS.items()
    ]


class RuleForm(forms.Form):
    """One rule. What it asks is fixed; to ask something else, remove it and add another."""

    condition = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, names: NamesOn, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # None of them is a blank line that nobody filled in.
        self.empty_permitted = False
        said = self["condition"].value()
        self.name, _, self.code = said.partition(".") if isinstance(said, str) else ("", "", "")
        field = FIELDS.get(self.name)
        self.operator: Operator | None = field.operators.get(self.code) if field else None
        self.label = f"{field.label} {self.operator.label}" if field and self.operator else "An unknown rule"
        if self.operator and self.operator.kind:
            self.fields["value"] = field_for(self.operator.kind)
            self.fields["value"].label = self.label
        if self.name in _TYPED and "value" in self.fields:
            known = getattr(names, self.operator.names) if self.operator and self.operator.names else ""
            self.fields["value"].help_text = _TYPED[self.name] + known

    def clean_condition(self) -> str:
        """Refuse what nobody can ask."""
        if self.operator is None:
            raise ValidationError("This can not be asked.", code="unknown_operator")
        return self.cleaned_data["condition"]

    @property
    def rule(self) -> dict[str, Any]:
        """What was typed, as a rule."""
        rule: dict[str, Any] = {"field": self.name, "operator": self.code}
        if "value" in self.fields:
            value = self.cleaned_data["value"]
            rule["value"] = value.isoformat() if isinstance(value, date) else value
        return rule


class _Rules(forms.BaseFormSet):
    def add_fields(self, form: RuleForm, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].label = "Remove"


RuleFormSet = forms.formset_factory(
    RuleForm, formset=_Rules, extra=0, can_delete=True, max_num=MAX_RULES, absolute_max=MAX_RULES + 1, validate_max=True
)


def kept(rules: forms.BaseFormSet) -> list[RuleForm]:
    """Return the rules that are not to be removed."""
    return [form for form in rules.forms if form not in rules.deleted_forms]


def initial_of(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Return what the form shows of kept rules."""
    return [{"condition": f"{rule['field']}.{rule['operator']}", "value": rule.get("value")} for rule in rules]


def with_another(data: QueryDict, condition: str) -> QueryDict:
    """Return what was typed with one rule more, which asks this and is empty yet."""
    typed = data.copy()
    total = f"{PREFIX}-TOTAL_FORMS"
    said = typed.get(total, "")
    number = min(int(said[:4]), MAX_RULES) if said.isascii() and said.isdecimal() else 0
    typed[total] = str(number + 1)
    typed[f"{PREFIX}-{number}-condition"] = condition
    return typed
