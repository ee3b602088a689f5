"""Customers in the admin."""

from customers.admin.people import CustomerAdmin, TagAdmin
from customers.admin.segments import SegmentAdmin

__all__ = ["CustomerAdmin", "SegmentAdmin", "TagAdmin"]
