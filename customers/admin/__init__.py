"""Customers in the admin."""

from customers.admin.duplicates import DuplicatePairAdmin, MergeAdmin
from customers.admin.people import CustomerAdmin, TagAdmin

__all__ = ["CustomerAdmin", "DuplicatePairAdmin", "MergeAdmin", "TagAdmin"]
