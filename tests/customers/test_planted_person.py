"""A planted person: the export holds every fact; once they are erased, nothing anywhere does but the ledger."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core import mail
from django.urls import reverse
from rest_framework.test import APIClient

from customers import consents, privacy, services, tasks
from customers.models import ConsentRecord, Customer, PrivacyRequest
from modules import services as module_services
from modules import worker
from modules.models import Event, TaskRun
from modules.personal_data import maps
from modules.tasks import enqueue
from platforms.models import Platform, User
from tests.admin.pages import logged_in, send
from tests.customers.planting import MARK, PHONE, Planted, found
from tests.factories import CustomerFactory
from tests.modules.building import enable, origin

pytestmark = pytest.mark.django_db

LEDGER = ConsentRecord._meta.db_table


@pytest.fixture
def shop_with_all(shop: Platform) -> Platform:
    """Kestrel with the modules on that others wrote, too."""
    enable(shop, "subscriptions")
    return shop


@pytest.fixture
def planted(shop_with_all: Platform) -> Planted:
    """A person with a row in every table."""
    return Planted(shop_with_all, "mae")


@pytest.fixture
def merged(planted: Planted) -> Planted:
    """The same person's other profile, which was merged into the first."""
    return Planted(planted.platform, "old", into=planted.customer)


def ask(planted: Planted, kind: str = "erasure") -> PrivacyRequest:
    act = privacy.request_erasure if kind == "erasure" else privacy.request_export
    return act(customer=planted.customer, source="email", reason=f"{MARK} wants it.")


def test_planting__every_table_and_column_of_every_map__is_in_it(planted: Planted) -> None:
    holdings = [(code, holding) for code, one in maps().items() for holding in one.holdings]
    assert {code for code, _ in holdings} >= {"customers", "subscriptions"}
    scattered = [one for found in maps().values() for one in found.scattered]
    looked_through = {model._meta.label: how for one in scattered for model, how in one.fields.items()}
    assert looked_through.keys() == {"customers.ImportRun", "customers.ImportChunk", "customers.BrokenRow"}
    assert planted.told.keys() == {holding.model._meta.label for _, holding in holdings} | looked_through.keys()
    for label, fields in looked_through.items():
        assert planted.told[label].keys() >= {name for name, how in fields.items() if how.is_exported}, label
    for _, holding in holdings:
        told = planted.told[holding.model._meta.label]
        assert told.keys() == {name for name, how in holding.fields.items() if how.is_exported}
        empty = [name for name, said in told.items() if said in (None, "")]
        assert set(empty) <= {"merged_into"}
    assert len(set(planted.forgotten)) > 15
    assert found(*planted.forgotten)


def test_export__of_the_planted__holds_every_fact_of_each_profile(planted: Planted, merged: Planted) -> None:
    made = privacy.fetch(request=ask(planted, "export"))
    assert [part["customer"] for part in made["customers"]] == [str(planted.id), str(merged.id)]
    for person, part in zip((planted, merged), made["customers"], strict=True):
        rows = [row for kinds in part["modules"].values() for rows in kinds.values() for row in rows]
        for label, told in person.told.items():
            assert told in rows, label
    json.dumps(made)


def test_erasure__of_the_planted__leaves_the_ledger_and_nothing_else(
    planted: Planted,
    merged: Planted,
    ann: User,
    as_admin: APIClient,
    caplog: pytest.LogCaptureFixture,
    settings: Any,
) -> None:
    everything = [*planted.forgotten, *merged.forgotten, MARK, PHONE]
    # Through the doors, too: what the admin logs, what a POST is answered, what a mail's link carries.
    client = logged_in(ann)
    page = reverse("admin:customers_customer_change", args=[planted.id])
    notes = {"notes-TOTAL_FORMS": "2", "notes-1-text": f"{MARK} rang.", "notes-0-DELETE": "on"}
    address = {"addresses-0-line1": f"{MARK} street", "addresses-0-country": "FR"}
    answer = send(client, client.get(page), "customer_form", {**notes, **address, "locale": "fr"}, "Save")
    assert answer.status_code == 302, answer.context["errors"]
    assert MARK in LogEntry.objects.get().object_repr
    body = {"customer": str(planted.id), "text": f"{MARK} wrote."}
    notes_url = "/api/v1/admin/platforms/kestrel/customers/notes/"
    assert as_admin.post(notes_url, body, HTTP_IDEMPOTENCY_KEY="k-1").status_code == 201
    services.block_customer(customer=planted.customer, reason=f"{MARK} shouted.")
    consents.give(customer=planted.customer, channel="email", purpose="survey", source="checkout")
    request = ask(planted)
    privacy.fetch(request=privacy.request_export(customer=planted.customer, source="email", reason=MARK))
    privacy.hold(request=request, reason=f"{MARK} sues us.")
    privacy.release(request=request)
    other = CustomerFactory(platform=planted.platform, last_name="Kerbrat")
    assert {table for table, _ in found(*everything)} > {LEDGER, "django_admin_log"}

    caplog.set_level(logging.DEBUG)
    caplog.clear()
    PrivacyRequest.objects.filter(pk=request.pk).update(not_before=request.created_at)
    module_services.disable(platform=planted.platform, module="customers", origin=origin(), cascade=True)
    enqueue(tasks.erase_due)
    worker.sweep()
    worker.sweep()

    request.refresh_from_db()
    assert request.status == "done", [run.note for run in TaskRun.objects.all()]
    assert {table for table, _ in found(*everything)} == {LEDGER}
    theirs = Customer.objects.filter(pk__in=[planted.id, merged.id])
    assert list(theirs.values_list("status", flat=True)) == ["erased", "erased"]
    for place in ("logs", caplog.text), ("mails", repr([message.message() for message in mail.outbox])):
        assert not any(text in place[1] for text in everything), place[0]
    for session in Session.objects.all():
        assert MARK not in repr(session.get_decoded())
    for file in Path(settings.MEDIA_ROOT or "no such folder").rglob("*") if settings.MEDIA_ROOT else ():
        assert not file.is_file() or MARK.encode() not in file.read_bytes(), file
    told = list(Event.objects.filter(name="customers.erased").values_list("data", flat=True))
    assert sorted(one["customer"] for one in told) == sorted(map(str, (planted.id, merged.id)))
    other.refresh_from_db()
    assert other.last_name == "Kerbrat"


def test_erasure__report__counts_and_says_nothing_of_them(planted: Planted) -> None:
    expected = privacy.preview(planted.customer)
    done = privacy.execute(request=ask(planted), is_early=True)
    assert set(done.outcome) == {"customers", "subscriptions"}
    assert done.outcome["subscriptions"] == {"deleted": 0, "anonymised": 1, "kept": {}}
    assert done.outcome["customers"]["deleted"] == expected["customers"].deleted == 5
    assert list(done.outcome["customers"]["kept"]) == ["consent records"]
    assert MARK not in json.dumps(done.report)
