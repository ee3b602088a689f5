"""The rows that go over from one customer to the other, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from customers.models import Address, Customer, CustomerEvent, CustomerVendor, Note

# What kinds of rows there are, and the field by which each of them is a customer's.
_MODELS: Mapping[str, tuple[type[Any], str]] = {
    "vendors": (CustomerVendor, "customer"),
    "tags": (Customer.tags.through, "customer"),
    "addresses": (Address, "customer"),
    "notes": (Note, "customer"),
    "timeline": (CustomerEvent, "customer"),
    # Who was merged into the merged one before: nobody has to follow more than one step.
    "customers": (Customer, "merged_into"),
}
KINDS = tuple(_MODELS)
_ADDRESS = ("kind", "recipient", "line1", "line2", "postal_code", "city", "region", "country")

Moved = dict[str, Any]


def movable(kept: Customer, merged: Customer) -> dict[str, list[Any]]:
    """Return the keys of what would go over, by kind: six queries and one more for addresses.

    What the kept one has already, a vendor, a tag or the same address word for word, stays with the merged one.
    """
    rows = {kind: _of(kind, merged) for kind in KINDS}
    rows["vendors"] = rows["vendors"].exclude(vendor__in=kept.vendor_links.values("vendor"))
    rows["tags"] = rows["tags"].exclude(tag__in=kept.tags.values("pk"))
    keys = {kind: list(found.order_by("pk").values_list("pk", flat=True)) for kind, found in rows.items()}
    theirs = set(kept.addresses.values_list(*_ADDRESS))
    keys["addresses"] = [
        key for key, *said in merged.addresses.order_by("pk").values_list("pk", *_ADDRESS) if tuple(said) not in theirs
    ]
    return keys


def move(kept: Customer, merged: Customer) -> Moved:
    """Have all of it go over; return what went, as the trail keeps it. The caller holds both locks.

    A default address gives way to the kept one's of the same kind.
    """
    keys = movable(kept, merged)
    taken = kept.addresses.filter(is_default=True).values_list("kind", flat=True)
    unset = Address.objects.filter(pk__in=keys["addresses"], is_default=True, kind__in=list(taken))
    defaults = list(unset.order_by("pk").values_list("pk", flat=True))
    Address.objects.filter(pk__in=defaults).update(is_default=False)
    for kind, found in keys.items():
        _hand_over(kind, found, merged, kept)
    return {kind: _texts(found) for kind, found in keys.items()} | {"defaults": _texts(defaults)}


def put_back(kept: Customer, merged: Customer, moved: Moved) -> None:
    """Have go back what went over and is still there.

    Of two defaults the one that stayed with the merged one wins, else the one that was made so since.
    """
    stayed = merged.addresses.filter(is_default=True).values_list("kind", flat=True)
    kept.addresses.filter(pk__in=moved["addresses"], is_default=True, kind__in=list(stayed)).update(is_default=False)
    for kind in KINDS:
        _hand_over(kind, moved[kind], kept, merged)
    for address in merged.addresses.filter(pk__in=moved["defaults"], is_default=False):
        if not merged.addresses.filter(kind=address.kind, is_default=True).exists():
            merged.addresses.filter(pk=address.pk).update(is_default=True)


def _of(kind: str, customer: Customer) -> QuerySet[Any]:
    model, field = _MODELS[kind]
    return model._default_manager.filter(**{field: customer}).order_by()


def _hand_over(kind: str, keys: Sequence[Any], giver: Customer, taker: Customer) -> None:
    if keys:
        _of(kind, giver).filter(pk__in=keys).update(**{_MODELS[kind][1]: taker})


def _texts(keys: Sequence[Any]) -> list[Any]:
    return [key if isinstance(key, int) else str(key) for key in keys]
