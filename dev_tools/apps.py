from django.apps import AppConfig


class DevToolsConfig(AppConfig):
    """What keeps the modules honest."""

    name = "dev_tools"
    verbose_name = "Developer tools"
