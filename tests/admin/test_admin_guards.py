"""What the admin does where two people meet: locks, collisions, stale forms; and what it asks before it deletes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from modules import services
from modules.models import Change, PlatformModule
from platforms import admin_base
from platforms.models import Membership, Platform, User, Vendor
from tests.admin.pages import form_on, listed, logged_in, messages_of, send, text_of
from tests.factories import ApiTokenFactory, MembershipFactory, PlatformFactory, UserFactory, VendorFactory
from tests.fixtures.module_fixtures import Unchanged
from tests.modules.building import origin

pytestmark = pytest.mark.django_db


def before_insert(table: str, act: Callable[[], Any]) -> AbstractContextManager[None]:
    """Do something, once, right before the next row is inserted into a table: as somebody faster would."""
    return before(f'INSERT INTO "{table}"', act)


@contextmanager
def before(statement: str, act: Callable[[], Any]) -> Iterator[None]:
    """Do something, once, right before the next statement that begins so."""
    done: list[bool] = []

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(statement) and not done:
            done.append(True)
            act()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield
    assert done


# --- two people at once ----------------------------------------------------------------------------------------------


def test_vendor__added_by_two_at_once__second_is_told(ann: User, kestrel: Platform) -> None:
    client, address = logged_in(ann), reverse("admin:platforms_vendor_add")
    data = {"platform": kestrel.pk, "name": "Mine", "code": "race", "is_active": "on"}

    with before_insert("platforms_vendor", lambda: VendorFactory(platform=kestrel, code="race", name="Theirs")):
        answer = client.post(address, data)

    # Here the faster one is rolled back too: it used the same connection.
    assert answer.status_code == 200
    [error] = answer.context["adminform"].form.non_field_errors()
    assert error.startswith("Somebody else was faster")
    assert answer.context["adminform"].form["name"].value() == "Mine"
    assert not Vendor.objects.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["page", "action"])
def test_user__deleted_while_a_change_of_theirs_is_committed__is_kept_and_the_operator_told(
    operator: User, ann: User, kestrel: Platform, in_thread: Callable[..., Any], way: str
) -> None:
    def change() -> None:
        services.enable(platform=Platform.objects.get(), module="cms", origin=origin(ann))

    def meanwhile() -> None:
        # SQLite has one writer: there it is written on the same connection, and goes with what is refused.
        in_thread(change) if connection.vendor == "postgresql" else change()

    client = logged_in(operator)
    address, sent = reverse("admin:platforms_user_delete", args=[ann.pk]), {"post": "yes"}
    if way == "action":
        address, sent = reverse("admin:platforms_user_changelist"), {**sent, "action": "delete_selected"}
        sent["_selected_action"] = str(ann.pk)
    with before('DELETE FROM "platforms_user"', meanwhile):
        answer = client.post(address, sent)

    assert (answer.status_code, answer["Location"]) == (302, address)
    assert messages_of(client.get(address)) == [
        "Somebody saved something meanwhile that hangs on this. Nothing was done: try again."
    ]
    assert list(User.objects.filter(pk=ann.pk)) == [ann]
    assert not LogEntry.objects.exists()
    assert [row.enabled_by for row in PlatformModule.objects.all()] == [ann] * (connection.vendor == "postgresql")

    assert client.post(address, sent).status_code == 302
    assert not User.objects.filter(pk=ann.pk).exists()


def test_user__added_by_two_at_once__second_is_told(operator: User) -> None:
    data = {"username": "dee", "usable_password": "true", "password1": "a-Long-0ne", "password2": "a-Long-0ne"}

    with before_insert("platforms_user", lambda: UserFactory(username="dee")):
        answer = logged_in(operator).post(reverse("admin:platforms_user_add"), data)

    assert answer.status_code == 200
    assert answer.context["adminform"].form.non_field_errors()[0].startswith("Somebody else was faster")
    assert not User.objects.filter(username="dee").exists()


def test_membership__added_by_two_at_once__choices_stay_in_scope(ann: User, kestrel: Platform) -> None:
    user = UserFactory(username="newcomer")
    data = {"user": "newcomer", "platform": kestrel.pk, "role": "viewer", "vendor": ""}

    with before_insert("platforms_membership", lambda: MembershipFactory(user=user, platform=kestrel)):
        answer = logged_in(ann).post(reverse("admin:platforms_membership_add"), data)

    assert answer.context["adminform"].form.non_field_errors()[0].startswith("Somebody else was faster")
    assert not Membership.objects.filter(user=user).exists()


@pytest.mark.parametrize("view", ["change", "delete"])
@pytest.mark.parametrize("kind", ["platform", "vendor"])
def test_save__row__locked_before_it_is_read(kind: str, view: str, operator: User, brindle: Vendor) -> None:
    row = brindle if kind == "vendor" else brindle.platform
    table = row._meta.db_table

    with CaptureQueriesContext(connection) as queries:
        logged_in(operator).post(reverse(f"admin:platforms_{kind}_{view}", args=[row.pk]), {"reason": "\x01"})

    lock = " FOR NO KEY UPDATE" if connection.features.has_select_for_no_key_update else ""
    first = next(query["sql"] for query in queries if f'FROM "{table}"' in query["sql"])
    assert first == f'SELECT "{table}"."id" AS "pk" FROM "{table}" WHERE "{table}"."id" = {row.pk}{lock}'


@pytest.mark.parametrize("sent", [None, "", "0" * 32])
def test_platform__form_that_does_not_say_what_it_showed__refused(
    sent: str | None, ann: User, kestrel: Platform
) -> None:
    client, address = logged_in(ann), reverse("admin:platforms_platform_change", args=[kestrel.pk])

    answer = send(
        client, client.get(address), "platform_form", {"name": "Kestrel Points", "row_as_shown": sent}, "Save"
    )

    assert answer.context["adminform"].form.has_error("__all__", "stale")
    kestrel.refresh_from_db()
    assert kestrel.name == "Kestrel Rewards"
    assert not LogEntry.objects.exists()


# --- why a platform is deleted ---------------------------------------------------------------------------------------


@pytest.fixture
def delete_page(root_in: Client, kestrel_on: Platform) -> Any:
    """The page that asks whether kestrel is to be deleted."""
    return root_in.get(reverse("admin:platforms_platform_delete", args=[kestrel_on.pk]))


def test_delete__reason_typed__kept_with_the_last_change(root_in: Client, delete_page: Any) -> None:
    answer = send(root_in, delete_page, "delete_form", {"reason": "Contract ended"})

    assert answer.status_code == 302
    assert not Platform.objects.exists()
    newest = Change.objects.latest("number")
    assert (newest.reason, newest.source, newest.number) == ("Contract ended", "admin", 2)


@pytest.mark.parametrize("reason", ["x" * 501, "bell\x07", "nul\x00"])
def test_delete__reason_that_cannot_be_kept__asked_again(
    reason: str, root_in: Client, delete_page: Any, unchanged: Unchanged
) -> None:
    with unchanged():
        answer = send(root_in, delete_page, "delete_form", {"reason": reason})

    assert answer.status_code == 200
    assert len(answer.context["reason_form"].errors["reason"]) == 1
    assert form_on(answer, "delete_form").data["reason"] != [""]
    assert not LogEntry.objects.exists()


# --- one fault, one error --------------------------------------------------------------------------------------------


def test_locales__five_thousand_characters__error_repeats_a_few(root_in: Client, kestrel: Platform) -> None:
    page = root_in.get(reverse("admin:platforms_platform_change", args=[kestrel.pk]))

    answer = send(root_in, page, "platform_form", {"locales": "x" * 5000}, "Save")

    [error] = answer.context["adminform"].form.errors["locales"]
    assert error == f"{'x' * 39}… is not a language tag such as en or de-AT."


# --- filters by a platform -------------------------------------------------------------------------------------------

FILTERED = [
    "platforms_vendor",
    "platforms_membership",
    "platforms_apitoken",
    "modules_platformmodule",
    "modules_change",
]


@pytest.mark.parametrize("label", FILTERED)
def test_filter__more_platforms_than_can_be_read__chosen_one_and_a_hint(
    label: str, operator: User, kestrel_on: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_base, "MOST_CHOICES", 3)
    VendorFactory(platform=kestrel_on)
    MembershipFactory(platform=kestrel_on)
    ApiTokenFactory(platform=kestrel_on)
    client, where = logged_in(operator), reverse(f"admin:{label}_changelist")
    others = [f"platform__id__exact={platform.pk}" for platform in PlatformFactory.create_batch(3)]
    here = f"platform__id__exact={kestrel_on.pk}"

    page = text_of(client.get(where))
    chosen = text_of(client.get(where, {"platform__id__exact": kestrel_on.pk}))

    assert not any(link in page for link in (*others, here))
    assert "Too many to list here" in page
    assert here in chosen
    assert not any(link in chosen for link in others)
    assert listed(client, where, q="kestrel")
    Platform.objects.filter(pk=others[0].rpartition("=")[2]).delete()
    assert here in text_of(client.get(where))
