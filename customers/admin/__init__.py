"""Customers in the admin."""

from customers.admin.imports import ImportRunAdmin
from customers.admin.people import CustomerAdmin, TagAdmin

__all__ = ["CustomerAdmin", "ImportRunAdmin", "TagAdmin"]
