"""Customers in the admin."""

from customers.admin.duplicates import DuplicatePairAdmin, MergeAdmin
from customers.admin.imports import ImportRunAdmin
from customers.admin.people import CustomerAdmin
from customers.admin.privacy import PrivacyRequestAdmin
from customers.admin.segments import SegmentAdmin
from customers.admin.tags import TagAdmin

__all__ = [
    "CustomerAdmin",
    "DuplicatePairAdmin",
    "ImportRunAdmin",
    "MergeAdmin",
    "PrivacyRequestAdmin",
    "SegmentAdmin",
    "TagAdmin",
]
