"""Customers in the admin."""

from customers.admin.people import CustomerAdmin, TagAdmin
from customers.admin.privacy import PrivacyRequestAdmin

__all__ = ["CustomerAdmin", "PrivacyRequestAdmin", "TagAdmin"]
