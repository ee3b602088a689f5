"""Plans and invoices, with what was paid for them."""

from django.contrib import admin

from billing.models import Invoice, Payment, Plan
from modules.admin.bases import ModuleInline, ModuleModelAdmin


@admin.register(Plan)
class PlanAdmin(ModuleModelAdmin):
    """What vendors can book."""

    list_display = ("name", "code", "platform", "price", "is_public")
    list_editable = ("is_public",)
    list_filter = ("platform", "is_public")
    list_select_related = ("platform",)
    search_fields = ("name", "code")
    autocomplete_fields = ("platform",)


class PaymentInline(ModuleInline):
    """What was paid for an invoice."""

    model = Payment


@admin.register(Invoice)
class InvoiceAdmin(ModuleModelAdmin):
    """What vendors owe."""

    list_display = ("number", "vendor", "platform", "amount", "currency", "status", "issued_on")
    list_filter = ("platform", "status")
    list_select_related = ("platform", "vendor")
    search_fields = ("number", "vendor__name", "vendor__code")
    autocomplete_fields = ("platform", "vendor", "plan")
    inlines = (PaymentInline,)
