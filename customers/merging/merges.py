"""Merging, and undoing it: the only writers of `Merge`."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from customers import services
from customers.merging import ledgers, moving
from customers.merging.blockers import Blocked, Blocker, asked_about
from customers.merging.previews import preview
from customers.models import Customer, CustomerEvent, Merge
from customers.timeline import record, tell
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.validators import validate_reason

MERGED, UNMERGED = "customers.merged", "customers.unmerged"

_KEYS = ("email_key", "name_key", "last_name_key")
# What no two open customers share: column, code, and what is said where somebody else has it by now.
_UNIQUE = (
    ("email_key", "email_taken", "Another customer has the e-mail address {} by now."),
    ("external_ref", "external_ref_taken", "Another customer has the reference {} by now."),
)


@transaction.atomic
def merge(
    *,
    kept: Customer,
    merged: Customer,
    choices: Mapping[str, str] | None = None,
    digest: str | None = None,
    by: Actor | None = None,
    reason: str = "",
) -> Merge:
    """Merge the second customer into the first; return the trail.

    choices: as for `preview`. digest: of the preview that somebody was shown, if somebody was. Raises
    Customer.DoesNotExist where one of them is gone, Blocked where something stands in the way, Conflict with the code
    `stale` where the two are not as they were shown, ValidationError as `preview` does; then nothing is written.
    """
    validate_reason(reason)
    kept, merged = _lock(kept, merged, Q(merged_into=merged))
    plan = preview(kept, merged, choices)
    if plan.blockers:
        raise Blocked(plan.blockers)
    if digest is not None and digest != plan.digest:
        raise Conflict("One of the two has changed since this was shown: look at it again.", code="stale")
    trail = Merge(
        platform_id=kept.platform_id,
        kept=kept,
        merged=merged,
        actor_label=by.label if by is not None else "",
        reason=reason,
        merged_status=merged.status,
        choices=plan.choices,
        before={name: str(getattr(kept, name)) for name in plan.changed},
    )
    # First, so that what only one customer may have is free.
    merged.status, merged.merged_into = Customer.Status.MERGED, kept
    _save(merged, "status", "merged_into")
    result = plan.result
    if plan.changed:
        result.full_clean()
    _save(result, *plan.changed)
    trail.moved = moving.move(result, merged)
    trail.moved["consents"] = ledgers.add(result, plan.consents, by)
    trail.save(force_insert=True)
    record(result, CustomerEvent.Kind.MERGED, by, merged=str(merged.pk), reason=reason)
    record(merged, CustomerEvent.Kind.MERGED, by, into=str(kept.pk), reason=reason)
    tell(MERGED, result, by, {"merged": str(merged.pk)})
    return trail


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """What undoing a merge would do, or did: the fields that go back, and those that were changed since and stay."""

    trail: Merge
    kept: Customer
    merged: Customer
    restored: tuple[str, ...]
    newer: tuple[str, ...]
    blockers: tuple[Blocker, ...]


def preview_undo(trail: Merge) -> Undoing:
    """Return what undoing a merge would do, as things are in the database."""
    trail = Merge.objects.select_related("kept", "merged").get(pk=trail.pk)
    return _undoing(trail, trail.kept, trail.merged)


@transaction.atomic
def undo(*, trail: Merge, by: Actor | None = None) -> Undoing:
    """Make the two of them two again: what went over goes back, as far as it is still there.

    A field that was changed since keeps what it says now. Raises Merge.DoesNotExist where the trail is gone, Blocked
    where something stands in the way, ValidationError where nothing would be left of whom the kept one is.
    """
    known = Q(pk__in=trail.moved.get("customers", ()))
    kept, merged = _lock(trail.kept, trail.merged, known)
    # Under the lock of the two, without which nobody writes a trail of theirs.
    trail = Merge.objects.select_for_update(no_key=True).get(pk=trail.pk)
    undoing = _undoing(trail, kept, merged)
    if undoing.blockers:
        raise Blocked(undoing.blockers)
    was, kept, merged = kept, undoing.kept, undoing.merged
    if undoing.restored:
        kept.clean()
    # The kept one first: it may give back what only one customer may have.
    _save(kept, *undoing.restored)
    _save(merged, "status", "merged_into")
    moving.put_back(kept, merged, trail.moved)
    trail.moved["put_back"] = ledgers.put_back(trail=trail, was=was, kept=kept, merged=merged, by=by)
    trail.undone_at, trail.undone_by = timezone.now(), by.label if by is not None else ""
    trail.save(update_fields=["moved", "undone_at", "undone_by"])
    record(kept, CustomerEvent.Kind.UNMERGED, by, merged=str(merged.pk), newer=list(undoing.newer))
    record(merged, CustomerEvent.Kind.UNMERGED, by, into=str(kept.pk))
    tell(UNMERGED, kept, by, {"merged": str(merged.pk)})
    return undoing


@transaction.atomic
def forget(*, customer: Customer) -> list[Any]:
    """Strip what a customer's trails say about people, also in the timelines of the others: erasure asks for it.

    From then on none of them can be undone. What the kept one said before stays until it is the kept one who is
    forgotten: the two may be two again. Returns the keys of the trails.
    """
    trails = list(Merge.objects.filter(Q(kept=customer) | Q(merged=customer)).select_related("kept", "merged"))
    for trail in trails:
        _forget_reason(trail)
    keys = [trail.pk for trail in trails]
    rows = Merge.objects.filter(pk__in=keys)
    rows.filter(forgotten_at=None).update(reason="", forgotten_at=timezone.now())
    rows.filter(kept=customer).update(before={})
    return keys


def known_before(customer: Customer) -> list[Mapping[str, str]]:
    """Return what a customer said before others were merged into them, undone or not, until `forget` strips it."""
    return list(Merge.objects.filter(kept=customer).values_list("before", flat=True))


def _forget_reason(trail: Merge) -> None:
    """Blank the reason of a merge in the timeline of either side, or of whom that was merged into since."""
    sides = [trail.kept, trail.merged]
    owners = {key for side in sides for key in (side.pk, side.merged_into_id) if key is not None}
    for event in CustomerEvent.objects.filter(customer__in=owners, kind=CustomerEvent.Kind.MERGED):
        said = event.data
        is_of_it = said.get("merged") == str(trail.merged_id) or said.get("into") == str(trail.kept_id)
        if is_of_it and said.get("reason"):
            event.data = {**said, "reason": ""}
            event.save(update_fields=["data"])


def _lock(kept: Customer, merged: Customer, others: Q) -> tuple[Customer, Customer]:
    """Return the two as they are now, locked with all that a merge of them writes, in the order of their keys.

    Raises Customer.DoesNotExist where one of them is gone.
    """
    rows = Customer.objects.select_for_update(no_key=True, of=("self",)).select_related("platform").order_by("pk")
    found = {row.pk: row for row in rows.filter(Q(pk__in=[kept.pk, merged.pk]) | others)}
    try:
        return found[kept.pk], found[merged.pk]
    except KeyError:
        raise Customer.DoesNotExist from None


def _save(customer: Customer, *changed: str) -> None:
    customer.updated_at = timezone.now()
    keys = _KEYS if set(changed) & set(services.FIELDS) else ()
    customer.save(update_fields=[*changed, *keys, "updated_at"])


def _undoing(trail: Merge, kept: Customer, merged: Customer) -> Undoing:
    """Return the two as they would be, with what stands in the way."""
    # What the merge wrote is still there in the merged one, which nobody has edited since; of the status it was this.
    written: dict[str, Any] = {name: str(getattr(merged, name)) for name in services.FIELDS}
    written["status"] = Customer.Status.BLOCKED
    # In this order: PostgreSQL keeps that of a JSON object's keys no more than their blanks.
    taken = [name for name in (*services.FIELDS, "status") if name in trail.before]
    restored = tuple(name for name in taken if str(getattr(kept, name)) == written[name])
    newer = tuple(name for name in taken if name not in restored)
    stuck = tuple(_stuck(trail, kept, merged))
    first, second = copy(kept), copy(merged)
    for name in restored:
        setattr(first, name, trail.before[name])
    first.make_keys()
    second.status, second.merged_into = trail.merged_status, None
    return Undoing(
        trail=trail,
        kept=first,
        merged=second,
        restored=restored,
        newer=newer,
        blockers=stuck or tuple(_taken(first, second)),
    )


def _stuck(trail: Merge, kept: Customer, merged: Customer) -> Iterator[Blocker]:
    """Yield why there is nothing to be undone any more, or not yet."""
    if trail.undone_at is not None:
        yield Blocker("undone", "This merge was undone already.")
    elif Customer.Status.ERASED in (kept.status, merged.status):
        yield Blocker("erased", "One of the two was erased since.")
    elif trail.forgotten_at is not None:
        yield Blocker("forgotten", "What the two said before was erased.")
    elif not kept.is_open:
        yield Blocker("merged_on", "The kept customer was itself merged into another: undo that merge first.")
    elif Merge.objects.filter(kept=kept, at__gt=trail.at, undone_at=None).exists():
        yield Blocker("later_merge", "The kept customer took in another one since: undo that merge first.")
    else:
        # What was asked of one person is about all that they were then.
        yield from asked_about(kept, merged)


def _taken(kept: Customer, merged: Customer) -> Iterator[Blocker]:
    """Yield what somebody else has by now, or one of the two would have of the other."""
    others = Customer.objects.open().filter(platform=kept.platform_id).exclude(pk__in=[kept.pk, merged.pk])
    for column, code, detail in _UNIQUE:
        values = [value for customer in (kept, merged) if (value := getattr(customer, column))]
        taken = set(others.filter(**{f"{column}__in": values}).values_list(column, flat=True))
        for value in dict.fromkeys(values):
            if value in taken or values.count(value) > 1:
                yield Blocker(code, detail.format(value))
