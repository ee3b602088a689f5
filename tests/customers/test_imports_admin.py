"""Imports and exports in the admin: a wizard of plain pages, and the list as a file."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customers.models import Customer, ImportRun
from modules import worker
from platforms.models import Membership, Platform, User
from tests.admin.pages import messages_of, text_of
from tests.customers.conftest import Untouched
from tests.customers.importing import people, table
from tests.factories import CustomerFactory, ImportRunFactory, PlatformFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:customers_importrun_changelist")
UPLOAD = reverse("admin:customers_importrun_add")
CUSTOMERS = reverse("admin:customers_customer_changelist")


@pytest.fixture
def ann_in(ann: User) -> Client:
    """The browser of kestrel's admin."""
    client = Client()
    client.force_login(ann)
    return client


def sent(data: bytes, **fields: Any) -> dict[str, Any]:
    known = {"platform": Platform.objects.get(code="kestrel").pk, "match": "external_ref", "error_policy": "skip_row"}
    return {**known, "file": SimpleUploadedFile("customers.csv", data), **fields}


def page(run: ImportRun) -> str:
    return reverse("admin:customers_importrun_change", args=[run.pk])


def test_wizard__from_upload_to_done__shows_each_step(ann_in: Client, shop: Platform) -> None:
    form = ann_in.get(UPLOAD)
    assert f'<option value="{shop.pk}" selected>' in text_of(form)
    answer = ann_in.post(UPLOAD, sent(table(people(42))))
    run = ImportRun.objects.get()
    assert answer["Location"] == page(run)
    waiting = ann_in.get(page(run))
    assert waiting["Refresh"] == "5"
    assert "0 of 42 rows" in text_of(waiting)

    worker.sweep()
    checked = ann_in.get(page(run))
    assert "Refresh" not in checked
    assert "<dt>New customers</dt><dd>40</dd>" in text_of(checked)
    assert '<code>invalid</code></td><td role="cell">Enter a valid email address.' in text_of(checked)
    assert not Customer.objects.exists()
    errors = ann_in.get(page(run), {"errors": "csv"})
    assert errors["Content-Disposition"] == f'attachment; filename="errors-{run.pk}.csv"'
    assert b"nobody 20" in errors.getvalue()

    assert ann_in.post(page(run), {"start": "x"})["Location"] == page(run)
    worker.sweep()
    assert "The file was written." in text_of(ann_in.get(page(run)))
    assert Customer.objects.count() == 40
    assert "customers.csv" in text_of(ann_in.get(LIST))


def test_wizard__started_twice__says_so_and_writes_nothing_more(ann_in: Client, shop: Platform) -> None:
    run = ImportRunFactory(platform=shop, status="done")
    answer = ann_in.post(page(run), {"start": "x"})
    assert messages_of(answer) == ["This import is done: it cannot be started."]


def test_wizard__cancelled__is(ann_in: Client, shop: Platform) -> None:
    run = ImportRunFactory(platform=shop)
    ann_in.post(page(run), {"cancel": "x"})
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_wizard__all_or_nothing_with_errors__offers_no_start(ann_in: Client, shop: Platform) -> None:
    run = ImportRunFactory(platform=shop, error_policy="all_or_nothing")
    shown = text_of(ann_in.get(page(run)))
    assert "Start the import" not in shown
    assert "all rows or none" in shown


def test_wizard__no_worker_at_it__offers_to_go_on(ann_in: Client, shop: Platform) -> None:
    long_ago = timezone.now() - timedelta(minutes=16)
    run = ImportRunFactory(platform=shop, status="running", heartbeat_at=long_ago)
    answer = ann_in.get(page(run))
    assert 'value="Go on"' in text_of(answer)
    assert "Refresh" not in answer


@pytest.mark.parametrize(
    ("data", "fields", "says"),
    [
        (b"", {}, "The submitted file is empty."),
        (b"email\nx\n", {}, "no such column"),
        (b"colour\nx\n", {}, "There is no column “colour”"),
        (b"email\nx\n", {"platform": "kestrel"}, "There is no such platform with customers on."),
        (b"email\nx\n", {"platform": "9" * 30}, "There is no such platform with customers on."),
        (b"email\nx\n", {"platform": ""}, "This field is required."),
        (b"email\nx\n", {"match": "name"}, "Select a valid choice"),
    ],
)
def test_upload__bad_file_or_field__said_and_nothing_written(
    data: bytes, fields: dict[str, str], says: str, ann_in: Client, shop: Platform, untouched: Untouched
) -> None:
    with untouched():
        answer = ann_in.post(UPLOAD, sent(data, **fields))
    assert answer.status_code == 200
    assert says in text_of(answer)


def test_upload__to_another_platform__is_refused_and_does_not_name_it(
    ann_in: Client, shop: Platform, tidewater: Platform, untouched: Untouched
) -> None:
    with untouched():
        answer = ann_in.post(UPLOAD, sent(b"external_ref\nx\n", platform=tidewater.pk))
    assert "There is no such platform with customers on." in text_of(answer)
    for shown in (answer, ann_in.get(UPLOAD, {"platform": tidewater.pk}), ann_in.get(UPLOAD, {"platform": "x"})):
        assert tidewater.name not in text_of(shown)


def test_upload__platforms_offered__are_those_where_one_may_import(
    ann_in: Client, ann: User, shop: Platform, tidewater: Platform
) -> None:
    off = PlatformFactory(name="No customers here")
    for platform, role in ((tidewater, "viewer"), (off, "admin")):
        Membership.objects.create(user=ann, platform=platform, role=role)
    asked = {"app_label": "customers", "model_name": "importrun", "field_name": "platform"}
    found = ann_in.get(reverse("admin:autocomplete"), asked).json()["results"]
    assert [one["id"] for one in found] == [str(shop.pk)]


def test_upload__where_one_may_import_on_several__asks_which_or_takes_the_one_that_is_meant(
    ann_in: Client, ann: User, shop: Platform, tidewater: Platform
) -> None:
    Membership.objects.create(user=ann, platform=tidewater, role="admin")
    assert "selected>" not in text_of(ann_in.get(UPLOAD)).partition('id="id_platform"')[2].partition("</select>")[0]
    meant = text_of(ann_in.get(CUSTOMERS, {"platform__id__exact": tidewater.pk}))
    assert f'href="{UPLOAD}?platform={tidewater.pk}"' in meant
    shown = text_of(ann_in.get(UPLOAD, {"platform": tidewater.pk}))
    assert f'<option value="{tidewater.pk}" selected>' in shown


def test_list__link_to_import__is_there_for_who_may(ann_in: Client, vic: User, maelle: Customer) -> None:
    assert f'href="{UPLOAD}">Import</a>' in text_of(ann_in.get(CUSTOMERS))
    client = Client()
    client.force_login(vic)
    assert UPLOAD not in text_of(client.get(CUSTOMERS))


def test_upload__of_nobody__is_refused_before_it_is_on_the_disk(
    shop: Platform, vic: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django looks for the token in the body before it asks who sends it; here it is the other way round."""
    written: list[Any] = []
    monkeypatch.setattr(TemporaryFileUploadHandler, "receive_data_chunk", lambda *args: written.append(args))
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "x" * 32
    large = b"email\n" + b"x" * 3 * 1024 * 1024
    assert client.post(UPLOAD, sent(large)).status_code == 302
    client.force_login(vic)
    assert client.post(UPLOAD, sent(large)).status_code == 403
    assert written == []


def test_upload__without_its_token__is_refused(ann: User, shop: Platform) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)
    assert client.post(UPLOAD, sent(table(people(3)))).status_code == 403
    assert not ImportRun.objects.exists()


def test_import__of_another_platform__is_not_there(ann_in: Client, shop: Platform, tidewater: Platform) -> None:
    run = ImportRunFactory(platform=tidewater)
    assert ann_in.get(page(run)).status_code == 404
    assert ann_in.post(page(run), {"cancel": "x"}).status_code == 404
    run.refresh_from_db()
    assert run.status == "checked"


# --- export --------------------------------------------------------------------------------------------------------


def test_list__as_a_file__has_what_the_filter_shows(ann_in: Client, maelle: Customer) -> None:
    CustomerFactory(platform=maelle.platform, last_name="Martin")
    answer = ann_in.get(CUSTOMERS, {"q": "Dubois", "_export": "csv", "status": "active"})
    assert answer["Content-Disposition"] == 'attachment; filename="customers-kestrel.csv"'
    rows = answer.getvalue().decode("utf-8-sig").splitlines()
    assert [row.partition(",")[0] for row in rows] == ["email", "Maelle@Example.com"]
    shown = text_of(ann_in.get(CUSTOMERS, {"q": "Dubois"}))
    assert 'href="?q=Dubois&amp;_export=csv"' in shown


def test_list__of_several_platforms__asks_which(
    ann_in: Client, ann: User, maelle: Customer, tidewater: Platform
) -> None:
    Membership.objects.create(user=ann, platform=tidewater, role="admin")
    answer = ann_in.get(CUSTOMERS, {"_export": "csv"})
    assert messages_of(answer) == ["A file is of one platform: choose it in the filter first."]
    chosen = {"_export": "xlsx", "platform__id__exact": str(tidewater.pk)}
    assert ann_in.get(CUSTOMERS, chosen)["Content-Disposition"].endswith('customers-tidewater.xlsx"')


@pytest.mark.parametrize("query", [{"_export": "pdf"}, {"_export": "csv", "colour": "red"}, {"_export": ""}])
def test_list__as_what_it_cannot_be__leads_back(query: dict[str, str], ann_in: Client, maelle: Customer) -> None:
    assert ann_in.get(CUSTOMERS, query).status_code in (302, 400)


def test_list__for_who_only_reads__is_no_file(vic: User, maelle: Customer) -> None:
    client = Client()
    client.force_login(vic)
    assert "_export" not in text_of(client.get(CUSTOMERS))
    assert client.get(CUSTOMERS, {"_export": "csv"}).status_code == 403
