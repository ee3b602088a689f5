"""What becomes of consents when two ledgers become one: the stricter wins, and no withdrawal is lost.

Lines are never moved: those of the merged customer stay as the proof that they are. Where the kept customer's newest
line would say something else than both ledgers together, one line is added to it, with the source `merge`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from customers import consents
from customers.models import ConsentRecord, Customer, Merge
from platforms.access import Actor

MERGED, UNDONE = "merge", "merge undone"

Action, Channel = ConsentRecord.Action, ConsentRecord.Channel
# What a consent of the channel was given for. Post goes to addresses, which all move.
REACHED_BY = {Channel.EMAIL: "email_key", Channel.SMS: "phone", Channel.PHONE: "phone"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one channel and purpose stands on both sides, and what has to be added to the kept one's ledger, if any."""

    channel: str
    purpose: str
    kept: ConsentRecord | None
    merged: ConsentRecord | None
    adds: ConsentRecord.Action | None
    document_version: str = ""

    @property
    def counts(self) -> bool:
        """Whether one may rely on it after the merge."""
        if self.adds is not None:
            return self.adds != Action.WITHDRAWN
        return self.kept is not None and self.kept.counts


def outcomes(kept: Customer, merged: Customer, result: Customer) -> tuple[Outcome, ...]:
    """Return how each channel and purpose of which either side said something stands after the merge. Two queries.

    result: the kept customer as it will be. It counts where nobody withdrew, and somebody agreed whose mailbox or
    number the result has: a consent was given for an address, and does not go over to another one.
    """
    sides = [_newest(customer) for customer in (kept, merged)]
    found = []
    for channel, purpose in sorted({*sides[0], *sides[1]}):
        lines = [side.get((channel, purpose)) for side in sides]
        owners = [_owns(customer, result, channel) for customer in (kept, merged)]
        found.append(_outcome(channel, purpose, lines, owners))
    return tuple(found)


def add(kept: Customer, found: Iterable[Outcome], by: Actor | None) -> list[dict[str, Any]]:
    """Add what has to be added to the kept one's ledger; return the lines, each with the one that stood before it."""
    added = []
    for outcome in found:
        if outcome.adds is None:
            continue
        line = consents.add_line(
            kept, outcome.channel, outcome.purpose, outcome.adds, MERGED, outcome.document_version, by
        )
        added.append({"line": str(line.pk), "before": str(outcome.kept.pk) if outcome.kept else None})
    return added


def put_back(*, trail: Merge, was: Customer, kept: Customer, merged: Customer, by: Actor | None) -> list[str]:
    """Have both ledgers answer as before the merge, by further lines; return the keys of those of the kept customer.

    was, kept: the kept customer while the two were one, and as it is to be. What somebody said since, stands: a
    withdrawal on both sides, for nobody knows on whose behalf it was; a consent on the kept one's, unless it was given
    for a mailbox or number that goes back. What had not counted before does not count again.
    """
    steps = {step["line"]: step["before"] for step in trail.moved["consents"]}
    lines = list(ConsentRecord.objects.filter(customer=kept))
    now = {_key(line): line for line in consents.newest(lines)}
    before = {_key(line): line for line in consents.newest(line for line in lines if line.at <= trail.at)}
    by_id = {str(line.pk): line for line in lines}
    before |= {_key(by_id[key]): by_id[old] for key, old in steps.items() if old is not None}
    ours = _added_to(kept)
    said = {
        _key(line): line
        for line in consents.newest(one for one in lines if one.at > trail.at and str(one.pk) not in ours)
    }
    theirs = _newest(merged)
    added = []
    for key in sorted({*said, *(_key(by_id[step]) for step in steps)}):
        stood, stands, since = before.get(key), now[key], said.get(key)
        counted = stood is not None and stood.counts
        if since is not None and since.action == Action.WITHDRAWN:
            if key in theirs and theirs[key].action != Action.WITHDRAWN:
                consents.add_line(merged, *key, Action.WITHDRAWN, UNDONE, since.document_version, by)
            continue
        is_left = since is not None and (counted or not since.counts or _owns(was, kept, key[0]))
        if is_left or stands.counts == counted:
            continue
        action, version = (stood.action, stood.document_version) if stood and counted else (Action.WITHDRAWN, "")
        added.append(str(consents.add_line(kept, *key, Action(action), UNDONE, version, by).pk))
    return added


def _key(line: ConsentRecord) -> tuple[str, str]:
    return line.channel, line.purpose


def _added_to(kept: Customer) -> set[str]:
    """Return the keys of the lines that merges, and undoing them, added to a customer's ledger: nobody said them."""
    trails = Merge.objects.filter(kept=kept).values_list("moved", flat=True)
    return {
        key
        for moved in trails
        for key in (*(step["line"] for step in moved.get("consents", ())), *moved.get("put_back", ()))
    }


def _newest(customer: Customer) -> dict[tuple[str, str], ConsentRecord]:
    return {_key(line): line for line in consents.standing(customer)}


def _owns(customer: Customer, result: Customer, channel: str) -> bool:
    field = REACHED_BY.get(Channel(channel))
    return field is None or getattr(customer, field) == getattr(result, field)


def _outcome(channel: str, purpose: str, lines: list[ConsentRecord | None], owners: list[bool]) -> Outcome:
    kept, merged = lines
    withdrawn = any(line is not None and line.action == Action.WITHDRAWN for line in lines)
    agreed = [line for line, owns in zip(lines, owners, strict=True) if line is not None and line.counts and owns]
    adds, version = None, ""
    if agreed and not withdrawn:
        if kept is None or not kept.counts:
            adds, version = Action(agreed[0].action), agreed[0].document_version
    elif (kept is not None and kept.counts) or (withdrawn and (kept is None or kept.action != Action.WITHDRAWN)):
        adds = Action.WITHDRAWN
    return Outcome(channel=channel, purpose=purpose, kept=kept, merged=merged, adds=adds, document_version=version)
