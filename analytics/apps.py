from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """What visitors do, without following anyone."""

    name = "analytics"
    verbose_name = "Analytics"
