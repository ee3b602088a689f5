"""What is refused says what is wanted: the choices, a country's code, a number with its country."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms import modelform_factory
from rest_framework.test import APIClient

from customers.models import Address, Customer, Match
from customers.models.fields import COUNTRY_WANTED, PHONE_WANTED
from customers.upserts import Row, upsert
from platforms.models import Platform
from tests.customers.conftest import Untouched

pytestmark = pytest.mark.django_db

HERE = "/api/v1/admin/platforms/kestrel/customers/"


def told(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.content
    return {error["attr"]: error["detail"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(
    ("path", "name", "choices"),
    [
        ("customers/bulk/", "match", "external_ref, email, none"),
        ("customers/bulk/", "error_policy", "skip_row, ignore_field, all_or_nothing"),
        ("addresses/", "kind", "shipping, billing"),
        ("consents/", "channel", "email, sms, phone, post"),
        ("privacy-requests/", "kind", "export, erasure"),
        ("privacy-requests/", "source", "email, phone, post, in_person, authority"),
        ("segments/", "match", "all, any"),
    ],
)
def test_body__no_choice__named_what_there_is(
    path: str, name: str, choices: str, shop: Platform, as_admin: APIClient, untouched: Untouched
) -> None:
    with untouched():
        detail = told(as_admin.post(f"{HERE}{path}", {name: "pigeon"}))[name]
    assert detail == f"“pigeon” is not a valid choice: name one of {choices}."


@pytest.mark.parametrize(
    ("name", "choices"),
    [("match", "external_ref, email, none"), ("error_policy", "skip_row, ignore_field, all_or_nothing")],
)
def test_upload__no_choice__named_what_there_is(
    name: str, choices: str, shop: Platform, as_admin: APIClient, untouched: Untouched
) -> None:
    with untouched():
        body = {"file": SimpleUploadedFile("a.csv", b"email\na@example.com\n"), name: "pigeon"}
        answer = as_admin.post(f"{HERE}imports/", body, format="multipart")
    assert told(answer) == {name: f"“pigeon” is not a valid choice: name one of {choices}."}


def test_export__no_format_of_ours__named_what_there_is(shop: Platform, as_admin: APIClient) -> None:
    answer = as_admin.get(f"{HERE}customers/export/", {"file_format": "pdf"})
    assert told(answer) == {"file_format": "“pdf” is not a valid choice: name one of csv, xlsx."}


def test_consent__no_action__named_what_staff_may_say(shop: Platform, as_admin: APIClient) -> None:
    assert told(as_admin.post(f"{HERE}consents/", {"action": "pigeon"}))["action"] == "Say given or withdrawn."


def test_segment__country_that_is_none__told_the_first_and_how_many(shop: Platform, as_admin: APIClient) -> None:
    rules = [{"field": "country", "operator": "is", "value": ["Atlantis"]}]
    [detail] = told(as_admin.post(f"{HERE}segments/", {"name": "A", "match": "all", "rules": rules})).values()
    assert detail.startswith("“Atlantis” is none of ")
    assert detail.endswith(" more.")


@pytest.mark.parametrize("country", ["Germany", "de", "XX", "D", 5])
def test_country__that_is_none__told_what_is_wanted_everywhere(
    country: Any, maelle: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    lived = {"customer": str(maelle.pk), "line1": "1 Mill Street", "city": "Berlin", "country": country}
    with untouched():
        assert told(as_admin.post(f"{HERE}addresses/", lived)) == {"country": COUNTRY_WANTED}
    form = modelform_factory(Address, fields=["country"])({"country": country})
    assert form.errors == {"country": [COUNTRY_WANTED]}


@pytest.mark.parametrize("phone", ["030 901820", "+49", "+49 1", "call me"])
def test_phone__that_is_none__told_what_is_wanted_everywhere(
    phone: str, maelle: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    with untouched():
        assert told(as_admin.post(f"{HERE}customers/", {"phone": phone})) == {"phone": PHONE_WANTED}
    form = modelform_factory(Customer, fields=["phone"])({"phone": phone})
    assert form.errors["phone"] == [PHONE_WANTED]


def test_row_of_a_file__wrong_cells__told_what_is_wanted(shop: Platform, untouched: Untouched) -> None:
    home = {"address_line1": "1 Mill Street", "address_city": "York"}
    rows = [
        Row(line=2, values={"phone": "030 901820"}),
        Row(line=3, values={"first_name": "Yann", **home, "address_country": "England"}),
        Row(line=4, values={"first_name": "Yann", **home, "address_country": "GB", "address_kind": "office"}),
    ]
    with untouched():
        results = upsert(platform=shop, rows=rows, match=Match.NONE, policy="skip_row")
    assert [(fault.attr, fault.detail) for result in results for fault in result.faults] == [
        ("phone", PHONE_WANTED),
        ("address_country", COUNTRY_WANTED),
        ("address_kind", "“office” is not a valid choice: name one of shipping, billing."),
    ]
