"""Privacy requests over HTTP: asked, held, done and fetched by who may; what is refused writes nothing."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from customers import privacy
from customers.models import Customer, PrivacyRequest
from platforms.models import IdempotentAnswer, Platform
from tests.customers.conftest import Untouched
from tests.factories import CustomerFactory, NoteFactory, PrivacyRequestFactory

pytestmark = pytest.mark.django_db

REQUESTS = "/api/v1/admin/platforms/kestrel/customers/privacy-requests/"


def errors_of(answer: Any) -> set[tuple[str, str | None]]:
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def url(row: PrivacyRequest, action: str = "") -> str:
    return f"{REQUESTS}{row.pk}/" + (f"{action}/" if action else "")


def listed(client: APIClient, **query: Any) -> list[str]:
    answer = client.get(REQUESTS, query)
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_create__erasure__answered_as_it_is_kept(maelle: Customer, as_admin: APIClient) -> None:
    body = {"kind": "erasure", "customer": str(maelle.pk), "source": "email", "reason": "Wrote to us."}
    with time_machine.travel(timezone.now().replace(microsecond=0), tick=False):
        answer = as_admin.post(REQUESTS, body)
        now = timezone.now()
    assert answer.status_code == 201, answer.content

    def said(days: int) -> str:
        return f"{now + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"

    made = answer.json()
    assert made == {
        **body,
        "id": made["id"],
        "status": "open",
        "actor": "ann",
        "created_at": said(0),
        "due_at": said(30),
        "not_before": said(7),
        "is_overdue": False,
        "hold_reason": "",
        "held_by": "",
        "held_at": None,
        "done_at": None,
        "erased": [],
    }
    assert as_admin.get(f"{REQUESTS}{made['id']}/").json() == made


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {("kind", "required"), ("customer", "required"), ("source", "required")}),
        ({"kind": "burial"}, {("kind", "invalid_choice")}),
        ({"source": "operator"}, {("source", "invalid_choice")}),
        ({"source": "inactivity"}, {("source", "invalid_choice")}),
        ({"customer": "nobody"}, {("customer", "does_not_exist")}),
        ({"customer": str(uuid4())}, {("customer", "does_not_exist")}),
        ({"reason": "x" * 501}, {("reason", "max_length")}),
        ({"reason": 5}, {("reason", "invalid")}),
        ({"status": "done"}, {("status", "unknown_field")}),
        ({"due_at": "2026-01-01T00:00:00Z"}, {("due_at", "unknown_field")}),
    ],
)
def test_create__bad_values__400_and_nothing_written(
    body: dict[str, Any],
    expected: set[tuple[str, str]],
    maelle: Customer,
    as_admin: APIClient,
    untouched: Untouched,
) -> None:
    whole = {"kind": "erasure", "customer": str(maelle.pk), "source": "email", **body} if body else {}
    with untouched():
        answer = as_admin.post(REQUESTS, whole)
    assert (answer.status_code, errors_of(answer)) == (400, {(attr, code) for attr, code in expected})


def test_create__foreign_waiting_or_closed__refused_and_nothing_written(
    maelle: Customer, tidewater: Platform, as_admin: APIClient, untouched: Untouched
) -> None:
    foreign, gone = CustomerFactory(platform=tidewater), CustomerFactory(platform=maelle.platform)
    privacy.execute(request=PrivacyRequestFactory(customer=gone), is_early=True)
    PrivacyRequestFactory(customer=maelle)
    for customer, status, code in ((foreign, 400, "does_not_exist"), (maelle, 409, "pending"), (gone, 409, "closed")):
        with untouched():
            answer = as_admin.post(REQUESTS, {"kind": "erasure", "customer": str(customer.pk), "source": "email"})
        assert (answer.status_code, {found for _, found in errors_of(answer)}) == (status, {code})


def test_create__notice_for_doing_nothing_waits__becomes_their_request(maelle: Customer, as_admin: APIClient) -> None:
    notice = PrivacyRequestFactory(customer=maelle, source="inactivity")
    body = {"kind": "erasure", "customer": str(maelle.pk), "source": "email", "reason": "Wrote to us."}
    answer = as_admin.post(REQUESTS, body)
    assert (answer.status_code, answer.json()["id"], answer.json()["source"]) == (201, str(notice.pk), "email")
    assert errors_of(as_admin.post(REQUESTS, body)) == {(None, "pending")}


def test_list__filters__narrow_and_the_soonest_due_is_first(maelle: Customer, as_admin: APIClient) -> None:
    late = PrivacyRequestFactory(customer=maelle, kind="export")
    held = PrivacyRequestFactory(customer=maelle)
    other = PrivacyRequestFactory(customer__platform=maelle.platform, source="post")
    now = timezone.now()
    PrivacyRequest.objects.filter(pk=late.pk).update(due_at=now - timedelta(days=1))
    PrivacyRequest.objects.filter(pk=other.pk).update(due_at=now + timedelta(days=2))
    privacy.hold(request=held, reason="A lawsuit.")
    assert listed(as_admin) == [str(late.pk), str(other.pk), str(held.pk)]
    assert listed(as_admin, is_overdue="true") == listed(as_admin, kind="export") == [str(late.pk)]
    assert listed(as_admin, is_overdue="false") == listed(as_admin, kind="erasure") == [str(other.pk), str(held.pk)]
    assert listed(as_admin, status="on_hold") == [str(held.pk)]
    assert listed(as_admin, source="post") == [str(other.pk)]
    soon = f"{now + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
    assert listed(as_admin, due_before=soon) == [str(late.pk), str(other.pk)]
    assert listed(as_admin, customer=str(maelle.pk)) == [str(late.pk), str(held.pk)]
    for query in ({"kind": "burial"}, {"is_overdue": "yes"}, {"due_before": "soon"}, {"customer": "nobody"}):
        assert as_admin.get(REQUESTS, query).status_code == 400


@pytest.mark.parametrize("count", [1, 10])
def test_list__many_requests__same_queries(
    count: int, shop: Platform, as_admin: APIClient, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        PrivacyRequestFactory(customer__platform=shop)
    as_admin.get(REQUESTS)
    with django_assert_num_queries(5):
        assert as_admin.get(REQUESTS).status_code == 200


def test_actions__hold_release_cancel__do_as_they_say(maelle: Customer, as_admin: APIClient) -> None:
    row = PrivacyRequestFactory(customer=maelle)
    held = as_admin.post(url(row, "hold"), {"reason": "A lawsuit."}).json()
    assert (held["status"], held["hold_reason"], held["held_by"]) == ("on_hold", "A lawsuit.", "ann")
    for action in ("execute", "cancel"):
        assert errors_of(as_admin.post(url(row, action))) == {(None, "on_hold")}
    released = as_admin.post(url(row, "release")).json()
    assert released["status"] == "open"
    assert (released["hold_reason"], released["held_by"], released["held_at"]) == ("", "", None)
    assert maelle.events.get(kind="released").actor_label == "ann"
    assert as_admin.get(url(row)).json() == released
    assert as_admin.post(url(row, "cancel")).json()["status"] == "cancelled"
    assert as_admin.get(url(row, "report")).json() == {
        "status": "cancelled",
        "modules": {},
        "called_off": {"why": "called_off", "detail": "Somebody called it off.", "by": "ann"},
        "erased": [],
    }


def test_report__called_off_by_itself__says_why(maelle: Customer, as_admin: APIClient) -> None:
    row = PrivacyRequestFactory(customer=maelle, kind="export")
    privacy.erase_now(customer=maelle)
    assert as_admin.get(url(row, "report")).json()["called_off"] == {
        "why": "erased",
        "detail": "The person was erased by another request.",
        "by": "",
    }


@pytest.mark.parametrize(
    ("action", "body", "status", "expected"),
    [
        ("hold", {}, 400, ("reason", "required")),
        ("hold", {"reason": " "}, 400, ("reason", "blank")),
        ("hold", {"reason": "x" * 501}, 400, ("reason", "max_length")),
        ("hold", {"reason": "a\x1b"}, 400, ("reason", "control_characters")),
        ("release", {"why": "So."}, 400, ("why", "unknown_field")),
        ("execute", {}, 409, (None, "in_grace")),
        ("download", {}, 409, (None, "other_kind")),
    ],
)
def test_actions__bad_or_too_early__refused_and_nothing_written(
    action: str,
    body: dict[str, str],
    status: int,
    expected: tuple[str, str],
    maelle: Customer,
    as_admin: APIClient,
    untouched: Untouched,
) -> None:
    row = PrivacyRequestFactory(customer=maelle)
    with untouched():
        answer = as_admin.post(url(row, action), body)
    assert (answer.status_code, errors_of(answer)) == (status, {expected})


def test_execute__grace_over__erases_and_reports(maelle: Customer, as_admin: APIClient, untouched: Untouched) -> None:
    NoteFactory(customer=maelle)
    row = PrivacyRequestFactory(customer=maelle)
    before = as_admin.get(url(row, "report")).json()
    assert before == {
        "status": "open",
        "modules": {"customers": {"deleted": 2, "anonymised": 4, "kept": {}}},
        "called_off": None,
        "erased": [],
    }
    PrivacyRequest.objects.filter(pk=row.pk).update(not_before=timezone.now())
    with untouched():
        assert as_admin.post(f"{url(row, 'execute')}?dry_run=true").json()["status"] == "done"
    assert as_admin.post(url(row, "execute")).json()["status"] == "done"
    assert Customer.objects.get().status == "erased"
    erased = {"erased": [str(maelle.pk)]}
    assert as_admin.get(url(row, "report")).json() == {**before, "status": "done", **erased}
    [listed] = as_admin.get(REQUESTS, {"kind": "erasure", "status": "done"}).json()["results"]
    assert listed["erased"] == erased["erased"]
    answer = as_admin.patch(
        f"/api/v1/admin/platforms/kestrel/customers/customers/{maelle.pk}/", {"first_name": "A"}, HTTP_IF_MATCH="*"
    )
    assert (answer.status_code, errors_of(answer)) == (409, {(None, "closed")})


def test_execute__export_waits__409_and_nothing_written(
    maelle: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    row = PrivacyRequestFactory(customer=maelle)
    PrivacyRequestFactory(customer=maelle, kind="export")
    PrivacyRequest.objects.filter(pk=row.pk).update(not_before=timezone.now())
    with untouched():
        answer = as_admin.post(url(row, "execute"))
    assert (answer.status_code, errors_of(answer)) == (409, {(None, "export_open")})


def test_download__export__is_an_attachment_and_written_down(maelle: Customer, as_admin: APIClient) -> None:
    row = PrivacyRequestFactory(customer=maelle, kind="export")
    answer = as_admin.post(url(row, "download"))
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == f'attachment; filename="{row.pk}.json"'
    [part] = answer.json()["customers"]
    assert part["modules"]["customers"]["customers"][0]["email"] == "Maelle@Example.com"
    assert maelle.events.latest("at").actor_label == "ann"
    assert as_admin.get(url(row, "report")).json()["modules"]["customers"]["rows"]["customers"] == 1


def test_download__tried__counts_and_says_nothing_of_them(
    maelle: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    NoteFactory(customer=maelle, text="Rang about the invoice.")
    row = PrivacyRequestFactory(customer=maelle, kind="export")
    with untouched():
        answer = as_admin.post(f"{url(row, 'download')}?dry_run=true", {})
    assert answer.status_code == 200
    assert "Content-Disposition" not in answer
    [part] = answer.json()["customers"]
    assert (part["customer"], part["modules"]["customers"]["notes"]) == (str(maelle.pk), 1)
    assert not any(text in answer.content.decode() for text in ("Maelle@", "Dubois", "invoice"))


def test_download__with_a_key__is_kept_nowhere_and_refused_after_the_erasure(
    maelle: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    row = PrivacyRequestFactory(customer=maelle, kind="export")
    other = PrivacyRequestFactory(customer__platform=maelle.platform, kind="export")
    key = {"HTTP_IDEMPOTENCY_KEY": "k-1"}
    for count in (1, 2):
        assert as_admin.post(url(row, "download"), {}, **key).json()["customers"]
        assert maelle.events.filter(kind="exported").count() == count
    assert IdempotentAnswer.objects.get().answer == ""
    assert as_admin.post(url(other, "download"), {}, **key).status_code == 422
    privacy.erase_now(customer=maelle)
    with untouched():
        answer = as_admin.post(url(row, "download"), {}, **key)
    assert (answer.status_code, errors_of(answer)) == (409, {(None, "closed")})


def test_actions__by_a_viewer__403_and_nothing_written(
    maelle: Customer, as_viewer: APIClient, untouched: Untouched
) -> None:
    row = PrivacyRequestFactory(customer=maelle)
    with untouched():
        for action in ("hold", "release", "cancel", "execute", "download"):
            assert as_viewer.post(url(row, action), {}).status_code == 403
    assert as_viewer.get(url(row, "report")).status_code == 200


def test_schema__source__offers_to_who_writes_what_is_taken(
    maelle: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    schemas = as_admin.get("/api/v1/schema/?format=json").json()["components"]["schemas"]
    offered, answered = (
        {one["const"] for one in schemas[name]["properties"]["source"]["oneOf"]}
        for name in ("PrivacyRequestRequest", "PrivacyRequest")
    )
    assert answered == set(PrivacyRequest.Source.values)
    body = {"kind": "erasure", "customer": str(maelle.pk)}
    with untouched():
        taken = {
            source
            for source in answered
            if as_admin.post(f"{REQUESTS}?dry_run=true", {**body, "source": source}).status_code == 201
        }
    assert taken == offered == answered - {"operator", "inactivity"}
