"""What goes on in the background: tasks, deliveries, events; to be read, and to be tried again. For superusers."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_q.models import Failure, OrmQ, Success
from django_q.models import Schedule as QueueSchedule

from modules import work
from modules.admin import wording
from modules.admin.readonly import ReadOnlyAdmin
from modules.models import Delivery, Event, TaskRun
from modules.work_models import Work
from platforms.access import Actor
from platforms.admin_base import GuardedAdmin
from platforms.admin_displays import pill

# The queue's own pages call any function that somebody names and show arguments as they were pickled. What is to be
# done, and whether it was, is shown here.
for model in (QueueSchedule, Success, Failure, OrmQ):
    admin.site.unregister(model)

_PILLS = {
    Work.State.WAITING: "core",
    Work.State.DONE: "on",
    Work.State.SKIPPED: "off",
    Work.State.FAILED: "warn",
}


class OperatorAdmin(ReadOnlyAdmin):
    """Rows of the machinery, of all platforms: superusers read them on Django's own pages."""

    change_form_template = "admin/modules/work/row.html"

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Superusers only."""
        return Actor.of(request).is_superuser

    def has_module_permission(self, request: HttpRequest) -> bool:
        """As for the list."""
        return self.has_view_permission(request)

    def detail_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show every field of a row."""
        return GuardedAdmin.change_view(self, request, object_id)


class WorkAdmin(OperatorAdmin):
    """Work that waits, was done or skipped, or has failed; what is over can be tried again."""

    actions = ("try_again",)  # type: ignore[assignment]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, and have what is chosen there tried again."""
        return GuardedAdmin.changelist_view(self, request, extra_context)

    @admin.action(description="Try again what failed or was skipped", permissions=["view"])
    def try_again(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Have the chosen rows tried again from the start."""
        count = work.retry(self.model, queryset)
        if count:
            messages.success(request, f"{count} will be tried again.")
        else:
            messages.warning(request, "Nothing to try again: none of these has failed or was skipped.")

    @admin.display(description="state", ordering="state")
    def status(self, row: Work) -> SafeString:
        """How it stands."""
        return pill(_PILLS[Work.State(row.state)], row.get_state_display())

    @admin.display(description="last attempt", ordering="started_at", empty_value="–")
    def tried(self, row: Work) -> SafeString | None:
        """When it was last tried."""
        return wording.moment(row.started_at) if row.started_at else None

    @admin.display(description="note", empty_value="–")
    def said(self, row: Work) -> str | None:
        """Why it was skipped, or what went wrong last."""
        return row.note or None


@admin.register(TaskRun)
class TaskRunAdmin(WorkAdmin):
    """Tasks: what was enqueued, and what became of it."""

    list_display = ("task", "platform_code", "status", "said", "attempts", "tried")
    list_filter = ("state",)
    search_fields = ("task", "key")
    search_help_text = "Task or key"
    ordering = ("-created_at",)
    fields = (
        *("task", "platform_code", "key", "arguments_shown", "created_at"),
        *("state", "attempts", "started_at", "due_at", "finished_at", "note"),
    )
    readonly_fields = ("platform_code", "arguments_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskRun]:
        """Bring the platforms along, as far as they are still there."""
        queryset: QuerySet[TaskRun] = super().get_queryset(request)
        return queryset.select_related("platform")

    @admin.display(description="platform", empty_value="–")
    def platform_code(self, run: TaskRun) -> str | None:
        """The platform's code; its number where it is gone."""
        return _platform_of(run)

    @admin.display(description="arguments")
    def arguments_shown(self, run: TaskRun) -> SafeString:
        """What it is called with."""
        return _json(run.arguments)


@admin.register(Delivery)
class DeliveryAdmin(WorkAdmin):
    """Deliveries: who was told of an event, and what became of it."""

    list_display = ("event_name", "status", "said", "handler", "platform_code", "tried")
    list_filter = ("state",)
    search_fields = ("event__name", "handler")
    search_help_text = "Event or handler"
    ordering = ("-pk",)
    fields = (
        *("event", "module", "handler", "platform_code", "data_shown"),
        *("state", "attempts", "started_at", "due_at", "finished_at", "note"),
    )
    readonly_fields = ("event", "platform_code", "data_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Bring the events along, and their platforms as far as they are still there."""
        queryset: QuerySet[Delivery] = super().get_queryset(request)
        return queryset.select_related("event__platform")

    @admin.display(description="event", ordering="event__name")
    def event_name(self, delivery: Delivery) -> str:
        """What happened."""
        return delivery.event.name

    @admin.display(description="platform", empty_value="–")
    def platform_code(self, delivery: Delivery) -> str | None:
        """The platform's code; its number where it is gone."""
        return _platform_of(delivery.event)

    @admin.display(description="data")
    def data_shown(self, delivery: Delivery) -> SafeString:
        """What the event says."""
        return _json(delivery.event.data)


@admin.register(Event)
class EventAdmin(OperatorAdmin):
    """Events: what happened, as it was told to others."""

    list_display = ("name", "platform_code", "when", "data")
    search_fields = ("name",)
    search_help_text = "Event"
    ordering = ("-at",)
    fields = ("id", "name", "version", "at", "platform_code", "vendor_id", "actor_id", "data_shown")
    readonly_fields = ("id", "platform_code", "vendor_id", "actor_id", "data_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """Bring the platforms along, as far as they are still there."""
        queryset: QuerySet[Event] = super().get_queryset(request)
        return queryset.select_related("platform")

    @admin.display(description="platform", empty_value="–")
    def platform_code(self, event: Event) -> str | None:
        """The platform's code; its number where it is gone."""
        return _platform_of(event)

    @admin.display(description="when", ordering="at")
    def when(self, event: Event) -> SafeString:
        """When it happened."""
        return wording.moment(event.at)

    @admin.display(description="data")
    def data_shown(self, event: Event) -> SafeString:
        """What it says."""
        return _json(event.data)


def _platform_of(row: Event | TaskRun) -> str | None:
    if row.platform_id is None:
        return None
    # The row outlives its platform: then the join finds nothing.
    return row.platform.code if row.platform is not None else f"number {row.platform_id} (gone)"


def _json(value: Any) -> SafeString:
    return format_html("<code>{}</code>", json.dumps(value, ensure_ascii=False, sort_keys=True))
