from django.apps import AppConfig


class PlatformsConfig(AppConfig):
    """Who there is, and who may see what."""

    name = "platforms"
    verbose_name = "Platforms"
