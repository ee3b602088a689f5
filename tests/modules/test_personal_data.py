"""What modules hold on people: one map for export and erasure; what nobody thought of is refused at start-up."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from subscriptions import personal_data as of_subscriptions
from subscriptions.models import Subscription

from customers.models import Note, Tag
from customers.personal_data import MAP as OF_CUSTOMERS
from modules import personal_data, ports
from modules.declarations import Provider
from modules.definition import ModuleDefinition
from modules.personal_data import (
    BLANKED,
    DELETED,
    EXPORTED,
    NOT_PERSONAL,
    Holding,
    PersonalDataMap,
    Scattered,
    Treatment,
    blank_of,
    each,
    made_from,
    replaced,
)
from modules.personal_data_checks import (
    check_holding,
    check_map,
    check_personal_data,
    check_scattered,
    check_tables,
    models_of,
)
from modules.ports import Erased, Person
from modules.registry import registry
from platforms.models import Platform, User
from tests.factories import PlatformFactory
from tests.modules.building import definition

[HOLDING] = of_subscriptions.MAP.holdings
SECRETLY = Treatment(is_exported=False, erasure=BLANKED.erasure)


def fields(**treatments: Treatment) -> Mapping[str, Treatment]:
    return {**HOLDING.fields, **treatments}


def without(name: str) -> Mapping[str, Treatment]:
    return {key: how for key, how in HOLDING.fields.items() if key != name}


# --- what start-up refuses -------------------------------------------------------------------------------------------


def test_every_installed_module__its_tables__are_thought_of() -> None:
    assert check_personal_data(None) == []
    held = [one.code for one in registry if models_of(one.code)]
    assert {"customers", "billing", "subscriptions"} <= set(held) == set(personal_data.maps())


@pytest.mark.parametrize(
    ("treated", "message", "number"),
    [
        (without("email"), "email is not in the personal data map of its module.", "E014"),
        (fields(nickname=BLANKED), "nickname is no field, and is in the map.", "E014"),
        (fields(email=SECRETLY), "email is erased and never exported.", "E015"),
        (fields(email=made_from("since"), since=NOT_PERSONAL), "email is erased and never exported.", "E015"),
        (fields(what=DELETED, customer=EXPORTED), "email is blanked, in rows that are deleted.", "E015"),
        (fields(since=BLANKED), "since is blanked, and always says something.", "E015"),
    ],
)
def test_check__columns_treated_so__refused_with_a_cure(
    treated: Mapping[str, Treatment], message: str, number: str
) -> None:
    [error] = check_holding("subscriptions", replace(HOLDING, fields=treated))
    assert (error.msg, error.id) == (f"subscriptions.Subscription.{message}", f"modules.{number}")
    assert (error.hint or "", error.obj) > ("", "subscriptions (personal_data.py)")


def test_check__column_of_a_deleted_row_that_nobody_exports__refused() -> None:
    gone = {"customer": NOT_PERSONAL, "email": NOT_PERSONAL, "since": DELETED, "what": NOT_PERSONAL}
    [error] = check_holding("subscriptions", replace(HOLDING, fields=fields(**gone)))
    assert error.msg == "subscriptions.Subscription.what is erased and never exported."
    assert list(check_holding("subscriptions", replace(HOLDING, fields=fields(**gone | {"what": DELETED})))) == []


def test_check__rows_kept_and_erased__refused() -> None:
    errors = list(check_holding("subscriptions", replace(HOLDING, kept="We would rather not.")))
    assert {error.id for error in errors} == {"modules.E015"}
    assert errors[0].msg.endswith("is erased, in rows that are kept as they are.")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (PersonalDataMap(), "subscriptions.Subscription is not in the personal data map of its module."),
        (
            PersonalDataMap(holdings=(HOLDING,), without=(Subscription,)),
            "subscriptions.Subscription stands in the personal data map of subscriptions twice.",
        ),
        (
            PersonalDataMap(holdings=(HOLDING,), without=(Tag,)),
            "customers.Tag stands in the personal data map of subscriptions and is no table of that module.",
        ),
    ],
)
def test_check__tables_left_out_or_doubled__refused_with_a_cure(said: PersonalDataMap, message: str) -> None:
    [error] = check_tables("subscriptions", said, [Subscription])
    assert (error.msg, error.id) == (message, "modules.E014")
    assert error.hint


def test_check__tables_and_no_map__refused() -> None:
    [error] = check_map(definition("cms"), [Tag])
    assert (error.msg, error.id) == (
        "Module cms has tables and does not say what they hold on people.",
        "modules.E014",
    )
    assert list(check_map(definition("cms"), [])) == []


def provides(**offers: str) -> ModuleDefinition:
    offered = tuple(Provider(port=f"personal_data.{name}", provider=path) for name, path in offers.items())
    return definition("subscriptions", provides=offered)


HERE = "subscriptions.personal_data"


@pytest.mark.parametrize(
    ("offers", "ports_refused"),
    [
        ({"export": f"{HERE}.export", "erase": f"{HERE}.erase"}, []),
        ({"export": f"{HERE}.export"}, ["personal_data.erase"]),
        ({"export": f"{HERE}.export", "erase": "customers.personal_data.erase"}, ["personal_data.erase"]),
        ({"export": "tests.modules.test_ports.held", "erase": f"{HERE}.erase"}, ["personal_data.export"]),
        ({}, ["personal_data.export", "personal_data.erase"]),
    ],
)
def test_check__ports_not_from_the_map__refused(offers: dict[str, str], ports_refused: list[str]) -> None:
    errors = list(check_map(provides(**offers), [Subscription]))
    assert [error.msg for error in errors] == [
        f"Module subscriptions does not provide {port} from its personal data map." for port in ports_refused
    ]
    assert {error.id for error in errors} <= {"modules.E016"}


def scattered(**treatments: Treatment) -> Scattered:
    return Scattered(
        name="scraps",
        fields={Subscription: {**each(NOT_PERSONAL, *without("what")), "what": BLANKED, **treatments}},
        export=lambda platform, person: [],
        forget=lambda platform, person: 0,
    )


@pytest.mark.parametrize(
    ("said", "message", "number"),
    [
        (
            replace(scattered(), fields={Subscription: without("email")}),
            "email is not in the personal data map of its module.",
            "E014",
        ),
        (scattered(nickname=BLANKED), "nickname is no field, and is in the map.", "E014"),
        (scattered(email=SECRETLY), "email is erased and never exported.", "E015"),
    ],
)
def test_check__columns_of_what_is_scattered__refused_with_a_cure(said: Scattered, message: str, number: str) -> None:
    assert list(check_scattered("subscriptions", scattered(since=BLANKED))) == []
    [error] = check_scattered("subscriptions", said)
    assert (error.msg, error.id) == (f"subscriptions.Subscription.{message}", f"modules.{number}")
    assert (error.hint or "", error.obj) > ("", "subscriptions (personal_data.py)")


def test_check__scattered_tables__are_those_of_the_map() -> None:
    assert list(check_tables("subscriptions", PersonalDataMap(scattered=(scattered(),)), [Subscription])) == []
    [error] = check_tables(
        "subscriptions", PersonalDataMap(holdings=(HOLDING,), scattered=(scattered(),)), [Subscription]
    )
    assert error.msg == "subscriptions.Subscription stands in the personal data map of subscriptions twice."


def test_holding__of_nobody__cannot_be_declared() -> None:
    with pytest.raises(ImproperlyConfigured, match="say by what a row belongs to a person"):
        Holding(model=Tag, fields={})


@pytest.mark.parametrize(("name", "blank"), [("customer", None), ("email", "")])
def test_blank_of__column__says_nothing(name: str, blank: Any) -> None:
    assert blank_of(Subscription._meta.get_field(name)) == blank  # type: ignore[arg-type]


# --- what the map does ------------------------------------------------------------------------------------------------


@pytest.fixture
def subscribed(platform: Platform) -> Person:
    """Somebody with two subscriptions, one by id and one by mailbox; others have some too."""
    person = Person(email="Mae@Example.com", customer=str(uuid.uuid4()))
    for fields in (
        {"customer": person.customer, "what": "coffee"},
        {"email": "mae@example.COM", "what": "news"},
        {"email": "other@example.com", "what": "tea"},
        {"customer": uuid.uuid4(), "what": "tea"},
    ):
        Subscription.objects.create(platform=platform, **fields)
    Subscription.objects.create(platform=PlatformFactory(), email=person.email, customer=person.customer, what="tea")
    return person


@pytest.mark.django_db
def test_map__a_person__is_exported_and_erased_by_id_and_mailbox_and_nobody_else_is(
    platform: Platform, subscribed: Person
) -> None:
    held = ports.personal_data(platform, subscribed)["subscriptions"]
    assert sorted((row["what"], row["email"], row["customer"]) for row in held["subscriptions"]) == [
        ("coffee", "", subscribed.customer),
        ("news", "mae@example.COM", None),
    ]
    before = list(Subscription.objects.exclude(what__in=["coffee", "news"]).order_by("pk").values())
    expected = personal_data.preview(platform, subscribed)
    assert expected["subscriptions"] == Erased(anonymised=2)
    assert ports.erase_personal_data(platform, subscribed) == expected
    gone = Subscription.objects.filter(what__in=["coffee", "news"])
    assert set(gone.values_list("email", "customer")) == {("", None)}
    assert list(Subscription.objects.exclude(what__in=["coffee", "news"]).order_by("pk").values()) == before
    assert ports.personal_data(platform, subscribed)["subscriptions"] == {}
    assert ports.erase_personal_data(platform, subscribed)["subscriptions"] == Erased()


@pytest.mark.django_db
def test_map__admin_log_of_the_rows__is_emptied_and_no_other(platform: Platform, subscribed: Person, ann: User) -> None:
    kind = ContentType.objects.get_for_model(Subscription)
    for row in Subscription.objects.all():
        LogEntry.objects.create(
            user=ann, content_type=kind, object_id=row.pk, object_repr="Mae", action_flag=CHANGE, change_message="Mae"
        )
    of_subscriptions.erase(platform, subscribed)
    said = LogEntry.objects.values_list("object_repr", "change_message")
    assert sorted(said) == [("", "")] * 2 + [("Mae", "Mae")] * 3


@pytest.mark.django_db
def test_map__what_is_done_first__comes_before_the_rows_forget(platform: Platform, subscribed: Person) -> None:
    seen: list[int] = []

    def count(platform: Platform, person: Person) -> None:
        seen.append(HOLDING.rows(platform, person).count())

    replace(of_subscriptions.MAP, before_erasing=(count,)).erase(platform, subscribed)
    assert seen == [2]


@pytest.mark.django_db
def test_map__replaced_column__says_its_value(platform: Platform, subscribed: Person) -> None:
    PersonalDataMap(holdings=(replace(HOLDING, fields=fields(what=replaced("gone"))),)).erase(platform, subscribed)
    assert Subscription.objects.filter(platform=platform, what="gone").count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("customer", ["c-1", "", None, "\x00"])
def test_map__no_id_of_any_customer__is_nobody(platform: Platform, customer: str | None) -> None:
    person = Person(customer=customer)
    for one in (OF_CUSTOMERS, of_subscriptions.MAP):
        assert one.export(platform, person) == {}
        assert one.preview(platform, person) == one.erase(platform, person) == Erased()
    assert not Note.objects.exists()
