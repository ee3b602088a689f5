"""Tags in the admin: renamed where segments name them, and deleted by who knows what hangs on them."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers import tags
from customers.admin.segments import warn_of_segments
from customers.models import Customer, Tag
from modules.admin.bases import ModuleModelAdmin
from platforms.admin_forms import GuardedForm


class TagForm(GuardedForm):
    """A tag."""

    class Meta:
        model = Tag
        fields = ("platform", "name")


@admin.register(Tag)
class TagAdmin(ModuleModelAdmin):
    """The words that platforms put on customers."""

    form = TagForm
    list_display = ("name", "platform", "carried_by")
    list_filter = ("platform",)
    list_select_related = ("platform",)
    search_fields = ("name",)
    search_help_text = "Name"
    ordering = ("name",)
    autocomplete_fields = ("platform",)

    @admin.display(description="customers")
    def carried_by(self, tag: Tag) -> SafeString:
        """The way to who carries it, also where tags are too many for a filter."""
        address = f"{reverse('admin:customers_customer_changelist')}?tags__id__exact={tag.pk}"
        return format_html('<a href="{}">Show<span class="visually-hidden"> those with {}</span></a>', address, tag)

    def get_readonly_fields(self, request: HttpRequest, obj: Tag | None = None) -> tuple[str, ...]:
        """A tag stays on its platform."""
        return () if obj is None else ("platform",)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """Say how many customers lose it, and which segments name it; Django would list a line for each customer."""
        is_open = Q(customers__status__in=Customer.OPEN)
        rows = Tag.objects.filter(pk__in=[tag.pk for tag in objs]).annotate(carried=Count("customers", filter=is_open))
        shown: list[Any] = []
        for tag in rows.order_by("name", "pk"):
            taken_off = f"It is taken off {tag.carried} customer{'' if tag.carried == 1 else 's'}."
            shown += [f"Tag: {tag}", [taken_off, *warn_of_segments(request, tag)]]
        needed = set() if all(self.has_delete_permission(request, tag) for tag in objs) else {"tag"}
        return shown, {"tags": len(objs)}, needed, []

    def save_model(self, request: HttpRequest, obj: Tag, form: ModelForm, change: bool) -> None:
        """Have the service rename it: segments name it, too."""
        if change:
            tags.rename_tag(tag=obj, name=obj.name)
        else:
            super().save_model(request, obj, form, change)
