"""`platforms.access`: the matrix of who may."""

import pytest
from billing.models import Payment
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import ImproperlyConfigured, PermissionDenied

from platforms import access
from platforms.access import Actor, Right
from platforms.models import Membership, Platform, Vendor
from tests.factories import (
    ApiTokenFactory,
    CustomerFactory,
    MembershipFactory,
    PaymentFactory,
    UserFactory,
    VendorFactory,
)

ALL = set(Right)
FOR_VENDORS = {Right.VENDOR_VIEW, Right.VENDOR_MANAGE}
ADMIN = {Right.BELONG, Right.VIEW, Right.CHANGE, Right.SWITCH, Right.MANAGE, Right.MEMBERS, *FOR_VENDORS}
VIEWER = {Right.BELONG, Right.VIEW, Right.VENDOR_VIEW}
WRITER = {*VIEWER, Right.MANAGE, Right.VENDOR_MANAGE}


def rights(actor, platform):
    granted = {right for right in Right if access.may(actor, right, platform)}
    # What may() answers, scope() does.
    assert {
        right for right in Right if access.scope(actor, Platform.objects.all(), right).contains(platform)
    } == granted
    return granted


@pytest.fixture
def people(kestrel, operator, ann, vic, bea):
    return {
        "anonymous": AnonymousUser(),
        "operator": operator,
        "admin": ann,
        "viewer": vic,
        "vendor": bea,
        "stranger": UserFactory(),
    }


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("anonymous", set()),
        ("operator", ALL),
        ("admin", ADMIN),
        ("viewer", VIEWER),
        ("vendor", {Right.BELONG}),
        ("stranger", set()),
    ],
)
def test_may__each_role__has_its_rights_on_its_platform_only(people, kestrel, tidewater, who, expected):
    actor = Actor(user=people[who])
    assert rights(actor, kestrel) == expected
    assert rights(actor, tidewater) == (ALL if who == "operator" else set())


@pytest.mark.parametrize(
    ("who", "scopes", "expected"),
    [
        ("operator", ["read"], VIEWER),
        ("operator", ["write"], WRITER),
        ("operator", ["admin"], {*VIEWER, Right.CHANGE, Right.SWITCH, Right.OPERATE}),
        ("admin", ["read"], VIEWER),
        ("admin", ["read", "write"], WRITER),
        ("admin", ["admin"], {*VIEWER, Right.CHANGE, Right.SWITCH}),
        ("viewer", ["read", "write", "admin"], VIEWER),
        ("vendor", ["read", "write", "admin"], {Right.BELONG}),
        ("stranger", ["read", "write", "admin"], set()),
    ],
)
@pytest.mark.parametrize("bound", [True, False])
def test_may__token__has_no_more_than_scope_and_maker(people, kestrel, tidewater, who, scopes, expected, bound):
    token = ApiTokenFactory(user=people[who], platform=kestrel if bound else None, scopes=scopes)
    actor = Actor(user=token.user, token=token)
    assert rights(actor, kestrel) == expected
    assert rights(actor, tidewater) == (expected if who == "operator" and not bound else set())


def test_may__token_of_a_vendor__belongs_and_nothing_else(brindle, ann):
    token = ApiTokenFactory(user=ann, platform=brindle.platform, vendor=brindle, scopes=["read", "write", "admin"])
    assert rights(Actor(user=ann, token=token), brindle.platform) == {Right.BELONG}


@pytest.mark.parametrize("who", ["operator", "admin"])
def test_may__inactive_user__nothing(people, kestrel, who):
    user = people[who]
    user.is_active = False
    assert rights(Actor(user=user), kestrel) == set()


def test_may__no_platform_named__asks_for_any(people, kestrel, tidewater):
    assert access.may(Actor(user=people["viewer"]), Right.VIEW)
    assert not access.may(Actor(user=people["viewer"]), Right.CHANGE)
    assert not access.may(Actor(user=people["admin"]), Right.OPERATE)
    assert access.may(Actor(user=people["operator"]), Right.OPERATE)
    bound = ApiTokenFactory(user=people["operator"], platform=kestrel, scopes=["admin"])
    assert not access.may(Actor(user=bound.user, token=bound), Right.OPERATE)


def test_scope__two_platforms__rows_of_those_with_the_right(kestrel, tidewater, ann):
    MembershipFactory(user=ann, platform=tidewater, role="viewer")
    mine, seen, _ = VendorFactory(platform=kestrel), VendorFactory(platform=tidewater), VendorFactory()
    actor = Actor(user=ann)
    assert set(access.scope(actor, Vendor.objects.all(), Right.VIEW)) == {mine, seen}
    assert set(access.scope(actor, Vendor.objects.all(), Right.CHANGE)) == {mine}


def test_scope__two_roles_on_one_platform__row_comes_once(brindle, ann):
    MembershipFactory(user=ann, vendor=brindle)
    assert access.scope(Actor(user=ann), Membership.objects.filter(user=ann), Right.BELONG).count() == 2
    assert access.scope(Actor(user=ann), Platform.objects.all(), Right.BELONG).get() == brindle.platform


def test_scope__model_without_tenant_path__is_a_mistake_in_the_code(operator):
    with pytest.raises(ImproperlyConfigured, match="Group declares no tenant_path"):
        access.scope(Actor(user=operator), Group.objects.all(), Right.VIEW)


def test_get__foreign_and_missing__are_the_same(kestrel, tidewater, ann):
    for code in ("tidewater", "nowhere"):
        with pytest.raises(Platform.DoesNotExist):
            access.get(Actor(user=ann), Platform.objects.all(), Right.VIEW, code=code)


def test_get__own_platform_without_the_right__is_refused(kestrel, vic):
    assert access.get(Actor(user=vic), Platform.objects.all(), Right.VIEW, code="kestrel") == kestrel
    with pytest.raises(PermissionDenied):
        access.get(Actor(user=vic), Platform.objects.all(), Right.CHANGE, code="kestrel")


def test_label__token__is_named(kestrel, ann):
    token = ApiTokenFactory(user=ann, platform=kestrel, name="nightly export")
    assert Actor(user=ann, token=token).label == "ann (token nightly export)"
    assert Actor(user=ann).label == "ann"


def test_of__request__takes_user_and_token(rf, kestrel, ann):
    request = rf.get("/")
    request.user = ann
    assert Actor.of(request) == Actor(user=ann)
    request.auth = token = ApiTokenFactory(user=ann, platform=kestrel)
    assert Actor.of(request) == Actor(user=ann, token=token)


# --- vendors ---------------------------------------------------------------------------------------------------------


def vendors_seen(actor, right):
    return set(access.scope(actor, Vendor.objects.all(), right))


@pytest.mark.parametrize(
    ("who", "sees", "manages"),
    [("operator", "all", "all"), ("admin", "own", "own"), ("viewer", "own", ""), ("vendor", "self", "self")],
)
def test_scope__rows_of_vendors__by_role(people, brindle, tidewater, who, sees, manages):
    beside, foreign = VendorFactory(platform=brindle.platform), VendorFactory(platform=tidewater)
    reach = {"all": {brindle, beside, foreign}, "own": {brindle, beside}, "self": {brindle}, "": set()}
    actor = Actor(user=people[who])
    assert vendors_seen(actor, Right.VENDOR_VIEW) == reach[sees]
    assert vendors_seen(actor, Right.VENDOR_MANAGE) == reach[manages]


@pytest.mark.parametrize("who", ["operator", "admin", "vendor"])
@pytest.mark.parametrize(("scopes", "manages"), [(["read"], False), (["write"], True), (["admin"], False)])
def test_scope__token_of_a_vendor__that_vendor_only(people, brindle, who, scopes, manages):
    VendorFactory(platform=brindle.platform)
    token = ApiTokenFactory(user=people[who], platform=brindle.platform, vendor=brindle, scopes=scopes)
    actor = Actor(user=token.user, token=token)
    assert vendors_seen(actor, Right.VENDOR_VIEW) == {brindle}
    assert vendors_seen(actor, Right.VENDOR_MANAGE) == ({brindle} if manages else set())
    assert vendors_seen(actor, Right.VIEW) == set()


@pytest.mark.parametrize("inactive", ["vendor", "platform"])
def test_scope__inactive__vendor_has_no_rights_and_staff_keep_theirs(people, brindle, inactive):
    row = brindle if inactive == "vendor" else brindle.platform
    row.is_active = False
    row.save()
    assert vendors_seen(Actor(user=people["vendor"]), Right.VENDOR_VIEW) == set()
    assert vendors_seen(Actor(user=people["admin"]), Right.VENDOR_VIEW) == {brindle}


def test_get__another_vendor_of_the_same_platform__is_not_there(people, brindle):
    beside = VendorFactory(platform=brindle.platform)
    with pytest.raises(Vendor.DoesNotExist):
        access.get(Actor(user=people["vendor"]), Vendor.objects.all(), Right.VENDOR_VIEW, code=beside.code)


def test_owners__columns_of_the_model__and_no_paths(brindle):
    tenant = {"platform": brindle.platform, "vendor": brindle}
    assert access.owners(Membership, tenant) == tenant
    assert access.owners(Vendor, tenant) == {"platform": brindle.platform}
    assert access.owners(Payment, tenant) == {}


def test_of_tenant__rows_of_another_or_of_no_vendor__left_out(brindle):
    mine = PaymentFactory(invoice__vendor=brindle)
    beside = PaymentFactory(invoice__vendor__platform=brindle.platform)
    PaymentFactory()
    assert set(access.of_tenant(Payment.objects.all(), brindle.platform)) == {mine, beside}
    assert set(access.of_tenant(Payment.objects.all(), brindle.platform, brindle)) == {mine}


@pytest.mark.parametrize("right", [Right.VENDOR_VIEW, Right.VENDOR_MANAGE, Right.BELONG])
def test_scope__row_of_several_vendors__comes_once(kestrel, brindle, ann, bea, right):
    fernhill = VendorFactory(platform=kestrel)
    both, other = CustomerFactory(vendor=brindle), CustomerFactory(vendor=fernhill)
    both.vendors.add(fernhill)
    MembershipFactory(vendor=fernhill, user=bea)
    customers = type(both).objects.order_by("pk")
    assert set(access.scope(Actor(ann), customers, right)) == {both, other}
    for who in (ann, bea):
        assert access.scope(Actor(who), customers, right).count() == 2
        assert access.scope(Actor(who), access.of_tenant(customers, kestrel, brindle), right).get() == both
        assert access.get(Actor(who), access.of_tenant(customers, kestrel, brindle), right, pk=both.pk) == both
    stranger = Actor(MembershipFactory(vendor=VendorFactory(platform=kestrel)).user)
    assert not access.scope(stranger, customers, right).exists()
