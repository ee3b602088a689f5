"""What goes on in the background, in the admin: superusers read it and have it tried again; that is all."""

from html import unescape
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from modules import events, services
from modules.models import Delivery, Event, TaskRun
from platforms.models import Platform, User
from tests.admin.pages import listed, text_of
from tests.fixtures.module_fixtures import Install
from tests.modules.building import origin
from tests.modules.listening import SOLD, post, shop

pytestmark = pytest.mark.django_db

KINDS = ("taskrun", "delivery", "event")


@pytest.fixture
def rows(install: Install, kestrel: Platform) -> dict[str, Any]:
    """A failed delivery of an event, and a failed task."""
    install(shop(), post("on_sold"))
    events.emit(SOLD, platform=kestrel, data={"order": 7})
    Delivery.objects.update(state="failed", attempts=8, note="Broken: <no paper>")
    run = TaskRun.objects.create(
        task="post.write", platform=kestrel, arguments={"copies": 2}, state="failed", attempts=8, note="Broken: no ink"
    )
    return {"taskrun": run, "delivery": Delivery.objects.get(), "event": Event.objects.get()}


def page(kind: str, view: str, *arguments: Any) -> str:
    return reverse(f"admin:modules_{kind}_{view}", args=arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_work__superuser__reads_list_and_row(root_in: Client, rows: dict[str, Any], kind: str) -> None:
    assert [row.pk for row in listed(root_in, page(kind, "changelist"))] == [rows[kind].pk]
    shown = root_in.get(page(kind, "change", rows[kind].pk))
    assert shown.status_code == 200
    text = unescape(text_of(shown))
    assert "kestrel" in text
    for said in {"taskrun": ('"copies": 2', "no ink"), "delivery": ('"order": 7', "<no paper>")}.get(kind, (SOLD,)):
        assert said in text
    assert "_save" not in shown.content.decode()
    assert "/history/" not in shown.content.decode()
    assert "<no paper>" not in shown.content.decode()


@pytest.mark.parametrize("kind", KINDS)
def test_work__anybody_else__is_refused(ann_in: Client, vic_in: Client, rows: dict[str, Any], kind: str) -> None:
    for client in (ann_in, vic_in):
        assert client.get(page(kind, "changelist")).status_code == 403
        assert client.get(page(kind, "change", rows[kind].pk)).status_code in (302, 403)
        client.post(page(kind, "changelist"), {"action": "try_again", "_selected_action": [rows[kind].pk]})
    assert Delivery.objects.get().state == TaskRun.objects.get().state == "failed"
    assert "Task" not in text_of(ann_in.get(reverse("admin:index")))


@pytest.mark.parametrize("kind", KINDS)
def test_work__superuser__cannot_add_change_or_delete(root_in: Client, rows: dict[str, Any], kind: str) -> None:
    key = rows[kind].pk
    for view, arguments in (("add", ()), ("change", (key,)), ("delete", (key,)), ("history", (key,))):
        assert root_in.post(page(kind, view, *arguments), {"state": "done"}).status_code == 405
    root_in.post(page(kind, "changelist"), {"action": "delete_selected", "_selected_action": [key], "post": "yes"})
    assert (Delivery.objects.get().state, TaskRun.objects.get().state, Event.objects.count()) == ("failed", "failed", 1)


@pytest.mark.parametrize("kind", ["taskrun", "delivery"])
def test_work__tried_again__waits_from_the_start(root_in: Client, rows: dict[str, Any], kind: str) -> None:
    chosen = {"action": "try_again", "_selected_action": [rows[kind].pk]}
    answer = root_in.post(page(kind, "changelist"), chosen, follow=True)
    assert "1 will be tried again." in text_of(answer)
    rows[kind].refresh_from_db()
    assert (rows[kind].state, rows[kind].attempts, rows[kind].finished_at) == ("waiting", 0, None)
    answer = root_in.post(page(kind, "changelist"), chosen, follow=True)
    assert "Nothing to try again" in text_of(answer)


@pytest.mark.django_db(transaction=True)
def test_work__tried_again__is_hinted_to_the_workers(root_in: Client, rows_committed: TaskRun) -> None:
    chosen = {"action": "try_again", "_selected_action": [rows_committed.pk]}
    root_in.post(page("taskrun", "changelist"), chosen)
    [message] = OrmQ.objects.all()
    assert message.task["args"] == ("TaskRun", [str(rows_committed.pk)])


@pytest.fixture
def rows_committed(transactional_db: None) -> TaskRun:
    """A task that has failed, committed."""
    with transaction.atomic():
        return TaskRun.objects.create(task="post.write", state="failed", attempts=8)


def test_work__platform_gone__is_said(root_in: Client, rows: dict[str, Any], kestrel: Platform, operator: User) -> None:
    number = kestrel.pk
    kestrel.delete()
    for kind in KINDS:
        assert f"number {number} (gone)" in text_of(root_in.get(page(kind, "changelist")))
        assert f"number {number} (gone)" in text_of(root_in.get(page(kind, "change", rows[kind].pk)))


def test_work__many_rows__list_takes_as_many_queries(
    root_in: Client, kestrel: Platform, django_assert_max_num_queries: Any
) -> None:
    services.enable(platform=kestrel, module="subscriptions", origin=origin())
    for number in range(20):
        TaskRun.objects.create(task=f"post.write{number}", platform=kestrel)
    for kind in KINDS:
        with django_assert_max_num_queries(6):
            root_in.get(page(kind, "changelist"))


def test_queue__own_admin_pages__are_not_there(root_in: Client) -> None:
    assert [model for model in admin.site._registry if model._meta.app_label == "django_q"] == []
    assert root_in.get("/admin/django_q/schedule/add/").status_code == 404
