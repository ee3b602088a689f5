"""The tables of customers."""

from customers.models.consents import ConsentInForce, ConsentRecord
from customers.models.duplicates import DuplicatePair, Merge
from customers.models.events import CustomerEvent
from customers.models.imports import BrokenRow, ErrorPolicy, ImportChunk, ImportRun, Match
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
from customers.models.privacy import PrivacyRequest, PrivacyRequestQuerySet
from customers.models.segments import Segment

__all__ = [
    "EMAIL_DOMAIN",
    "MAX_EMAIL",
    "MAX_LABEL",
    "Address",
    "BrokenRow",
    "ConsentInForce",
    "ConsentRecord",
    "Customer",
    "CustomerEvent",
    "CustomerQuerySet",
    "CustomerVendor",
    "DuplicatePair",
    "ErrorPolicy",
    "ImportChunk",
    "ImportRun",
    "Match",
    "Merge",
    "Note",
    "OfCustomer",
    "PrivacyRequest",
    "PrivacyRequestQuerySet",
    "Segment",
    "Tag",
]
