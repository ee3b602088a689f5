"""The privacy queue in the admin: the soonest first, what would be erased before it is, buttons that do as they say."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from customers import merging, privacy, services
from customers.models import Customer, PrivacyRequest
from modules import services as module_services
from platforms.models import Platform, User
from tests.admin.pages import listed, logged_in, messages_of, send, text_of
from tests.customers.conftest import Untouched
from tests.factories import CustomerFactory, NoteFactory, PrivacyRequestFactory
from tests.modules.building import origin

pytestmark = pytest.mark.django_db

LIST = reverse("admin:customers_privacyrequest_changelist")
ADD = reverse("admin:customers_privacyrequest_add")


def page_of(row: PrivacyRequest) -> str:
    return reverse("admin:customers_privacyrequest_change", args=[row.pk])


def press(client: Client, row: PrivacyRequest, button: str, **typed: Any) -> Any:
    return send(client, client.get(page_of(row)), "privacyrequest_form", typed, button)


def later(days: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(days=days), tick=False)


# --- the queue -------------------------------------------------------------------------------------------------------


def test_queue__filters_and_order__soonest_due_first_on_own_platforms(
    maelle: Customer, tidewater: Platform, ann: User
) -> None:
    PrivacyRequestFactory(customer__platform=tidewater)
    last = PrivacyRequestFactory(customer__platform=maelle.platform)
    first = PrivacyRequestFactory(customer=maelle, kind="export")
    PrivacyRequest.objects.filter(pk=first.pk).update(due_at=timezone.now() - timedelta(days=1))
    privacy.hold(request=last, reason="A lawsuit.")
    client = logged_in(ann)
    assert listed(client, LIST) == [first, last]
    assert listed(client, LIST, overdue="yes") == listed(client, LIST, kind__exact="export") == [first]
    assert listed(client, LIST, status="on_hold") == [last]
    page = text_of(client.get(LIST))
    assert '<span class="pill pill--warn">Overdue</span>' in page
    assert '<span class="pill pill--warn">On hold</span>' in page


def test_queue__done_and_called_off__are_shown_to_who_asks_for_them(maelle: Customer, ann: User) -> None:
    waits, held, off = (PrivacyRequestFactory(customer__platform=maelle.platform) for _ in range(3))
    done = PrivacyRequestFactory(customer=maelle, kind="export")
    privacy.hold(request=held, reason="A lawsuit.")
    privacy.cancel(request=off)
    privacy.fetch(request=done)
    client = logged_in(ann)
    assert listed(client, LIST) == [waits, held]
    assert [listed(client, LIST, status=status) for status in ("open", "on_hold", "done", "cancelled")] == [
        [waits],
        [held],
        [done],
        [off],
    ]
    assert listed(client, LIST, status="all") == [waits, held, off, done]
    assert "To be done" in text_of(client.get(LIST))


def test_autocomplete__of_whom_it_is_about__offers_those_who_are_customers_still(maelle: Customer, ann: User) -> None:
    blocked, merged, erased = CustomerFactory.create_batch(3, platform=maelle.platform)
    services.block_customer(customer=blocked)
    merging.merge(kept=maelle, merged=merged)
    privacy.erase_now(customer=erased)
    asked = {"app_label": "customers", "model_name": "privacyrequest", "field_name": "customer"}
    answer = logged_in(ann).get(reverse("admin:autocomplete"), {**asked, "term": ""})
    assert [row["id"] for row in answer.json()["results"]] == [str(blocked.pk), str(maelle.pk)]


@pytest.mark.parametrize("count", [1, 10])
def test_queue__many_requests__same_queries(
    count: int, shop: Platform, ann: User, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        PrivacyRequestFactory(customer__platform=shop)
    client = logged_in(ann)
    with django_assert_num_queries(11):
        assert client.get(LIST).status_code == 200


# --- asking ----------------------------------------------------------------------------------------------------------


def test_customer_page__ways__lead_to_a_request_that_is_filled_in(maelle: Customer, ann: User) -> None:
    client = logged_in(ann)
    page = client.get(reverse("admin:customers_customer_change", args=[maelle.pk]))
    assert [way["text"] for way in page.context["privacy_ways"]] == ["Request export", "Request erasure"]
    asked = client.get(page.context["privacy_ways"][1]["url"])
    answer = send(client, asked, "privacyrequest_form", {"source": "post", "reason": "A letter."}, "Save")
    assert answer.status_code == 302, answer.context["errors"]
    made = PrivacyRequest.objects.get()
    assert (made.customer, made.kind, made.source, made.reason) == (maelle, "erasure", "post", "A letter.")
    assert made.actor_label == "ann"
    page = client.get(reverse("admin:customers_customer_change", args=[maelle.pk]))
    assert [way["text"] for way in page.context["privacy_ways"]] == ["Request export"]
    assert page_of(made) in text_of(page)


def test_customer_page__notice_for_doing_nothing__their_own_request_takes_it_over(maelle: Customer, ann: User) -> None:
    notice = PrivacyRequestFactory(customer=maelle, source="inactivity")
    client, address = logged_in(ann), reverse("admin:customers_customer_change", args=[maelle.pk])
    ways = client.get(address).context["privacy_ways"]
    assert [way["text"] for way in ways] == ["Request export", "Request erasure"]
    answer = send(client, client.get(ways[1]["url"]), "privacyrequest_form", {"source": "post"}, "Save")
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    made = PrivacyRequest.objects.get()
    assert (made.pk, made.source, made.actor_label) == (notice.pk, "post", "ann")
    assert [way["text"] for way in client.get(address).context["privacy_ways"]] == ["Request export"]


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"source": "operator"}, "source"),
        ({"kind": "burial"}, "kind"),
        ({"customer": ""}, "customer"),
        ({"customer": "nobody"}, "customer"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "a\x1b"}, "reason"),
    ],
)
def test_add__bad_values__said_in_the_form_and_nothing_written(
    typed: dict[str, str], field: str, maelle: Customer, ann: User, untouched: Untouched
) -> None:
    client = logged_in(ann)
    values = {"customer": str(maelle.pk), "kind": "export", "source": "email", **typed}
    with untouched():
        answer = send(client, client.get(ADD), "privacyrequest_form", values, "Save")
    assert set(answer.context["adminform"].form.errors) == {field}


def test_add__foreign_closed_or_waiting__said_in_the_form_and_nothing_written(
    maelle: Customer, tidewater: Platform, ann: User, untouched: Untouched
) -> None:
    foreign, gone = CustomerFactory(platform=tidewater), CustomerFactory(platform=maelle.platform)
    privacy.execute(request=PrivacyRequestFactory(customer=gone), is_early=True)
    PrivacyRequestFactory(customer=maelle)
    client = logged_in(ann)
    for customer, field in ((foreign, "customer"), (gone, "customer"), (maelle, "__all__")):
        values = {"customer": str(customer.pk), "kind": "erasure", "source": "email"}
        with untouched():
            answer = send(client, client.get(ADD), "privacyrequest_form", values, "Save")
        assert set(answer.context["adminform"].form.errors) == {field}


def test_add__nonsense_in_the_address__an_empty_form(shop: Platform, ann: User) -> None:
    client = logged_in(ann)
    for query in ({"customer": "nobody"}, {"customer": ""}, {"kind": "burial"}):
        assert client.get(ADD, query).status_code == 200


# --- one request -----------------------------------------------------------------------------------------------------


def test_page__erasure_that_waits__shows_what_it_would_come_to(maelle: Customer, ann: User) -> None:
    NoteFactory(customer=maelle)
    row = PrivacyRequestFactory(customer=maelle, reason="Wrote to us.")
    page = logged_in(ann).get(page_of(row))
    assert page.context["lines"] == [{"module": "Customers", "deleted": 2, "anonymised": 4, "kept": {}}]
    assert set(page.context["buttons"]) == {"hold", "cancel"}
    assert "It can be called off until" in text_of(page)
    assert "Wrote to us." in text_of(page)


def test_buttons__hold_release_cancel__do_as_they_say(maelle: Customer, ann: User) -> None:
    row, client = PrivacyRequestFactory(customer=maelle), logged_in(ann)
    held = press(client, row, "Put on hold", why="A lawsuit.")
    assert messages_of(held) == ["On hold: nobody is erased until it is released."]
    row.refresh_from_db()
    assert (row.status, row.hold_reason, row.held_by_label) == ("on_hold", "A lawsuit.", "ann")
    assert set(client.get(page_of(row)).context["buttons"]) == {"release"}
    press(client, row, "Release")
    assert PrivacyRequest.objects.get().status == "open"
    assert maelle.events.get(kind="released").actor_label == "ann"
    press(client, row, "Call it off")
    assert PrivacyRequest.objects.get().status == "cancelled"
    page = client.get(page_of(row))
    assert page.context["buttons"] == {}
    assert "<dt>Called off</dt><dd>By ann.</dd>" in text_of(page)
    assert "<dt>Due</dt>" not in text_of(page)


def test_customer_page__timeline__says_what_was_asked_and_called_off(maelle: Customer, ann: User) -> None:
    made = PrivacyRequestFactory(customer=maelle, reason="Wrote <twice>.")
    privacy.cancel(request=made)
    client, address = logged_in(ann), reverse("admin:customers_customer_change", args=[maelle.pk])
    page = text_of(client.get(address))
    assert "Privacy request: erasure (E-mail): Wrote &lt;twice&gt;.</p>" in page
    assert "Privacy request called off: erasure</p>" in page
    PrivacyRequestFactory(customer=maelle, kind="export", source="post")
    privacy.erase_now(customer=maelle)
    page = text_of(client.get(address))
    assert "Privacy request called off: export: The person was erased by another request.</p>" in page
    assert "Privacy request</p>" in page
    assert "twice" not in page


def test_page__called_off_by_another_erasure__says_why(maelle: Customer, ann: User) -> None:
    export = PrivacyRequestFactory(customer=maelle, kind="export")
    privacy.erase_now(customer=maelle)
    page = text_of(logged_in(ann).get(page_of(export)))
    assert "<dt>Called off</dt><dd>The person was erased by another request.</dd>" in page


def test_hold__no_reason__said_in_the_form(maelle: Customer, ann: User, untouched: Untouched) -> None:
    row = PrivacyRequestFactory(customer=maelle)
    with untouched():
        answer = press(logged_in(ann), row, "Put on hold")
    assert set(answer.context["adminform"].form.errors) == {"why"}


def test_execute__grace_over__erased_and_the_page_says_so(maelle: Customer, ann: User) -> None:
    row, client = PrivacyRequestFactory(customer=maelle), logged_in(ann)
    with later(8):
        client.force_login(ann)
        assert press(client, row, "Erase now").status_code == 302
        page = client.get(page_of(row))
        gone = client.get(reverse("admin:customers_customer_change", args=[maelle.pk]))
    assert (page.context["buttons"], page.context["lines"][0]["deleted"]) == ({}, 1)
    assert "This person was erased." in text_of(gone)
    assert gone.context["privacy_ways"] == []
    for text in ("Maëlle", "Dubois", "aelle@", "C-1", "Contact"):
        assert text not in text_of(page).replace("C-1-", ""), text
        assert text not in text_of(gone), text
    assert not LogEntry.objects.filter(object_repr__contains="Dubois").exists()


def test_execute__grace_still_on__no_button_and_refused(maelle: Customer, ann: User, untouched: Untouched) -> None:
    row, client = PrivacyRequestFactory(customer=maelle), logged_in(ann)
    digest = client.get(page_of(row)).context["adminform"].form.initial["row_as_shown"]
    with untouched():
        answer = client.post(page_of(row), {"row_as_shown": digest, "_execute": "1"})
        nothing = client.post(page_of(row), {"row_as_shown": digest})
    assert "It can be called off until" in str(answer.context["adminform"].form.errors)
    assert "Choose what to do." in str(nothing.context["adminform"].form.errors)


def test_execute__export_waits__page_and_queue_say_so_and_it_is_refused(
    maelle: Customer, ann: User, untouched: Untouched
) -> None:
    row, waits = PrivacyRequestFactory(customer=maelle), PrivacyRequestFactory(customer=maelle, kind="export")
    client = logged_in(ann)
    assert '<span class="pill pill--core">Open</span>' in text_of(client.get(LIST))
    for days, pill in ((8, "Export first"), (31, "Overdue, export first")):
        with later(days):
            client.force_login(ann)
            page = client.get(page_of(row))
            assert set(page.context["buttons"]) == {"hold", "cancel"}
            assert f'<a href="{page_of(waits)}">' in text_of(page)
            customer = client.get(reverse("admin:customers_customer_change", args=[maelle.pk]))
            for shown in (page, client.get(LIST), customer):
                assert f'<span class="pill pill--warn">{pill}</span>' in text_of(shown)
            digest = page.context["adminform"].form.initial["row_as_shown"]
            with untouched():
                answer = client.post(page_of(row), {"row_as_shown": digest, "_execute": "1"})
            assert "They wait for an export of their data" in str(answer.context["adminform"].form.errors)


def test_buttons__somebody_was_faster__refused(maelle: Customer, ann: User, untouched: Untouched) -> None:
    row, client = PrivacyRequestFactory(customer=maelle), logged_in(ann)
    page = client.get(page_of(row))
    privacy.hold(request=row, reason="A lawsuit.")
    with untouched():
        answer = send(client, page, "privacyrequest_form", {}, "Call it off")
    assert "Somebody else saved this" in text_of(answer)


def test_buttons__any__lock_the_customer_before_the_request(maelle: Customer, ann: User) -> None:
    row, client = PrivacyRequestFactory(customer=maelle), logged_in(ann)
    page = client.get(page_of(row))
    with CaptureQueriesContext(connection) as asked:
        send(client, page, "privacyrequest_form", {"why": "A lawsuit."}, "Put on hold")
    assert PrivacyRequest.objects.get().status == "on_hold"
    locks = [query["sql"] for query in asked if "FOR NO KEY UPDATE" in query["sql"]]
    tables = [found[1] for sql in locks if (found := re.search(r'FROM "customers_(\w+)"', sql))]
    # By the admin, then by the service. SQLite locks all there is.
    by_admin, by_service = ["customer", "customer", "privacyrequest"], ["customer", "privacyrequest"]
    assert tables == [*by_admin, *by_service] * (connection.vendor == "postgresql")


def test_download__export__is_handed_over_and_written_down(maelle: Customer, ann: User) -> None:
    row, client = PrivacyRequestFactory(customer=maelle, kind="export"), logged_in(ann)
    answer = press(client, row, "Download the export")
    assert answer["Content-Disposition"] == f'attachment; filename="{row.pk}.json"'
    assert "no-store" in answer["Cache-Control"]
    [part] = json.loads(answer.content)["customers"]
    assert part["modules"]["customers"]["customers"][0]["last_name"] == "Dubois"
    assert maelle.events.latest("at").kind == "exported"
    page = client.get(page_of(row))
    assert (set(page.context["buttons"]), PrivacyRequest.objects.get().status) == ({"download"}, "done")
    assert "1 customers" in text_of(page)


# --- who may not -----------------------------------------------------------------------------------------------------


def test_viewer__page__is_to_be_read_and_writes_nothing(maelle: Customer, vic: User, untouched: Untouched) -> None:
    row, client = PrivacyRequestFactory(customer=maelle), logged_in(vic)
    page = client.get(page_of(row))
    assert (page.status_code, page.context["buttons"]) == (200, {})
    with untouched():
        for button in ("_hold", "_cancel", "_execute", "_download"):
            assert client.post(page_of(row), {button: "1", "why": "Mine."}).status_code == 403
        assert client.get(ADD).status_code == 403


def test_request__delete_page__is_not_there(maelle: Customer, operator: User, untouched: Untouched) -> None:
    row = PrivacyRequestFactory(customer=maelle)
    address = reverse("admin:customers_privacyrequest_delete", args=[row.pk])
    with untouched():
        assert logged_in(operator).post(address, {"post": "yes"}).status_code == 405


def test_module_off__queue__is_dark(maelle: Customer, ann: User) -> None:
    row, client = PrivacyRequestFactory(customer=maelle), logged_in(ann)
    module_services.disable(platform=maelle.platform, module="customers", origin=origin())
    assert client.get(LIST).status_code == 403
    assert client.get(page_of(row)).status_code in (302, 403)
