"""Admins of what nobody edits: lists and pages to be read, and 405 to anything but a reader."""

from typing import Any

from django.contrib.admin.utils import unquote
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from platforms.admin_base import GuardedAdmin

READING = ("GET", "HEAD")


class ReadOnlyAdmin(GuardedAdmin):
    """Nothing is added, changed or deleted here, and nothing but reading is answered."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list."""
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        return super().changelist_view(request, extra_context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one row."""
        if request.method not in READING:
            return HttpResponseNotAllowed(READING)
        return self.detail_view(request, unquote(object_id))

    def detail_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Draw one row's page; for the subclass to say."""
        raise NotImplementedError

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse: there is no such page."""
        return HttpResponseNotAllowed([])

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse: there is no such page."""
        return HttpResponseNotAllowed([])

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse: what is never edited here has no log of edits."""
        return HttpResponseNotAllowed([])
