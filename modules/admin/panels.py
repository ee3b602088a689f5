"""What modules add to the pages about platforms: the panels Modules and Changes, a column, and bulk actions."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from modules import selectors
from modules.admin import moments, wording
from modules.admin.bulk import BulkPages
from modules.models import Change, PlatformModule
from modules.registry import registry
from platforms import access
from platforms.access import Actor, Right
from platforms.admin import PlatformAdmin
from platforms.admin_panels import Column, Panel, StartPanel, start_panels
from platforms.models import Platform

NEWEST_CHANGES = 10
NEWEST_ON_START_PAGE = 6


def modules_panel(request: HttpRequest, platform: Platform) -> dict[str, Any]:
    """Return every module as it stands on the platform."""
    actor = Actor.of(request)
    may_switch = access.may(actor, Right.SWITCH, platform)
    rows = selectors.states_of(platform)
    return {
        "lines": [wording.module_line(row, actor, may_switch=may_switch) for row in rows],
        "count_on": sum(row.is_enabled for row in rows),
    }


def changes_panel(request: HttpRequest, platform: Platform) -> dict[str, Any]:
    """Return the platform's newest changes."""
    newest = list(Change.objects.filter(platform=platform).order_by("-number")[: NEWEST_CHANGES + 1])
    return {
        "changes": [wording.change_line(change) for change in newest[:NEWEST_CHANGES]],
        "has_more": len(newest) > NEWEST_CHANGES,
        "timeline_url": moments.address("timeline", platform),
        "all_url": f"{reverse('admin:modules_change_changelist')}?platform__id__exact={platform.pk}",
    }


def newest_changes_panel(request: HttpRequest) -> dict[str, Any]:
    """Return the newest changes of all platforms that the asking person may look at."""
    changes = access.scope(Actor.of(request), Change.objects.all(), Right.VIEW).order_by("-at", "-pk")
    return {"changes": [wording.change_line(change) for change in changes[:NEWEST_ON_START_PAGE]]}


def count_on(platforms: QuerySet[Platform]) -> QuerySet[Platform]:
    """Bring along how many modules are on by a row of theirs; core modules are counted where it is shown."""
    core = [definition.code for definition in registry if definition.is_core]
    rows = PlatformModule.objects.order_by().filter(selectors.is_on(), platform=OuterRef("pk")).exclude(module__in=core)
    counted = rows.values("platform").annotate(rows=Count("pk")).values("rows")
    return platforms.annotate(modules_on_count=Coalesce(Subquery(counted, output_field=IntegerField()), 0))


@admin.display(description="modules on", ordering="modules_on_count")
def modules_on(platform: Platform) -> str:
    """How many of the installed modules are on."""
    core = sum(definition.is_core for definition in registry)
    return f"{platform.modules_on_count + core} of {len(registry)}"  # type: ignore[attr-defined]


@admin.action(description="Switch a module on…", permissions=["change"])
def switch_on(model_admin: PlatformAdmin, request: HttpRequest, queryset: QuerySet[Platform]) -> HttpResponse:
    """Ask which module to switch on on the chosen platforms."""
    return BulkPages(model_admin.admin_site, PlatformModule._meta).choose(request, queryset, is_enabled=True)


@admin.action(description="Switch a module off…", permissions=["change"])
def switch_off(model_admin: PlatformAdmin, request: HttpRequest, queryset: QuerySet[Platform]) -> HttpResponse:
    """Ask which module to switch off on the chosen platforms."""
    return BulkPages(model_admin.admin_site, PlatformModule._meta).choose(request, queryset, is_enabled=False)


def extend_platform_admin() -> None:
    """Put all of it on the platforms' pages; once, when the admin is found."""
    PlatformAdmin.add_panel(Panel(template="admin/modules/panels/modules.html", context=modules_panel))
    PlatformAdmin.add_panel(Panel(template="admin/modules/panels/changes.html", context=changes_panel))
    start_panels.append(StartPanel(template="admin/modules/panels/newest_changes.html", context=newest_changes_panel))
    PlatformAdmin.add_column(Column(display=modules_on, annotate=count_on))
    PlatformAdmin.actions = [*(PlatformAdmin.actions or ()), switch_on, switch_off]  # type: ignore[misc]
