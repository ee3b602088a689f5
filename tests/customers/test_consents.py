"""The ledger of consents: lines are added, the newest counts, and a consent to e-mail once its mailbox confirmed it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from customers import consents, services
from customers.models import ConsentRecord, Customer
from modules import ports
from modules import services as module_services
from modules.declarations import Provider
from modules.models import Event
from modules.ports import Recipient, Selector
from platforms.models import Platform
from tests.customers.conftest import Untouched
from tests.factories import ConsentFactory, CustomerFactory
from tests.fixtures.module_fixtures import Install
from tests.modules.building import definition, enable, origin

pytestmark = pytest.mark.django_db

EMAIL = {"channel": "email", "purpose": "marketing"}


def give(customer: Customer, **fields: Any) -> ConsentRecord:
    return consents.give(customer=customer, **{**EMAIL, "source": "checkout", **fields})


def withdraw(customer: Customer, **fields: Any) -> ConsentRecord:
    return consents.withdraw(customer=customer, **{**EMAIL, "source": "mail", **fields})


def confirm(line: ConsentRecord, customer: Customer, platform: Platform | None = None) -> ConsentRecord:
    token = consents.confirmation_token(line, customer)
    return consents.confirm(platform=platform or customer.platform, token=token)


def is_given(customer: Customer, channel: str = "email") -> bool:
    return consents.is_given(customer=customer, channel=channel, purpose="marketing")


# --- what counts ---------------------------------------------------------------------------------------------------


def test_consent__to_e_mail__counts_once_confirmed_and_no_more_once_withdrawn(maelle: Customer) -> None:
    line = give(maelle, document_version="2026-01")
    assert (is_given(maelle), line.counts) == (False, False)
    confirmed = confirm(line, maelle)
    assert (is_given(maelle), confirmed.document_version) == (True, "2026-01")
    withdraw(maelle)
    assert not is_given(maelle)
    assert [line.action for line in maelle.consents.order_by("at")] == ["given", "confirmed", "withdrawn"]


def test_consent__confirmed__outlives_a_new_address_where_an_open_link_does_not(maelle: Customer) -> None:
    confirm(give(maelle), maelle)
    news = give(maelle, purpose="news")
    token = consents.confirmation_token(news, maelle)
    services.update_customer(customer=maelle, values={"email": "maelle@new.example"})
    assert is_given(maelle)
    with pytest.raises(ValidationError, match="does not count any more"):
        consents.confirm(platform=maelle.platform, token=token)
    assert not consents.is_given(customer=maelle, channel="email", purpose="news")


def test_consent__given_again__goes_on_to_count_and_asks_for_no_click(maelle: Customer) -> None:
    first = give(maelle, document_version="2026-01")
    confirm(first, maelle)
    again = give(maelle, document_version="2026-07")
    assert (is_given(maelle), again.counts, again.document_version) == (True, True, "2026-07")
    # Nor does the old mail's link do any harm.
    assert confirm(first, maelle) == again
    assert is_given(maelle)
    withdraw(maelle)
    assert not give(maelle).counts


def test_consent__to_post__counts_at_once(maelle: Customer) -> None:
    give(maelle, channel="post")
    assert is_given(maelle, "post")
    assert not is_given(maelle)


def test_consent__without_double_opt_in__counts_at_once_and_later_stays_so(maelle: Customer) -> None:
    module_services.configure(
        platform=maelle.platform, module="customers", config={"double_opt_in": False}, origin=origin()
    )
    customer = Customer.objects.get()
    give(customer)
    module_services.reset(platform=customer.platform, module="customers", origin=origin())
    assert is_given(Customer.objects.get())


def test_consent__clock_that_goes_back__newest_line_is_still_the_last_one(maelle: Customer) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        give(maelle, channel="sms")
    with time_machine.travel(now - timedelta(hours=1), tick=False):
        withdraw(maelle, channel="sms")
    assert not is_given(maelle, "sms")


def test_consent__each__is_told_with_what_it_comes_to(maelle: Customer) -> None:
    give(maelle, channel="sms")
    said = {"customer": str(maelle.pk), "channel": "sms", "purpose": "marketing", "action": "given", "counts": True}
    assert [(event.name, event.data) for event in Event.objects.all()] == [("customers.consent_changed", said)]
    assert maelle.events.filter(kind="consent").count() == 1


def test_newest__lines_in_any_order__one_for_each_channel_and_purpose(maelle: Customer) -> None:
    give(maelle, channel="sms")
    last = withdraw(maelle, channel="sms")
    other = give(maelle, channel="post", purpose="survey")
    assert consents.newest(ConsentRecord.objects.order_by("?")) == [other, last]


# --- refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"channel": "pigeon"}, "channel", "invalid_choice"),
        ({"purpose": "All of it"}, "purpose", "invalid_code"),
        ({"purpose": ""}, "purpose", "blank"),
        ({"channel": "sms", "source": "a\nb"}, "source", "control_characters"),
        ({"document_version": "x" * 51}, "document_version", "max_length"),
    ],
)
def test_give__bad_words__refused_and_nothing_written(
    fields: dict[str, str], field: str, code: str, maelle: Customer, untouched: Untouched
) -> None:
    with untouched(), pytest.raises(ValidationError) as refused:
        give(maelle, **fields)
    assert [error.code for error in refused.value.error_dict[field]] == [code]


def test_give__nobody_could_confirm_it__refused_and_nothing_written(shop: Platform, untouched: Untouched) -> None:
    customer = CustomerFactory(platform=shop, email="")
    with untouched(), pytest.raises(ValidationError, match="no e-mail address"):
        give(customer)


@pytest.mark.parametrize(
    "what", ["another platform", "another address", "withdrawn", "given anew", "too late", "forged"]
)
def test_confirm__link_that_does_not_count__refused_and_nothing_written(
    what: str, maelle: Customer, tidewater: Platform, untouched: Untouched
) -> None:
    line = give(maelle)
    token, platform, at = consents.confirmation_token(line, maelle), maelle.platform, timezone.now()
    match what:
        case "another platform":
            platform = tidewater
        case "another address":
            services.update_customer(customer=maelle, values={"email": "new@example.com"})
        case "withdrawn":
            withdraw(maelle)
        case "given anew":
            give(maelle)
        case "too late":
            at += consents.CONFIRM_WITHIN + timedelta(seconds=1)
        case "forged":
            token = token[:-1] + ("A" if token[-1] != "A" else "B")
    with time_machine.travel(at), untouched(), pytest.raises(ValidationError) as refused:
        consents.confirm(platform=platform, token=token)
    assert [error.code for error in refused.value.error_dict["token"]] == ["invalid_token"]


def test_confirm__twice__is_one_line(maelle: Customer) -> None:
    line = give(maelle)
    first = confirm(line, maelle)
    assert confirm(line, maelle) == first
    assert maelle.consents.count() == 2


REWRITES: dict[str, Callable[[], Any]] = {
    "update": lambda: ConsentRecord.objects.update(action="given"),
    "delete": lambda: ConsentRecord.objects.all().delete(),
    "save": lambda: ConsentRecord.objects.get().save(),
}


@pytest.mark.parametrize("way", REWRITES)
def test_ledger__rewritten__refused_by_the_database(way: str, maelle: Customer, untouched: Untouched) -> None:
    ConsentFactory(customer=maelle)
    with untouched(), pytest.raises(IntegrityError, match="Consents are append-only"), transaction.atomic():
        REWRITES[way]()


def test_ledger__raw_sql__refused_by_the_database(maelle: Customer, untouched: Untouched) -> None:
    ConsentFactory(customer=maelle)
    with (
        untouched(),
        pytest.raises(IntegrityError, match=r"Call customers\.consents"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM customers_consentrecord")


# --- the mail that asks, and the ports -----------------------------------------------------------------------------

sent: list[dict[str, Any]] = []


def take(**message: Any) -> None:
    """Serve the port `notify`."""
    sent.append(message)


def test_give__messages_are_sent__mailbox_is_asked_once_with_a_token_that_confirms(
    maelle: Customer, install: Install
) -> None:
    sent.clear()
    install(definition("post_office", provides=(Provider(port="notify", provider=f"{__name__}.take"),)))
    enable(maelle.platform, "post_office")
    customer = Customer.objects.get()
    line = give(customer)
    give(customer, channel="post")
    [message] = sent
    assert message["topic"] == "customers.confirm_consent"
    assert message["recipients"] == [Recipient(address="Maelle@Example.com", person=str(customer.pk), locale="")]
    assert message["key"] == f"consent {line.pk}"
    assert consents.confirm(platform=customer.platform, token=message["context"]["token"]).counts


def test_may_contact__marketing_by_what_was_said__the_rest_always(maelle: Customer) -> None:
    def may(purpose: str, channel: str = "post", person: str = "") -> bool:
        return ports.may_contact(maelle.platform, person or str(maelle.pk), channel, purpose)

    assert (may("marketing"), may("order")) == (False, True)
    give(maelle, channel="post")
    assert (may("marketing"), may("marketing", "sms")) == (True, False)
    services.block_customer(customer=maelle)
    assert (may("marketing"), may("order")) == (False, True)
    assert not may("order", person="nobody")
    Customer.objects.update(status="erased")
    assert not may("order")


def test_recipients__people_and_addresses__each_mailbox_once_and_of_this_platform(
    maelle: Customer, tidewater: Platform
) -> None:
    foreign, silent = CustomerFactory(platform=tidewater), CustomerFactory(platform=maelle.platform, email="")
    gone = CustomerFactory(platform=maelle.platform)
    Customer.objects.filter(pk=gone.pk).update(status="erased")
    selector = Selector(
        addresses=("MAELLE@example.com", "desk@example.com"),
        people=(str(maelle.pk), str(foreign.pk), str(silent.pk), str(gone.pk), "no id"),
    )
    assert ports.recipients(maelle.platform, selector) == (
        Recipient(address="Maelle@Example.com", person=str(maelle.pk)),
        Recipient(address="desk@example.com"),
    )


def test_ports__module_off__nobody_is_looked_up(maelle: Customer) -> None:
    give(maelle, channel="post")
    module_services.disable(platform=maelle.platform, module="customers", origin=origin(), cascade=True)
    platform = Platform.objects.get(pk=maelle.platform_id)
    assert ports.recipients(platform, Selector(people=(str(maelle.pk),))) == ()
    assert not ports.may_contact(platform, str(maelle.pk), "post", "marketing")
