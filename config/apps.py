from django.contrib.admin.apps import AdminConfig


class SwitchyardAdminConfig(AdminConfig):
    """Django's admin with our site in the place of its own."""

    default_site = "config.admin.SwitchyardAdminSite"
