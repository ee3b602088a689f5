"""`platforms.api.parameters`: every filter's parameters are known, also where one filter reads two."""

import django_filters
import pytest
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.test import APIRequestFactory, force_authenticate

from platforms.api.views import VendorViewSet
from platforms.models import Vendor


class ComingFilter(django_filters.FilterSet):
    created_at = django_filters.IsoDateTimeFromToRangeFilter()

    class Meta:
        model = Vendor
        fields: list[str] = []


class FilteredVendorViewSet(VendorViewSet):
    filter_backends = [DjangoFilterBackend]
    filterset_class = ComingFilter


@pytest.mark.parametrize(
    ("name", "status"),
    [("created_at_after", 200), ("created_at_before", 200), ("created_at", 400), ("created_at_min", 400)],
)
def test_known__a_range__is_asked_by_its_two_ends(name, status, kestrel, ann):
    request = APIRequestFactory().get("/", {name: "2026-03-16T09:00:00Z"})
    force_authenticate(request, user=ann)
    answer = FilteredVendorViewSet.as_view({"get": "list"})(request, platform="kestrel")
    assert answer.status_code == status
