"""Customers in the admin."""

from customers.admin.duplicates import DuplicatePairAdmin, MergeAdmin
from customers.admin.imports import ImportRunAdmin
from customers.admin.people import CustomerAdmin, TagAdmin
from customers.admin.privacy import PrivacyRequestAdmin

__all__ = [
    "CustomerAdmin",
    "DuplicatePairAdmin",
    "ImportRunAdmin",
    "MergeAdmin",
    "PrivacyRequestAdmin",
    "SegmentAdmin",
    "TagAdmin",
]
