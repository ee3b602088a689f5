"""The gate is exact: what was switched or revoked between two requests counts for the second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from billing.models import Invoice, Plan
from django.contrib.admin import site as admin_site
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from modules import services
from modules.models import PlatformMenu
from platforms.api.viewsets import BaseViewSet
from platforms.models import ApiToken, Membership, User
from tests.access import world as worlds
from tests.access.world import World
from tests.admin.pages import logged_in
from tests.factories import InvoiceFactory
from tests.modules.building import origin

pytestmark = pytest.mark.django_db

INVOICES = "/api/v1/admin/platforms/kestrel/billing/invoices/"


def switch(world: World, *, is_enabled: bool) -> None:
    service = services.enable if is_enabled else services.disable
    options = {} if is_enabled else {"cascade": True}
    service(platform=world.own.platform, module="billing", origin=origin(), **options)


def test_list__module_switched_off_between_two_pages__second_is_dark(world: World) -> None:
    InvoiceFactory.create_batch(3, vendor=world.own.vendor)
    client = world.client("token read")
    first = client.get(INVOICES, {"page_size": 2})
    assert (first.status_code, len(first.json()["results"])) == (200, 2)

    switch(world, is_enabled=False)
    second = client.get(first.json()["next"])

    assert second.status_code == 403
    assert second.json()["errors"][0]["code"] == "module_disabled"
    switch(world, is_enabled=True)
    assert client.get(first.json()["next"]).status_code == 200


@pytest.mark.parametrize("how", ["deleted", "expired", "creator disabled", "creator's membership gone"])
def test_token__ended_between_two_requests__second_is_refused(how: str, world: World) -> None:
    client, token = world.client("token read"), world.people["token read"]
    assert isinstance(token, ApiToken)
    assert client.get(INVOICES).status_code == 200

    match how:
        case "deleted":
            token.delete()
        case "expired":
            ApiToken.objects.filter(pk=token.pk).update(expiry=timezone.now() - timedelta(seconds=1))
        case "creator disabled":
            User.objects.filter(pk=token.user.pk).update(is_active=False)
        case _:
            Membership.objects.filter(user=token.user).delete()

    assert client.get(INVOICES).status_code == 401


def test_token__creator_becomes_a_viewer__writes_no_more(world: World) -> None:
    client, token = world.client("token write"), world.people["token write"]
    assert isinstance(token, ApiToken)
    row = world.own.rows[Invoice]
    assert client.post(f"{INVOICES}{row.pk}/void/?dry_run=true").status_code == 200

    Membership.objects.filter(user=token.user, platform=world.own.platform).update(role="viewer")

    assert client.post(f"{INVOICES}{row.pk}/void/").status_code == 403
    assert client.get(INVOICES).status_code == 200
    row.refresh_from_db()
    assert row.status == "open"


def test_gate__thousand_requests_after_a_disable_has_answered__none_succeeds(world: World) -> None:
    client = world.client("token write")
    row = world.own.rows[Invoice]
    address = f"{INVOICES}{row.pk}/void/"
    for _ in range(3):
        assert client.post(f"{address}?dry_run=true").status_code == 200
    by_api = world.client("admin").post("/api/v1/admin/module-config/kestrel/billing/disable/", {"cascade": True})
    assert by_api.status_code == 200
    before = worlds.everything()

    statuses = {client.post(address).status_code if n % 2 else client.get(INVOICES).status_code for n in range(1000)}

    assert statuses == {403}
    assert worlds.everything() == before


def test_sidebar__module_off__not_in_it_and_its_pages_are_not_there(world: World) -> None:
    admin = world.people["admin"]
    assert isinstance(admin, User)
    client = logged_in(admin)
    start, invoices = reverse("admin:index"), reverse("admin:billing_invoice_changelist")
    assert invoices in client.get(start).content.decode()

    switch(world, is_enabled=False)

    assert invoices not in client.get(start).content.decode()
    assert client.get(invoices).status_code == 403
    assert client.get(reverse("admin:app_list", args=["billing"])).status_code == 404
    switch(world, is_enabled=True)
    assert client.get(invoices).status_code == 200


def test_admin__on_elsewhere_and_off_on_the_rows_platform__row_is_not_there(world: World) -> None:
    """To an admin of both: the module's pages are there, the row of the platform where it is off is not."""
    admin = world.people["admin"]
    assert isinstance(admin, User)
    world.foreign.platform.memberships.create(user=admin, role=Membership.Role.ADMIN)
    switch(world, is_enabled=False)
    page = admin_site.get_model_admin(Plan)
    request = RequestFactory().get("/")
    request.user = admin

    for place, is_there in ((world.foreign, True), (world.own, False)):
        row = place.rows[Plan]
        found = [
            page.has_view_permission(request, row),
            page.has_change_permission(request, row),
            page.has_delete_permission(request, row),
        ]
        assert found == [is_there] * 3
        answer = logged_in(admin).get(reverse("admin:billing_plan_change", args=[row.pk]))
        assert answer.status_code == (200 if is_there else 302)


def test_admin__row_made_for_a_platform_whose_module_went_off__nothing_saved(world: World) -> None:
    """On elsewhere, so the form is there; off on the platform that the form names."""
    root = world.people["superuser"]
    assert isinstance(root, User)
    client = logged_in(root)
    switch(world, is_enabled=False)
    before = worlds.everything()
    typed = {"platform": world.own.platform.pk, "code": "new", "name": "New", "price": "1"}

    answer = client.post(reverse("admin:billing_plan_add"), typed)

    assert answer.status_code == 200
    assert answer.context["adminform"].form.has_error("platform", "invalid_choice")
    assert worlds.everything() == before


# --- in the middle of a request ---------------------------------------------------------------------------------------


@contextmanager
def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> Iterator[None]:
    """Have something happen after a request was let in, and before it writes."""
    begun = BaseViewSet.writing

    @contextmanager
    def writing(view: BaseViewSet) -> Iterator[None]:
        happens()
        with begun(view):
            yield

    with monkeypatch.context() as patch:
        patch.setattr(BaseViewSet, "writing", writing)
        yield


PLAN = {"code": "new", "name": "New", "price": "1.00"}
MENU = "/api/v1/admin/platforms/kestrel/menu/"


def test_write__module_goes_off_meanwhile__nothing_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = world.client("token write")
    with meanwhile(monkeypatch, lambda: switch(world, is_enabled=False)):
        answer = client.post("/api/v1/admin/platforms/kestrel/billing/plans/", PLAN)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "module_disabled")
    assert not Plan.objects.filter(code="new").exists()


@pytest.mark.parametrize("who", ["admin", "token write", "superuser"])
def test_write__right_is_lost_meanwhile__nothing_written(
    who: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, person = world.client(who), world.people[who]

    def lose() -> None:
        if isinstance(person, ApiToken):
            ApiToken.objects.filter(pk=person.pk).delete()
        else:
            Membership.objects.filter(user=person).delete()
            User.objects.filter(pk=person.pk).update(is_superuser=False)

    with meanwhile(monkeypatch, lose):
        answer = client.post("/api/v1/admin/platforms/kestrel/billing/plans/", PLAN)
    assert answer.status_code == 403
    assert not Plan.objects.filter(code="new").exists()


def test_menu__right_is_lost_meanwhile__nothing_hidden(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = world.client("admin")
    with meanwhile(monkeypatch, lambda: Membership.objects.filter(user=world.people["admin"]).delete()):
        answer = client.put(MENU, {"hidden": ["billing.plans"]}, HTTP_IF_MATCH="*")
    assert answer.status_code == 403
    assert not PlatformMenu.objects.exists()


@pytest.mark.parametrize("left", ["viewer", "nothing"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("platforms/kestrel/vendors/", {"code": "new", "name": "New"}),
        ("platforms/kestrel/tokens/", {"name": "new", "scopes": ["read"]}),
        ("platforms/kestrel/billing/plans/", PLAN),
        ("module-config/kestrel/analytics/disable/", {}),
    ],
)
def test_first_answer__asked_for_again_without_the_right__not_told(
    path: str, body: dict[str, object], left: str, world: World
) -> None:
    client, headers = world.client("admin"), {"Idempotency-Key": "once"}
    first = client.post(f"/api/v1/admin/{path}", body, headers=headers)
    assert first.status_code in (200, 201)
    assert client.post(f"/api/v1/admin/{path}", body, headers=headers).content == first.content

    if left == "viewer":
        Membership.objects.filter(user=world.people["admin"]).update(role="viewer")
    else:
        Membership.objects.filter(user=world.people["admin"]).delete()
    again = client.post(f"/api/v1/admin/{path}", body, headers=headers)

    assert again.status_code == (403 if left == "viewer" else 404)
    assert "errors" in again.json()


def test_first_answer__module_went_off__not_told(world: World) -> None:
    client, headers = world.client("admin"), {"Idempotency-Key": "once"}
    path = "/api/v1/admin/platforms/kestrel/billing/plans/"
    assert client.post(path, PLAN, headers=headers).status_code == 201
    switch(world, is_enabled=False)
    assert client.post(path, PLAN, headers=headers).json()["errors"][0]["code"] == "module_disabled"
