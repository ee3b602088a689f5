from django.apps import AppConfig


class PlatformsConfig(AppConfig):
    """Who there is, and who may see what."""

    name = "platforms"
    verbose_name = "Platforms"

    def ready(self) -> None:
        """Have sessions remember the second factor that is shown in them."""
        import platforms.second_factor  # noqa: F401
