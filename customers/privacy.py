"""What people ask about their own data: to have it, or to be forgotten. Over all modules that are installed, on or off.

A person is a customer and everybody who was merged into them. An export is made when it is fetched, and kept nowhere.
An erasure waits for its grace, until which it can be called off, and for an export that the person waits for, and does
not happen while it is on hold; then it is done whole or not at all, and what is left of the customer is a row that says
nothing. Locks are taken in one order:
imports that are open (for an erasure), customers by their keys, then the request.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from customers import imports, retention
from customers.definition import CustomersConfig
from customers.models import Customer, CustomerEvent, PrivacyRequest, PrivacyRequestQuerySet
from customers.services import lock_open
from customers.timeline import asked, record, tell
from modules import gate, personal_data, ports
from modules.ports import Erased, Person
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.validators import validate_reason

ERASED = "customers.erased"
# For how long an export can be fetched again after the first time.
FETCHED_WITHIN = timedelta(days=7)

Kind, Status, Source = PrivacyRequest.Kind, PrivacyRequest.Status, PrivacyRequest.Source
CalledOff = PrivacyRequest.CalledOff


# --- asking ---------------------------------------------------------------------------------------------------------


def request_export(*, customer: Customer, source: str, reason: str = "", by: Actor | None = None) -> PrivacyRequest:
    """Note that somebody wants to have their data.

    source: one of PrivacyRequest.Source. Raises Conflict for a customer who is closed, or who asked for it already and
    waits; ValidationError.
    """
    return _ask(customer, Kind.EXPORT, source, reason, by, timedelta())


def request_erasure(*, customer: Customer, source: str, reason: str = "", by: Actor | None = None) -> PrivacyRequest:
    """Note that somebody wants to be forgotten: once the platform's grace is over. Raises as `request_export`.

    A notice for doing nothing that waits becomes their own request: done no later than it would have been, and whatever
    they do until then.
    """
    config = gate.config_of(customer.platform, CustomersConfig)
    return _ask(customer, Kind.ERASURE, source, reason, by, timedelta(days=config.erase_grace_days))


@transaction.atomic
def hold(*, request: PrivacyRequest, reason: str, by: Actor | None = None) -> PrivacyRequest:
    """Have an erasure wait, as the law or a lawsuit wants the data kept; on hold already: nothing is written.

    It stands in the customer's timeline, as its release will: the request itself says only what is.
    Raises Conflict for a request that is over and for an export, ValidationError without a reason.
    """
    locked = _lock_pending(request, Kind.ERASURE)
    try:
        validate_reason(reason)
    except ValidationError as error:
        raise ValidationError({"reason": error}) from None
    if not reason.strip():
        raise ValidationError({"reason": ValidationError("Say why it has to wait.", code="required")})
    if locked.status == Status.ON_HOLD:
        return locked
    locked.status, locked.held_at = Status.ON_HOLD, timezone.now()
    locked.hold_reason, locked.held_by_label = reason.strip(), by.label if by is not None else ""
    record(locked.customer, CustomerEvent.Kind.HELD, by, request=str(locked.pk), reason=locked.hold_reason)
    return _save(locked, "status", "held_at", "hold_reason", "held_by_label")


@transaction.atomic
def release(*, request: PrivacyRequest, by: Actor | None = None) -> PrivacyRequest:
    """Let an erasure go on: its times move by as long as it was on hold. Not on hold: nothing is written.

    Raises Conflict for a request that is over.
    """
    locked = _lock_pending(request)
    if locked.status == Status.OPEN or locked.held_at is None:
        return locked
    waited = max(timezone.now() - locked.held_at, timedelta())
    locked.status = Status.OPEN
    locked.due_at, locked.not_before = locked.due_at + waited, locked.not_before + waited
    record(locked.customer, CustomerEvent.Kind.RELEASED, by, request=str(locked.pk))
    return _save(locked, "status", "due_at", "not_before")


@transaction.atomic
def cancel(*, request: PrivacyRequest, by: Actor | None = None) -> PrivacyRequest:
    """Call a request off; called off already: nothing is written.

    Raises Conflict for one that is done, and for one on hold: the hold would end with it, unsaid.
    """
    locked = _lock(request)
    if locked.status == Status.CANCELLED:
        return locked
    _refuse_closed(locked)
    if locked.status == Status.ON_HOLD:
        raise Conflict("A legal hold is on this request: release it first.", code="on_hold")
    return _call_off(locked, CalledOff.BY_STAFF, by)


# --- doing ----------------------------------------------------------------------------------------------------------


def preview(customer: Customer) -> dict[str, Erased]:
    """Return what erasing the person would come to in every module that holds something, as things stand."""
    return _totals(personal_data.preview(customer.platform, _known_as(one)) for one in people_of(customer))


@transaction.atomic
def execute(*, request: PrivacyRequest, by: Actor | None = None, is_early: bool = False) -> PrivacyRequest:
    """Erase the person in every module, on or off; done already: nothing is written.

    is_early: an operator does it before the grace is over, and calls off an export that they wait for. Who was given
    notice for doing nothing is not erased where `retention.why_not` knows a reason: the request is called off. Raises
    Conflict (`on_hold`, `in_grace`, `export_open`, `closed`).
    """
    person, locked = lock(request=request)
    if locked.status == Status.DONE and locked.kind == Kind.ERASURE:
        return locked
    _refuse_closed(locked)
    _refuse_other_kind(locked, Kind.ERASURE)
    pending = list(PrivacyRequest.objects.pending().filter(customer__in=person).select_related("customer"))
    if any(one.status == Status.ON_HOLD for one in pending):
        raise Conflict("A legal hold keeps this person from being erased.", code="on_hold")
    if locked.is_in_grace and not is_early:
        raise Conflict(f"It can be called off until {locked.not_before:%Y-%m-%d %H:%M} UTC.", code="in_grace")
    if locked.source == Source.INACTIVITY and (why_not := retention.why_not(locked, person)):
        return _call_off(locked, why_not, by)
    if not is_early and any(one.kind == Kind.EXPORT for one in pending):
        # It would be called off, and their copy lost.
        raise Conflict(
            "They wait for an export of their data: have it fetched first, or call it off.", code="export_open"
        )
    erased = _totals(ports.erase_personal_data(locked.platform, _known_as(one)) for one in person)
    now = timezone.now()
    Customer.objects.filter(pk__in=[one.pk for one in person]).update(updated_at=now)
    for other in pending:
        if other != locked:
            _call_off(other, CalledOff.ERASED, by)
    for one in person:
        record(one, CustomerEvent.Kind.ERASED, by, request=str(locked.pk))
        tell(ERASED, one, by)
    locked.status, locked.done_at = Status.DONE, now
    locked.report = {
        "modules": {code: asdict(outcome) for code, outcome in erased.items()},
        "erased": [str(one.pk) for one in person],
    }
    return _save(locked, "status", "done_at", "report")


@transaction.atomic
def fetch(*, request: PrivacyRequest, by: Actor | None = None) -> dict[str, Any]:
    """Return all that the modules hold on the person, as JSON has it, and write down that it was fetched.

    The first time the request is done by it. Made anew each time, for as long as FETCHED_WITHIN after the first.
    Raises Conflict (`closed`, `expired`).
    """
    person, locked = lock(request=request)
    _refuse_other_kind(locked, Kind.EXPORT)
    if locked.status == Status.CANCELLED or person[0].status == Customer.Status.ERASED:
        raise Conflict("There is nothing to be had here any more.", code="closed")
    now = timezone.now()
    if locked.done_at is not None and locked.done_at + FETCHED_WITHIN < now:
        raise Conflict(f"It could be fetched for {FETCHED_WITHIN.days} days: ask for another.", code="expired")
    held = {str(one.pk): ports.personal_data(locked.platform, _known_as(one)) for one in person}
    if locked.done_at is None:
        locked.status, locked.done_at, locked.report = Status.DONE, now, {"modules": _counts(held.values())}
        _save(locked, "status", "done_at", "report")
    record(person[0], CustomerEvent.Kind.EXPORTED, by, request=str(locked.pk))
    return {
        "platform": locked.platform.code,
        "request": str(locked.pk),
        "made_at": now.isoformat(),
        "customers": [{"customer": customer, "modules": modules} for customer, modules in held.items()],
    }


def counted(export: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `fetch` returned with the number of rows in place of the rows: it says nothing of anybody."""
    parts = [
        {**part, "modules": {code: _count(kinds) for code, kinds in part["modules"].items()}}
        for part in export["customers"]
    ]
    return {**export, "customers": parts}


@transaction.atomic
def erase_now(*, customer: Customer, reason: str = "", by: Actor | None = None) -> PrivacyRequest:
    """Erase a person at once, as an operator may: by the request that waits, or by one of their own.

    An export that waits (`open_exports`) is called off.
    Raises Conflict as `execute` and `request_erasure` do, ValidationError.
    """
    imports.lock_open_runs(customer.platform)
    pending = PrivacyRequest.objects.pending().filter(customer=customer, kind=Kind.ERASURE)
    # A notice is taken over: somebody wants it now, whatever the customer did since.
    waits = pending.exclude(source=Source.INACTIVITY).first()
    request = waits or _ask(customer, Kind.ERASURE, Source.OPERATOR, reason, by, timedelta())
    return execute(request=request, by=by, is_early=True)


@transaction.atomic
def fetch_now(*, customer: Customer, reason: str = "", by: Actor | None = None) -> dict[str, Any]:
    """Return what `fetch` does, by the request that waits, or by one of the operator's own."""
    pending = PrivacyRequest.objects.pending().filter(customer=customer, kind=Kind.EXPORT).first()
    return fetch(request=pending or _ask(customer, Kind.EXPORT, Source.OPERATOR, reason, by, timedelta()), by=by)


# --- who it is about ------------------------------------------------------------------------------------------------


def people_of(customer: Customer) -> list[Customer]:
    """Return the person: the customer they are now, then everybody who was merged into them."""
    return _in_order(customer, Customer.objects.filter(pk__in=_keys_of(customer)))


def open_exports(customer: Customer) -> PrivacyRequestQuerySet:
    """Return the exports that the person waits for: they are not erased before, or these are called off with it."""
    return PrivacyRequest.objects.open_exports().filter(customer__in=_keys_of(customer)).order_by("created_at")


def _keys_of(customer: Customer) -> set[Any]:
    key = customer.pk
    while (into := Customer.objects.values_list("merged_into", flat=True).get(pk=key)) is not None:
        key = into
    keys = found = {key}
    while found:
        found = set(Customer.objects.filter(merged_into__in=found).values_list("pk", flat=True))
        keys = keys | found
    return keys


def _lock_person(customer: Customer) -> list[Customer]:
    """Return the person as `people_of` does, locked until the transaction ends, with whom a merge has just brought."""
    known: set[Any] = set()
    while (keys := _keys_of(customer)) != known:
        known = keys
        rows = Customer.objects.select_for_update(no_key=True).filter(pk__in=known).order_by("pk")
        locked = list(rows)
    return _in_order(customer, locked)


def _in_order(customer: Customer, people: Iterable[Customer]) -> list[Customer]:
    found = sorted(people, key=lambda one: (one.merged_into_id is not None, one.pk))
    for one in found:
        one.platform = customer.platform
    return found


def _known_as(customer: Customer) -> Person:
    return Person(email=customer.email, customer=str(customer.pk))


def lock(*, request: PrivacyRequest) -> tuple[list[Customer], PrivacyRequest]:
    """Return the person and then the request, as they are now, locked until the transaction ends."""
    if request.kind == Kind.ERASURE:
        # A worker locks an import before the customers that it writes.
        imports.lock_open_runs(request.platform)
    person = _lock_person(request.customer)
    return person, _lock(request)


# --- requests -------------------------------------------------------------------------------------------------------


@transaction.atomic
def _ask(
    customer: Customer, kind: PrivacyRequest.Kind, source: str, reason: str, by: Actor | None, grace: timedelta
) -> PrivacyRequest:
    locked = lock_open(customer)
    request = PrivacyRequest.objects.pending().filter(customer=locked, kind=kind).first()
    is_notice = request is not None and request.source == Source.INACTIVITY != source
    if request is None:
        request = PrivacyRequest(platform_id=locked.platform_id, customer=locked, kind=kind)
    elif not is_notice:
        raise Conflict(f"This customer waits for an {kind.label.lower()} already.", code="pending")
    now = timezone.now()
    # While it is on hold, its time stands still.
    since = request.held_at if request.status == Status.ON_HOLD and request.held_at is not None else now
    not_before = since + grace
    request.source, request.reason, request.created_at = source, reason.strip(), now
    request.actor_label = by.label if by is not None else ""
    request.due_at = since + timedelta(days=gate.config_of(locked.platform, CustomersConfig).privacy_due_days)
    request.not_before = min(not_before, request.not_before) if is_notice else not_before
    request.full_clean()
    request.save()
    asked(request).save()
    return request


def _lock(request: PrivacyRequest) -> PrivacyRequest:
    """Return the request as it is now, locked with its customer until the transaction ends."""
    list(Customer.objects.select_for_update(no_key=True).filter(pk=request.customer_id).values_list("pk"))
    rows = PrivacyRequest.objects.select_for_update(no_key=True, of=("self",)).select_related("platform", "customer")
    return rows.get(pk=request.pk)


def _lock_pending(request: PrivacyRequest, kind: PrivacyRequest.Kind | None = None) -> PrivacyRequest:
    locked = _lock(request)
    _refuse_closed(locked)
    if kind is not None:
        _refuse_other_kind(locked, kind)
    return locked


def _refuse_closed(request: PrivacyRequest) -> None:
    if not request.is_pending:
        said = request.get_status_display().lower()
        raise Conflict(f"This request is {said}: nothing of it is changed any more.", code="closed")


def _refuse_other_kind(request: PrivacyRequest, kind: PrivacyRequest.Kind) -> None:
    if request.kind != kind:
        raise Conflict(f"This is no {kind.label.lower()}.", code="other_kind")


def _call_off(request: PrivacyRequest, why: PrivacyRequest.CalledOff, by: Actor | None) -> PrivacyRequest:
    request.status = Status.CANCELLED
    request.report = {"why": why.value, "by": by.label if by is not None else ""}
    said = {"request": str(request.pk), "wanted": request.kind, "why": why.value}
    record(request.customer, CustomerEvent.Kind.CALLED_OFF, by, **said)
    return _save(request, "status", "report")


def _save(request: PrivacyRequest, *fields: str) -> PrivacyRequest:
    request.save(update_fields=fields)
    return request


def _totals(outcomes: Iterable[Mapping[str, Erased]]) -> dict[str, Erased]:
    """Return by module what several rows of one person come to; modules that hold nothing are left out."""
    found: dict[str, list[Erased]] = {}
    for outcome in outcomes:
        for code, erased in outcome.items():
            found.setdefault(code, []).append(erased)
    totals = {code: personal_data.total(several) for code, several in found.items()}
    return {code: erased for code, erased in totals.items() if erased != Erased()}


def _counts(held: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return by module how many rows of each kind were exported."""
    counts: dict[str, Counter[str]] = {}
    for modules in held:
        for code, kinds in modules.items():
            counts.setdefault(code, Counter()).update(_count(kinds))
    return {code: {"rows": dict(found)} for code, found in counts.items()}


def _count(kinds: Mapping[str, Any]) -> dict[str, int]:
    return {kind: len(rows) if isinstance(rows, list) else 1 for kind, rows in kinds.items()}
