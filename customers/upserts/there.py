"""What a set of rows meets: the customers, tags and vendors that are there, read with a query a table."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from customers.cells import ADDRESS_COLUMNS, split_names
from customers.keys import email_key, name_key
from customers.merging.ledgers import REACHED_BY
from customers.models import Address, ConsentInForce, ConsentRecord, Customer, CustomerVendor, Tag
from customers.upserts.rows import Row
from platforms.models import Platform, Vendor

# What says something of an address: its kind alone does not.
_ADDRESS_COLUMNS = [column for column, name in ADDRESS_COLUMNS.items() if name != "kind"]


@dataclass(slots=True, kw_only=True)
class There:
    """What is there, by what rows say. Judging a row brings it up to date for the rows after it."""

    platform: Platform
    by_email: dict[str, Customer] = field(default_factory=dict)
    by_ref: dict[str, Customer] = field(default_factory=dict)
    # By keys of those who were merged into them: they go on being found, and nobody's e-mail or reference is taken.
    by_former_email: dict[str, Customer] = field(default_factory=dict)
    by_former_ref: dict[str, Customer] = field(default_factory=dict)
    # Columns by which one who was kept agreed to be reached, e.g. (…, "phone").
    agreed: set[tuple[uuid.UUID, str]] = field(default_factory=set)
    addresses: dict[tuple[uuid.UUID, str], Address] = field(default_factory=dict)
    tag_keys: dict[uuid.UUID, set[str]] = field(default_factory=dict)
    vendor_ids: dict[uuid.UUID, set[int]] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    vendors: Mapping[str, Vendor] = field(default_factory=dict)

    def move(self, customer: Customer, *, email: str, ref: str) -> None:
        """Have the customer be found by what it says now; `email` and `ref` are the keys that it had."""
        for found, old, new in (
            (self.by_email, email, customer.email_key),
            (self.by_ref, ref, customer.external_ref),
        ):
            if old != new:
                found.pop(old, None)
            if new:
                found[new] = customer

    def note_merged(self, customer: Customer, kept: Customer) -> None:
        """Have who was kept be found by what the other was known by."""
        if customer.email_key:
            self.by_former_email[customer.email_key] = kept
        if customer.external_ref:
            self.by_former_ref[customer.external_ref] = kept


def read(platform: Platform, rows: Sequence[Row], *, is_locked: bool) -> There:
    """Read what these rows meet. is_locked: keep the customers locked until the transaction ends, in key order."""
    there = There(platform=platform)
    emails = {email_key(email) for row in rows if (email := row.values.get("email"))}
    refs = {ref for row in rows if (ref := row.values.get("external_ref"))}
    here = Customer.objects.filter(platform=platform)
    meant = Q(email_key__in=emails) | Q(external_ref__in=refs)
    merged = list(here.filter(meant, status=Customer.Status.MERGED).order_by("created_at", "pk"))
    customers = here.open().filter(meant | Q(pk__in={customer.merged_into_id for customer in merged}))
    if is_locked:
        customers = customers.select_for_update(no_key=True)
    known = {customer.pk: customer for customer in customers.order_by("pk")}
    for customer in known.values():
        there.move(customer, email="", ref="")
    for customer in merged:
        if customer.merged_into_id in known:
            there.note_merged(customer, known[customer.merged_into_id])
    _read_agreed(there)
    found = set(known)
    _read_tags(there, _names(rows, "tags"), found)
    _read_vendors(there, _names(rows, "vendors"), found)
    if found and any(row.values.get(column) for row in rows for column in _ADDRESS_COLUMNS):
        for address in Address.objects.filter(customer__in=found).order_by("is_default", "-created_at", "-pk"):
            # The last one stays: the default, else the oldest.
            there.addresses[address.customer_id, address.kind] = address
    return there


def _read_agreed(there: There) -> None:
    kept = {customer.pk for customer in (*there.by_former_email.values(), *there.by_former_ref.values())}
    if not kept:
        return
    in_force = ConsentInForce.objects.filter(customer__in=kept, channel__in=REACHED_BY)
    for customer, channel in in_force.values_list("customer", "channel"):
        there.agreed.add((customer, REACHED_BY[ConsentRecord.Channel(channel)]))


def _names(rows: Iterable[Row], column: str) -> set[str]:
    return {name for row in rows if (cell := row.values.get(column)) for name in split_names(cell)}


def _read_tags(there: There, names: set[str], found: set[uuid.UUID]) -> None:
    if not names:
        return
    keys = {name_key(name) for name in names}
    there.tags = {tag.key: tag for tag in Tag.objects.filter(platform=there.platform, key__in=keys)}
    carried = Customer.tags.through.objects.filter(customer__in=found, tag__in=list(there.tags.values()))
    for customer, key in carried.values_list("customer", "tag__key"):
        there.tag_keys.setdefault(customer, set()).add(key)


def _read_vendors(there: There, codes: set[str], found: set[uuid.UUID]) -> None:
    if not codes:
        return
    there.vendors = {vendor.code: vendor for vendor in Vendor.objects.filter(platform=there.platform, code__in=codes)}
    known = CustomerVendor.objects.filter(customer__in=found, vendor__in=list(there.vendors.values()))
    for customer, vendor in known.values_list("customer", "vendor"):
        there.vendor_ids.setdefault(customer, set()).add(vendor)
