"""What is to become of a row: found, held against the models' own rules, and nothing of it written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django_countries import countries

from customers.cells import ADDRESS_COLUMNS, split_names
from customers.keys import email_key, name_key
from customers.models import Address, Customer, Match, Tag
from customers.services import FIELDS, KEYS
from customers.timeline import KNOWN_BY
from customers.upserts.rows import Fault, Outcome, Row
from customers.upserts.there import There
from platforms.choices import have_named
from platforms.models import Vendor
from platforms.validators import MOST_ECHOED

MAX_NAMES = 100
# The model's word for a customer of whom nothing is known.
_NOBODY = "nobody"

_OTHERS = frozenset(field.name for field in Customer._meta.concrete_fields) - set(FIELDS)
_NOT_TYPED = ("id", "platform", "customer", "is_default", "created_at")


@cache
def _countries() -> frozenset[str]:
    """Return the codes that the field takes: it goes through all of them by itself, for every row anew."""
    return frozenset(code for code, _ in countries)


_COLUMN_OF = {field: column for column, field in ADDRESS_COLUMNS.items()}


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What is to become of a row. `customer` is as it is to be, `before` by what it was known; None where it fails."""

    row: Row
    customer: Customer | None = None
    is_new: bool = False
    changed: list[str] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    vendors: list[Vendor] = field(default_factory=list)
    address: Address | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """What becomes of the customer."""
        if self.customer is None:
            return "failed"
        if self.is_new:
            return "created"
        return "updated" if self.changed else "unchanged"


def judge(row: Row, there: There, match: Match, *, ignores_fields: bool) -> Verdict:
    """Return what is to become of the row; where it is taken, `there` says so to the rows after it.

    ignores_fields: a field with a fault is left out, and only what has a fault as a whole fails.
    """
    verdict = Verdict(row=row, faults=list(row.faults))
    broken = {fault.attr for fault in row.faults}
    values = {name: text for name, text in row.values.items() if text and name not in broken}
    if None in broken:
        return verdict
    if match != Match.NONE and not values.get(match.value):
        if match.value not in broken:
            detail = "Rows are matched by it: it cannot be blank."
            verdict.faults.append(Fault(code="required", attr=match.value, detail=detail))
        return verdict
    known = None
    if match != Match.NONE:
        known, is_former = _find(there, match, values)
        if known is not None and is_former:
            values = _said_of_former(there, known, values)
    wanted = _judged_fields(verdict, there, known, values)
    _judge_names(verdict, there, known, values)
    _judge_address(verdict, there, known, values)
    is_taken = not verdict.faults or (ignores_fields and _can_ignore(verdict, match))
    if not is_taken:
        # That nothing is left of the row is no news where it says why.
        reasons = [fault for fault in verdict.faults if fault.code != _NOBODY]
        verdict.faults = reasons or verdict.faults[:1]
        return verdict
    _take(verdict, there, known, wanted)
    return verdict


def _can_ignore(verdict: Verdict, match: Match) -> bool:
    return all(fault.attr is not None and fault.attr != match.value for fault in verdict.faults)


def _find(there: There, match: Match, values: Mapping[str, str]) -> tuple[Customer | None, bool]:
    """Return whom the row means, and whether it does so by what another was known by, who was merged into them."""
    if match == Match.EMAIL:
        key, now, former = email_key(values["email"]), there.by_email, there.by_former_email
    else:
        key, now, former = values["external_ref"], there.by_ref, there.by_former_ref
    return (now[key], False) if key in now else (former.get(key), key in former)


def _said_of_former(there: There, known: Customer, values: Mapping[str, str]) -> dict[str, str]:
    """Return what a row of somebody who was merged says of the one who was kept: what only adds, or fills a blank.

    Staff chose between the two, and the file comes again tomorrow. What the merged one was known by is no news; and no
    mailbox or number is filled in that a consent would count for which was not given for it (ADR 0018).
    """
    said = {name: text for name, text in values.items() if name not in FIELDS or not str(getattr(known, name))}
    if there.by_former_email.get(email_key(said.get("email", ""))) is known or (known.pk, "email_key") in there.agreed:
        said.pop("email", None)
    if there.by_former_ref.get(said.get("external_ref", "")) is known:
        said.pop("external_ref", None)
    if (known.pk, "phone") in there.agreed:
        said.pop("phone", None)
    if (known.pk, _kind_of(said)) in there.addresses:
        # An address is one value: blanks of another's are not filled with parts of it.
        said = {name: text for name, text in said.items() if name not in ADDRESS_COLUMNS}
    return said


# --- the customer's own fields -------------------------------------------------------------------------------------


def _judged_fields(verdict: Verdict, there: There, known: Customer | None, values: Mapping[str, str]) -> Customer:
    """Return the customer as the row wants it, without the fields that have a fault."""
    before = {name: getattr(known, name) if known else "" for name in FIELDS}
    given = {name: values[name] for name in FIELDS if name in values}
    wanted = Customer(platform_id=there.platform.pk, **{**before, **given})
    for faults in _faults_of(wanted, there, known, given):
        verdict.faults += faults
        for fault in faults:
            if fault.attr is not None:
                setattr(wanted, fault.attr, before[fault.attr])
                given.pop(fault.attr, None)
    if verdict.faults:
        # What was left out has no keys.
        wanted.make_keys()
    return wanted


def _faults_of(
    wanted: Customer, there: There, known: Customer | None, given: Mapping[str, str]
) -> Iterator[list[Fault]]:
    """Yield what is wrong, kind by kind: what has a fault by the first is gone when the next is looked for."""
    try:
        wanted.clean_fields(exclude=_OTHERS | (set(FIELDS) - set(given)))
    except ValidationError as error:
        yield list(_faults(error))
    yield _faults_as_a_whole(wanted)
    owners = {"email": there.by_email.get(wanted.email_key), "external_ref": there.by_ref.get(wanted.external_ref)}
    taken = []
    for attr, owner in owners.items():
        if attr in given and owner is not None and owner is not known:
            taken.append(Fault(code="unique", attr=attr, detail="Another customer has it."))
    if taken:
        yield taken
        # Without what another has, nothing may be left.
        yield _faults_as_a_whole(wanted)


def _faults_as_a_whole(wanted: Customer) -> list[Fault]:
    try:
        wanted.clean()
    except ValidationError as error:
        return list(_faults(error))
    return []


def _faults(error: ValidationError, columns: Mapping[str, str] | None = None) -> Iterator[Fault]:
    for name, found in error.update_error_dict({}).items():
        attr = None if name == NON_FIELD_ERRORS else (columns or {}).get(name, name)
        for one in found:
            # Some of Django's messages quote what was typed, however long it is.
            yield Fault(code=one.code or "invalid", attr=attr, detail=" ".join(one.messages)[:300])


# --- what hangs on it ----------------------------------------------------------------------------------------------


def _judge_names(verdict: Verdict, there: There, known: Customer | None, values: Mapping[str, str]) -> None:
    """Say which tags and vendors the row adds: nothing is ever taken away by what a row leaves out."""
    names = {column: split_names(values.get(column, "")) for column in ("tags", "vendors")}
    for column, found in names.items():
        if len(found) > MAX_NAMES:
            detail = f"Name at most {MAX_NAMES}."
            verdict.faults.append(Fault(code="max_length", attr=column, detail=detail))
            names[column] = []
    tags = {name_key(name): name for name in names["tags"]}
    vendors = [there.vendors.get(code) for code in names["vendors"]]
    if faults := [*_tag_faults(tags, there), *_vendor_faults(names["vendors"], there)]:
        verdict.faults += faults
        broken = {fault.attr for fault in faults}
        tags = {} if "tags" in broken else tags
        vendors = [] if "vendors" in broken else vendors
    carried = there.tag_keys.get(known.pk, set()) if known else set()
    bought = there.vendor_ids.get(known.pk, set()) if known else set()
    verdict.tags = {key: name for key, name in tags.items() if key not in carried}
    verdict.vendors = [vendor for vendor in vendors if vendor is not None and vendor.pk not in bought]


def _tag_faults(tags: Mapping[str, str], there: There) -> Iterator[Fault]:
    for key, name in tags.items():
        if key in there.tags:
            continue
        try:
            Tag(platform=there.platform, name=name, key=key).clean_fields(exclude=["platform"])
        except ValidationError as error:
            yield from _faults(error, {"name": "tags", "key": "tags"})


def _vendor_faults(codes: list[str], there: There) -> Iterator[Fault]:
    for code in codes:
        if code not in there.vendors:
            detail = f"There is no vendor {code[:MOST_ECHOED]} here."
            yield Fault(code="does_not_exist", attr="vendors", detail=detail)


def _kind_of(values: Mapping[str, str]) -> str:
    return values.get("address_kind", Address.Kind.SHIPPING).lower()


def _judge_address(verdict: Verdict, there: There, known: Customer | None, values: Mapping[str, str]) -> None:
    """Say which address the row makes or changes: the customer's default of that kind, else the oldest."""
    given = {name: values[column] for column, name in ADDRESS_COLUMNS.items() if column in values and name != "kind"}
    if not given:
        return
    kind = _kind_of(values)
    if "country" in given:
        given["country"] = given["country"].upper()
    there_already = there.addresses.get((known.pk, kind)) if known else None
    address = Address(platform_id=there.platform.pk, kind=kind, is_default=True)
    if there_already is not None:
        for name in (*_COLUMN_OF, "is_default", "id", "created_at"):
            setattr(address, name, getattr(there_already, name))
        address.customer_id = there_already.customer_id
        address._state.adding = False
    for name, text in given.items():
        setattr(address, name, text)
    is_known = str(address.country) in _countries()
    try:
        address.clean_fields(exclude=(*_NOT_TYPED, "country") if is_known else _NOT_TYPED)
    except ValidationError as error:
        have_named(error, Address)
        verdict.faults += _faults(error, _COLUMN_OF)
        return
    if there_already is None or any(str(getattr(address, name)) != str(getattr(there_already, name)) for name in given):
        verdict.address = address


# --- taken ---------------------------------------------------------------------------------------------------------


def _take(verdict: Verdict, there: There, known: Customer | None, wanted: Customer) -> None:
    """Bring the customer, and what is there, to how the row wants it."""
    customer = known or wanted
    keys = {"email": known.email_key, "ref": known.external_ref} if known else {"email": "", "ref": ""}
    verdict.customer, verdict.is_new = customer, known is None
    if known is not None:
        verdict.before = {name: str(getattr(known, name)) for name in KNOWN_BY}
        verdict.changed = [name for name in FIELDS if str(getattr(known, name)) != str(getattr(wanted, name))]
        for name in (*verdict.changed, *KEYS):
            setattr(known, name, getattr(wanted, name))
    there.move(customer, **keys)
    if verdict.tags:
        there.tag_keys.setdefault(customer.pk, set()).update(verdict.tags)
        verdict.changed.append("tags")
    if verdict.vendors:
        there.vendor_ids.setdefault(customer.pk, set()).update(vendor.pk for vendor in verdict.vendors)
        verdict.changed.append("vendors")
    if verdict.address is not None:
        verdict.address.customer_id = customer.pk
        there.addresses[customer.pk, verdict.address.kind] = verdict.address
        verdict.changed.append("addresses")
