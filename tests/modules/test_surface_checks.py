"""`modules.E004`: routes and admin pages that would show what is off, refused when Django starts."""

from typing import Any

import django_filters
import pytest
from billing.models import Invoice, Plan
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import serializers

from modules.admin.bases import ModuleModelAdmin
from modules.api.bases import AdminGate, AdminResource, ModuleRouter, VendorResource
from modules.api.routes import router_of
from modules.surface_checks import check_admin_pages, check_routes
from platforms.api.serializers import PlatformSerializer, StrictModelSerializer
from platforms.api.viewsets import BaseViewSet, ResourceViewSet
from platforms.models import Platform, User, Vendor
from tests.modules.building import definition


class Gateless(ResourceViewSet):
    queryset = Platform.objects.all()
    serializer_class = PlatformSerializer


class Ownerless(AdminResource):
    queryset = User.objects.all()
    serializer_class = PlatformSerializer


class OfThePlatform(VendorResource):
    queryset = Plan.objects.all()
    serializer_class = PlatformSerializer


class PlainRelation(serializers.ModelSerializer):
    class Meta:
        model = Invoice
        fields = ["number", "plan"]


class NestedRelation(serializers.Serializer):
    invoices = PlainRelation(many=True)
    vendors = serializers.SlugRelatedField(slug_field="code", queryset=Vendor.objects.all(), many=True)


class DefaultRelation(StrictModelSerializer):
    class Meta:
        model = Invoice
        fields = ["number", "plan"]


class PlainFilter(django_filters.FilterSet):
    class Meta:
        model = Invoice
        fields = ["plan", "status"]


class TakesForeign(AdminResource):
    queryset = Invoice.objects.all()
    serializer_class = PlainRelation


class TakesForeignBelow(TakesForeign):
    serializer_class = NestedRelation  # type: ignore[assignment]


class FiltersForeign(AdminResource):
    queryset = Invoice.objects.all()
    serializer_class = DefaultRelation
    filter_backends = [DjangoFilterBackend]
    filterset_class = PlainFilter


class FiltersForeignUnsaid(AdminResource):
    queryset = Invoice.objects.all()
    serializer_class = DefaultRelation
    filter_backends = [DjangoFilterBackend]
    filterset_fields = ["vendor"]


class Defaults(AdminResource):
    queryset = Invoice.objects.all()
    serializer_class = DefaultRelation


class Sound(AdminGate, BaseViewSet):
    """No resource, and through the gate."""


def router(viewset: Any) -> ModuleRouter:
    made = ModuleRouter()
    made.register("things", viewset, basename="things")
    return made


gateless, ownerless, of_the_platform, sound = map(router, (Gateless, Ownerless, OfThePlatform, Sound))
takes, takes_below, filters, filters_unsaid, defaults = map(
    router, (TakesForeign, TakesForeignBelow, FiltersForeign, FiltersForeignUnsaid, Defaults)
)
HERE = __name__


@pytest.mark.parametrize(
    ("tree", "dotted", "message"),
    [
        ("admin", f"{HERE}.gateless", "The route things of module cards does not ask the gate."),
        ("public", f"{HERE}.sound", "The route things of module cards does not ask the gate."),
        ("admin", f"{HERE}.ownerless", "The route things of module cards serves User, which does not say whose"),
        ("vendor", f"{HERE}.of_the_platform", "The route things of module cards serves Plan to vendors, which does"),
        ("admin", f"{HERE}.takes", "The route things of module cards takes Plan in plan, of whatever platform."),
        (
            "admin",
            f"{HERE}.filters",
            "The route things of module cards is filtered by plan, a row of whatever platform.",
        ),
        (
            "admin",
            f"{HERE}.filters_unsaid",
            "The route things of module cards is filtered by vendor, a row of whatever",
        ),
        ("admin", "cards.nowhere.router", "Module cards: admin_router cannot be imported: No module named 'cards'"),
        ("admin", f"{HERE}.HERE", f"Module cards: admin_router {HERE}.HERE is no ModuleRouter."),
    ],
)
def test_routes__past_the_gate__refused_with_a_cure(tree: str, dotted: str, message: str) -> None:
    [error] = check_routes(definition("cards", **{f"{tree}_router": dotted}))
    assert error.msg.startswith(message)
    assert (error.id, error.obj) == ("modules.E004", f"cards ({tree}_router in definition.py)")
    assert error.hint


def test_routes__relations_below_and_of_many__refused_one_by_one() -> None:
    found = [error.msg for error in check_routes(definition("cards", admin_router=f"{HERE}.takes_below"))]
    assert found == [
        "The route things of module cards takes Plan in invoices.plan, of whatever platform.",
        "The route things of module cards takes Vendor in vendors, of whatever platform.",
    ]


@pytest.mark.parametrize("name", ["sound", "defaults"])
def test_routes__through_the_gate__nothing_to_say(name: str) -> None:
    assert list(check_routes(definition("cards", admin_router=f"{HERE}.{name}"))) == []


def test_routes__none__nothing_to_say() -> None:
    assert list(check_routes(definition("cards"))) == []


def test_router_of__not_there__raises() -> None:
    with pytest.raises(ImproperlyConfigured, match="cannot be imported"):
        router_of(definition("cards", public_router="cards.nowhere"), "public")


class PlainInline(admin.TabularInline):
    model: type[models.Model] = Invoice


class WithPlainInline(ModuleModelAdmin):
    inlines = (PlainInline,)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (admin.ModelAdmin, "The admin page of billing.Plan does not ask the gate."),
        (WithPlainInline, "PlainInline, on the admin page of billing.Plan, shows rows of everybody."),
    ],
)
def test_admin_pages__past_the_gate__refused_with_a_cure(page: type[admin.ModelAdmin], message: str) -> None:
    site = admin.AdminSite()
    site.register(Plan, page)
    site.register(Platform, admin.ModelAdmin)  # no module's
    [error] = check_admin_pages(site)
    assert (error.msg, error.id) == (message, "modules.E004")
    assert error.hint
