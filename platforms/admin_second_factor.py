"""What an operator does for somebody whose device is lost: look which second factors there are, and reset them."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.urls.resolvers import URLPattern

from platforms import services
from platforms.admin_base import row_number
from platforms.models import User
from platforms.second_factor import names_of


class SecondFactorMixin(admin.ModelAdmin):
    """Adds to the admin of users what they have enrolled, and the page that resets it."""

    change_form_template = "admin/platforms/user/change_form.html"

    @admin.display(description="second factor")
    def second_factor(self, user: User) -> str:
        """What they show beside their password."""
        names = ", ".join(names_of(user))
        return f"{names[:1].upper()}{names[1:]}" or "None"

    def get_urls(self) -> list[URLPattern]:
        """Bring the address of the page along."""
        view = self.admin_site.admin_view(self.reset_second_factor)
        own = path("<path:object_id>/reset-second-factor/", view, name="platforms_user_reset_second_factor")
        return [own, *super().get_urls()]

    def reset_second_factor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then remove every factor and write down in the admin's log that it was done."""
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        if not self.has_change_permission(request):
            raise PermissionDenied
        user = self.get_queryset(request).filter(pk=row_number(object_id)).first()
        if user is None:
            raise Http404
        if request.method == "POST":
            removed = services.reset_second_factor(user=user)
            if removed:
                self.log_change(request, user, f"Second factor reset: {', '.join(removed)}.")
                messages.success(request, f"The second factor of {user} was reset: {', '.join(removed)}.")
            else:
                messages.info(request, f"{user} has no second factor. Nothing was done.")
            return redirect("admin:platforms_user_change", user.pk)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Reset the second factor",
            "subtitle": str(user),
            "original": user,
            "names": names_of(user),
        }
        return TemplateResponse(request, "admin/platforms/user/reset_second_factor.html", context)
