"""Whoever makes a change has a name in it, which outlives them."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from modules import services
from modules.models import Change, PlatformModule
from modules.services import origin_of_system
from platforms.models import ApiToken, Platform, User
from tests.factories import ApiTokenFactory, PlatformFactory, UserFactory
from tests.modules.building import enable, everything_written

pytestmark = pytest.mark.django_db

History = PlatformModule.history.model


def _token(ann: User) -> APIClient:
    client = APIClient()
    token: Any = ApiTokenFactory(platform=None, user=ann, name="nightly", scopes=["admin"])
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token.secret}")
    return client


def _logged_in(client: Any, ann: User) -> Any:
    client.force_login(ann)
    return client


ENABLE, PLATFORM = "/api/v1/admin/module-config/kestrel/cms/enable/", "/api/v1/admin/platforms/kestrel/"
PAGE = "/admin/modules/platformmodule/kestrel/cms/"

WAYS: dict[str, tuple[Callable[[User], Any], str, str, bool]] = {
    "admin": (
        lambda ann: _logged_in(Client(), ann).post(PAGE, {"is_enabled": "on", "seen": _seen(ann)}),
        "ann",
        "admin",
        True,
    ),
    "API by session": (lambda ann: _logged_in(APIClient(), ann).post(ENABLE), "ann", "api", True),
    "API by token": (lambda ann: _token(ann).post(ENABLE), "ann (token nightly)", "api", True),
    "deletion by token": (lambda ann: _token(ann).delete(PLATFORM), "ann (token nightly)", "api", True),
    "command": (
        lambda ann: call_command("enable_module", "kestrel", "cms", stdout=io.StringIO()),
        "manage.py enable_module",
        "command",
        False,
    ),
    "command of a user": (
        lambda ann: call_command("enable_module", "kestrel", "cms", user="ann", stdout=io.StringIO()),
        "ann (manage.py enable_module)",
        "command",
        True,
    ),
    "legacy migration": (
        lambda ann: call_command("migrate_enabled_modules", stdout=io.StringIO()),
        "manage.py migrate_enabled_modules",
        "migration",
        False,
    ),
    "task": (
        lambda ann: services.enable(
            platform=Platform.objects.get(),
            module="cms",
            origin=origin_of_system("task nightly switch", Change.Source.SCHEDULE),
        ),
        "task nightly switch",
        "schedule",
        False,
    ),
}


def _seen(ann: User) -> str:
    return _logged_in(Client(), ann).get(PAGE).context["form"].hidden()["seen"]


@pytest.mark.parametrize("way", WAYS)
def test_change__made_in_any_way__names_who_made_it_for_good(way: str) -> None:
    make, label, source, is_somebody = WAYS[way]
    PlatformFactory(code="kestrel", settings={"enabled_modules": ["analytics"]})
    ann = UserFactory(username="ann", is_staff=True, is_superuser=True)
    number = ann.pk
    make(ann)
    ann.delete()
    change = Change.objects.get()
    assert (change.actor_label, change.source) == (label, source)
    assert change.actor_id == (number if is_somebody else None)
    assert (change.actor_token is not None) == ("token" in way)
    assert not ApiToken.objects.exists()
    assert set(History.objects.values_list("history_user_id", flat=True)) <= {change.actor_id}
    call_command("verify_audit", stdout=io.StringIO())


def test_change__nobody_named__is_refused_and_nothing_is_written(platform: Platform) -> None:
    before = everything_written()
    with pytest.raises(ValidationError, match="actor_label"):
        enable(platform, "cms", actor_label="")
    assert everything_written() == before
