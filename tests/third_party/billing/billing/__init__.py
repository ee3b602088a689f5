"""Billing: what a platform's vendors are charged, as a module from outside the tree."""

__version__ = "1.0"
