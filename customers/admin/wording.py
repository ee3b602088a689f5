"""How merges, timelines and requests are put to people, and the addresses that lead to them."""

from collections.abc import Mapping

from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from customers.models import Customer, CustomerEvent, DuplicatePair, Merge, PrivacyRequest
from customers.services import FIELDS

# Said where the database refuses a merge, or the way back, for what somebody else has saved.
COLLISION = "Somebody saved something meanwhile that collides with it."
WHY = {"email": "Mailbox", "phone": "Phone", "name": "Name"}
_FIELDS = frozenset((*FIELDS, "status"))
_MOVES = {
    "vendors": ("vendor", "vendors"),
    "tags": ("tag", "tags"),
    "addresses": ("address", "addresses"),
    "notes": ("note", "notes"),
    "timeline": ("line of the timeline", "lines of the timeline"),
    "customers": ("customer who was merged before", "customers who were merged before"),
    "consents": ("line added to the consents", "lines added to the consents"),
}


def field_name(name: str) -> str:
    """Return what a customer's field, or what hangs on one, is called."""
    if name not in _FIELDS:
        return name
    return str(Customer._meta.get_field(name).verbose_name)  # type: ignore[union-attr]


def moves(counts: Mapping[str, int]) -> list[str]:
    """Return what goes over, as far as there is any."""
    return [f"{count} {words[count != 1]}" for kind, words in _MOVES.items() if (count := counts.get(kind, 0))]


def told(event: CustomerEvent) -> SafeString:
    """Return a line of a customer's timeline; a merge leads to the other of the two."""
    said, data = format_html("{}", event.get_kind_display()), event.data
    if other := data.get("into") or data.get("merged"):
        address = reverse("admin:customers_customer_change", args=[other])
        link = format_html('<a href="{}">another customer</a>', address)
        is_into = event.kind == CustomerEvent.Kind.MERGED and "into" in data
        said = format_html("{} {} {}", said, "into" if is_into else "with", link)
    if names := data.get("fields"):
        details = ", ".join(map(field_name, names))
    elif "purpose" in data:
        details = f"{data['purpose']} by {data['channel']}, {data['action']}"
    elif "wanted" in data:
        details = ": ".join(filter(None, _of_request(data)))
    else:
        details = data.get("reason", "")
    return format_html("{}: {}", said, details) if details else said


def called_off(request: PrivacyRequest) -> str:
    """Return why a request was called off, and by whom, as far as it was somebody."""
    off = request.called_off or {"why": "", "by": ""}
    return " ".join(filter(None, [_why_off(off["why"]), f"By {off['by']}." if off["by"] else ""]))


def _of_request(data: Mapping[str, str]) -> tuple[str, str]:
    """Return what was wanted, and how and why it was asked for, or why it was called off."""
    wanted = PrivacyRequest.Kind(data["wanted"]).label.lower()
    if "source" in data:
        return f"{wanted} ({PrivacyRequest.Source(data['source']).label})", data["reason"]
    return wanted, _why_off(data["why"])


def _why_off(why: str) -> str:
    """Return why a request was called off; nothing where somebody did it, who is named beside."""
    return PrivacyRequest.CalledOff(why).label if why not in ("", PrivacyRequest.CalledOff.BY_STAFF) else ""


def named(one: Customer, other: Customer) -> tuple[str, str]:
    """Return what to call two customers: where that is the same, with what tells them apart."""
    names = (str(one), str(other))
    if names[0] != names[1]:
        return names
    details = [customer.email or customer.external_ref or str(customer.phone) for customer in (one, other)]
    first, second = (f"{name} ({detail})" if detail else name for name, detail in zip(names, details, strict=True))
    return first, second


def apart(pair: DuplicatePair) -> tuple[str, str]:
    """Return what to call the two of a pair."""
    return named(pair.a, pair.b)


def merged_and_kept(trail: Merge) -> tuple[str, str]:
    """Return what to call the two of a merge."""
    return named(trail.merged, trail.kept)


def customer_address(customer: Customer) -> str:
    """Return the address of a customer's page."""
    return reverse("admin:customers_customer_change", args=[customer.pk])


def merge_address(kept: Customer, other: Customer | None = None) -> str:
    """Return the address where two customers are compared, or where the other one is asked for."""
    query = {"kept": str(kept.pk)} | ({"other": str(other.pk)} if other is not None else {})
    return f"{reverse('admin:customers_customer_merge')}?{urlencode(query)}"
