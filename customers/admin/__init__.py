"""Customers in the admin."""

from customers.admin.people import CustomerAdmin, TagAdmin

__all__ = ["CustomerAdmin", "TagAdmin"]
