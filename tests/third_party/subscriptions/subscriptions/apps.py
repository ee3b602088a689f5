from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    """Recurring orders: a module that requires two others."""

    name = "subscriptions"
    verbose_name = "Subscriptions"
