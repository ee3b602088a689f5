"""Which modules are on where: the list, and the addresses of each module's pages."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from modules import converters as modules_converters  # noqa: F401  (registers <module:…>)
from modules import selectors
from modules.admin import wording
from modules.admin.bulk import BulkPages
from modules.admin.moments import back_address
from modules.admin.pages import Pages
from modules.admin.places import Place, address, find, trail
from modules.admin.readonly import READING
from modules.models import PlatformModule
from modules.registry import registry
from modules.selectors import HistoryEntry
from platforms import converters as platforms_converters  # noqa: F401  (registers <code:…>)
from platforms.access import Right
from platforms.admin_base import ScopedAdmin, row_number
from platforms.admin_scope import may

HISTORY_PER_PAGE = 25
PLAN_PAGES = ("switch_on", "switch_off", "reset")


class StateFilter(admin.BooleanFieldListFilter):
    """On or off, in the words of the list."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "state"

    def choices(self, changelist: Any) -> Any:
        """Return Django's choices, renamed."""
        for choice, name in zip(super().choices(changelist), ("All", "On", "Off"), strict=False):
            yield {**choice, "display": name}


@admin.register(PlatformModule)
class PlatformModuleAdmin(ScopedAdmin):
    """The rows that somebody made; the page of a module is there whether it has a row or not."""

    change_right = Right.SWITCH
    list_display = ("platform", "page_link", "state", "since", "by", "configured")
    list_display_links = None
    list_filter = ("platform", "module", ("is_enabled", StateFilter), "platform__kind")
    list_select_related = ("platform", "module", "enabled_by", "disabled_by")
    search_fields = ("platform__code", "platform__name", "module__name")
    search_help_text = "Platform's code or name, or module's name"
    ordering = ("platform__name", "module__name")
    actions = ("switch_on", "switch_off")

    # --- the list ---

    @admin.display(description="module", ordering="module__name")
    def page_link(self, row: PlatformModule) -> SafeString:
        """The module, leading to its page."""
        return format_html(
            '<a href="{}">{}</a>', address("configure", row.platform.code, row.module_id), row.module.name
        )

    @admin.display(description="state", ordering="is_enabled")
    def state(self, row: PlatformModule) -> SafeString:
        """On, off, core or unknown."""
        return wording.state_pill(row.module_id, is_enabled=row.is_enabled)

    @admin.display(description="since", empty_value="–")
    def since(self, row: PlatformModule) -> SafeString | None:
        """Since when it is so."""
        at = wording.since(row)["since"]
        return wording.moment(at) if at else None

    @admin.display(description="by", empty_value="–")
    def by(self, row: PlatformModule) -> str | None:
        """Who switched it."""
        return wording.since(row)["by"] or None

    @admin.display(description="configured", boolean=False)
    def configured(self, row: PlatformModule) -> str:
        """Whether anything differs from the defaults."""
        count = len(row.config) + len(row.secrets)
        return f"{count} set" if count else "Defaults"

    @admin.action(description="Switch on…", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[PlatformModule]) -> HttpResponse:
        """Show what switching the chosen modules on would do, platform by platform."""
        return self._bulk().start(request, queryset, is_enabled=True)

    @admin.action(description="Switch off…", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[PlatformModule]) -> HttpResponse:
        """Show what switching the chosen modules off would do, platform by platform."""
        return self._bulk().start(request, queryset, is_enabled=False)

    def _bulk(self) -> BulkPages:
        return BulkPages(self.admin_site, self.opts)

    # --- what is not offered ---

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A row is made by switching or configuring a module."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A row goes with its platform, when an operator deletes that, and in no other way."""
        return obj is not None and may(request, Right.OPERATE, obj)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse: there is no such page."""
        return HttpResponseNotAllowed([])

    def change_view(
        self,
        request: HttpRequest,
        object_id: str | int,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead from a row's number to its page. Writes go to the page itself."""
        return self._lead(request, object_id, to="configure")

    def history_view(
        self, request: HttpRequest, object_id: str | int, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead from a row's number to the module's versions."""
        return self._lead(request, object_id, to="history")

    def delete_view(
        self, request: HttpRequest, object_id: str | int, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse: there is no such page."""
        return HttpResponseNotAllowed([])

    def _lead(self, request: HttpRequest, object_id: str | int, *, to: str) -> HttpResponse:
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        number = row_number(str(object_id))
        rows = self.get_queryset(request).select_related("platform")
        row = rows.filter(pk=number).first() if number is not None else None
        if row is None:
            raise Http404("No such platform module.")
        return HttpResponseRedirect(address(to, row.platform.code, row.module_id))

    # --- addresses ---

    def get_urls(self) -> list[URLPattern]:
        """Put the pages of platform and module before Django's own, which are about a row's number."""
        view, pages = self.admin_site.admin_view, Pages(self)
        # What is typed there may be a secret: no report of an error repeats it.
        discreet = sensitive_post_parameters()
        here, name = "<code:platform>/<module:module>/", "modules_platformmodule_{}"
        plans = [
            path(
                f"{here}{page.replace('_', '-')}/",
                view(self._reading(pages.plan)),
                {"action": page},
                name=name.format(page),
            )
            for page in PLAN_PAGES
        ]
        return [
            path("bulk/", view(self._bulk_view), name=name.format("bulk")),
            path("<int:object_id>/change/", view(self.change_view)),
            path("<int:object_id>/history/", view(self.history_view)),
            path("<int:object_id>/delete/", view(self.delete_view)),
            path(f"{here}confirm/", view(discreet(pages.confirm)), name=name.format("confirm")),
            path(f"{here}history/", view(self._reading(self.module_history)), name=name.format("history")),
            *plans,
            path(here, view(discreet(pages.configure)), name=name.format("configure")),
            *super().get_urls(),
        ]

    @staticmethod
    def _reading(page: Any) -> Any:
        """Return the view with 405 to anything but a reader."""

        def reading(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            return page(request, **kwargs) if request.method in READING else HttpResponseNotAllowed(READING)

        return reading

    def _bulk_view(self, request: HttpRequest) -> HttpResponse:
        return self._bulk().answer(request)

    def module_history(self, request: HttpRequest, platform: str, module: str) -> HttpResponse:
        """Show the module's versions, newest first: what each changed, key by key, who and why."""
        place = find(request, platform, module)
        pages = Paginator(selectors.history_rows(place.platform, place.module), HISTORY_PER_PAGE)
        page = pages.get_page(request.GET.get("page"))
        entries = selectors.history_entries(page.object_list)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{place.platform.name} · {place.state.name}",
            "subtitle": "History",
            "place": place,
            "pill": wording.state_pill(place.module, is_enabled=place.state.is_enabled),
            "entries": [wording.history_line(entry) | {"back_url": self._back_url(place, entry)} for entry in entries],
            "page_obj": page,
            "page_range": pages.get_elided_page_range(page.number),
            "is_installed": place.module in registry,
            "trail": trail(place, last="History"),
        }
        return TemplateResponse(request, "admin/modules/platformmodule/history.html", context)

    @staticmethod
    def _back_url(place: Place, entry: HistoryEntry) -> str:
        """Return what leads back to a version; nothing for those who may not, and from where nobody has to go back."""
        is_past = entry.change is not None and entry.change < place.platform.revision
        return back_address(place.platform, entry.change or 0, place.module) if is_past and place.may_edit else ""
