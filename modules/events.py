"""What happened, told to whom it concerns: written with the change, delivered after it is committed, at least once.

An event and a delivery for every handler are rows of the transaction that made the change. A handler runs in one
transaction with the note that it ran: what it writes to the database happens exactly once, everything else at least
once, so a handler is idempotent by the event's id.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet
from django.db.transaction import TransactionManagementError
from django.utils import timezone
from django.utils.module_loading import import_string

from modules import gate, work
from modules.declarations import DISABLED, ENABLED, HEART_EVENTS, EventType
from modules.definition import ModuleDefinition
from modules.registry import ModuleRegistry, registry
from modules.work import Skip
from modules.work_models import Delivery, Event
from platforms.models import Platform

_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An event that is to be written: its name, where and by whom, by their numbers, and its data."""

    name: str
    platform_id: int | None = None
    vendor_id: int | None = None
    actor_id: int | None = None
    at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An event as a handler gets it. `vendor_id` and `actor_id` are numbers of what may be gone by now."""

    id: uuid.UUID
    name: str
    version: int
    at: datetime
    platform: Platform | None
    vendor_id: int | None
    actor_id: int | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listener:
    """A handler of a module. A hook is told of its own module only, and only while the module still is as it says."""

    module: str
    handler: str
    hook: EventType | None = None


def event_types(modules: ModuleRegistry) -> dict[str, EventType]:
    """Return every event that is declared, by its name."""
    return {kind.name: kind for kind in (*HEART_EVENTS, *(kind for one in modules for kind in one.events))}


def listeners_of(definition: ModuleDefinition) -> Iterator[tuple[str, Listener]]:
    """Yield the events that a module hears of, each with who is told."""
    for handler in definition.handlers:
        yield handler.event, Listener(definition.code, handler.handler)
    for kind, hook in ((ENABLED, definition.on_enable), (DISABLED, definition.on_disable)):
        if hook is not None:
            yield kind.name, Listener(definition.code, hook, kind)


def emit(
    name: str,
    *,
    platform: Platform | None = None,
    vendor_id: int | None = None,
    actor_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write an event in the transaction of the change that it tells of.

    data: JSON; ids, no personal data. Raises LookupError where no module declares the event, and
    TransactionManagementError outside a transaction.
    """
    platform_id = platform.pk if platform else None
    emit_all([Happened(name=name, platform_id=platform_id, vendor_id=vendor_id, actor_id=actor_id, data=data or {})])


def emit_all(
    happened: Sequence[Happened], event_model: type[Model] | None = None, delivery_model: type[Model] | None = None
) -> None:
    """Write any number of events as `emit` writes one: one statement for 500, and one more where somebody listens.

    event_model, delivery_model: to write with, for a data migration; today's otherwise.
    """
    if not happened:
        return
    if not transaction.get_connection().in_atomic_block:
        raise TransactionManagementError("An event is written in the transaction of the change that it tells of.")
    kinds, listeners = _wiring(registry.generation)
    events: list[Any] = []
    deliveries: list[Any] = []
    event_model, delivery_model = event_model or Event, delivery_model or Delivery
    for one in happened:
        kind = kinds.get(one.name)
        if kind is None:
            raise LookupError(f"No installed module declares the event {one.name}.")
        event: Any = event_model(
            name=one.name,
            version=kind.version,
            at=one.at or timezone.now(),
            platform_id=one.platform_id,
            vendor_id=one.vendor_id,
            actor_id=one.actor_id,
            data=dict(one.data),
        )
        events.append(event)
        deliveries += [
            delivery_model(event_id=event.pk, module=listener.module, handler=listener.handler)
            for listener in listeners.get(one.name, {}).values()
            if listener.hook is None or one.data.get("module") == listener.module
        ]
    QuerySet(event_model).bulk_create(events, batch_size=_BATCH)
    if deliveries:
        QuerySet(delivery_model).bulk_create(deliveries, batch_size=_BATCH)
        work.hint(Delivery, [delivery.pk for delivery in deliveries])


def perform(key: Any) -> None:
    """Make one delivery, if it is due and nobody else has it; note how it went, whatever the handler raised."""
    delivery = work.take(Delivery, key, work.backoff)
    if delivery is None:
        return
    with work.noted(delivery), transaction.atomic():
        if work.retake(delivery):
            handler, envelope = _admitted(delivery)
            handler(envelope)
            work.done(delivery)


@lru_cache(maxsize=1)
def _wiring(generation: int) -> tuple[dict[str, EventType], dict[str, dict[tuple[str, str], Listener]]]:
    """Return what is emitted, and who listens to what, by event and by module and handler, as the registry has it."""
    listeners: dict[str, dict[tuple[str, str], Listener]] = {}
    for definition in registry:
        for event, listener in listeners_of(definition):
            listeners.setdefault(event, {}).setdefault((listener.module, listener.handler), listener)
    return event_types(registry), listeners


def _admitted(delivery: Delivery) -> tuple[Callable[[Envelope], None], Envelope]:
    """Return the handler and what it is told. Raises Skip where it is not to be told."""
    event, code = delivery.event, delivery.module
    platform = work.platform_of(event.platform_id)
    listener = _wiring(registry.generation)[1].get(event.name, {}).get((code, delivery.handler))
    if listener is None:
        raise Skip(f"No installed module {code} declares this handler any more.")
    if platform is not None:
        is_on = gate.is_enabled(platform, code)
        if listener.hook is DISABLED and is_on:
            raise Skip(f"The module {code} is on again on {platform.code}.")
        if listener.hook is not DISABLED and not is_on:
            raise Skip(f"The module {code} is off on {platform.code}.")
    envelope = Envelope(
        id=event.pk,
        name=event.name,
        version=event.version,
        at=event.at,
        platform=platform,
        vendor_id=event.vendor_id,
        actor_id=event.actor_id,
        data=event.data,
    )
    return import_string(delivery.handler), envelope
