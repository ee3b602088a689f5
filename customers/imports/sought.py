"""Somebody who is looked for among rows of imports: by the database first, then by what the cells mean."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from phonenumber_field.phonenumber import to_python

from customers.keys import email_key, name_key

_NO_DIGIT = re.compile(r"[^0-9]")
# JSON as text is `"column": "text"` in both databases. SQLite has what is beyond ASCII escaped, PostgreSQL has not:
# `\\|[^ -~]` is either. These are read by Python's expressions and by PostgreSQL's alike.
_KEY = re.compile(r"[^\"\\@]*@[^\"\\]*")
_PLAIN = re.compile(r"[ !#-\[\]-~]+")
# A cell with an @ and, after it or before it, a letter beyond ASCII, which may be another form of one of ASCII: a wide
# one, or ß for ss; or with one of the two other forms of the @. Written so that no cell, however long, is gone through
# more than once.
_ODD_EMAIL = (
    r"@[ !#-?A-\[\]-~]*(?:\\|[^ -~])",
    r'"[ !#-?A-\[\]-~]*(?:\\|[^ -~])[^"@]*@',
    r"[﹫＠]|\\ufe6b|\\uff20",
)
_ODD_REF = r'"external_ref": "[^"]*(?:\\|[^ -~])'
# What is dialled by letters, has an extension, or digits of another script.
_ODD_PHONE = r'"phone": "[0-9 +()/.\-]*[^0-9 +()/.\-"]'
_BETWEEN_DIGITS = r"(?:[^0-9\\]|\\[^u]|\\u[0-9a-f]{4})*"
_END = 6


@dataclass(frozen=True, slots=True)
class Sought:
    """Somebody to be found among rows, however what they are known by is written there.

    A row is about them where any cell is one of the addresses or numbers, or its reference one of the references. A
    number without its country is taken for one of the row's address. Families and firms share numbers: of a row that
    has somebody's address or reference, a number says that it is about them only where their name stands there too.
    """

    emails: frozenset[str]
    numbers: frozenset[str]
    refs: frozenset[str]
    names: frozenset[str]

    @classmethod
    def by(
        cls,
        emails: Iterable[str] = (),
        phones: Iterable[str] = (),
        refs: Iterable[str] = (),
        names: Iterable[str] = (),
    ) -> "Sought":
        """Return who is known by these; blanks are nobody's. names: keys of a whole name, first name first."""
        return cls(
            names=frozenset(names) - {""},
            emails=frozenset(map(email_key, emails)) - {""},
            numbers=frozenset(_digits(str(phone)) for phone in phones) - {""},
            refs=frozenset(refs) - {""},
        )

    @property
    def is_nobody(self) -> bool:
        """Whether there is nothing to know them by."""
        return not (self.emails or self.numbers or self.refs)

    def looked_up(self, rows: QuerySet[Any], column: str) -> QuerySet[Any]:
        """Return those of the rows in whose JSON in this column they may stand, as far as the database can tell.

        It misses nobody whom `is_in` finds, and leaves next to none of the others to be read: an erasure looks while it
        holds locks. What may say it in letters or signs in which the database would not know it is among them, too.
        """
        if any(not _KEY.fullmatch(email) for email in self.emails):
            return rows
        found = Q()
        for email in self.emails:
            found |= Q(said__icontains=email)
        for odd in _ODD_EMAIL if self.emails else ():
            found |= Q(said__regex=odd)
        if self.numbers:
            found |= Q(said__regex=_ODD_PHONE)
        # At home and abroad a number starts differently, and ends alike.
        for end in {number[-_END:] for number in self.numbers}:
            found |= Q(said__regex=_BETWEEN_DIGITS.join(end))
        for ref in self.refs:
            found |= Q(said__contains=f'"external_ref": "{ref}"') if _PLAIN.fullmatch(ref) else Q(said__regex=_ODD_REF)
        return rows.alias(said=Cast(column, TextField())).filter(found)

    def is_in(self, values: Mapping[str, Any]) -> bool:
        """Whether the row with these cells is about them."""
        if values.get("external_ref") in self.refs or any(email_key(text) in self.emails for text in values.values()):
            return True
        if not self.numbers:
            return False
        is_called = _national(values) in self.numbers or any(_digits(text) in self.numbers for text in values.values())
        return is_called and (not _is_somebodys(values) or _name(values) in self.names)

    def is_named(self, text: str) -> bool:
        """Whether one of the addresses or numbers stands anywhere in a text, such as what a file is called."""
        key, digits = email_key(text), _digits(text)
        return any(email in key for email in self.emails) or any(number in digits for number in self.numbers)


def _is_somebodys(values: Mapping[str, Any]) -> bool:
    """Whether a row says whose it is: by a reference, or by an address that could be a mailbox."""
    if values.get("external_ref"):
        return True
    try:
        validate_email(values.get("email", ""))
    except ValidationError:
        return False
    return True


def _name(values: Mapping[str, Any]) -> str:
    return name_key(values.get("first_name", ""), values.get("last_name", ""))


def _national(values: Mapping[str, Any]) -> str:
    """Return the digits of a row's phone number as they are abroad, where it says them as they are at home."""
    phone, country = values.get("phone", ""), values.get("address_country", "").upper()
    return _digits(str(to_python(phone, region=country))) if phone and country else ""


def _digits(text: str) -> str:
    return _NO_DIGIT.sub("", text).removeprefix("00")
