"""The modules' admin: what is on where and who changed it, and what modules add to the platforms' pages."""

from modules.admin.catalogue import ModuleAdmin
from modules.admin.changes import ChangeAdmin
from modules.admin.panels import extend_platform_admin
from modules.admin.platform_modules import PlatformModuleAdmin
from modules.admin.work import DeliveryAdmin, EventAdmin, TaskRunAdmin

__all__ = ["ChangeAdmin", "DeliveryAdmin", "EventAdmin", "ModuleAdmin", "PlatformModuleAdmin", "TaskRunAdmin"]

extend_platform_admin()
