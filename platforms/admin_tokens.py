"""API tokens in the admin: made, shown once, revoked, never changed."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from platforms.access import Actor, Right
from platforms.admin_base import ScopedAdmin
from platforms.admin_displays import day_of, pill
from platforms.admin_forms import ApiTokenForm
from platforms.models import ApiToken
from platforms.tokens import Standing, standing_of, with_standing

EXPIRES_SOON = timedelta(days=14)


class ApiTokenAdmin(ScopedAdmin):
    """The keys of API clients: made, shown once, watched and revoked, never edited."""

    form = ApiTokenForm
    view_right = Right.MEMBERS
    change_right = Right.MEMBERS
    list_display = ("name", "status", "reach", "scope_names", "expires", "last_used", "created_by")
    list_filter = ("platform",)
    search_fields = ("name", "token_key", "user__username", "platform__code")
    search_help_text = "Name, prefix, username or platform's code"
    ordering = ("-created",)
    autocomplete_fields = ("platform", "vendor")

    class Media:
        js = ("admin/js/jquery.init.js", "admin_theme/rows_of_platform.js")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the tokens in scope with what their status is made of."""
        return with_standing(super().get_queryset(request))

    def get_fieldsets(self, request: HttpRequest, obj: ApiToken | None = None) -> list[Any]:
        """Return what is asked of a new token, or what there is to see of one."""
        if obj is None:
            return [
                (None, {"fields": ("name", "platform", "vendor")}),
                ("Reach", {"fields": ("scopes", "expires_in_days")}),
            ]
        facts = ("name", "prefix", "status", "platform", "vendor", "scope_names", "created_by", "created", "expires")
        return [(None, {"fields": (*facts, "last_used")})]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        """Show a token's facts; a new one is asked for."""
        return () if obj is None else tuple(self.get_fieldsets(request, obj)[0][1]["fields"])

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """A token is never edited: who holds it would not know."""
        return False

    @admin.display(description="prefix", ordering="token_key")
    def prefix(self, token: ApiToken) -> str:
        """The characters by which people tell tokens apart."""
        return f"{token.token_key}…"

    @admin.display(description="scopes")
    def scope_names(self, token: ApiToken) -> str:
        """What it may do."""
        return ", ".join(str(ApiToken.Scope(scope).label) for scope in token.scopes)

    @admin.display(description="created by", ordering="user__username")
    def created_by(self, token: ApiToken) -> str:
        """Whose rights it cannot exceed."""
        return token.user.get_username()

    @admin.display(description="platform", ordering="platform__name")
    def reach(self, token: ApiToken) -> str:
        """The platform, and the vendor where it is bound to one."""
        if token.platform is None:
            return "Every platform of its user"
        return f"{token.platform} · {token.vendor}" if token.vendor else str(token.platform)

    @admin.display(description="expires", ordering="expiry")
    def expires(self, token: ApiToken) -> str:
        """The day on which its time is over."""
        return day_of(token.expiry) if token.expiry else "Never"

    @admin.display(description="last used", ordering="last_used_at")
    def last_used(self, token: ApiToken) -> str:
        """The day of its last use."""
        return day_of(token.last_used_at) if token.last_used_at else "Never"

    @admin.display(description="status", ordering="expiry")
    def status(self, token: ApiToken) -> SafeString:
        """Valid, about to expire, or refused and why."""
        standing = standing_of(token)
        if standing is not Standing.VALID:
            return pill("off", str(standing.label))
        if token.expiry is not None and token.expiry <= timezone.now() + EXPIRES_SOON:
            return pill("warn", "Expires soon")
        return pill("on", "Valid")

    def get_form(self, request: HttpRequest, obj: ApiToken | None = None, **kwargs: Any) -> type[ModelForm]:
        """Return the form, which has the token made in the name of who asks."""
        form = super().get_form(request, obj, **kwargs)
        return type(form.__name__, (form,), {"actor": Actor.of(request)})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Draw the page with the one button that fits: what follows a new token is the page that shows it."""
        context.update(show_save_and_add_another=False, show_save_and_continue=False)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> ApiToken:
        """Return the token that the form has had made; its plain text stays on the form until the answer is drawn."""
        return form.instance

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Write nothing more: the service has saved the token."""
        request.__dict__["_issued_token"] = form.plain_text

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """Show the token, once: in this answer and nowhere else, kept by no cache, cookie or session."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Token made",
            "subtitle": obj.name,
            "opts": self.opts,
            "token": obj,
            "plain_text": request.__dict__.pop("_issued_token"),
            "scope_names": self.scope_names(obj),
        }
        response = TemplateResponse(request, "admin/platforms/apitoken/issued.html", context)
        response["Cache-Control"] = "no-store"
        return response
