from django.apps import AppConfig
from django.core.checks import register

from platforms.checks import check_rates


class PlatformsConfig(AppConfig):
    """Who there is, and who may see what."""

    name = "platforms"
    verbose_name = "Platforms"

    def ready(self) -> None:
        """Have Django check the settings that this app reads."""
        register(check_rates)
