"""Where modules meet without knowing each other: named services, each with what happens when nobody provides it.

A module provides a port in its definition. On a platform where that module is off, or where it is not installed, the
port's null implementation answers; the gate decides. A collecting port asks every module that offers it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, cast

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.module_loading import import_string

from modules import gate, tasks
from modules.declarations import MAX_NAME
from modules.registry import registry
from modules.work_models import DroppedNotice
from platforms.models import Platform

P = TypeVar("P")

# What somebody has to hear of, also where nothing sends messages: the first word of such topics.
URGENT_TOPICS = frozenset({"security", "alert"})
MARKETING = "marketing"


@dataclass(frozen=True, slots=True)
class Port(Generic[P]):
    """A service that one module may provide."""

    name: str
    null: P

    def on(self, platform: Platform) -> P:
        """Return who serves it on the platform: the provider where its module is on, else the null implementation."""
        for definition in registry:
            for offer in definition.provides:
                if offer.port == self.name and gate.is_enabled(platform, definition.code):
                    return cast(P, import_string(offer.provider))
        return self.null

    def is_served_on(self, platform: Platform) -> bool:
        """Whether a module serves it on the platform, so that what is asked of it is done."""
        return self.on(platform) is not self.null


@dataclass(frozen=True, slots=True)
class CollectingPort(Generic[P]):
    """A service that any number of modules offer. A duty is asked for also where its module is off."""

    name: str
    is_duty: bool = False

    def on(self, platform: Platform) -> dict[str, P]:
        """Return who is to be asked on the platform, by module code, what is required first."""
        return {
            definition.code: cast(P, import_string(offer.provider))
            for definition in registry
            for offer in definition.provides
            if offer.port == self.name and (self.is_duty or gate.is_enabled(platform, definition.code))
        }


# --- Messages: provided by messaging --------------------------------------------------------------------------------


class Notify(Protocol):
    """Tells people something. The same key is told once."""

    def __call__(
        self, *, platform: Platform, topic: str, recipients: Sequence["Recipient"], context: Mapping[str, Any], key: str
    ) -> None:
        """Take the message, and see to it that it gets there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody who can be written to; `person` is the id of the customer they are, where they are one."""

    address: str
    person: str | None = None
    locale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Who is meant: addresses that are named, and what only the provider of customers can look up, by its ids."""

    addresses: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()


def dropped(platform: Platform) -> dict[str, int]:
    """Return how many notices went nowhere on the platform, by topic."""
    return dict(DroppedNotice.objects.filter(platform=platform).values_list("topic", "count"))


def _notify_admins_or_drop(
    *, platform: Platform, topic: str, recipients: Sequence[Recipient], context: Mapping[str, Any], key: str
) -> None:
    if topic.partition(".")[0] in URGENT_TOPICS:
        lines = [f"Platform: {platform.code}", *(f"{name}: {value}" for name, value in context.items())]
        subject = f"{topic} on {platform.code}"
        once = hashlib.sha256(f"{topic} {key}".encode()).hexdigest()
        tasks.enqueue(tasks.mail_admins, platform=platform, key=once, subject=subject, body="\n".join(lines))
        return
    topic = topic[:MAX_NAME]
    counted = DroppedNotice.objects.filter(platform=platform, topic=topic)
    if counted.update(count=F("count") + 1):
        return
    try:
        with transaction.atomic():
            DroppedNotice.objects.create(platform=platform, topic=topic, count=1)
    except IntegrityError:
        counted.update(count=F("count") + 1)


NOTIFY: Port[Notify] = Port("notify", _notify_admins_or_drop)


def notify(
    platform: Platform, topic: str, recipients: Sequence[Recipient], context: Mapping[str, Any], key: str
) -> None:
    """Tell people something: `topic` names what it is about (`security.new_device`), `key` makes it once only.

    With nobody to send it, topics of security and alerts go to the ADMINS of the settings; others are counted, and
    dropped.
    """
    NOTIFY.on(platform)(platform=platform, topic=topic, recipients=recipients, context=context, key=key)


# --- People: provided by customers ----------------------------------------------------------------------------------


class Recipients(Protocol):
    """Finds who is meant."""

    def __call__(self, *, platform: Platform, selector: Selector) -> Sequence[Recipient]:
        """Return them, each once."""


class MayContact(Protocol):
    """Knows who agreed to be written to."""

    def __call__(self, *, platform: Platform, person: str, channel: str, purpose: str) -> bool:
        """Whether the person may be written to on this channel for this purpose."""


def _named_only(*, platform: Platform, selector: Selector) -> Sequence[Recipient]:
    return tuple(Recipient(address=address) for address in dict.fromkeys(selector.addresses))


def _no_marketing(*, platform: Platform, person: str, channel: str, purpose: str) -> bool:
    return purpose != MARKETING


RECIPIENTS: Port[Recipients] = Port("recipients", _named_only)
MAY_CONTACT: Port[MayContact] = Port("may_contact", _no_marketing)


def recipients(platform: Platform, selector: Selector) -> Sequence[Recipient]:
    """Return who is meant. With nobody who knows customers: the addresses that are named."""
    return RECIPIENTS.on(platform)(platform=platform, selector=selector)


def may_contact(platform: Platform, person: str, channel: str, purpose: str) -> bool:
    """Whether a person may be written to. With nobody who keeps consents: not for marketing."""
    return MAY_CONTACT.on(platform)(platform=platform, person=person, channel=channel, purpose=purpose)


# --- What visitors do: provided by analytics ------------------------------------------------------------------------


class Record(Protocol):
    """Counts what happened on a platform's pages or in its shop."""

    def __call__(self, *, platform: Platform, name: str, data: Mapping[str, Any]) -> None:
        """Take it."""


def _forget(*, platform: Platform, name: str, data: Mapping[str, Any]) -> None:
    pass


RECORD: Port[Record] = Port("record", _forget)


def record(platform: Platform, name: str, data: Mapping[str, Any]) -> None:
    """Have something counted: `name` is what happened, `data` what there is to say of it. Else it is forgotten."""
    RECORD.on(platform)(platform=platform, name=name, data=data)


# --- What every module offers ---------------------------------------------------------------------------------------


class Level(StrEnum):
    """How a module is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a module says of its health."""

    code: str
    level: Level
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whose data is asked for: by what they can be known by."""

    email: str = ""
    customer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What a module did to erase a person: rows deleted, rows that only lost the person, and what it has to keep."""

    deleted: int = 0
    anonymised: int = 0
    kept: Mapping[str, str] = field(default_factory=dict)


HealthOf = Callable[[Platform], Sequence[Finding]]
ExportOf = Callable[[Platform, Person], Mapping[str, Any]]
EraseOf = Callable[[Platform, Person], Erased]

HEALTH: CollectingPort[HealthOf] = CollectingPort("health")
PERSONAL_DATA_EXPORT: CollectingPort[ExportOf] = CollectingPort("personal_data.export", is_duty=True)
PERSONAL_DATA_ERASE: CollectingPort[EraseOf] = CollectingPort("personal_data.erase", is_duty=True)


def health(platform: Platform) -> dict[str, Sequence[Finding]]:
    """Return what every module that is on says of its health; one that cannot say is in error itself."""
    return {code: _asked(ask, platform) for code, ask in HEALTH.on(platform).items()}


def personal_data(platform: Platform, person: Person) -> dict[str, Mapping[str, Any]]:
    """Return what every installed module holds on a person, on or off. Raises what one raises: nothing is left out."""
    return {code: export(platform, person) for code, export in PERSONAL_DATA_EXPORT.on(platform).items()}


def erase_personal_data(platform: Platform, person: Person) -> dict[str, Erased]:
    """Erase a person in every installed module, on or off: in all of them or, where one raises, in none."""
    with transaction.atomic():
        return {code: erase(platform, person) for code, erase in PERSONAL_DATA_ERASE.on(platform).items()}


def _asked(ask: HealthOf, platform: Platform) -> Sequence[Finding]:
    try:
        with transaction.atomic():
            return ask(platform)
    except Exception as error:
        return [Finding(code="unanswered", level=Level.ERROR, detail=type(error).__name__)]


SINGLE_PORTS = frozenset(port.name for port in (NOTIFY, RECIPIENTS, MAY_CONTACT, RECORD))
COLLECTING_PORTS = frozenset(port.name for port in (HEALTH, PERSONAL_DATA_EXPORT, PERSONAL_DATA_ERASE))
