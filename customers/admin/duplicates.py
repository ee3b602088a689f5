"""Possible duplicates as a queue, and merges with a way back."""

from contextlib import suppress
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers import duplicates, merging
from customers.admin import wording
from customers.admin.queues import StatusFilter
from customers.models import DuplicatePair, Merge
from modules.admin.bases import ModuleModelAdmin
from modules.admin.readonly import READING, ReadOnlyAdmin
from platforms.access import Actor, Right
from platforms.admin_base import BoundedPaginator
from platforms.admin_displays import day_of, pill
from platforms.admin_scope import may


class PairStatusFilter(StatusFilter):
    """What staff said of a pair: those of whom nobody said anything yet come first."""

    statuses = DuplicatePair.Status
    first, first_label = (DuplicatePair.Status.OPEN,), "Open"


class WrittenElsewhereAdmin(ModuleModelAdmin):
    """Rows that no form makes or changes; they go with their platform, when an operator deletes that."""

    paginator = BoundedPaginator
    list_display_links = None
    show_facets = admin.ShowFacets.NEVER

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the row may go with its platform."""
        return obj is not None and may(request, Right.OPERATE, obj)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse: there is no such page."""
        return HttpResponseNotAllowed([])

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse: there is no such page."""
        return HttpResponseNotAllowed([])

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse: the timelines of the customers have it."""
        return HttpResponseNotAllowed([])

    def find(self, request: HttpRequest, object_id: str, *related: str) -> Any:
        """Return the row, as far as it may be seen. Raises Http404."""
        try:
            return self.get_queryset(request).select_related(*related).get(pk=unquote(object_id))
        except (self.model.DoesNotExist, ValidationError):
            raise Http404("No such row.") from None


@admin.register(DuplicatePair)
class DuplicatePairAdmin(WrittenElsewhereAdmin):
    """The queue of those who may be one person, strongest first."""

    list_display = ("who", "shared", "platform", "state", "found")
    list_filter = ("platform", PairStatusFilter, "same_email", "same_phone", "same_name")
    list_select_related = ("platform", "a", "b")
    sortable_by = ()
    ordering = ("-strength", "-found_at", "pk")
    actions = ("dismiss", "reopen")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DuplicatePair]:
        """Leave out those of whom one is no customer any more."""
        return super().get_queryset(request).live()  # type: ignore[attr-defined]

    @admin.display(description="who")
    def who(self, pair: DuplicatePair) -> SafeString:
        """The two, leading to where they are compared."""
        return format_html('<a href="{}">{} and {}</a>', wording.merge_address(pair.a, pair.b), *wording.apart(pair))

    @admin.display(description="they share")
    def shared(self, pair: DuplicatePair) -> SafeString:
        """What they agree in."""
        return format_html_join(" ", "{}", ((pill("core", wording.WHY[word]),) for word in pair.why))

    @admin.display(description="status")
    def state(self, pair: DuplicatePair) -> SafeString:
        """Whether staff have looked at it."""
        is_open = pair.status == DuplicatePair.Status.OPEN
        return pill("warn" if is_open else "off", pair.get_status_display())

    @admin.display(description="found")
    def found(self, pair: DuplicatePair) -> str:
        """The day when it was first found."""
        return day_of(pair.found_at)

    @admin.action(description="Dismiss: they are two", permissions=["change"])
    def dismiss(self, request: HttpRequest, queryset: QuerySet[DuplicatePair]) -> None:
        """Say of the chosen pairs that they are two people each."""
        self._settle(request, queryset, duplicates.dismiss, "dismissed")

    @admin.action(description="Look at again", permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[DuplicatePair]) -> None:
        """Put the chosen pairs into the queue again."""
        self._settle(request, queryset, duplicates.reopen, "open again")

    def _settle(self, request: HttpRequest, queryset: QuerySet[DuplicatePair], settle: Any, word: str) -> None:
        pairs = list(self.in_scope(request, queryset.order_by("pk"), self.change_right)[: self.list_per_page])
        done = 0
        for pair in pairs:
            # Where a scan has just found that it is no pair any more, there is nothing to be said of it.
            with suppress(DuplicatePair.DoesNotExist):
                settle(pair=pair, by=Actor.of(request))
                done += 1
        messages.success(request, f"{done} pair{'' if done == 1 else 's'} {word}.")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to where the two are compared."""
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        pair = self.find(request, object_id, "a", "b")
        return HttpResponseRedirect(wording.merge_address(pair.a, pair.b))


@admin.register(Merge)
class MergeAdmin(WrittenElsewhereAdmin, ReadOnlyAdmin):
    """What was merged, when, by whom and why; each leads to where it is undone."""

    list_display = ("what", "platform", "state", "when", "actor_label")
    list_filter = ("platform", "at")
    list_select_related = ("platform", "kept", "merged")
    sortable_by = ()
    ordering = ("-at", "pk")

    @admin.display(description="what")
    def what(self, trail: Merge) -> SafeString:
        """Who was merged into whom."""
        address = reverse("admin:customers_merge_change", args=[trail.pk])
        return format_html('<a href="{}">{} into {}</a>', address, *wording.merged_and_kept(trail))

    @admin.display(description="status")
    def state(self, trail: Merge) -> SafeString:
        """Whether it was undone."""
        return pill("off", "Undone") if trail.undone_at else pill("on", "Merged")

    @admin.display(description="when")
    def when(self, trail: Merge) -> str:
        """The day."""
        return day_of(trail.at)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether merges may be undone."""
        return self.may(request, self.change_right, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the row may go with its platform."""
        return WrittenElsewhereAdmin.has_delete_permission(self, request, obj)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a merge, and what undoing it would do; on POST undo it."""
        trail = self.find(request, object_id, "platform", "kept", "merged")
        may_undo = self.has_change_permission(request, trail)
        if request.method != "POST":
            return self._show(request, trail, may_undo=may_undo)
        if not may_undo:
            raise PermissionDenied
        return self._undo(request, trail)

    def _undo(self, request: HttpRequest, trail: Merge) -> HttpResponse:
        try:
            done = merging.undo(trail=trail, by=Actor.of(request))
        except merging.Blocked as error:
            messages.error(request, str(error))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        except IntegrityError:
            messages.error(request, f"{wording.COLLISION} Nothing was done.")
        else:
            newer = ", ".join(map(wording.field_name, done.newer))
            stays = f" Changed since, and left so: {newer}." if newer else ""
            messages.success(request, f"The two are two again.{stays}")
            self.log_change(request, trail, "Undone.")
        return HttpResponseRedirect(request.path)

    def _show(self, request: HttpRequest, trail: Merge, *, may_undo: bool) -> HttpResponse:
        undoing = merging.preview_undo(trail)
        names = wording.merged_and_kept(trail)
        title = "{} into {}".format(*names)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "subtitle": None,
            "trail": [
                {"text": "Merges", "url": reverse("admin:customers_merge_changelist")},
                {"text": title, "url": ""},
            ],
            "merge": trail,
            "names": names,
            "kept_url": wording.customer_address(trail.kept),
            "merged_url": wording.customer_address(trail.merged),
            "moves": wording.moves(trail.moves),
            "taken": [wording.field_name(name) for name in (*undoing.restored, *undoing.newer) if name != "status"],
            "restored": [wording.field_name(name) for name in undoing.restored],
            "newer": [wording.field_name(name) for name in undoing.newer],
            "blockers": [] if trail.undone_at else undoing.blockers,
            "can_undo": may_undo and not undoing.blockers,
        }
        return TemplateResponse(request, "admin/customers/merging/merge.html", context)
