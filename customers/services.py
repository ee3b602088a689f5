"""The one way to write customers: each write is whole, stands in the timeline, and is told to the other modules.

A customer who was merged into another or erased is not edited any more: Conflict, and nothing is written. `by` is who
asks; None for the customer themselves, and for what nobody in particular does.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from customers.models import Address, Customer, CustomerEvent, CustomerVendor, Note, Tag
from customers.timeline import KNOWN_BY, change, record, tell
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.models import Platform, Vendor
from platforms.validators import MAX_REASON, validate_reason

CREATED, UPDATED = "customers.created", "customers.updated"

FIELDS = ("email", "phone", "first_name", "last_name", "locale", "external_ref")
KEYS = ("email_key", "name_key", "last_name_key")
# What is not the customer's own column, but set with them.
_SETS = ("tags", "vendors")


def lock_open(customer: Customer) -> Customer:
    """Return the customer as they are now, locked until the transaction ends.

    Raises Customer.DoesNotExist where they are gone, Conflict where they were merged into another or erased.
    """
    locked = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    refuse_closed(locked)
    return locked


def refuse_closed(customer: Customer) -> None:
    """Raise Conflict for a customer who was merged into another or erased."""
    if not customer.is_open:
        raise Conflict(f"This customer was {customer.status}: nothing of it is changed any more.", code="closed")


@transaction.atomic
def create_customer(*, platform: Platform, values: Mapping[str, Any], by: Actor | None = None) -> Customer:
    """Make a customer of the platform.

    values: any of FIELDS, and `tags` and `vendors`, rows of the same platform. Raises ValidationError, also where
    another customer has the e-mail address or the reference.
    """
    _check_known(values)
    customer = Customer(platform=platform, **{name: values[name] for name in FIELDS if name in values})
    customer.full_clean()
    customer.save(force_insert=True)
    _set_related(customer, values)
    record(customer, CustomerEvent.Kind.CREATED, by)
    tell(CREATED, customer, by)
    return customer


@transaction.atomic
def update_customer(*, customer: Customer, values: Mapping[str, Any], by: Actor | None = None) -> Customer:
    """Set what `values` names, as in `create_customer`; what is so already is not written, and nothing told of it.

    Raises Conflict for a customer who is closed, ValidationError as `create_customer` does.
    """
    _check_known(values)
    locked = lock_open(customer)
    before = {name: getattr(locked, name) for name in KNOWN_BY}
    changed = [name for name in FIELDS if name in values and getattr(locked, name) != values[name]]
    for name in changed:
        setattr(locked, name, values[name])
    if changed:
        locked.full_clean()
    changed += _set_related(locked, values)
    if changed:
        _save(locked, *changed)
        record(locked, CustomerEvent.Kind.UPDATED, by, **change(changed, before))
        tell(UPDATED, locked, by, {"fields": changed})
    return locked


def block_customer(*, customer: Customer, by: Actor | None = None, reason: str = "") -> Customer:
    """Block a customer: no marketing goes to them. Blocked already: nothing is written. Raises as `update_customer`."""
    return _set_status(customer, Customer.Status.BLOCKED, CustomerEvent.Kind.BLOCKED, by, reason)


def unblock_customer(*, customer: Customer, by: Actor | None = None, reason: str = "") -> Customer:
    """Let a blocked customer be an active one again. Raises as `update_customer`."""
    return _set_status(customer, Customer.Status.ACTIVE, CustomerEvent.Kind.UNBLOCKED, by, reason)


@transaction.atomic
def link_vendor(*, customer: Customer, vendor: Vendor, by: Actor | None = None) -> Customer:
    """Say that the customer bought from this vendor; known already: nothing is written. Raises as `update_customer`."""
    locked = lock_open(customer)
    known = Vendor.objects.filter(pk__in=locked.vendor_links.values("vendor"))
    return update_customer(customer=locked, values={"vendors": [*known, vendor]}, by=by)


@transaction.atomic
def save_address(*, address: Address, by: Actor | None = None) -> Address:
    """Save an address as it is in memory, new or changed; as a default it takes the place of the one before it.

    Raises Conflict for a customer who is closed, ValidationError.
    """
    locked = lock_open(address.customer)
    if address.is_default:
        others = Address.objects.filter(customer=locked, kind=address.kind, is_default=True).exclude(pk=address.pk)
        others.update(is_default=False)
    address.full_clean()
    address.save()
    _touch(locked, by, "addresses")
    return address


@transaction.atomic
def delete_address(*, address: Address, by: Actor | None = None) -> None:
    """Delete an address. Raises Conflict for a customer who is closed."""
    locked = lock_open(address.customer)
    address.delete()
    _touch(locked, by, "addresses")


@transaction.atomic
def add_note(*, customer: Customer, text: str, by: Actor | None = None, vendor: Vendor | None = None) -> Note:
    """Write a note about a customer: the vendor's own, or with none the staff's. Raises as `update_customer`."""
    locked = lock_open(customer)
    note = Note(
        platform_id=locked.platform_id, customer=locked, vendor=vendor, text=text, author=by.label if by else ""
    )
    note.full_clean()
    note.save(force_insert=True)
    record(locked, CustomerEvent.Kind.NOTE, by, note=str(note.pk), vendor=vendor.code if vendor else None)
    tell(UPDATED, locked, by, {"fields": ["notes"]})
    return note


@transaction.atomic
def delete_note(*, note: Note, by: Actor | None = None) -> None:
    """Delete a note; deleted already: nothing is written. Raises Conflict for a customer who is closed."""
    locked, key = lock_open(note.customer), str(note.pk)
    vendor = note.vendor.code if note.vendor else None
    deleted, _ = note.delete()
    if deleted:
        record(locked, CustomerEvent.Kind.UPDATED, by, fields=["notes"], note=key, vendor=vendor)
        tell(UPDATED, locked, by, {"fields": ["notes"]})


@transaction.atomic
def _set_status(
    customer: Customer, status: Customer.Status, kind: CustomerEvent.Kind, by: Actor | None, reason: str
) -> Customer:
    locked = lock_open(customer)
    validate_reason(reason)
    if locked.status != status:
        locked.status = status
        _save(locked, "status")
        record(locked, kind, by, reason=reason[:MAX_REASON])
        tell(UPDATED, locked, by, {"fields": ["status"]})
    return locked


def _check_known(values: Mapping[str, Any]) -> None:
    if unknown := sorted(set(values) - {*FIELDS, *_SETS}):
        raise TypeError(f"No fields of a customer: {', '.join(unknown)}.")


def _save(customer: Customer, *changed: str) -> None:
    customer.updated_at = timezone.now()
    columns = [name for name in changed if name not in _SETS]
    customer.save(update_fields=[*columns, *(KEYS if set(columns) & set(FIELDS) else ()), "updated_at"])


def _touch(customer: Customer, by: Actor | None, field: str) -> None:
    customer.updated_at = timezone.now()
    customer.save(update_fields=["updated_at"])
    record(customer, CustomerEvent.Kind.UPDATED, by, fields=[field])
    tell(UPDATED, customer, by, {"fields": [field]})


def _set_related(customer: Customer, values: Mapping[str, Any]) -> list[str]:
    """Have the customer carry these tags and be known to these vendors, and no others; return what changed."""
    changed = []
    if "tags" in values and _set_tags(customer, values["tags"]):
        changed.append("tags")
    if "vendors" in values and _set_vendors(customer, values["vendors"]):
        changed.append("vendors")
    return changed


def _set_tags(customer: Customer, tags: Iterable[Tag]) -> bool:
    wanted = {tag.pk: tag for tag in tags}
    _refuse_foreign(customer, "tags", wanted.values())
    carried = set(customer.tags.values_list("pk", flat=True))
    customer.tags.set(wanted.values())
    return carried != wanted.keys()


def _set_vendors(customer: Customer, vendors: Iterable[Vendor]) -> bool:
    wanted = {vendor.pk: vendor for vendor in vendors}
    _refuse_foreign(customer, "vendors", wanted.values())
    known = set(customer.vendor_links.values_list("vendor", flat=True))
    customer.vendor_links.exclude(vendor__in=wanted).delete()
    CustomerVendor.objects.bulk_create(
        CustomerVendor(customer=customer, vendor=vendor) for key, vendor in wanted.items() if key not in known
    )
    return known != wanted.keys()


def _refuse_foreign(customer: Customer, field: str, rows: Iterable[Tag | Vendor]) -> None:
    if any(row.platform_id != customer.platform_id for row in rows):
        raise ValidationError({field: ValidationError("This is another platform's.", code="foreign")})
