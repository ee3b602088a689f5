"""Writes what was judged: a statement for some hundred rows of each table, timeline and events with it."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Model
from django.utils import timezone

from customers.cells import ADDRESS_COLUMNS
from customers.models import Address, Customer, CustomerEvent, CustomerVendor, Tag
from customers.services import CREATED, FIELDS, KEYS, UPDATED
from customers.timeline import change
from customers.upserts.judging import Verdict
from customers.upserts.rows import Author
from customers.upserts.there import There
from modules import events
from modules.events import Happened
from platforms.models import Platform

# Of another kind, it is another address.
_ADDRESS_FIELDS = [name for name in ADDRESS_COLUMNS.values() if name != "kind"]


def write(verdicts: Sequence[Verdict], there: There, *, by: Author | None, note: Mapping[str, Any]) -> None:
    """Write what the verdicts say, in a transaction of the caller's, who holds the locks.

    note: names and ids that stand with it in the timeline. Raises IntegrityError where somebody else was faster.
    """
    moved = [verdict for verdict in verdicts if verdict.outcome in ("created", "updated")]
    if not moved:
        return
    _write_customers(moved)
    _write_tags(moved, there)
    CustomerVendor.objects.bulk_create(
        [CustomerVendor(customer=_of(verdict), vendor=vendor) for verdict in moved for vendor in verdict.vendors]
    )
    _write_addresses(moved)
    _tell(moved, there.platform, by, note)


def _of(verdict: Verdict) -> Customer:
    assert verdict.customer is not None
    return verdict.customer


def _write_customers(moved: Sequence[Verdict]) -> None:
    new = [_of(verdict) for verdict in moved if verdict.is_new]
    # In one order for all files: two that bring the same people would each wait for the other.
    Customer.objects.bulk_create(sorted(new, key=lambda customer: (customer.email_key, customer.external_ref)))
    changed = [verdict for verdict in moved if not verdict.is_new]
    if not changed:
        return
    now = timezone.now()
    for verdict in changed:
        _of(verdict).updated_at = now
    columns = sorted({name for verdict in changed for name in verdict.changed} & set(FIELDS))
    customers = [_of(verdict) for verdict in changed]
    _overwrite(Customer, customers, [*columns, *(KEYS if columns else ()), "updated_at"])


def _write_tags(moved: Sequence[Verdict], there: There) -> None:
    wanted = {key: name for verdict in moved for key, name in verdict.tags.items()}
    if not wanted:
        return
    new = [Tag(platform=there.platform, name=name) for key, name in wanted.items() if key not in there.tags]
    if new:
        for tag in new:
            tag.clean()
        # Somebody else may be making them, too: theirs are as good.
        Tag.objects.bulk_create(new, ignore_conflicts=True)
        made = Tag.objects.filter(platform=there.platform, key__in=[tag.key for tag in new])
        there.tags |= {tag.key: tag for tag in made}
    through = Customer.tags.through
    through.objects.bulk_create(
        [through(customer=_of(verdict), tag=there.tags[key]) for verdict in moved for key in verdict.tags]
    )


def _write_addresses(moved: Sequence[Verdict]) -> None:
    addresses = [verdict.address for verdict in moved if verdict.address is not None]
    # Sorted out before: who is written is not new any more.
    new = [address for address in addresses if address._state.adding]
    changed = [address for address in addresses if not address._state.adding]
    Address.objects.bulk_create(new)
    _overwrite(Address, changed, _ADDRESS_FIELDS)


def _overwrite(model: type[Model], rows: Sequence[Any], columns: Sequence[str]) -> None:
    """Write these columns of rows that are there, and locked: ten times as fast as bulk_update().

    A row that several rows of a file spoke of is written once, as the last one wants it: PostgreSQL refuses it twice.
    """
    once = list({row.pk: row for row in rows}.values())
    if once:
        model._default_manager.bulk_create(once, update_conflicts=True, unique_fields=["id"], update_fields=columns)


def _tell(moved: Sequence[Verdict], platform: Platform, by: Author | None, note: Mapping[str, Any]) -> None:
    label, user_id = (by.label, by.user_id) if by is not None else ("", None)
    lines, happened = [], []
    for verdict in moved:
        fields: dict[str, Any] = {} if verdict.is_new else {"fields": verdict.changed}
        said = {} if verdict.is_new else change(verdict.changed, verdict.before)
        kind = CustomerEvent.Kind.CREATED if verdict.is_new else CustomerEvent.Kind.UPDATED
        lines.append(
            CustomerEvent(platform=platform, customer=_of(verdict), kind=kind, actor_label=label, data={**said, **note})
        )
        happened.append(
            Happened(
                name=CREATED if verdict.is_new else UPDATED,
                platform_id=platform.pk,
                actor_id=user_id,
                data={"customer": str(_of(verdict).pk), **fields},
            )
        )
    CustomerEvent.objects.bulk_create(lines)
    events.emit_all(happened)
