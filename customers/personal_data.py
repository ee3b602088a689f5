"""What customers holds on people, and what is left of them once they are erased.

The customer's row stays, as what points at it does, and says nothing any more. The ledger of consents stays as it is:
the law wants the proof that somebody agreed, and it holds channel, purpose, source and times. Whoever acted is named in
labels: those are staff and tokens, never the customer.
"""

from typing import Any

from customers import imports, merging, timeline
from customers.keys import email_key, ids_of
from customers.models import (
    Address,
    BrokenRow,
    ConsentInForce,
    ConsentRecord,
    Customer,
    CustomerEvent,
    CustomerVendor,
    DuplicatePair,
    ImportChunk,
    ImportRun,
    Merge,
    Note,
    PrivacyRequest,
    Segment,
    Tag,
)
from modules.personal_data import (
    BLANKED,
    DELETED,
    EXPORTED,
    NOT_PERSONAL,
    Holding,
    PersonalDataMap,
    Scattered,
    each,
    forget_in_admin_log,
    made_from,
    replaced,
    told_as,
)
from modules.ports import Person
from platforms.models import Platform


def _forget_merges(platform: Platform, person: Person) -> None:
    """Strip the trails in which the person is one of the two, whichever it is."""
    for customer in Customer.objects.filter(platform=platform, pk__in=ids_of([person.customer or ""])):
        # What the log calls a trail is the names of both.
        forget_in_admin_log(Merge, merging.forget(customer=customer))


def _known_by(platform: Platform, person: Person) -> imports.Sought:
    """Return by what the person is known in a file: what their row says, while it still does, and what it said before.

    What was theirs and is another customer's by now is the other's.
    """
    rows = list(Customer.objects.filter(platform=platform, pk__in=ids_of([person.customer or ""])))
    before = [said for row in rows for said in (*merging.known_before(row), *timeline.known_before(row))]
    was = {name: {said[name] for said in before if said.get(name)} for name in timeline.KNOWN_BY}
    was["email"] = set(map(email_key, was["email"]))
    others = Customer.objects.open().filter(platform=platform).exclude(pk__in=[row.pk for row in rows])
    for name, column in (("email", "email_key"), ("phone", "phone"), ("external_ref", "external_ref")):
        was[name] -= set(map(str, others.filter(**{f"{column}__in": was[name]}).values_list(column, flat=True)))
    return imports.Sought.by(
        emails=[person.email, *(row.email for row in rows), *was["email"]],
        phones=[*(str(row.phone) for row in rows), *was["phone"]],
        refs=[*(row.external_ref for row in rows), *was["external_ref"]],
        names=[row.name_key for row in rows],
    )


def _in_imports(platform: Platform, person: Person) -> list[dict[str, Any]]:
    return imports.told(platform=platform, sought=_known_by(platform, person))


def _forget_in_imports(platform: Platform, person: Person) -> int:
    return imports.forget(platform=platform, sought=_known_by(platform, person))


MAP = PersonalDataMap(
    holdings=(
        Holding(
            model=Note,
            customer="customer",
            fields={
                **each(NOT_PERSONAL, "id", "platform", "customer"),
                **each(DELETED, "text", "author", "created_at"),
                "vendor": told_as("vendor__name", DELETED),
            },
        ),
        Holding(
            model=Address,
            customer="customer",
            fields={
                **each(NOT_PERSONAL, "id", "platform", "customer"),
                **each(DELETED, "kind", "is_default", "recipient", "line1", "line2"),
                **each(DELETED, "postal_code", "city", "region", "country", "created_at"),
            },
        ),
        Holding(
            model=CustomerVendor,
            customer="customer",
            platform="customer__platform",
            fields={
                **each(NOT_PERSONAL, "id", "customer"),
                "vendor": told_as("vendor__name", DELETED),
                "created_at": DELETED,
            },
        ),
        Holding(
            model=Customer.tags.through,
            customer="customer",
            platform="customer__platform",
            fields={**each(NOT_PERSONAL, "id", "customer"), "tag": told_as("tag__name", DELETED)},
        ),
        Holding(
            model=CustomerEvent,
            customer="customer",
            fields={
                **each(NOT_PERSONAL, "id", "platform", "customer", "actor_label"),
                **each(EXPORTED, "kind", "at"),
                "data": BLANKED,
            },
        ),
        Holding(
            model=PrivacyRequest,
            customer="customer",
            fields={
                **each(NOT_PERSONAL, "id", "platform", "customer", "actor_label", "held_by_label", "report"),
                **each(EXPORTED, "kind", "status", "source", "created_at", "due_at", "not_before"),
                **each(EXPORTED, "held_at", "done_at"),
                **each(BLANKED, "reason", "hold_reason"),
            },
        ),
        Holding(
            model=Merge,
            customer="kept",
            fields={
                **each(NOT_PERSONAL, "id", "platform", "kept", "merged", "merged_status", "choices", "moved"),
                **each(NOT_PERSONAL, "actor_label", "undone_by", "forgotten_at"),
                **each(EXPORTED, "at", "undone_at"),
                **each(BLANKED, "before", "reason"),
            },
        ),
        Holding(
            model=ConsentInForce,
            customer="customer",
            fields={
                **each(NOT_PERSONAL, "id", "platform", "customer"),
                **each(DELETED, "channel", "purpose"),
            },
        ),
        Holding(
            model=ConsentRecord,
            customer="customer",
            kept="The ledger of consents is the proof that they agreed, or did not; the law wants it kept.",
            fields={
                **each(NOT_PERSONAL, "id", "platform", "customer", "actor_label"),
                **each(EXPORTED, "channel", "purpose", "action", "needs_confirmation"),
                **each(EXPORTED, "source", "document_version", "at"),
            },
        ),
        Holding(
            model=Customer,
            customer="pk",
            fields={
                "platform": NOT_PERSONAL,
                **each(EXPORTED, "id", "created_at", "updated_at"),
                **each(BLANKED, "email", "phone", "first_name", "last_name", "locale", "external_ref", "merged_into"),
                "email_key": made_from("email"),
                "name_key": made_from("first_name"),
                "last_name_key": made_from("last_name"),
                "status": replaced(Customer.Status.ERASED),
            },
        ),
    ),
    scattered=(
        Scattered(
            name="rows of imports",
            fields={
                ImportRun: {
                    **each(NOT_PERSONAL, "id", "platform", "status", "match", "error_policy", "format", "columns"),
                    **each(NOT_PERSONAL, "total", "processed", "created", "updated", "unchanged", "failed"),
                    **each(NOT_PERSONAL, "next_chunk", "next_line", "problem", "actor", "actor_label"),
                    **each(NOT_PERSONAL, "created_at", "started_at", "finished_at", "heartbeat_at"),
                    "file_name": BLANKED,
                },
                ImportChunk: {**each(NOT_PERSONAL, "id", "run", "number"), "rows": BLANKED},
                BrokenRow: {
                    **each(NOT_PERSONAL, "id", "run", "line", "is_taken"),
                    **each(BLANKED, "values", "errors"),
                },
            },
            export=_in_imports,
            forget=_forget_in_imports,
        ),
    ),
    # Tags and segments are the platform's words; a pair says that two are alike, and not in what.
    without=(Tag, DuplicatePair, Segment),
    before_erasing=(_forget_merges,),
)
export, erase = MAP.export, MAP.erase
