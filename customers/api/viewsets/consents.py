"""The ledger of consents: for staff, and for who has a link from a mail."""

from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from customers import consents
from customers.api.filters import ConsentFilter
from customers.api.serializers.consents import ConfirmedSerializer, ConfirmSerializer, ConsentSerializer
from customers.api.viewsets import ADD
from customers.models import ConsentRecord
from modules.api.bases import AdminResource, PublicGate
from platforms.api.viewsets import BaseViewSet


class ConsentViewSet(AdminResource):
    """The ledger of what customers agreed to: lines are added, and never changed."""

    http_method_names = ADD
    queryset = ConsentRecord.objects.select_related("customer")
    serializer_class = ConsentSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = ConsentFilter
    ordering = ("-at", "id")


class ConfirmConsentViewSet(PublicGate, BaseViewSet):
    """The link in the mail that asks whether a consent was meant."""

    http_method_names = ["post"]
    serializer_class = ConfirmSerializer

    @extend_schema(request=ConfirmSerializer, responses={200: ConfirmedSerializer})
    def create(self, request: Request, **address: str) -> Response:
        """Confirm the consent that the link is about; confirmed already, it is answered as the first time."""
        with self.writing():
            said = self.read_body(ConfirmSerializer).validated_data
            line = consents.confirm(platform=self.platform, token=said["token"])
            answer = ConfirmedSerializer(line).data
        return Response(answer)
