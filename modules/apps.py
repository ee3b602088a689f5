from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules

from modules.checks import register_checks
from modules.mirror import mirror_after_migrate


class ModulesConfig(AppConfig):
    """What modules exist, and which are on where."""

    name = "modules"
    verbose_name = "Modules"

    def ready(self) -> None:
        """Find every installed module, and keep the table of modules like the registry."""
        autodiscover_modules("definition")
        register_checks()
        post_migrate.connect(mirror_after_migrate, sender=self)
