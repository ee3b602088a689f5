"""The error file: it has all that a row said, says what is wrong, and is taken once that is corrected."""

import csv
import io
import re
from typing import Any

import pytest

from customers import imports
from customers.cells import escape
from customers.files import csv_file, xlsx_file
from customers.models import Customer
from platforms.models import Platform, User
from tests.customers.importing import begin, counts, people, table, worked

pytestmark = pytest.mark.django_db


def test_error_file__corrected_and_sent_again__is_taken(shop: Platform, ann: User) -> None:
    run = worked(begin(shop, ann, table(people(63)), checks_first=False))
    data = b"".join(imports.error_file(run))
    lines = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [(line["external_ref"], line["first_name"], line["errors"]) for line in lines] == [
        ("C-20", "'=Zoé", "email: Enter a valid email address."),
        ("C-41", "'=Zoé", "email: Enter a valid email address."),
        ("C-62", "'=Zoé", "email: Enter a valid email address."),
    ]
    corrected = re.sub(rb"nobody [0-9]+", b"", data)
    assert counts(worked(begin(shop, ann, corrected, checks_first=False))) == ("done", 3, 3, 0, 0, 0)
    assert set(Customer.objects.filter(email="").values_list("first_name", flat=True)) == {"=Zoé"}


def test_error_file__of_a_file_in_an_old_encoding__says_what_was_meant_and_is_taken(shop: Platform, ann: User) -> None:
    data = "external_ref;first_name;last_name\r\nC-1;Zoé;Müller\r\nC-2;Ann;Lee\r\n".encode("cp1252")
    run = worked(begin(shop, ann, data, checks_first=False))
    assert counts(run) == ("done", 2, 1, 0, 0, 1)
    errors = b"".join(imports.error_file(run))
    assert "C-1,Zoé,Müller,first_name: This is not UTF-8" in errors.decode("utf-8-sig")
    assert counts(worked(begin(shop, ann, errors, checks_first=False))) == ("done", 1, 1, 0, 0, 0)
    assert set(Customer.objects.values_list("first_name", "last_name")) == {("Zoé", "Müller"), ("Ann", "Lee")}


@pytest.mark.parametrize("write", [csv_file, xlsx_file])
def test_error_file__of_a_row_with_more_cells_than_the_header__has_all_of_them(
    write: Any, shop: Platform, ann: User
) -> None:
    said = [["external_ref", "address_line1", "address_city"], ["C-1", "12", "rue de Siam", "", "=Brest"]]
    data = b"".join(write([[escape(cell) for cell in row] for row in said]))
    run = worked(begin(shop, ann, data, checks_first=False))
    errors = b"".join(imports.error_file(run))
    [header, row] = csv.reader(io.StringIO(errors.decode("utf-8-sig")))
    assert header == ["external_ref", "address_line1", "address_city", "errors"]
    assert row == ["C-1", "12", "rue de Siam", "This row has more cells than the header.", "", "'=Brest"]
    # Sent again as it is, nothing of it is lost either.
    again = worked(begin(shop, ann, errors, checks_first=False))
    assert b"".join(imports.error_file(again)) == errors
    corrected = errors.replace(b"12,rue de Siam", b'"12, rue de Siam",Brest').replace(b",,'=Brest", b"")
    corrected = corrected.replace(b"address_city,", b"address_city,address_country,").replace(b"Brest,", b"Brest,FR,")
    assert counts(worked(begin(shop, ann, corrected, checks_first=False))) == ("done", 1, 1, 0, 0, 0)
    address = Customer.objects.get().addresses.get()
    assert (address.line1, address.city) == ("12, rue de Siam", "Brest")


def test_forget__what_stands_beyond_the_header__is_found_and_forgotten(shop: Platform, ann: User) -> None:
    run = worked(begin(shop, ann, b"external_ref\nC-1,x,c1@example.com\n", checks_first=False))
    assert imports.forget(platform=shop, sought=imports.Sought.by(emails=["c1@example.com"])) == 1
    assert b"c1@example.com" not in b"".join(imports.error_file(run))
