"""The list of customers as a file, and where a file becomes customers: for those who may."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from customers import exports
from customers.models import ImportRun
from modules.admin.bases import ModuleModelAdmin
from modules.permissions import right_for
from platforms.access import Actor
from platforms.admin_base import row_number
from platforms.conflicts import Conflict
from platforms.models import Platform

_ASKED = "_export"
_CHOSEN = "platform__id__exact"
_ONE_PLATFORM = "A file is of one platform: choose it in the filter first."


class ExportableAdmin(ModuleModelAdmin):
    """Answers the list as a file where the address says `_export=csv` or `_export=xlsx`."""

    change_list_template = "admin/customers/customer/change_list.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """Show the list with the links to its files and to the upload of one, or answer one of them."""
        if _ASKED in request.GET:
            return self._export(request)
        links = {}
        if self._exportable(request).exists():
            for value, label in ImportRun.Format.choices:
                query = request.GET.copy()
                query[_ASKED] = value
                links[label] = f"?{query.urlencode()}"
        tools = {"exports": links, "import_url": self._import_url(request)}
        return super().changelist_view(request, {**(extra_context or {}), **tools})

    def _import_url(self, request: HttpRequest) -> str:
        """Return where a file is uploaded, for the platform that the list shows; "" for who may not do so anywhere."""
        if not self.may(request, self.change_right):
            return ""
        chosen = request.GET.get(_CHOSEN)
        query = f"?{urlencode({'platform': chosen})}" if chosen else ""
        return reverse("admin:customers_importrun_add") + query

    def _exportable(self, request: HttpRequest) -> QuerySet[Platform]:
        """Return the platforms whose customers the asking person may export."""
        return self.in_scope(request, Platform.objects.all(), right_for("customers", "export"))

    def _export(self, request: HttpRequest) -> HttpResponseBase:
        query = request.GET.copy()
        wanted = query.pop(_ASKED)[-1]
        request.GET = query  # type: ignore[assignment]  # what is left are the filters of the list
        back = HttpResponseRedirect(f"{request.path}?{query.urlencode()}")
        platforms = self._exportable(request)
        if not platforms.exists():
            raise PermissionDenied
        if _CHOSEN in query:
            platforms = platforms.filter(pk=row_number(str(query[_CHOSEN])) or 0)
        try:
            found = list(platforms[:2])
            if len(found) != 1 or wanted not in ImportRun.Format.values:
                messages.error(request, _ONE_PLATFORM)
                return back
            customers = self.get_changelist_instance(request).queryset
            return self._answer(request, found[0], customers, ImportRun.Format(wanted))
        except (Conflict, IncorrectLookupParameters) as error:
            messages.error(request, str(error) or "There is no such filter.")
            return HttpResponseRedirect(request.path)

    def _answer(
        self, request: HttpRequest, platform: Platform, customers: Any, file_format: ImportRun.Format
    ) -> HttpResponseBase:
        pieces = exports.export(platform=platform, customers=customers, file_format=file_format, by=Actor.of(request))
        headers = {"Content-Disposition": f'attachment; filename="customers-{platform.code}.{file_format}"'}
        return StreamingHttpResponse(pieces, content_type=exports.CONTENT_TYPES[file_format], headers=headers)
