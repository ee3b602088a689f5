"""Where the API of billing is served, in each of the three trees."""

from billing.api.viewsets import (
    InvoiceViewSet,
    PaymentViewSet,
    PlanViewSet,
    PublicPlanViewSet,
    VendorInvoiceViewSet,
)
from modules.api.bases import ModuleRouter

admin_router = ModuleRouter()
admin_router.register("plans", PlanViewSet)
admin_router.register("invoices", InvoiceViewSet)
admin_router.register("payments", PaymentViewSet)

vendor_router = ModuleRouter()
vendor_router.register("invoices", VendorInvoiceViewSet)

public_router = ModuleRouter()
public_router.register("plans", PublicPlanViewSet)
