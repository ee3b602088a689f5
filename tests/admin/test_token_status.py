"""What the admin says of a token: valid, or what it is refused for, in the words of `platforms.tokens`."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from platforms.models import ApiToken, Membership, Platform, User, Vendor
from tests.factories import ApiTokenFactory, MembershipFactory

LIST = reverse("admin:platforms_apitoken_changelist")


@pytest.fixture
def token(brindle):
    """A token of Brindle's, made by another admin of kestrel."""
    maker = MembershipFactory(user__username="max", platform=brindle.platform).user
    return ApiTokenFactory(platform=brindle.platform, vendor=brindle, user=maker, last_used_at=None)


def status_of(page):
    """Return what the list shows of the one token: its status and when it was last used."""
    [row] = page.context["cl"].result_list
    model_admin = page.context["cl"].model_admin
    return str(model_admin.status(row)), model_admin.last_used(row)


@pytest.mark.parametrize(
    ("model", "change", "pill", "text"),
    [
        (ApiToken, {}, "on", "Valid"),
        (ApiToken, {"expiry": None}, "on", "Valid"),
        (ApiToken, {"expiry": timedelta(days=13)}, "warn", "Expires soon"),
        (ApiToken, {"expiry": timedelta(0)}, "off", "Expired"),
        (User, {"is_active": False}, "off", "User inactive"),
        (Platform, {"is_active": False}, "off", "Platform inactive"),
        (Vendor, {"is_active": False}, "off", "Vendor inactive"),
    ],
)
def test_status__of_a_token__is_what_the_api_makes_of_it(ann_in, token, client_of, model, change, pill, text):
    if change:
        values = {
            key: timezone.now() + value if isinstance(value, timedelta) else value for key, value in change.items()
        }
        rows = {ApiToken: token, User: token.user, Platform: token.platform, Vendor: token.vendor}
        model.objects.filter(pk=rows[model].pk).update(**values)
    for page in (ann_in.get(LIST), ann_in.get(reverse("admin:platforms_apitoken_change", args=[token.pk]))):
        assert f'<span class="pill pill--{pill}">{text}</span>' in page.content.decode()
    # A vendor's token that is good is refused for its right, not for its credentials.
    answer = client_of(token).get("/api/v1/admin/platforms/kestrel/")
    assert answer.status_code == (401 if pill == "off" else 403)


def test_status__maker_left__is_said(ann_in, token):
    Membership.objects.filter(user=token.user).delete()
    assert status_of(ann_in.get(LIST)) == ('<span class="pill pill--off">User left</span>', "Never")


def test_last_used__is_shown_by_its_day(ann_in, token):
    ApiToken.objects.update(last_used_at=timezone.now().replace(2026, 3, 16, 9))
    assert status_of(ann_in.get(LIST))[1] == "16 Mar 2026"
