"""Columns whose refusals say what is wanted, wherever it was typed: in a body, a form or a file."""

from typing import Any

from django_countries.fields import CountryField as AnyCountryField
from phonenumber_field.modelfields import PhoneNumberField as AnyPhoneNumberField

COUNTRY_WANTED = "Use the two-letter code of a country as in ISO 3166, e.g. DE."
PHONE_WANTED = "Use a valid phone number with the country's code, e.g. +49 30 901820."


class CountryField(AnyCountryField):
    """A country, by its code."""

    default_error_messages = {"invalid_choice": COUNTRY_WANTED}

    def deconstruct(self) -> Any:
        """Return what migrations know it by: what it says is nothing to them."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django_countries.fields.CountryField", args, kwargs

    def formfield(self, **kwargs: Any) -> Any:
        """Return a form's field that says the same."""
        return super().formfield(**{"error_messages": self.error_messages, **kwargs})


class PhoneNumberField(AnyPhoneNumberField):
    """A phone number, kept as E.164."""

    default_error_messages = {"invalid": PHONE_WANTED}

    def deconstruct(self) -> Any:
        """Return what migrations know it by: what it says is nothing to them."""
        name, _, args, kwargs = super().deconstruct()
        return name, "phonenumber_field.modelfields.PhoneNumberField", args, kwargs
