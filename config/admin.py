"""The admin site: Django's own, with our name and theme."""

from django.contrib import admin


class SwitchyardAdminSite(admin.AdminSite):
    """The one admin site; every module registers its pages here."""

    site_title = "Switchyard"
    site_header = "Switchyard"
    index_title = "Back office"
