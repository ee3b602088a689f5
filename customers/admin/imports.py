"""Imports in the admin: upload a file, see what it would do, start it, see how far it is."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_protect

from customers import exports, imports
from customers.cells import COLUMNS
from customers.models import ErrorPolicy, ImportRun, Match
from modules.admin.bases import ModuleModelAdmin
from modules.admin.readonly import ReadOnlyAdmin
from platforms.access import Actor, Right
from platforms.admin_base import row_number
from platforms.admin_displays import pill
from platforms.admin_scope import KnownAutocompleteSelect
from platforms.conflicts import Conflict
from platforms.models import Platform

# Of the rows with errors, as many as a page shows.
_SHOWN = 20
_REFRESH_SECONDS = 5
_PILLS = {
    ImportRun.Status.CHECKING: "core",
    ImportRun.Status.CHECKED: "warn",
    ImportRun.Status.RUNNING: "core",
    ImportRun.Status.DONE: "on",
    ImportRun.Status.FAILED: "danger",
    ImportRun.Status.CANCELLED: "off",
}
_SAYS = {
    ImportRun.Status.CHECKING: "The file is being checked. Nothing is written yet.",
    ImportRun.Status.CHECKED: "This is what the file would do. Nothing is written yet.",
    ImportRun.Status.RUNNING: "The file is being written.",
    ImportRun.Status.DONE: "The file was written.",
    ImportRun.Status.FAILED: "Nothing was written.",
    ImportRun.Status.CANCELLED: "It was cancelled. What was written until then stays.",
}


def _says(run: ImportRun) -> str:
    if run.status == ImportRun.Status.CANCELLED and run.started_at is None:
        return "It was cancelled before it was started. Nothing was written."
    return _SAYS[ImportRun.Status(run.status)]


class UploadForm(forms.Form):
    """A file, and how it is to be taken."""

    platform = forms.ModelChoiceField(
        queryset=Platform.objects.none(),
        widget=KnownAutocompleteSelect(ImportRun._meta.get_field("platform"), admin.site),
        error_messages={"invalid_choice": "There is no such platform with customers on."},
    )
    file = forms.FileField(
        help_text="XLSX or CSV, from a spreadsheet as “CSV UTF-8” or “Unicode text”; at most 64 MiB.",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
    )
    match = forms.ChoiceField(
        label="Match by", choices=Match.choices, help_text="How a row finds the customer that it speaks of."
    )
    error_policy = forms.ChoiceField(
        label="With errors", choices=ErrorPolicy.choices, help_text="What becomes of the rest where a row has an error."
    )

    def __init__(self, *args: Any, platforms: QuerySet[Platform], meant: str = "", **kwargs: Any) -> None:
        """Offer these platforms; chosen is the one whose number is meant, or the only one."""
        super().__init__(*args, **kwargs)
        field: Any = self.fields["platform"]
        field.queryset = platforms
        found = list(platforms.filter(pk=row_number(meant) or 0) if meant else platforms[:2])
        if len(found) == 1:
            self.initial["platform"] = found[0].pk

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that the template prints."""
        return [{"field": self[name]} for name in self.fields]

    def begin(self, by: Actor) -> ImportRun | None:
        """Read the file and have it checked; None where it cannot be taken, which the form says then."""
        said, match = self.cleaned_data, Match(self.cleaned_data["match"])
        try:
            with imports.received(platform=said["platform"], file=said["file"].file, match=match) as received:
                return imports.begin(
                    platform=said["platform"],
                    received=received,
                    file_name=said["file"].name[-200:],
                    match=match,
                    policy=ErrorPolicy(said["error_policy"]),
                    by=by,
                )
        except ValidationError as error:
            self.add_error("file", list(error.messages))
        except Conflict as error:
            self.add_error("platform", str(error))
        return None


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin, ModuleModelAdmin):
    """Imports of the platforms that the asking person works on: what a file holds is for who could have sent it."""

    view_right: ClassVar[Right] = Right.MANAGE
    list_display = ("file_name", "platform", "state", "total", "failed", "actor_label", "created_at")
    list_filter = ("platform", "status")
    list_select_related = ("platform",)
    sortable_by = ("created_at",)
    ordering = ("-created_at", "-pk")

    @admin.display(description="status")
    def state(self, run: ImportRun) -> SafeString:
        """How far it is."""
        return pill(_PILLS[ImportRun.Status(run.status)], run.get_status_display())

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether a file may be uploaded for some platform."""
        return self.may(request, self.change_right)

    # --- upload ----------------------------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Take a file. Nobody's is read who may not send one: not for its CSRF token either, which is asked then."""
        if not self.has_add_permission(request):
            # Django's page for a 403 would look for the token, too, and so read the body.
            request.csrf_processing_done = True  # type: ignore[attr-defined]
            raise PermissionDenied
        return self._upload(request)

    add_view.csrf_exempt = True  # type: ignore[attr-defined]
    add_view.max_upload_bytes = imports.MAX_UPLOAD_BYTES  # type: ignore[attr-defined]

    @method_decorator(csrf_protect)
    def _upload(self, request: HttpRequest) -> HttpResponse:
        platforms = self.in_scope(request, Platform.objects.all(), self.change_right)
        meant = request.GET.get("platform", "")
        form = UploadForm(request.POST or None, request.FILES or None, platforms=platforms, meant=meant)
        if request.method == "POST" and form.is_valid() and (run := form.begin(Actor.of(request))) is not None:
            return HttpResponseRedirect(_address(run))
        context = {"title": "Import customers", "form": form, "columns": COLUMNS, "trail": self._trail("Upload")}
        return self._render(request, "upload", context)

    # --- one import ------------------------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Show an import; answer its error file, start it, cancel it."""
        run = self.get_object(request, object_id)
        if not isinstance(run, ImportRun):
            raise Http404("No such import.")
        if request.method == "POST":
            return self._move(request, run)
        if "errors" in request.GET:
            headers = {"Content-Disposition": f'attachment; filename="errors-{run.pk}.csv"'}
            content_type = exports.CONTENT_TYPES[ImportRun.Format.CSV]
            return StreamingHttpResponse(imports.error_file(run), content_type=content_type, headers=headers)
        return self._show(request, run)

    def _move(self, request: HttpRequest, run: ImportRun) -> HttpResponse:
        moves: dict[str, Callable[[], Any]] = {
            "start": lambda: imports.start(run=run, by=Actor.of(request)),
            "cancel": lambda: imports.cancel(run=run),
        }
        move = next((moves[name] for name in moves if name in request.POST), None)
        if move is not None:
            try:
                move()
            except Conflict as error:
                messages.error(request, str(error))
        return HttpResponseRedirect(_address(run))

    def _show(self, request: HttpRequest, run: ImportRun) -> HttpResponse:
        is_stuck = run in imports.stuck_imports(run.platform) if run.is_at_work else False
        has_errors = bool(run.failed) and run.error_policy == ErrorPolicy.ALL_OR_NOTHING
        broken = list(run.broken_rows.all()[: _SHOWN + 1])
        context = {
            "title": run.file_name,
            "subtitle": "Import",
            "run": run,
            "says": run.problem or _says(run),
            "state": self.state(run),
            "broken": broken[:_SHOWN],
            "has_more": len(broken) > _SHOWN,
            "is_stuck": is_stuck,
            "can_start": is_stuck or (run.status == ImportRun.Status.CHECKED and not has_errors),
            "is_kept_back": run.status == ImportRun.Status.CHECKED and has_errors,
            "list_url": reverse("admin:customers_importrun_changelist"),
            "upload_url": reverse("admin:customers_importrun_add"),
            "trail": self._trail(run.file_name),
        }
        answer = self._render(request, "detail", context)
        if run.is_at_work and not is_stuck:
            # Shown anew without any script; the page has a link that does the same.
            answer["Refresh"] = str(_REFRESH_SECONDS)
        return answer

    def _render(self, request: HttpRequest, page: str, context: dict[str, Any]) -> TemplateResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, f"admin/customers/importrun/{page}.html", {**shared, **context})

    def _trail(self, last: str) -> list[dict[str, str]]:
        listed = {"text": "Imports", "url": reverse("admin:customers_importrun_changelist")}
        return [{"text": "Customers", "url": reverse("admin:customers_customer_changelist")}, listed, {"text": last}]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        """Return the import, with its platform."""
        return self.get_queryset(request).select_related("platform").filter(pk=self._key(object_id)).first()

    def _key(self, object_id: str) -> Any:
        try:
            return self.opts.pk.to_python(object_id)
        except ValidationError:
            return None


def _address(run: ImportRun) -> str:
    return reverse("admin:customers_importrun_change", args=[run.pk])
