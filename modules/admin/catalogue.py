"""The catalogue: what modules there are, what each needs, and where it is on; to be read."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from modules import configs, selectors
from modules.admin.places import address, name_of
from modules.admin.readonly import ReadOnlyAdmin
from modules.config_fields import shown
from modules.config_forms import groups_of
from modules.models import Module, PlatformModule
from modules.registry import registry
from platforms import access
from platforms.access import Actor, Right
from platforms.admin_displays import pill
from platforms.admin_scope import may
from platforms.models import Platform

PLATFORMS_SHOWN = 50


def kind_pills(module: Module | selectors.CatalogueEntry) -> SafeString:
    """Return what is special about a module, as pills; empty where nothing is."""
    definition = registry.get(module.code)
    found = [
        pill("core", "Core") if module.is_core else "",
        pill("warn", "Restricted") if definition and definition.is_restricted else "",
        "" if definition else pill("unknown", "Unknown"),
    ]
    return format_html("{} {} {}", *found)


@admin.register(Module)
class ModuleAdmin(ReadOnlyAdmin):
    """Every module that is, or was, installed; anybody who sees a platform sees them."""

    list_display = ("name", "code_shown", "version", "kind", "requires", "required_by", "platforms_on")
    list_filter = ("is_installed", "is_core")
    search_fields = ("code", "name", "description")
    search_help_text = "Name, code or description"
    ordering = ("name",)

    def has_view_permission(self, request: HttpRequest, obj: Module | None = None) -> bool:
        """Whether they see any platform."""
        return may(request, Right.VIEW)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """As for the list."""
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Module]:
        """Bring along on how many of the asking person's platforms each is on."""
        seen = access.scope(Actor.of(request), Platform.objects.all(), Right.VIEW)
        on = Count(
            "platform_modules",
            filter=Q(
                platform_modules__is_enabled=True,
                platform_modules__module__in=registry.runnable(),
                platform_modules__platform__in=seen.values("pk"),
            ),
        )
        queryset: QuerySet[Module] = super().get_queryset(request)
        return queryset.annotate(on_count=on)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list; a core module is on everywhere."""
        return super().changelist_view(request, {"title": "Modules", **(extra_context or {})})

    @admin.display(description="code", ordering="code")
    def code_shown(self, module: Module) -> SafeString:
        """The code that names it."""
        return format_html("<code>{}</code>", module.code)

    @admin.display(description="kind", ordering="is_core")
    def kind(self, module: Module) -> SafeString:
        """Core, restricted or no longer installed."""
        return kind_pills(module)

    @admin.display(description="requires", empty_value="–")
    def requires(self, module: Module) -> str | None:
        """What it needs."""
        definition = registry.get(module.code)
        return ", ".join(map(name_of, definition.requires)) if definition and definition.requires else None

    @admin.display(description="required by", empty_value="–")
    def required_by(self, module: Module) -> str | None:
        """What needs it."""
        return ", ".join(name_of(item.code) for item in registry if module.code in item.requires) or None

    @admin.display(description="platforms it is on", ordering="on_count")
    def platforms_on(self, module: Module) -> str:
        """On how many platforms it is on."""
        if module.code not in registry:
            return "none"
        return "all" if module.is_core else str(module.on_count)  # type: ignore[attr-defined]

    def detail_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what a module is, what can be configured, and on which platforms in scope it is on."""
        try:
            entry = selectors.catalogue_entry(object_id)
        except Module.DoesNotExist:
            raise Http404("No such module.") from None
        if not self.has_view_permission(request):
            raise Http404("No such module.")
        seen = access.scope(Actor.of(request), Platform.objects.order_by("name"), Right.VIEW)
        if not entry.is_core:
            rows = PlatformModule.objects.filter(selectors.is_on(), module=entry.code)
            seen = seen.filter(pk__in=rows.values("platform"))
        platforms = list(seen[: PLATFORMS_SHOWN + 1])
        definition = registry.get(entry.code)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Module",
            "subtitle": entry.name,
            "entry": entry,
            "kind": kind_pills(entry),
            "requires": [self._linked(code) for code in entry.requires],
            "required_by": [self._linked(code) for code in entry.required_by],
            "uses": [self._linked(code) for code in definition.uses] if definition else [],
            "platforms": [
                {"name": platform.name, "url": address("configure", platform.code, entry.code)}
                for platform in platforms[:PLATFORMS_SHOWN]
            ],
            "has_more": len(platforms) > PLATFORMS_SHOWN,
            "more_url": f"{reverse('admin:modules_platformmodule_changelist')}?module__code__exact={entry.code}",
            "groups": self._settings(entry.code),
        }
        return TemplateResponse(request, "admin/modules/module/detail.html", context)

    @staticmethod
    def _linked(code: str) -> dict[str, str]:
        url = reverse("admin:modules_module_change", args=[code]) if code in registry else ""
        return {"name": name_of(code), "url": url}

    @staticmethod
    def _settings(code: str) -> list[dict[str, Any]]:
        if code not in registry:
            return []
        schema = registry[code].config
        secret_names = configs.secret_fields(schema)
        return [
            {
                "title": group.title,
                "settings": [
                    {
                        "name": ".".join(setting.path),
                        "label": setting.label,
                        "description": setting.description,
                        "default": "secret" if setting.path[0] in secret_names else shown(setting.default) or "–",
                    }
                    for setting in group.settings
                ],
            }
            for group in groups_of(schema)
            if group.settings
        ]
