from django.apps import AppConfig


class CmsConfig(AppConfig):
    """Pages that a platform writes once and vendors adapt."""

    name = "cms"
    verbose_name = "Content"
