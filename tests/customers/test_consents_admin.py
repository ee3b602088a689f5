"""Consents in the admin: recorded by staff through the service, and by nobody who may not."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from customers import consents
from customers.models import ConsentRecord, Customer
from modules import ports
from modules import services as module_services
from modules.declarations import Provider
from platforms.models import Platform, User
from tests.admin.pages import logged_in, messages_of, send, text_of
from tests.customers.conftest import Untouched
from tests.factories import ConsentFactory, CustomerFactory
from tests.fixtures.module_fixtures import Install
from tests.modules.building import definition, enable, origin

pytestmark = pytest.mark.django_db

SAID = {"action": "given", "channel": "post", "purpose": "marketing", "source": "telephone", "document_version": "2"}
STAND = (("sms", "marketing"), ("post", "survey"))


def page_of(customer: Customer) -> str:
    return reverse("admin:customers_customer_consent", args=[customer.pk])


def record(client: Client, customer: Customer, **typed: Any) -> Any:
    return send(client, client.get(page_of(customer)), "consent_form", {**SAID, **typed}, "Record")


def test_record__given_and_withdrawn__lines_of_the_ledger_by_who_typed_them(maelle: Customer, ann: User) -> None:
    client = logged_in(ann)
    answer = record(client, maelle)
    assert answer["Location"] == reverse("admin:customers_customer_change", args=[maelle.pk])
    assert messages_of(answer) == ["Recorded: marketing by Post: given."]
    record(client, maelle, action="withdrawn")
    lines = ConsentRecord.objects.order_by("at")
    assert [(line.action, line.channel, line.source, line.document_version, line.actor_label) for line in lines] == [
        ("given", "post", "telephone", "2", "ann"),
        ("withdrawn", "post", "telephone", "2", "ann"),
    ]
    assert LogEntry.objects.filter(object_id=str(maelle.pk)).count() == 2
    page = text_of(client.get(answer["Location"]))
    assert page_of(maelle) in page
    assert "Withdrawn" in page


def on_notify(**message: Any) -> None:
    """Take a message, and send it nowhere."""


def test_record__to_e_mail__says_that_it_has_to_be_confirmed(maelle: Customer, ann: User, install: Install) -> None:
    post = Provider(port="notify", provider="tests.customers.test_consents_admin.on_notify")
    install(definition("post", provides=(post,)))
    enable(maelle.platform, "post")
    client = logged_in(ann)
    assert "A consent to e-mail has to be confirmed" in text_of(client.get(page_of(maelle)))
    [told] = messages_of(record(client, maelle, channel="email"))
    assert told.endswith("It counts once it is confirmed from Maelle@Example.com: a mail asks for it.")
    assert not ConsentRecord.objects.get().counts
    module_services.configure(
        platform=maelle.platform, module="customers", config={"double_opt_in": False}, origin=origin()
    )
    assert "has to be confirmed" not in text_of(client.get(page_of(maelle)))
    assert messages_of(record(client, maelle, channel="email"))[-1] == "Recorded: marketing by E-mail: given."


def test_record__to_e_mail_and_nobody_asks_for_it__says_that_it_will_not_count(maelle: Customer, ann: User) -> None:
    client = logged_in(ann)
    page = text_of(client.get(page_of(maelle)))
    assert "no module that is on here sends the mail that asks for it: it will not count." in page
    assert "has followed the link" not in page
    [told] = messages_of(record(client, maelle, channel="email"))
    assert told == (
        "Recorded: marketing by E-mail: given. It does not count: it would have to be confirmed from "
        "Maelle@Example.com, and no module that is on here sends the mail that asks for it."
    )
    assert ports.dropped(maelle.platform) == {"customers.confirm_consent": 1}
    [told] = messages_of(record(client, maelle))
    assert told == "Recorded: marketing by Post: given."


# --- on the customer's page ------------------------------------------------------------------------------------------


def shown(client: Client, customer: Customer) -> Any:
    return client.get(reverse("admin:customers_customer_change", args=[customer.pk]))


def cut(page: Any) -> list[str]:
    return re.findall(r"The newest [0-9]+ of [0-9]+\.", text_of(page))


def test_page__long_ledger__shows_how_each_channel_and_purpose_stands(maelle: Customer, ann: User) -> None:
    other = CustomerFactory(platform=maelle.platform)
    ConsentFactory(customer=other, channel="phone")
    sms, survey = (ConsentFactory(customer=maelle, channel=channel, purpose=purpose) for channel, purpose in STAND)
    for _ in range(50):
        ConsentFactory(customer=maelle)
    last = consents.withdraw(customer=maelle, channel="post", purpose="marketing", source="telephone")
    page = shown(logged_in(ann), maelle)
    assert page.context["consents"] == consents.standing(maelle) == consents.newest(maelle.consents.all())
    assert consents.standing(maelle) == [last, survey, sms]
    assert text_of(page).count("Agreed") == 2
    assert cut(page) == ["The newest 50 of 53.", "The newest 50 of 54."]


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, []), (50, ["The newest 50 of 51."]), (51, ["The newest 50 of 51.", "The newest 50 of 52."])],
)
def test_page__ledger_and_timeline__say_where_they_are_cut_in_the_same_queries(
    count: int, said: list[str], maelle: Customer, ann: User, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        ConsentFactory(customer=maelle)
    client = logged_in(ann)
    with django_assert_num_queries(25):
        page = shown(client, maelle)
    assert cut(page) == said
    assert [len(page.context[name]) for name in ("ledger", "events")] == [min(count, 50), min(count + 1, 50)]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"action": None}, "This field is required."),
        ({"action": "confirmed"}, "Select a valid choice."),
        ({"channel": "pigeon"}, "Select a valid choice."),
        ({"purpose": "Two Words"}, "Use lower-case letters"),
        ({"source": ""}, "This field is required."),
        ({"source": "a\x1bb"}, "No control characters here."),
        ({"document_version": "9" * 51}, "at most 50 characters"),
        ({"channel": "email"}, "This customer has no e-mail address"),
    ],
)
def test_record__bad_input__says_where_and_writes_nothing(
    typed: dict[str, Any], said: str, shop: Platform, ann: User, untouched: Untouched
) -> None:
    customer = CustomerFactory(platform=shop, email="")
    with untouched():
        answer = record(logged_in(ann), customer, **typed)
        assert answer.status_code == 200
        assert said in text_of(answer)
        assert "Nothing was recorded" in text_of(answer)


@pytest.mark.parametrize("status", ["merged", "erased"])
def test_record__customer_closed_meanwhile__refused_in_words(
    status: str, maelle: Customer, ann: User, untouched: Untouched
) -> None:
    client = logged_in(ann)
    page = client.get(page_of(maelle))
    other = CustomerFactory(platform=maelle.platform) if status == "merged" else None
    Customer.objects.filter(pk=maelle.pk).update(status=status, merged_into=other)
    with untouched():
        for answer in (send(client, page, "consent_form", SAID, "Record"), client.get(page_of(maelle))):
            assert answer["Location"] == reverse("admin:customers_customer_change", args=[maelle.pk])
            assert messages_of(answer)[-1] == f"This customer was {status}: nothing of it is changed any more."
    assert page_of(maelle) not in text_of(client.get(answer["Location"]))


def test_record__without_the_right__not_shown_and_refused(
    maelle: Customer, tidewater: Platform, ann: User, vic: User, untouched: Untouched
) -> None:
    foreign = CustomerFactory(platform=tidewater)
    reader = logged_in(vic)
    assert page_of(maelle) not in text_of(reader.get(reverse("admin:customers_customer_change", args=[maelle.pk])))
    with untouched():
        assert (reader.get(page_of(maelle)).status_code, reader.post(page_of(maelle), SAID).status_code) == (403, 403)
        assert logged_in(ann).post(page_of(foreign), SAID).status_code == 404
        assert logged_in(ann).put(page_of(maelle)).status_code == 405


def test_record__module_off__not_there(maelle: Customer, ann: User, untouched: Untouched) -> None:
    module_services.disable(platform=maelle.platform, module="customers", origin=origin(), cascade=True)
    with untouched():
        assert logged_in(ann).post(page_of(maelle), SAID).status_code == 404
