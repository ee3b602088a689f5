from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Whether everything is all right, and since when not."""

    name = "monitoring"
    verbose_name = "Monitoring"
