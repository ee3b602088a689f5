"""How customers are found."""

import re

from django.db.models import Q

from customers.keys import email_key, name_key
from customers.models import CustomerQuerySet

_NUMBER = re.compile(r"\A(?:\+|00)[0-9]{2,}\Z")
_BETWEEN_DIGITS = re.compile(r"[\s()./-]")


def search(customers: CustomerQuerySet, text: str) -> CustomerQuerySet:
    """Narrow to customers whose name, e-mail address, phone number or reference starts with the text.

    Names by first or by last name, in any script, case and accents aside; numbers with the country's code. Each has an
    index of its own, so the cost does not grow with the number of customers.
    """
    text = text.strip()
    key = name_key(text)
    if not key:
        return customers
    found = Q(name_key__begins_with=key) | Q(last_name_key__begins_with=key) | Q(external_ref__begins_with=text)
    if not re.search(r"\s", text):
        found |= Q(email_key__begins_with=email_key(text))
    digits = _BETWEEN_DIGITS.sub("", text)
    if _NUMBER.match(digits):
        found |= Q(phone__begins_with="+" + digits.lstrip("+").removeprefix("00"))
    return customers.filter(found)
