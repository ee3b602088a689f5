"""Changes: who changed what, when, why and from where; to be read."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from modules import selectors
from modules.admin import wording
from modules.admin.back import BackPages
from modules.admin.places import linked
from modules.admin.readonly import ReadOnlyAdmin
from modules.admin.time_pages import TimePages, ways_from
from modules.models import Change
from platforms import access
from platforms import converters as platforms_converters  # noqa: F401  (registers <code:…>)
from platforms.access import Actor, Right
from platforms.admin_base import ScopedAdmin
from platforms.models import Platform


class WhenFilter(admin.DateFieldListFilter):
    """When it was, in the words of the list."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "when"


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin, ScopedAdmin):
    """Every change of every platform in scope; one of a platform that is gone, for those who see all.

    The platform is never joined: a change outlives it.
    """

    list_display = ("title", "when", "who", "what", "reason", "source")
    list_filter = ("platform", "source", ("at", WhenFilter))
    search_fields = ("reason", "actor_label", "platform_code", "request_id")
    search_help_text = "Reason, person, platform's code or request"
    ordering = ("-at", "-pk")

    @admin.display(description="change", ordering="platform_code")
    def title(self, change: Change) -> str:
        """Platform and number."""
        return str(change)

    @admin.display(description="when", ordering="at")
    def when(self, change: Change) -> SafeString:
        """When it was made."""
        return wording.moment(change.at)

    @admin.display(description="who", ordering="actor_label")
    def who(self, change: Change) -> str:
        """Who made it, as they were called then."""
        return change.actor_label

    @admin.display(description="what")
    def what(self, change: Change) -> str:
        """What it did, in a line."""
        return wording.steps_text(change.steps)

    def get_urls(self) -> list[URLPattern]:
        """Put the pages of a platform's time before Django's own, which are about a change's key."""
        view, pages, back = self.admin_site.admin_view, TimePages(self), BackPages(self)
        here, name = "timeline/<code:platform>/", "modules_change_{}"
        return [
            path(here, view(require_safe(pages.timeline)), name=name.format("timeline")),
            path(f"{here}moment/", view(require_safe(pages.moment)), name=name.format("moment")),
            path(f"{here}compare/", view(require_safe(pages.compare)), name=name.format("compare")),
            path(f"{here}back/<int:number>/", view(back.back), name=name.format("back")),
            *super().get_urls(),
        ]

    def detail_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show a change: its steps, and what it changed of each module, key by key."""
        changes: QuerySet[Change] = Change.objects.all()
        try:
            change = access.get(Actor.of(request), changes, Right.VIEW, pk=object_id)
        except (ObjectDoesNotExist, ValueError, ValidationError):
            raise Http404("No such change.") from None
        platform = Platform.objects.filter(pk=change.platform_id).first()
        entries = selectors.history_entries(selectors.history_rows_of_change(change))
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Change",
            "subtitle": f"{platform or change.platform_code}, change {change.number}",
            "line": wording.change_line(change),
            "change": change,
            "platform": platform,
            "ways": self._ways(request, platform, change),
            "platform_url": reverse("admin:platforms_platform_change", args=[platform.pk]) if platform else "",
            "entries": [
                {**wording.history_line(entry), "link": linked(platform.code, entry.module) if platform else None}
                for entry in entries
            ],
        }
        return TemplateResponse(request, "admin/modules/change/detail.html", context)

    @staticmethod
    def _ways(request: HttpRequest, platform: Platform | None, change: Change) -> dict[str, str]:
        """Return what leads from the change to the platform's time; nothing where the platform is gone."""
        if platform is None:
            return {}
        may_go_back = access.may(Actor.of(request), Right.SWITCH, platform)
        return ways_from(platform, change.number, may_go_back=may_go_back)
