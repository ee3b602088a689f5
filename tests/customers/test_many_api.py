"""Many customers over HTTP: in one body, as a file on its way in, as a file on its way out."""

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from rest_framework.test import APIClient

from customers import merging
from customers.imports import receiving
from customers.models import Customer, ImportRun
from modules import services as module_services
from modules import worker
from modules.models import Event
from platforms.models import Platform, Vendor
from tests.customers.conftest import Untouched
from tests.customers.importing import people, table
from tests.factories import AddressFactory, CustomerFactory, ImportRunFactory, TagFactory
from tests.fixtures.api_fixtures import ClientOf
from tests.modules.building import origin

pytestmark = pytest.mark.django_db

HERE = "/api/v1/admin/platforms/kestrel/customers/"
BULK, EXPORT, IMPORTS = f"{HERE}customers/bulk/", f"{HERE}customers/export/", f"{HERE}imports/"
MIB = 1024 * 1024


def errors(answer: Any, status: int = 400) -> list[tuple[str | None, str]]:
    assert answer.status_code == status, answer.content
    return [(error["attr"], error["code"]) for error in answer.json()["errors"]]


def upload(client: APIClient, data: bytes, query: str = "", headers: Any = None, **fields: Any) -> Any:
    file = SimpleUploadedFile(fields.pop("name", "customers.csv"), data)
    return client.post(f"{IMPORTS}{query}", {"file": file, **fields}, format="multipart", headers=headers)


# --- bulk ----------------------------------------------------------------------------------------------------------


def test_bulk__rows_of_every_kind__each_says_what_became_of_it(
    as_admin: APIClient, maelle: Customer, brindle: Vendor
) -> None:
    rows = [
        {"external_ref": "C-1", "email": "Maelle@Example.com"},
        {"external_ref": "C-2", "first_name": "Yann", "tags": ["Gold", "A, B"], "vendors": ["brindle"]},
        {"external_ref": "C-3", "email": "nobody"},
        {"external_ref": "C-2", "first_name": "Again"},
    ]
    body = {"match": "external_ref", "error_policy": "skip_row", "rows": rows}
    answer = as_admin.post(BULK, body)

    assert answer.status_code == 200, answer.content
    said = answer.json()
    made = Customer.objects.get(external_ref="C-2")
    assert (said["created"], said["updated"], said["unchanged"], said["failed"]) == (1, 0, 1, 2)
    assert said["results"][:2] == [
        {"row": 0, "outcome": "unchanged", "customer": str(maelle.pk), "errors": []},
        {"row": 1, "outcome": "created", "customer": str(made.pk), "errors": []},
    ]
    assert said["results"][2] == {
        "row": 2,
        "outcome": "failed",
        "customer": None,
        "errors": [{"code": "invalid", "attr": "email", "detail": "Enter a valid email address."}],
    }
    assert said["results"][3]["errors"][0]["detail"] == "The same stands on row 1 already."
    assert sorted(made.tags.values_list("name", flat=True)) == ["A, B", "Gold"]
    assert made.events.get().actor_label == "ann"


def test_bulk__all_or_nothing_with_an_error__refused_and_nothing_written(
    as_admin: APIClient, maelle: Customer, untouched: Untouched
) -> None:
    rows = [{"external_ref": "C-2", "first_name": "A"}, {"external_ref": "C-3", "email": "nobody"}, {}]
    with untouched():
        answer = as_admin.post(BULK, {"match": "external_ref", "rows": rows})
        assert errors(answer) == [("rows.1.email", "invalid"), ("rows.2.external_ref", "required")]


def test_bulk__dry_run__says_the_same_and_writes_nothing(
    as_admin: APIClient, maelle: Customer, untouched: Untouched
) -> None:
    body = {"match": "email", "rows": [{"email": "maelle@example.com", "last_name": "M"}, {"email": "a@example.com"}]}
    with untouched():
        tried = as_admin.post(f"{BULK}?dry_run=true", body).json()
    assert tried["results"][1] == {"row": 1, "outcome": "created", "customer": None, "errors": []}
    done = as_admin.post(BULK, body).json()
    assert [row["outcome"] for row in tried["results"]] == [row["outcome"] for row in done["results"]]


def test_bulk__sent_again_with_its_key__is_done_once(as_admin: APIClient, shop: Platform) -> None:
    body = {"match": "none", "rows": [{"first_name": "Zoé"}]}
    first, again = (as_admin.post(BULK, body, headers={"Idempotency-Key": "once"}) for _ in range(2))
    assert first.content == again.content
    assert Customer.objects.count() == 1


def test_bulk__one_customer_by_two_references__is_written_once(as_admin: APIClient, maelle: Customer) -> None:
    """What names who was merged and what names the kept one stand in one body: both change the same address."""
    AddressFactory(customer=maelle, is_default=True)
    merging.merge(kept=maelle, merged=CustomerFactory(platform=maelle.platform, external_ref="C-2", email=""))
    rows = [{"external_ref": "C-2", "address_city": "Nantes"}, {"external_ref": "C-1", "address_city": "Rennes"}]
    answer = as_admin.post(BULK, {"match": "external_ref", "rows": rows})

    assert answer.status_code == 200, answer.content
    assert [row["customer"] for row in answer.json()["results"]] == [str(maelle.pk)] * 2
    assert maelle.addresses.get().city == "Rennes"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {("match", "required"), ("rows", "required")}),
        ({"match": "name", "rows": []}, {("match", "invalid_choice"), ("rows", "empty")}),
        ({"match": "none", "rows": [{}] * 501}, {("rows", "max_length")}),
        ({"match": "none", "rows": [{"colour": "red"}]}, {("rows.0.colour", "unknown_field")}),
        ({"match": "none", "rows": [{"email": 5}]}, {("rows.0.email", "invalid")}),
        ({"match": "none", "rows": [{"tags": "Gold"}]}, {("rows.0.tags", "not_a_list")}),
        ({"match": "none", "rows": ["x"]}, {("rows.0", "invalid")}),
        ({"match": "none", "rows": [{}]}, {("rows.0", "nobody")}),
        ({"match": "none", "error_policy": "hope", "rows": [{}]}, {("error_policy", "invalid_choice")}),
    ],
)
def test_bulk__bad_body__refused_in_words(
    body: dict[str, Any], expected: set[Any], as_admin: APIClient, shop: Platform, untouched: Untouched
) -> None:
    with untouched():
        assert set(errors(as_admin.post(BULK, body))) == expected


# --- imports -------------------------------------------------------------------------------------------------------


def test_import__uploaded_checked_started_done__is_seen_all_the_way(as_admin: APIClient, shop: Platform) -> None:
    begun = upload(as_admin, table(people(42)), match="external_ref", error_policy="skip_row")
    assert begun.status_code == 201, begun.content
    run = begun.json()
    assert (run["status"], run["total"], run["processed"], run["actor"]) == ("checking", 42, 0, "ann")
    here = f"{IMPORTS}{run['id']}/"

    worker.sweep()
    assert as_admin.get(here).json()["status"] == "checked"
    assert not Customer.objects.exists()
    listed = as_admin.get(f"{here}errors/", {"page_size": 1}).json()
    assert [(row["line"], row["errors"][0]["attr"]) for row in listed["results"]] == [(22, "email")]
    assert [row["line"] for row in as_admin.get(listed["next"]).json()["results"]] == [43]
    file = as_admin.get(f"{here}error-file/")
    assert file["Content-Type"] == "text/csv; charset=utf-8"
    assert file["Content-Disposition"] == f'attachment; filename="errors-{run["id"]}.csv"'
    assert file.getvalue().decode("utf-8-sig").splitlines()[0].endswith(",errors")

    assert as_admin.post(f"{here}start/").json()["status"] == "running"
    worker.sweep()
    done = as_admin.get(here).json()
    assert (done["status"], done["created"], done["failed"]) == ("done", 40, 2)
    assert errors(as_admin.post(f"{here}start/"), 409) == [(None, "status")]
    assert errors(as_admin.post(f"{here}cancel/"), 409) == [(None, "status")]
    assert [row["id"] for row in as_admin.get(IMPORTS).json()["results"]] == [run["id"]]


def test_import__cancelled__writes_nothing(as_admin: APIClient, shop: Platform) -> None:
    run = upload(as_admin, table(people(42)), dry_run="false").json()
    assert run["status"] == "running"
    assert as_admin.post(f"{IMPORTS}{run['id']}/cancel/").json()["status"] == "cancelled"
    worker.sweep()
    assert not Customer.objects.exists()


def test_import__dry_run_of_the_upload__makes_none(as_admin: APIClient, shop: Platform, untouched: Untouched) -> None:
    with untouched():
        assert upload(as_admin, table(people(5)), query="?dry_run=true").status_code == 201


def test_import__sent_again_with_its_key__is_made_once_and_another_file_is_refused(
    as_admin: APIClient, shop: Platform
) -> None:
    key = {"Idempotency-Key": "once"}
    first, again = (upload(as_admin, table(people(5)), headers=key) for _ in range(2))
    assert first.json() == again.json()
    assert errors(upload(as_admin, table(people(6)), headers=key), 422) == [(None, "idempotency_key_reused")]
    assert ImportRun.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "once"}], ids=["plain", "key"])
def test_import__file__is_read_before_anything_is_locked(
    headers: dict[str, str], as_admin: APIClient, shop: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, inside = receiving.files.open_file, []

    def watched(file: Any) -> Any:
        inside.append(connection.in_atomic_block)
        return read(file)

    monkeypatch.setattr(receiving.files, "open_file", watched)
    assert upload(as_admin, table(people(5)), headers=headers).status_code == 201
    assert inside == [False]


@pytest.mark.parametrize(
    ("data", "fields", "expected"),
    [
        (b"", {}, [("file", "empty")]),
        (b"email\nx\n", {}, [("file", "missing_column")]),
        (b"email\nx\n", {"match": "name"}, [("match", "invalid_choice")]),
        (b"email\nx\n", {"match": "email", "colour": "red"}, [("colour", "unknown_field")]),
        (b"email\nx\n", {"match": "email", "dry_run": "perhaps"}, [("dry_run", "invalid")]),
        (b"PK\x03\x04", {"match": "email"}, [("file", "invalid_file")]),
        (b"email\n" + b"x\n" * 5001, {"match": "email"}, [("file", "too_many_rows")]),
    ],
)
def test_import__bad_file_or_field__refused_and_nothing_written(
    data: bytes, fields: dict[str, str], expected: list[Any], as_admin: APIClient, shop: Platform, untouched: Untouched
) -> None:
    with untouched():
        assert errors(upload(as_admin, data, **fields)) == expected


def test_import__no_form__says_what_is_missing(as_admin: APIClient, shop: Platform) -> None:
    assert errors(as_admin.post(IMPORTS, {})) == [("file", "required")]
    answer = as_admin.post(IMPORTS, b"email\nx\n", content_type="text/csv")
    assert errors(answer, 415) == [(None, "unsupported_media_type")]


def test_import__larger_than_other_bodies__is_read_and_beyond_its_own_limit_not(
    as_admin: APIClient, shop: Platform
) -> None:
    large = table([{"external_ref": str(n), "first_name": "x" * 1000} for n in range(3000)])
    assert len(large) > 2 * MIB
    assert upload(as_admin, large).status_code == 201
    answer = as_admin.generic("POST", IMPORTS, b"", CONTENT_LENGTH=str(64 * MIB + 1))
    assert errors(answer, 413) == [(None, "request_too_large")]
    assert "67108864" in answer.json()["errors"][0]["detail"]
    run = ImportRun.objects.get()
    answer = as_admin.post(f"{IMPORTS}{run.pk}/start/", b"{" + b" " * 2 * MIB, content_type="application/json")
    assert errors(answer, 413) == [(None, "request_too_large")]


@pytest.mark.parametrize("who", ["viewer", "vendor"])
def test_import__without_the_right__refused(
    who: str, request: pytest.FixtureRequest, shop: Platform, untouched: Untouched
) -> None:
    client = request.getfixturevalue(f"as_{who}")
    run = ImportRunFactory(platform=shop)
    with untouched():
        for answer in (
            upload(client, table(people(5))),
            client.get(IMPORTS),
            client.get(f"{IMPORTS}{run.pk}/errors/"),
            client.post(f"{IMPORTS}{run.pk}/start/"),
            client.post(BULK, {"match": "none", "rows": [{"first_name": "A"}]}),
            client.get(EXPORT),
        ):
            assert errors(answer, 403) == [(None, "permission_denied")]


def test_import__of_who_may_not_send_one__body_is_not_looked_at(
    as_viewer: APIClient, as_admin: APIClient, shop: Platform, untouched: Untouched
) -> None:
    def send(client: APIClient) -> Any:
        return client.post(IMPORTS, b"no form at all", content_type="multipart/form-data")

    with untouched():
        assert errors(send(as_admin)) == [(None, "parse_error")]
        assert errors(send(as_viewer), 403) == [(None, "permission_denied")]
    module_services.disable(platform=shop, module="customers", origin=origin(), cascade=True)
    assert errors(send(as_admin), 403) == [(None, "module_disabled")]


def test_import__of_another_platform__is_not_there(as_admin: APIClient, shop: Platform, tidewater: Platform) -> None:
    run = ImportRunFactory(platform=tidewater)
    for path in ("", "errors/", "error-file/"):
        assert as_admin.get(f"{IMPORTS}{run.pk}/{path}").status_code == 404
    assert as_admin.post(f"{IMPORTS}{run.pk}/start/").status_code == 404


def test_gate__module_off__all_of_it_is_dark(as_admin: APIClient, shop: Platform) -> None:
    module_services.disable(platform=shop, module="customers", origin=origin(), cascade=True)
    for answer in (as_admin.get(EXPORT), as_admin.get(IMPORTS), as_admin.post(BULK, {})):
        assert errors(answer, 403) == [(None, "module_disabled")]


# --- export --------------------------------------------------------------------------------------------------------


def test_export__filtered_as_the_list__has_those_and_no_others(
    as_admin: APIClient, shop: Platform, tidewater: Platform
) -> None:
    gold = TagFactory(platform=shop, name="Gold", key="gold")
    found = CustomerFactory(platform=shop, first_name="=Zoé", tags=[gold], phone="+493023125042", email="")
    CustomerFactory(platform=shop)
    CustomerFactory(platform=tidewater)
    Event.objects.all().delete()

    answer = as_admin.get(EXPORT, {"tag": "Gold"}, headers={"Accept": "text/csv"})

    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert answer["Cache-Control"] == "private, no-store"
    header, *rows = answer.getvalue().decode("utf-8-sig").splitlines()
    assert header.startswith("email,phone,first_name")
    assert rows == [f",'+493023125042,'=Zoé,{found.last_name},,,Gold,,,,,,,,,"]
    assert not Event.objects.exists()


def test_export__as_a_spreadsheet__is_one(as_admin: APIClient, maelle: Customer) -> None:
    answer = as_admin.get(EXPORT, {"file_format": "xlsx"})
    assert answer["Content-Disposition"] == 'attachment; filename="customers-kestrel.xlsx"'
    assert io.BytesIO(answer.getvalue()).read(2) == b"PK"


def test_export__of_another_format__is_refused(as_admin: APIClient, shop: Platform) -> None:
    assert errors(as_admin.get(EXPORT, {"file_format": "pdf"})) == [("file_format", "invalid_choice")]
    assert errors(as_admin.get(EXPORT, {"status": "odd"})) == [("status", "invalid_choice")]


def test_export__with_a_token_that_only_reads__is_refused(client_of: ClientOf, token_of: Any, maelle: Customer) -> None:
    assert client_of(token_of("read")).get(EXPORT).status_code == 403
    assert client_of(token_of("write")).get(EXPORT).status_code == 200
