"""What goes in and what comes out: rows of plain values, and what became of each."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Outcome = Literal["created", "updated", "unchanged", "failed"]


class Author(Protocol):
    """Who asks for it: somebody whose label stays readable when they are gone."""

    @property
    def user_id(self) -> int | None:
        """The user's number; None for nobody."""

    @property
    def label(self) -> str:
        """What they are called in the timeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a row. `attr` is the column; None where it is the row as a whole."""

    code: str
    detail: str
    attr: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return it as errors look everywhere."""
        return {"code": self.code, "attr": self.attr, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is wanted of one customer: column → text. A blank cell leaves as it is what is there.

    `line` is where it stands; `faults` is what was seen to be wrong before anybody judged it: a cell that could not be
    read, an e-mail address or reference that an earlier row has already.
    """

    line: int
    values: Mapping[str, str]
    faults: tuple[Fault, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what `of_json` takes."""
        return {"line": self.line, "values": self.values, "faults": [fault.as_json() for fault in self.faults]}

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> "Row":
        """Return the row that `as_json` was called on."""
        return cls(line=said["line"], values=said["values"], faults=tuple(Fault(**fault) for fault in said["faults"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a row. One that was taken has faults where fields of it were left out."""

    row: Row
    outcome: Outcome
    customer: uuid.UUID | None = None
    faults: tuple[Fault, ...] = ()
