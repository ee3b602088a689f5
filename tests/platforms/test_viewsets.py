"""`platforms.api.viewsets`: what was written is looked for again in scope, whatever a view or a serializer does."""

import pytest
from rest_framework.test import APIRequestFactory, force_authenticate

from platforms.api.serializers import MembershipSerializer, PlatformSerializer, VendorSerializer
from platforms.api.views import MembershipViewSet, PlatformViewSet, VendorViewSet
from platforms.models import Membership, Platform, Vendor

FERN = {"code": "fern", "name": "Fern"}


class StrayingVendorSerializer(VendorSerializer):
    """Puts what it saves on another platform than the address's."""

    def create(self, validated_data):
        return super().create({**validated_data, "platform": Platform.objects.get(code="tidewater")})

    def update(self, instance, validated_data):
        Vendor.objects.filter(pk=instance.pk).update(platform=Platform.objects.get(code="tidewater"), name="Moved")
        return instance


class StrayingVendorViewSet(VendorViewSet):
    serializer_class = StrayingVendorSerializer


class ResigningSerializer(PlatformSerializer):
    """Takes from everybody, while it saves, the right to what it saves."""

    def update(self, instance, validated_data):
        Membership.objects.all().delete()
        return super().update(instance, validated_data)


class ResigningPlatformViewSet(PlatformViewSet):
    serializer_class = ResigningSerializer


class DemotingMembershipSerializer(MembershipSerializer):
    """Takes the asker's right to members away when it makes one."""

    def create(self, validated_data):
        Membership.objects.filter(user=self.context["request"].user).update(role="viewer")
        return super().create(validated_data)


class DemotingMembershipViewSet(MembershipViewSet):
    serializer_class = DemotingMembershipSerializer


@pytest.fixture
def ask(ann):
    """Send a request of ann's to one action of a viewset."""

    def send(viewset, method, action, body, **kwargs):
        request = getattr(APIRequestFactory(), method)("/", body, headers={"If-Match": "*"})
        force_authenticate(request, user=ann)
        return viewset.as_view({method: action})(request, **kwargs)

    return send


@pytest.mark.parametrize("is_at_home", [True, False])
def test_create__row_lands_out_of_reach__is_rolled_back(ask, kestrel, tidewater, is_at_home, ann):
    if is_at_home:
        # Hers as well, but not what the address names.
        Membership.objects.create(user=ann, platform=tidewater, role="admin")
    response = ask(StrayingVendorViewSet, "post", "create", FERN, platform="kestrel")
    assert response.status_code == 404
    assert [error["code"] for error in response.data["errors"]] == ["not_found"]
    assert not Vendor.objects.exists()
    # The same without the straying.
    assert ask(VendorViewSet, "post", "create", FERN, platform="kestrel").status_code == 201


def test_create__right_goes_while_it_is_made__is_rolled_back(ask, kestrel, vic, ann):
    vic.memberships.all().delete()
    response = ask(DemotingMembershipViewSet, "post", "create", {"user": "vic", "role": "viewer"}, platform="kestrel")
    assert response.status_code == 403
    assert list(Membership.objects.values_list("user", "role")) == [(ann.pk, "admin")]


def test_update__row_leaves_reach__is_rolled_back(ask, brindle, tidewater):
    response = ask(
        StrayingVendorViewSet, "patch", "partial_update", {"name": "New"}, platform="kestrel", vendor="brindle"
    )
    assert response.status_code == 404
    brindle.refresh_from_db()
    assert (brindle.platform.code, brindle.name) == ("kestrel", "Brindle Coffee")


def test_update__right_goes_while_it_is_saved__is_rolled_back(ask, kestrel):
    response = ask(ResigningPlatformViewSet, "patch", "partial_update", {"name": "New"}, platform="kestrel")
    assert response.status_code == 404
    kestrel.refresh_from_db()
    assert kestrel.name == "Kestrel Rewards"
    assert Membership.objects.count() == 1
