"""`list_erased` and `erase_again`: who was erased is erased again in a backup from before, and nobody else is."""

from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from customers import merging, privacy
from customers.models import Customer, PrivacyRequest
from platforms.models import Platform
from tests.customers.conftest import Untouched
from tests.factories import CustomerFactory, PrivacyRequestFactory

pytestmark = pytest.mark.django_db


def run(name: str, *arguments: str) -> str:
    said = StringIO()
    call_command(name, *arguments, stdout=said, stderr=said)
    return said.getvalue()


@pytest.fixture
def old(maelle: Customer) -> Customer:
    """Another profile of Maëlle's, which was not merged into hers yet."""
    return CustomerFactory(platform=maelle.platform, email="old@example.com")


@pytest.fixture
def erased(maelle: Customer, old: Customer, tmp_path: Path) -> Path:
    """Make the list of those who were erased, before a backup is restored in which they are two customers again."""
    CustomerFactory(platform=maelle.platform)
    with transaction.atomic():
        merging.merge(kept=maelle, merged=old)
        privacy.erase_now(customer=maelle)
        said = run("list_erased")
        transaction.set_rollback(True)
    path = tmp_path / "erased.txt"
    path.write_text(said, encoding="utf-8")
    return path


def test_list_erased__every_profile__is_a_line_on_every_platform(maelle: Customer, tidewater: Platform) -> None:
    there = CustomerFactory(platform=tidewater)
    assert run("list_erased") == ""
    for customer in (maelle, there):
        privacy.erase_now(customer=customer)
    assert run("list_erased") == f"kestrel {maelle.pk}\ntidewater {there.pk}\n"


def test_erase_again__backup_from_before_a_merge__erases_each_profile_and_nobody_else(
    erased: Path, maelle: Customer, old: Customer, untouched: Untouched
) -> None:
    with untouched():
        said = run("erase_again", str(erased), "--dry-run")
    assert said == "Dry run, nothing was erased: 2 to be erased, 0 erased already, 0 not there, 0 refused.\n"
    assert run("erase_again", str(erased)) == "2 erased, 0 erased already, 0 not there, 0 refused.\n"
    assert set(Customer.objects.filter(status="erased").values_list("pk", flat=True)) == {maelle.pk, old.pk}
    assert set(PrivacyRequest.objects.values_list("source", "reason")) == {("operator", "")}
    with untouched():
        assert run("erase_again", str(erased)) == "0 erased, 2 erased already, 0 not there, 0 refused.\n"


def test_erase_again__merged_in_the_backup__is_one_person(erased: Path, maelle: Customer, old: Customer) -> None:
    merging.merge(kept=maelle, merged=old)
    assert run("erase_again", str(erased)) == "1 erased, 1 erased already, 0 not there, 0 refused.\n"
    assert Customer.objects.filter(status="erased").count() == 2


def test_erase_again__merged_with_somebody_who_is_not_listed__refused(
    maelle: Customer, old: Customer, tmp_path: Path, untouched: Untouched
) -> None:
    merging.merge(kept=maelle, merged=old)
    path = tmp_path / "erased.txt"
    path.write_text(f"kestrel {old.pk}\n")
    said = StringIO()
    with untouched(), pytest.raises(CommandError) as error:
        call_command("erase_again", str(path), stderr=said)
    assert str(error.value) == "0 erased, 0 erased already, 0 not there, 1 refused."
    assert said.getvalue() == "Line 1: They are merged with somebody who was not erased: undo that merge first.\n"


def test_erase_again__some_that_cannot_be__are_named_and_the_others_are_erased(
    erased: Path, maelle: Customer, old: Customer
) -> None:
    privacy.hold(request=PrivacyRequestFactory(customer=old), reason="A lawsuit.")
    gone = [f"kestrel {uuid4()}", f"gone {maelle.pk}", f"tidewater {maelle.pk}"]
    lines = [
        "kestrel",
        "kestrel C-1",
        f"kes\x00trel {maelle.pk}",
        *gone,
        "",
        f"kestrel {old.pk}",
        f"kestrel {maelle.pk}",
    ]
    erased.write_text("\n".join(lines))
    said = StringIO()
    with pytest.raises(CommandError, match="1 erased, 0 erased already, 3 not there, 4 refused"):
        call_command("erase_again", str(erased), stderr=said)
    assert said.getvalue().splitlines() == [
        *(f"Line {number}: This is no line of list_erased." for number in (1, 2, 3)),
        "Line 8: A legal hold keeps this person from being erased.",
    ]
    assert [Customer.objects.get(pk=one.pk).status for one in (maelle, old)] == ["erased", "active"]


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_erase_again__no_such_file__one_line(name: str, tmp_path: Path, maelle: Customer, untouched: Untouched) -> None:
    with untouched(), pytest.raises(CommandError) as error:
        run("erase_again", str(tmp_path / name))
    assert "\n" not in str(error.value)
