from django.apps import AppConfig


class CustomersConfig(AppConfig):
    """Who buys, and what they agreed to."""

    name = "customers"
    verbose_name = "Customers"
