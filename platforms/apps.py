from django.apps import AppConfig
from django.core.checks import register

from platforms.checks import check_rates


class PlatformsConfig(AppConfig):
    """Who there is, and who may see what."""

    name = "platforms"
    verbose_name = "Platforms"

    def ready(self) -> None:
        """Check the settings that this app reads; have sessions remember the second factor that is shown in them."""
        import platforms.second_factor  # noqa: F401

        register(check_rates)
