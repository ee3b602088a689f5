from django.apps import AppConfig
from django.core.checks import register
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules, import_string

from modules.checks import register_checks
from modules.mirror import mirror_after_migrate


class ModulesConfig(AppConfig):
    """What modules exist, and which are on where."""

    name = "modules"
    verbose_name = "Modules"

    def ready(self) -> None:
        """Find every installed module and its tasks, keep the tables like them, hear of platforms that are deleted."""
        autodiscover_modules("definition")
        autodiscover_modules("tasks")
        register_checks()
        import_string("modules.surface_checks.register_checks")()
        post_migrate.connect(mirror_after_migrate, sender=self)
        # By name: services, and what tells modules of each other, need models, which are not there yet when this file
        # is read.
        register(import_string("modules.meeting_checks.check_meetings"), "modules")
        register(import_string("modules.personal_data_checks.check_personal_data"), "modules")
        post_migrate.connect(import_string("modules.schedules.mirror_schedules_after_migrate"), sender=self)
        before_platform_delete = import_string("platforms.services.before_platform_delete")
        before_platform_delete.append(import_string("modules.services.record_platform_deletion"))
