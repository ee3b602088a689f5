"""Segments, for staff."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers import segments
from customers.api.serializers.people import CustomerSerializer
from customers.api.serializers.segments import RuleFieldSerializer, SegmentSerializer, SegmentSummarySerializer
from customers.api.viewsets.people import CustomerViewSet
from customers.models import Customer, Segment
from customers.rules import FIELDS
from modules.api.bases import AdminResource


class SegmentViewSet(AdminResource):
    """Customers who have something in common, by rules that are kept; who they are is asked anew each time."""

    queryset = Segment.objects.select_related("platform")
    serializer_class = SegmentSerializer
    ordering = ("name", "id")

    def get_serializer_class(self) -> Any:
        """Return that of the rows that the action answers: members are customers."""
        return CustomerSerializer if self.action == "members" else super().get_serializer_class()

    @extend_schema(responses=CustomerSerializer(many=True))
    @action(detail=True)
    def members(self, request: Request, **address: str) -> Response:
        """List the members, the newest customers first."""
        customers = self.in_scope(Customer.objects.prefetch_related("tags", "vendors"))
        self.ordering = CustomerViewSet.ordering  # type: ignore[misc]  # of the rows that come in pages here
        page = self.paginate_queryset(segments.in_pages(self.find(**self.address), customers))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(responses=SegmentSummarySerializer)
    @action(detail=True, pagination_class=None)
    def summary(self, request: Request, **address: str) -> Response:
        """Count the members, and say the rules in words with what has gone of that which they name."""
        segment = self.find(**self.address)
        found = segments.count(segments.in_pages(segment, self.in_scope(Customer.objects.all())))
        return Response(SegmentSummarySerializer({"found": found, "told": segments.told(segment)}).data)

    @extend_schema(responses=RuleFieldSerializer(many=True))
    @action(detail=False, pagination_class=None)
    def fields(self, request: Request, **address: str) -> Response:
        """List what rules may ask: fields, their operators, and what each of them takes."""
        catalogue = [
            {
                "field": name,
                "label": field.label,
                "operators": [
                    {
                        "operator": code,
                        "label": operator.label,
                        "value_schema": operator.kind.schema if operator.kind else None,
                        "names": operator.names,
                    }
                    for code, operator in field.operators.items()
                ],
            }
            for name, field in FIELDS.items()
        ]
        return Response(RuleFieldSerializer(catalogue, many=True).data)
