"""The tables of customers."""

from customers.models.consents import ConsentRecord
from customers.models.events import CustomerEvent
from customers.models.people import (
    EMAIL_DOMAIN,
    MAX_EMAIL,
    MAX_LABEL,
    Address,
    Customer,
    CustomerQuerySet,
    CustomerVendor,
    Note,
    OfCustomer,
    Tag,
)
from customers.models.segments import Segment

__all__ = [
    "EMAIL_DOMAIN",
    "MAX_EMAIL",
    "MAX_LABEL",
    "Address",
    "ConsentRecord",
    "Customer",
    "CustomerEvent",
    "CustomerQuerySet",
    "CustomerVendor",
    "Note",
    "OfCustomer",
    "Segment",
    "Tag",
]
