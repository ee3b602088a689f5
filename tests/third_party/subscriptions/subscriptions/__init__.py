"""Subscriptions: recurring charges, as a module that requires two others."""

__version__ = "1.0"
