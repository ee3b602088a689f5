"""`erase_person` and `export_person`: who is meant, what is said, and what stands in the way, in one line."""

import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from customers import privacy
from customers.models import Customer, PrivacyRequest
from modules import services as module_services
from platforms.models import User
from tests.customers.conftest import Untouched
from tests.factories import CustomerFactory, NoteFactory, PrivacyRequestFactory
from tests.modules.building import origin

pytestmark = pytest.mark.django_db


def run(name: str, *arguments: str) -> str:
    said = StringIO()
    call_command(name, "kestrel", *arguments, stdout=said)
    return said.getvalue()


@pytest.mark.parametrize("is_on", [True, False])
def test_erase_person__by_mailbox__at_once_and_with_a_report(maelle: Customer, is_on: bool) -> None:
    NoteFactory(customer=maelle)
    if not is_on:
        module_services.disable(platform=maelle.platform, module="customers", origin=origin())
    said = run("erase_person", "--email", "MAELLE@example.com")
    assert said.splitlines()[0] == "customers  2 deleted, 4 anonymised"
    request = PrivacyRequest.objects.get()
    assert (request.source, request.status, Customer.objects.get().status) == ("operator", "done", "erased")
    assert str(maelle.pk) in said


def test_erase_person__dry_run__says_and_writes_nothing(maelle: Customer, untouched: Untouched) -> None:
    with untouched():
        said = run("erase_person", "--customer", str(maelle.pk), "--dry-run")
    assert said == "customers  1 deleted, 2 anonymised\nDry run: nothing was erased.\n"


def test_erase_person__export_waits__is_called_off_and_said(maelle: Customer, untouched: Untouched) -> None:
    waits = PrivacyRequestFactory(customer=maelle, kind="export")
    with untouched():
        said = run("erase_person", "--customer", str(maelle.pk), "--dry-run")
    assert f"would be called off, as nobody has fetched it: export {waits.pk}\n" in said
    said = run("erase_person", "--customer", str(maelle.pk))
    assert f"called off, as nobody has fetched it: export {waits.pk}\n" in said
    waits.refresh_from_db()
    assert (waits.status, Customer.objects.get().status) == ("cancelled", "erased")


def test_erase_person__merged__is_whom_they_are_now_and_by_the_request_that_waits(maelle: Customer, ann: User) -> None:
    old = CustomerFactory(platform=maelle.platform, email="old@example.com")
    Customer.objects.filter(pk=old.pk).update(status="merged", merged_into=maelle)
    waits = PrivacyRequestFactory(customer=maelle, source="inactivity")
    said = run("erase_person", "--email", "old@example.com", "--user", "ann")
    waits.refresh_from_db()
    assert (waits.status, waits.source, waits.actor_label) == ("done", "operator", "ann")
    assert set(Customer.objects.values_list("status", flat=True)) == {"erased"}
    assert f"Erased: customers {maelle.pk}, {old.pk} of kestrel" in said
    assert maelle.events.latest("at").actor_label == "ann"


def test_export_person__anybody__is_json_and_written_down(maelle: Customer) -> None:
    held = json.loads(run("export_person", "--email", "maelle@example.com"))
    assert held["customers"][0]["modules"]["customers"]["customers"][0]["last_name"] == "Dubois"
    assert maelle.events.latest("at").kind == "exported"
    assert PrivacyRequest.objects.get().status == "done"


@pytest.mark.parametrize("name", ["erase_person", "export_person"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--email", "nobody@example.com"], "kestrel has no such customer: nobody@example.com."),
        (["--email", ""], "kestrel has no such customer: ."),
        (["--email", "a\x00@example.com"], "kestrel has no such customer: a @example.com."),
        (["--customer", str(uuid4())], "kestrel has no such customer"),
        (["--customer", "C-1"], "C-1 is no id of a customer."),
        (["--email", "maelle@example.com", "--reason", "x" * 501], "--reason: A reason has at most 500 characters."),
        (["--email", "maelle@example.com", "--user", "vic"], "vic may not do this on kestrel."),
        (["--email", "maelle@example.com", "--user", "nobody"], "There is no user nobody."),
        ([], "Error: one of the arguments --email --customer is required"),
    ],
)
def test_command__wrong__one_line_and_nothing_written(
    name: str, arguments: list[str], message: str, maelle: Customer, vic: User, untouched: Untouched
) -> None:
    with untouched(), pytest.raises(CommandError) as error:
        run(name, *arguments)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_command__in_the_way__is_said_and_nothing_written(maelle: Customer, untouched: Untouched) -> None:
    held: Any = privacy.hold(request=PrivacyRequestFactory(customer=maelle), reason="A lawsuit.")
    with untouched(), pytest.raises(CommandError, match="A legal hold keeps this person"):
        run("erase_person", "--customer", str(maelle.pk))
    privacy.release(request=held)
    run("erase_person", "--customer", str(maelle.pk))
    for name in ("erase_person", "export_person"):
        with untouched(), pytest.raises(CommandError, match="This customer was erased"):
            run(name, "--customer", str(maelle.pk))
