from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Invoices and payments, as a third party would write it."""

    name = "billing"
    verbose_name = "Billing"
