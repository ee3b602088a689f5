"""The tables of customers."""

from customers.models.consents import ConsentRecord
from customers.models.events import CustomerEvent
from customers.models.imports import BrokenRow, ErrorPolicy, ImportChunk, ImportRun, Match
from customers.models.people import (
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

__all__ = [
    "MAX_EMAIL",
    "MAX_LABEL",
    "Address",
    "BrokenRow",
    "ConsentRecord",
    "Customer",
    "CustomerEvent",
    "CustomerQuerySet",
    "CustomerVendor",
    "ErrorPolicy",
    "ImportChunk",
    "ImportRun",
    "Match",
    "Note",
    "OfCustomer",
    "Tag",
]
