"""Where the API of customers is served, in each of the three trees."""

from customers.api.viewsets.consents import ConfirmConsentViewSet, ConsentViewSet
from customers.api.viewsets.duplicates import (
    DuplicatePairViewSet,
    MergeTrailViewSet,
    MergeViewSet,
    ScanViewSet,
)
from customers.api.viewsets.imports import ImportViewSet
from customers.api.viewsets.people import (
    AddressViewSet,
    CustomerViewSet,
    NoteViewSet,
    TagViewSet,
    TimelineViewSet,
)
from customers.api.viewsets.privacy import PrivacyRequestViewSet
from customers.api.viewsets.segments import SegmentViewSet
from customers.api.viewsets.vendors import VendorCustomerViewSet, VendorNoteViewSet
from modules.api.bases import ModuleRouter

admin_router = ModuleRouter()
admin_router.register("customers", CustomerViewSet)
admin_router.register("addresses", AddressViewSet)
admin_router.register("tags", TagViewSet)
admin_router.register("notes", NoteViewSet)
admin_router.register("consents", ConsentViewSet, basename="consent")
admin_router.register("timeline", TimelineViewSet, basename="timeline")
admin_router.register("duplicates/scan", ScanViewSet, basename="duplicate-scan")
admin_router.register("duplicates", DuplicatePairViewSet)
admin_router.register("merge", MergeViewSet, basename="merging")
admin_router.register("merges", MergeTrailViewSet)
admin_router.register("privacy-requests", PrivacyRequestViewSet, basename="privacy-request")
admin_router.register("imports", ImportViewSet, basename="import")
admin_router.register("segments", SegmentViewSet)

vendor_router = ModuleRouter()
vendor_router.register("customers", VendorCustomerViewSet)
vendor_router.register("notes", VendorNoteViewSet)

public_router = ModuleRouter()
public_router.register("consents/confirm", ConfirmConsentViewSet, basename="confirm-consent")
