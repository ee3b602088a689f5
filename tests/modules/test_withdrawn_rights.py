"""A right that is withdrawn between the look at it and the write does not win: it is looked at again under the lock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from modules import services
from modules.models import Change
from modules.plans import Wish
from modules.services import origin_of_system
from platforms import access
from platforms.access import Actor, Right
from platforms.models import ApiToken, Membership, Platform, User
from platforms.services import delete_platform
from tests.admin.pages import form_on, logged_in
from tests.factories import ApiTokenFactory, MembershipFactory, PlatformFactory, UserFactory
from tests.modules.building import everything_written

pytestmark = pytest.mark.django_db

WITHDRAWALS: dict[str, Callable[[], Any]] = {
    "membership deleted": lambda: Membership.objects.all().delete(),
    "membership of a viewer": lambda: Membership.objects.update(role="viewer"),
    "user deactivated": lambda: User.objects.update(is_active=False),
}
API = "/api/v1/admin/module-config/kestrel/"


@contextmanager
def meanwhile(withdraw: Callable[[], Any]) -> Iterator[None]:
    """Have something happen as the first transaction of a `with` block begins: after all that was looked at before."""
    done = False

    def at_the_beginning(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal done
        if sql.startswith("SAVEPOINT") and not done:
            done = True
            withdraw()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(at_the_beginning):
        yield
    assert done


@pytest.fixture
def bob(platform: Platform) -> User:
    """The admin of kestrel, who may log in to the admin."""
    return MembershipFactory(user__username="bob", user__is_staff=True, platform=platform).user


@pytest.fixture
def script(bob: User, platform: Platform) -> APIClient:
    """A client with a token of bob's."""
    client = APIClient()
    token: Any = ApiTokenFactory(user=bob, platform=platform, scopes=["admin"])
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token.secret}")
    return client


@pytest.mark.parametrize("what", [*WITHDRAWALS, "token deleted"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", f"{API}cms/enable/", {}),
        ("post", f"{API}cms/disable/", {}),
        ("post", f"{API}cms/reset/", {}),
        ("patch", f"{API}cms/", {"config": {"max_upload_mb": 3}}),
        ("put", f"{API}cms/", {"config": {"max_upload_mb": 3}}),
        ("put", API, {"modules": {"cms": {"is_enabled": True}}}),
    ],
)
def test_api__right_withdrawn_meanwhile__is_refused(
    script: APIClient, method: str, path: str, body: dict[str, Any], what: str
) -> None:
    before = everything_written()
    withdraw = WITHDRAWALS.get(what, lambda: ApiToken.objects.all().delete())
    with meanwhile(withdraw):
        answer = getattr(script, method)(path, body, headers={"If-Match": "*"})
    assert answer.status_code == 403
    assert everything_written() == before


@pytest.mark.parametrize("what", WITHDRAWALS)
def test_admin__right_withdrawn_meanwhile__is_refused(bob: User, what: str) -> None:
    client = logged_in(bob)
    page = "/admin/modules/platformmodule/kestrel/cms/"
    form = form_on(client.get(page), "platformmodule_form")
    before = everything_written()
    with meanwhile(WITHDRAWALS[what]):
        answer = client.post(page, {**form.data, "is_enabled": "on"})
    assert [str(message) for message in answer.wsgi_request._messages] == [
        "Your right to switch modules on this platform was withdrawn."
    ]
    assert everything_written() == before


@pytest.mark.parametrize("what", WITHDRAWALS)
def test_admin_bulk__right_withdrawn_meanwhile__is_refused(bob: User, platform: Platform, what: str) -> None:
    client = logged_in(bob)
    plan = services.preview(platform=platform, wishes=[Wish(module="cms", is_enabled=True)])
    sent = {"pick": f"{platform.pk}:cms", "action": "on", "apply": "1", f"digest-{platform.pk}": plan.digest}
    before = everything_written()
    with meanwhile(WITHDRAWALS[what]):
        answer = client.post(reverse("admin:modules_platformmodule_bulk"), sent)
    assert "Your right to switch modules on this platform was withdrawn." in answer.content.decode()
    assert everything_written() == before


def test_restricted_module__superuser_demoted_meanwhile__is_refused(bob: User, platform: Platform) -> None:
    User.objects.filter(pk=bob.pk).update(is_superuser=True)
    client = APIClient()
    client.force_login(User.objects.get())
    before = everything_written()
    with meanwhile(lambda: User.objects.update(is_superuser=False)):
        answer = client.post(f"{API}dev_tools/enable/", {})
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["detail"] == "Only superusers may switch or configure dev_tools."
    assert everything_written() == before


@pytest.mark.parametrize("by", ["api", "admin"])
def test_platform_deletion__superuser_demoted_meanwhile__is_refused(platform: Platform, by: str) -> None:
    ann = UserFactory(username="ann", is_staff=True, is_superuser=True)
    client: Any = APIClient() if by == "api" else Client()
    client.force_login(ann)
    with meanwhile(lambda: User.objects.update(is_superuser=False)):
        if by == "api":
            answer = client.delete("/api/v1/admin/platforms/kestrel/")
        else:
            answer = client.post(f"/admin/platforms/platform/{platform.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 403
    assert Platform.objects.filter(pk=platform.pk).exists()
    assert not Change.objects.exists()


def test_delete_platform__actor_who_never_could__is_refused(bob: User, platform: Platform) -> None:
    with pytest.raises(PermissionDenied, match="Only superusers delete a platform"):
        delete_platform(platform=platform, actor=Actor(bob), source="admin")
    assert Platform.objects.filter(pk=platform.pk).exists()


def test_system__nobody_logged_in__is_asked_for_no_right(platform: Platform) -> None:
    origin = origin_of_system("manage.py enable_module", Change.Source.COMMAND)
    assert services.enable(platform=platform, module="cms", origin=origin).change is not None


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("who", ["root", "admin", "viewer", "stranger", "nobody", "inactive"])
@pytest.mark.parametrize("scopes", [None, ["read"], ["admin"]])
def test_still_may__nothing_changed__says_what_may_says(
    platform: Platform, right: Right, who: str, scopes: list[str] | None
) -> None:
    user: Any = UserFactory(is_superuser=who in ("root", "inactive"), is_active=who != "inactive")
    if who in ("admin", "viewer"):
        MembershipFactory(user=user, platform=platform, role=who)
    if who == "nobody":
        user = User()
    token = ApiTokenFactory(user=user, platform=platform, scopes=scopes) if scopes and user.pk else None
    actor, other = Actor(user, token), PlatformFactory()
    for one in (platform, other):
        assert access.still_may(actor, right, one) == access.may(actor, right, one)
