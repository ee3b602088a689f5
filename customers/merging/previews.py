"""What a merge would do: pure, so that it can be shown as often as somebody changes their mind."""

import hashlib
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from customers import services
from customers.merging import ledgers, moving
from customers.merging.blockers import Blocker, blockers_of
from customers.merging.ledgers import Outcome
from customers.models import Customer
from modules.canonical import canonical_json

KEPT, MERGED_SIDE = SIDES = ("kept", "merged")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLine:
    """A field as it stands on both sides, and whose is taken."""

    name: str
    kept: str
    merged: str
    taken: str

    @property
    def value(self) -> str:
        """What it will be."""
        return self.kept if self.taken == KEPT else self.merged

    @property
    def is_same(self) -> bool:
        """Whether there is nothing to choose."""
        return self.kept == self.merged


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would be: the fields, how many rows go over, what consents come to, and what stands in the way.

    `result` is the kept customer as it would be, in memory. `digest` is of how the two stand, and not of what was
    chosen, which is said with the merge.
    """

    kept: Customer
    merged: Customer
    result: Customer
    fields: tuple[FieldLine, ...]
    moves: Mapping[str, int]
    consents: tuple[Outcome, ...]
    blockers: tuple[Blocker, ...]
    digest: str

    @property
    def changed(self) -> tuple[str, ...]:
        """The columns of the kept customer that get another value."""
        names = [line.name for line in self.fields if line.value != line.kept]
        return (*names, "status") if self.result.status != self.kept.status else tuple(names)

    @property
    def choices(self) -> dict[str, str]:
        """Whose value is taken, by field."""
        return {line.name: line.taken for line in self.fields}


def preview(kept: Customer, merged: Customer, choices: Mapping[str, str] | None = None) -> Preview:
    """Return what merging the second customer into the first would do, as the two are in memory.

    choices: whose value to take, `kept` or `merged`, by field of `services.FIELDS`; where none is made the kept one's,
    unless that is blank. Who is blocked on either side is blocked.

    Raises ValidationError for a choice that is none, and where nothing would be left of whom they are.
    """
    choices = choices or {}
    _check(choices)
    fields = tuple(_line(name, kept, merged, choices.get(name)) for name in services.FIELDS)
    result = copy(kept)
    for line in fields:
        setattr(result, line.name, getattr(kept if line.taken == KEPT else merged, line.name))
    blockers = blockers_of(kept, merged)
    if not blockers:
        result.clean()
        if Customer.Status.BLOCKED in (kept.status, merged.status):
            result.status = Customer.Status.BLOCKED
    moves = {kind: len(keys) for kind, keys in moving.movable(kept, merged).items()}
    consents = ledgers.outcomes(kept, merged, result)
    return Preview(
        kept=kept,
        merged=merged,
        result=result,
        fields=fields,
        moves=moves,
        consents=consents,
        blockers=blockers,
        digest=_digest(kept, merged, fields, moves, consents),
    )


def _check(choices: Mapping[str, str]) -> None:
    errors: dict[str, ValidationError] = {}
    for name, side in choices.items():
        if name not in services.FIELDS:
            errors[f"choices.{name}"] = ValidationError("There is no such field to choose.", code="unknown_field")
        elif side not in SIDES:
            errors[f"choices.{name}"] = ValidationError("Say kept or merged.", code="invalid_choice")
    if errors:
        raise ValidationError(errors)


def _line(name: str, kept: Customer, merged: Customer, choice: str | None) -> FieldLine:
    own, other = (str(getattr(customer, name)) for customer in (kept, merged))
    return FieldLine(name=name, kept=own, merged=other, taken=choice or (KEPT if own or not other else MERGED_SIDE))


def _digest(
    kept: Customer,
    merged: Customer,
    fields: tuple[FieldLine, ...],
    moves: Mapping[str, int],
    consents: tuple[Outcome, ...],
) -> str:
    said: list[Any] = [
        [[str(customer.pk), customer.status] for customer in (kept, merged)],
        [[line.name, line.kept, line.merged] for line in fields],
        moves,
        [[str(line.pk) if line else None for line in (one.kept, one.merged)] for one in consents],
    ]
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()[:32]
