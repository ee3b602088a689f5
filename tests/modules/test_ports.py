"""Ports: who answers where the provider is on, off, or not installed."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.core import mail
from pytest_django.fixtures import Settings

from modules import ports, services, worker
from modules.declarations import Provider
from modules.models import TaskRun
from modules.ports import Erased, Finding, Level, Person, Recipient, Selector
from platforms.models import Platform
from tests.factories import PlatformFactory
from tests.fixtures.module_fixtures import Install
from tests.modules.building import definition, enable, origin

pytestmark = pytest.mark.django_db

HERE = "tests.modules.test_ports"
ANN = Recipient(address="ann@example.com")
PERSON = Person(email="maelle@example.com", customer="c-1")
told: list[Any] = []


def on_notify(**message: Any) -> None:
    told.append(message)


def on_recipients(*, platform: Platform, selector: Selector) -> Sequence[Recipient]:
    return [Recipient(address=f"{person}@example.com", person=person) for person in selector.people]


def always(**question: Any) -> bool:
    return True


def healthy(platform: Platform) -> Sequence[Finding]:
    return [Finding(code="queue", level=Level.OK, detail=platform.code)]


def unhealthy(platform: Platform) -> Sequence[Finding]:
    raise RuntimeError("no answer")


def held(platform: Platform, person: Person) -> dict[str, Any]:
    return {"letters": [person.email]}


def erase(platform: Platform, person: Person) -> Erased:
    Platform.objects.filter(pk=platform.pk).update(name="erased")
    return Erased(deleted=2, kept={"invoices": "kept by law for ten years"})


def refuse(platform: Platform, person: Person) -> Erased:
    raise RuntimeError("legal hold")


def provider(code: str, **offers: str) -> Any:
    """Return a module that provides; a port's name has `__` where there is a dot."""
    provides = tuple(Provider(port=port.replace("__", "."), provider=f"{HERE}.{name}") for port, name in offers.items())
    return definition(code, provides=provides)


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    told.clear()


def notify(platform: Platform, topic: str = "orders.paid", key: str = "k-1") -> None:
    ports.notify(platform, topic, [ANN], {"order": 7}, key)


# --- notify ---------------------------------------------------------------------------------------------------------


def test_notify__provider_on__gets_the_message(install: Install, platform: Platform) -> None:
    install(provider("post", notify="on_notify"))
    enable(platform, "post")
    notify(platform)
    assert told == [
        {"platform": platform, "topic": "orders.paid", "recipients": [ANN], "context": {"order": 7}, "key": "k-1"}
    ]
    assert ports.dropped(platform) == {}


def test_notify__provider_off_or_not_installed__is_counted_and_dropped(install: Install, platform: Platform) -> None:
    notify(platform)
    install(provider("post", notify="on_notify"))
    notify(platform)
    enable(platform, "post")
    notify(platform)
    platform.refresh_from_db()
    services.disable(platform=platform, module="post", origin=origin())
    notify(platform)
    notify(platform, "orders.late")
    assert len(told) == 1
    assert ports.dropped(platform) == {"orders.paid": 3, "orders.late": 1}
    assert ports.dropped(PlatformFactory()) == {}
    assert not TaskRun.objects.exists()


@pytest.mark.parametrize("topic", ["security.new_device", "alert.mail_outage", "security"])
def test_notify__urgent_and_nobody_to_send_it__goes_to_the_admins_once(
    platform: Platform, settings: Settings, topic: str
) -> None:
    settings.ADMINS = [("Root", "root@example.com")]
    notify(platform, topic)
    notify(platform, topic)
    worker.sweep()
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (["root@example.com"], f"[Django] {topic} on {platform.code}")
    assert sent.body == f"Platform: {platform.code}\norder: 7"
    notify(platform, topic, "k-2")
    worker.sweep()
    assert len(mail.outbox) == 2
    assert ports.dropped(platform) == {}


# --- recipients, may_contact, record --------------------------------------------------------------------------------


def test_recipients__provider_on_and_off__finds_people_or_only_addresses(install: Install, platform: Platform) -> None:
    selector = Selector(
        addresses=("b@example.com", "a@example.com", "b@example.com"), people=("mae",), segments=("vip",)
    )
    named = (Recipient(address="b@example.com"), Recipient(address="a@example.com"))
    assert ports.recipients(platform, selector) == named
    install(provider("people", recipients="on_recipients"))
    assert ports.recipients(platform, selector) == named
    enable(platform, "people")
    assert ports.recipients(platform, selector) == [Recipient(address="mae@example.com", person="mae")]


def test_may_contact__provider_on_and_off__asks_or_refuses_marketing(install: Install, platform: Platform) -> None:
    def asked() -> list[bool]:
        return [ports.may_contact(platform, "c-1", "email", purpose) for purpose in ("marketing", "service")]

    assert asked() == [False, True]
    install(provider("people", may_contact="always"))
    assert asked() == [False, True]
    enable(platform, "people")
    assert asked() == [True, True]


def test_record__provider_on_and_off__is_told_or_nothing_happens(install: Install, platform: Platform) -> None:
    ports.record(platform, "order.paid", {"value": 12})
    install(provider("counting", record="on_notify"))
    ports.record(platform, "order.paid", {"value": 12})
    assert told == []
    enable(platform, "counting")
    ports.record(platform, "order.paid", {"value": 12})
    assert told == [{"platform": platform, "name": "order.paid", "data": {"value": 12}}]


# --- What is collected ----------------------------------------------------------------------------------------------


def test_health__of_modules_that_are_on__says_also_who_does_not_answer(install: Install, platform: Platform) -> None:
    install(provider("good", health="healthy"), provider("bad", health="unhealthy"), provider("off", health="healthy"))
    enable(platform, "good", "bad")
    assert {code: found for code, found in ports.health(platform).items() if code in ("good", "bad", "off")} == {
        "good": [Finding(code="queue", level=Level.OK, detail=platform.code)],
        "bad": [Finding(code="unanswered", level=Level.ERROR, detail="RuntimeError")],
    }


def test_personal_data__of_every_installed_module__on_or_off(install: Install, platform: Platform) -> None:
    install(
        provider("mail", personal_data__export="held", personal_data__erase="erase"),
        provider("off", personal_data__export="held"),
    )
    enable(platform, "mail")
    exported = ports.personal_data(platform, PERSON)
    assert {code: exported[code] for code in ("mail", "off")} == {
        "mail": {"letters": ["maelle@example.com"]},
        "off": {"letters": ["maelle@example.com"]},
    }
    assert ports.erase_personal_data(platform, PERSON)["mail"].kept == {"invoices": "kept by law for ten years"}


def test_erase_personal_data__one_module_refuses__nothing_is_erased(install: Install, platform: Platform) -> None:
    install(provider("mail", personal_data__erase="erase"), provider("court", personal_data__erase="refuse"))
    with pytest.raises(RuntimeError, match="legal hold"):
        ports.erase_personal_data(platform, PERSON)
    platform.refresh_from_db()
    assert platform.name == "Kestrel"
