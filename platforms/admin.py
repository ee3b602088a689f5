"""The platforms' admin: users, platforms, vendors, who belongs to them, and the tokens of API clients."""

from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import ForeignKey, QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from platforms import services
from platforms.access import Actor, Right
from platforms.admin_base import GuardedAdmin, ScopedAdmin
from platforms.admin_displays import active_pill, count_of, day_of, pill
from platforms.admin_forms import GuardedForm, PlatformForm, ReasonForm, UsernameField
from platforms.admin_panels import Column, DeletionWarning, Panel
from platforms.admin_second_factor import SecondFactorMixin
from platforms.admin_tokens import ApiTokenAdmin
from platforms.models import ApiToken, Membership, Platform, User, Vendor

# Rights come from memberships and tokens: Django's groups would promise what nothing here grants.
admin.site.unregister(Group)
# allauth keeps no addresses here, and second factors are each person's own.
admin.site.unregister([EmailAddress, Authenticator])


@admin.register(User)
class UserAdmin(SecondFactorMixin, GuardedAdmin, DjangoUserAdmin):
    """Who can log in. Only superusers come here: everybody else names people by their username."""

    list_display = ("username", "full_name", "email", "access", "status", "platforms", "last_seen")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("username", "first_name", "last_name", "email")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "second_factor")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "Access",
            {
                "fields": ("is_active", "is_staff", "is_superuser"),
                "description": "Staff log in here and see the platforms they belong to; superusers see everything.",
            },
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "usable_password", "password1", "password2")}),
        ("Access", {"fields": ("is_staff", "is_superuser")}),
    )
    readonly_fields = ("second_factor", "last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Bring the number of memberships along."""
        return super().get_queryset(request).annotate(membership_count=count_of(Membership.objects.all(), "user"))

    @admin.display(description="name", ordering="last_name")
    def full_name(self, user: User) -> str:
        """First and last name."""
        return user.get_full_name()

    @admin.display(description="status", ordering="is_active")
    def status(self, user: User) -> SafeString:
        """Active or not."""
        return active_pill(user)

    @admin.display(description="access", ordering="is_superuser")
    def access(self, user: User) -> SafeString:
        """How far they come in here."""
        if user.is_superuser:
            return pill("core", "Superuser")
        return pill("unknown", "Staff" if user.is_staff else "API only")

    @admin.display(description="last log-in", ordering="last_login", empty_value="Never")
    def last_seen(self, user: User) -> str | None:
        """The day on which they last logged in."""
        return day_of(user.last_login) if user.last_login else None

    @admin.display(description="memberships", ordering="membership_count")
    def platforms(self, user: User) -> int:
        """How many platforms and vendors they belong to."""
        return user.membership_count  # type: ignore[attr-defined]

    def _is_operator(self, request: HttpRequest) -> bool:
        return Actor.of(request).is_superuser

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Superusers only."""
        return self._is_operator(request)

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Superusers only."""
        return self._is_operator(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers only."""
        return self._is_operator(request)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Superusers only."""
        return self._is_operator(request)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Superusers only."""
        return self._is_operator(request)


@admin.register(Platform)
class PlatformAdmin(ScopedAdmin):
    """Platforms. What other apps show here they add with `add_panel()` and `add_column()`."""

    form = PlatformForm
    add_right = Right.OPERATE
    delete_right = Right.OPERATE
    list_display = ("name", "code", "kind", "status", "vendors", "created")
    list_filter = ("kind", "is_active")
    search_fields = ("code", "name")
    search_help_text = "Name or code"
    ordering = ("name",)
    change_form_template = "admin/platforms/platform/change_form.html"
    delete_confirmation_template = "admin/platforms/platform/delete_confirmation.html"

    panels: ClassVar[list[Panel]] = []
    columns: ClassVar[list[Column]] = []

    @classmethod
    def add_panel(cls, panel: Panel) -> None:
        """Show a panel on every platform's page, above its form; panels stand in the order in which they came."""
        cls.panels.append(panel)

    @classmethod
    def add_column(cls, column: Column) -> None:
        """Show a column in the list of platforms and on the start page."""
        cls.columns.append(column)

    def facts(self, platform: Platform) -> list[dict[str, Any]]:
        """Return what other apps' columns say of a platform, for the start page."""
        return [{"label": column.label, "value": column.display(platform)} for column in self.columns]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Return our columns, with those of other apps before the date."""
        *own, last = self.list_display
        return [*own, *(column.display for column in self.columns), last]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Platform]:
        """Bring along what the list shows beside the row itself."""
        queryset = super().get_queryset(request).annotate(vendor_count=count_of(Vendor.objects.all(), "platform"))
        for column in self.columns:
            if column.annotate is not None:
                queryset = column.annotate(queryset)
        return queryset

    def get_fieldsets(self, request: HttpRequest, obj: Platform | None = None) -> list[Any]:
        """Return the fields in groups; what the system writes is shown once there is something to show."""
        groups: list[Any] = [
            ("About", {"fields": ("name", "code", "kind", "is_active")}),
            ("Where it sells", {"fields": ("currency", "locales")}),
        ]
        if obj is not None:
            groups.append(("Record", {"fields": ("revision", "created_at")}))
        return groups

    def get_readonly_fields(self, request: HttpRequest, obj: Platform | None = None) -> tuple[str, ...]:
        """The code names the platform in addresses that others hold: it is fixed once made."""
        return ("revision", "created_at") if obj is None else ("code", "revision", "created_at")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Leave out the bulk delete: a platform is deleted one at a time, knowingly, by the service."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.display(description="status", ordering="is_active")
    def status(self, platform: Platform) -> SafeString:
        """Active or not."""
        return active_pill(platform)

    @admin.display(description="vendors", ordering="vendor_count")
    def vendors(self, platform: Platform) -> int:
        """How many vendors it has."""
        return platform.vendor_count  # type: ignore[attr-defined]

    @admin.display(description="created", ordering="created_at")
    def created(self, platform: Platform) -> str:
        """The day it was made."""
        return day_of(platform.created_at)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Platform | None = None,
    ) -> HttpResponse:
        """Draw the page with the panels that have something to show to the asking person."""
        if obj is not None:
            shown = ((panel.template, panel.context(request, obj)) for panel in self.panels)
            context["panels"] = [
                render_to_string(template, {"platform": obj, **panel_context}, request)
                for template, panel_context in shown
                if panel_context is not None
            ]
        return super().render_change_form(request, context, add, change, form_url, obj)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask why, too; where the answer cannot be kept, ask again."""
        form = ReasonForm(request.POST or None)
        if form.is_bound and not form.is_valid():
            # Django deletes whenever anything was sent, and asks where nothing was.
            request.POST = QueryDict()
        return super().delete_view(request, object_id, {"reason_form": form, **(extra_context or {})})

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """Say what goes along. Who may delete a platform may delete all that is on it, of modules that are off too."""
        shown, counts, _, protected = super().get_deleted_objects(objs, request)
        return shown, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Platform) -> None:
        """Delete through the service, which writes down that it was done, and by whom."""
        form = ReasonForm(request.POST)
        form.is_valid()
        services.delete_platform(
            platform=obj, actor=Actor.of(request), source="admin", reason=form.cleaned_data["reason"]
        )


@admin.register(Vendor)
class VendorAdmin(ScopedAdmin):
    """The merchants of each platform. What other apps warn of before one is deleted they add with `add_warning()`."""

    form = GuardedForm
    list_display = ("name", "code", "platform", "status", "members", "created")
    list_filter = ("platform", "is_active")
    list_select_related = ("platform",)
    search_fields = ("code", "name", "platform__code")
    search_help_text = "Name, code or platform's code"
    ordering = ("name",)
    autocomplete_fields = ("platform",)

    warnings: ClassVar[list[DeletionWarning]] = []

    @classmethod
    def add_warning(cls, warning: DeletionWarning) -> None:
        """Say something where a vendor's deletion is to be confirmed, above what goes along."""
        cls.warnings.append(warning)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """Say what goes along, and what other apps warn of."""
        shown, counts, needed, protected = super().get_deleted_objects(objs, request)
        said = [line for vendor in objs for warning in self.warnings for line in warning(request, vendor)]
        return [*said, *shown], counts, needed, protected

    def get_queryset(self, request: HttpRequest) -> QuerySet[Vendor]:
        """Bring the number of members along."""
        queryset = super().get_queryset(request).select_related("platform")
        return queryset.annotate(member_count=count_of(Membership.objects.all(), "vendor"))

    def get_fieldsets(self, request: HttpRequest, obj: Vendor | None = None) -> list[Any]:
        """Return the fields in groups."""
        groups: list[Any] = [(None, {"fields": ("platform", "name", "code", "is_active")})]
        if obj is not None:
            groups.append(("Record", {"fields": ("created_at",)}))
        return groups

    def get_readonly_fields(self, request: HttpRequest, obj: Vendor | None = None) -> tuple[str, ...]:
        """A vendor stays on its platform, under its code: a merchant on two platforms is two vendors."""
        return ("created_at",) if obj is None else ("platform", "code", "created_at")

    @admin.display(description="status", ordering="is_active")
    def status(self, vendor: Vendor) -> SafeString:
        """Active or not."""
        return active_pill(vendor)

    @admin.display(description="members", ordering="member_count")
    def members(self, vendor: Vendor) -> int:
        """How many people act for it."""
        return vendor.member_count  # type: ignore[attr-defined]

    @admin.display(description="created", ordering="created_at")
    def created(self, vendor: Vendor) -> str:
        """The day it was made."""
        return day_of(vendor.created_at)

    def autocomplete_label(self, row: Vendor) -> str:
        """Name the platform too: the same merchant is often on several."""
        return f"{row.name} · {row.platform.name}"


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    """Who belongs to which platform, and as what."""

    form = GuardedForm
    view_right = Right.MEMBERS
    change_right = Right.MEMBERS
    list_display = ("user", "role_pill", "platform", "vendor", "created")
    list_filter = ("role", "platform")
    list_select_related = ("user", "platform", "vendor")
    search_fields = ("user__username", "user__first_name", "user__last_name", "user__email", "platform__code")
    search_help_text = "Username, name or platform's code"
    ordering = ("platform__name", "user__username")
    autocomplete_fields = ("user", "platform", "vendor")

    class Media:
        js = ("admin/js/jquery.init.js", "admin_theme/rows_of_platform.js")

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Search what the list shows: an address that it does not show could be guessed letter by letter."""
        fields = super().get_search_fields(request)
        return tuple(name for name in fields if name != "user__email" or Actor.of(request).is_superuser)

    def get_fieldsets(self, request: HttpRequest, obj: Membership | None = None) -> list[Any]:
        """Return who, where and as what."""
        return [(None, {"fields": ("user", "platform", "role", "vendor")})]

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        """A membership stays with its user and platform; what changes is the role."""
        return () if obj is None else ("user", "platform")

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        """Let those who may not browse users name one exactly."""
        if db_field.name == "user" and not Actor.of(request).is_superuser:
            return UsernameField()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description="role", ordering="role")
    def role_pill(self, membership: Membership) -> SafeString:
        """Admin, viewer or vendor."""
        kinds = {Membership.Role.ADMIN: "core", Membership.Role.VIEWER: "off", Membership.Role.VENDOR: "warn"}
        return pill(kinds[Membership.Role(membership.role)], membership.get_role_display())

    @admin.display(description="created", ordering="created_at")
    def created(self, membership: Membership) -> str:
        """The day it was made."""
        return day_of(membership.created_at)

    def get_form(
        self, request: HttpRequest, obj: Membership | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        """Offer the vendors of the membership's platform."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is not None and "vendor" in form.base_fields:
            field: Any = form.base_fields["vendor"]
            field.queryset = field.queryset.filter(platform=obj.platform_id)
            field.widget.widget.attrs["data-platform"] = obj.platform_id
        return form


admin.site.register(ApiToken, ApiTokenAdmin)
