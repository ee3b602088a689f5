"""Proves that the record is whole: gapless numbers, chained hashes, and a replay that ends at what is stored now.

Nothing is written and nothing is cached: a database of any size is read once, in the order of its platforms, by one
query for each table, all of them in one snapshot.
"""

import heapq
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from itertools import groupby
from typing import Any, NoReturn

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import QuerySet

from modules import audit
from modules.canonical import canonical_json
from modules.plans import Action
from modules.tables import Tables, row_state_of

_CHUNK = 2000
_CHANGE, _HISTORY = range(2)
# What a row and its newest history row both say, word for word; who switched it may have been deleted since.
_SAID = ("id", "is_enabled", "enabled_at", "disabled_at", "config", "config_version", "created_at", "updated_at")
_BY = ("enabled_by_id", "disabled_by_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first thing in which a platform's record is not what it should be, and where."""

    platform: str
    change: int | None = None
    module: str | None = None
    what: str

    def __str__(self) -> str:
        where = [self.platform, f"change {self.change}" if self.change is not None else "", self.module or ""]
        return f"{', '.join(filter(None, where))}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The newest change of a platform as it was once noted down, out of reach of whoever could rewrite the chain."""

    platform_id: int
    platform: str
    number: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found of one platform, there or deleted; where there is a difference, up to it."""

    newest: Anchor
    history: int
    difference: Difference | None = None


class _Differs(Exception):
    """Ends a replay."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(str(difference))
        self.difference = difference


def verify(
    tables: Tables, platform_ids: Sequence[int] | None = None, anchors: Iterable[Anchor] = ()
) -> Generator[Verdict, None, None]:
    """Yield a verdict for every platform that is or was there, by number; or for those of these numbers.

    anchors: in the order of their platforms. Memory is that of one platform's modules, whatever the number of changes.
    """
    with _snapshot(DEFAULT_DB_ALIAS):
        events = heapq.merge(*_streams(tables, platform_ids, anchors), key=lambda event: event[0])
        for platform_id, own in groupby(events, key=lambda event: event[0][0]):
            yield _Replay(platform_id).run(own)
        # The column may be empty: simple-history makes it so.
        if platform_ids is None and QuerySet(tables.history).filter(platform=None).exists():
            nowhere = Anchor(platform_id=0, platform="", number=0, hash="")
            lost = Difference(platform="no platform", what="there is history that names none")
            yield Verdict(newest=nowhere, history=0, difference=lost)


class _Phase(IntEnum):
    """What a replay meets, in this order; in the record each change comes before its history."""

    ANCHOR = 0
    PLATFORM = 1
    RECORD = 2
    ROW = 3


# Platform, phase, number of the change, change or history; and what there is.
Event = tuple[tuple[int, int, int, int], Any]


def _streams(tables: Tables, platform_ids: Sequence[int] | None, anchors: Iterable[Anchor]) -> list[Iterator[Event]]:
    """Return what there is to read, each sorted by platform and then as the replay goes."""
    platforms: QuerySet[Any] = QuerySet(tables.platform).only("pk", "code", "revision").order_by("pk")
    changes: QuerySet[Any] = QuerySet(tables.change).order_by("platform_id", "number")
    history: QuerySet[Any] = QuerySet(tables.history).exclude(platform=None).order_by("platform_id", "change_number")
    rows: QuerySet[Any] = QuerySet(tables.platform_module).order_by("platform_id")
    if platform_ids is not None:
        platforms = platforms.filter(pk__in=platform_ids)
        changes, history, rows = (each.filter(platform_id__in=platform_ids) for each in (changes, history, rows))
        anchors = (anchor for anchor in anchors if anchor.platform_id in platform_ids)
    return [
        (((anchor.platform_id, _Phase.ANCHOR, 0, 0), anchor) for anchor in anchors),
        (((each.pk, _Phase.PLATFORM, 0, 0), each) for each in platforms.iterator(_CHUNK)),
        (((each.platform_id, _Phase.RECORD, each.number, _CHANGE), each) for each in changes.iterator(_CHUNK)),
        (((each.platform_id, _Phase.RECORD, each.change_number, _HISTORY), each) for each in history.iterator(_CHUNK)),
        (((each.platform_id, _Phase.ROW, 0, 0), each) for each in rows.iterator(_CHUNK)),
    ]


@dataclass(slots=True)
class _Replay:
    """One platform, from nothing to what is stored now."""

    platform_id: int
    platform: Any = None
    anchor: Anchor | None = None
    code: str = ""
    number: int = 0
    hash: str = ""
    at: datetime | None = None
    is_deleted: bool = False
    state: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)
    history: int = 0

    def run(self, events: Iterable[Event]) -> Verdict:
        """Take what belongs to the platform, in order, to the end or to the first difference."""
        difference = None
        try:
            for (phase, number), group in groupby(events, key=lambda event: event[0][1:3]):
                found = list(group)
                items = [item for _, item in found]
                match phase:
                    case _Phase.ANCHOR:
                        self.anchor = items[-1]
                        self.code = items[-1].platform
                    case _Phase.PLATFORM:
                        [self.platform] = items
                        self.code = self.platform.code
                    case _Phase.RECORD if found[0][0][3] == _CHANGE:
                        self._take(items[0], items[1:])
                    case _Phase.RECORD:
                        _differ("there is history of it and no such change", number, items[0].module_id)
                    case _Phase.ROW:
                        self.rows = {row.module_id: row for row in items}
            self._compare()
        except _Differs as found_first:
            code = self.code or f"platform {self.platform_id}"
            difference = replace(found_first.difference, platform=code)
        newest = Anchor(platform_id=self.platform_id, platform=self.code, number=self.number, hash=self.hash)
        return Verdict(newest=newest, history=self.history, difference=difference)

    # --- change by change ---

    def _take(self, change: Any, history: Sequence[Any]) -> None:
        """Check a change with its history rows against all that came before, and go on from there."""
        number, self.code = change.number, self.code or change.platform_code
        if number != self.number + 1:
            _differ("there is no such change", self.number + 1)
        if self.is_deleted:
            _differ("it comes after the change that deleted the platform", number)
        if not change.actor_label.strip():
            _differ("it names nobody", number)
        if self.at is not None and change.at < self.at:
            _differ("it is dated before the change that it follows", number)
        actions = self._actions(change)
        for module, own in groupby(sorted(history, key=_module), key=_module):
            self._replay(change, module, list(own), actions.get(module))
        if without := sorted(actions.keys() - {row.module_id for row in history}):
            _differ("it has a step and no history", number, without[0])
        if change.previous_hash != self.hash:
            _differ("its hash does not follow the one of the change before it", number)
        if change.content_version not in audit.CHANGE_FIELDS:
            _differ(f"its content is of version {change.content_version}, which is not known here", number)
        if change.hash != audit.change_hash(change, history):
            _differ("it, or its history, does not say what its hash was made of", number)
        if self.anchor is not None and self.anchor.number == number and self.anchor.hash != change.hash:
            _differ("it is not the change that the anchor knows", number)
        self.number, self.hash, self.at = number, change.hash, change.at
        self.history += len(history)
        # A platform's deletion is the one change that may have no step: there was no row to delete.
        self.is_deleted = all(done == {Action.DELETE} for done in actions.values())

    def _actions(self, change: Any) -> dict[str, set[str]]:
        """Return what the change did to each module."""
        actions: dict[str, set[str]] = {}
        try:
            for step in change.steps:
                actions.setdefault(step["module"], set()).add(step["action"])
        except (KeyError, TypeError):
            _differ("its steps are not a list of steps", change.number)
        return actions

    def _replay(self, change: Any, module: str, rows: Sequence[Any], actions: set[str] | None) -> None:
        """Take the one history row of a module in a change, if it is what the change's step makes of the one before."""
        row, before = rows[0], self.state.get(module)
        if len(rows) > 1:
            _differ("it has more than one history row", change.number, module)
        if actions is None:
            _differ("it has history and no step", change.number, module)
        is_gone = Action.DELETE in actions
        kind = "-" if is_gone else "~" if before is not None else "+"
        stamp = (change.at, change.actor_id, change.reason or None)
        was_on = row.is_enabled if before is None else before.is_enabled
        is_on = Action.ENABLE in actions or (was_on and Action.DISABLE not in actions)
        if (row.history_date, row.history_user_id, row.history_change_reason) != stamp:
            _differ("its history is of another time, person or reason", change.number, module)
        if row.history_type != kind or (before is not None and row.id != before.id):
            _differ("its history is not of the row that was there", change.number, module)
        if row.is_enabled != is_on or (is_gone and _said(row) != _said(before)):
            _differ("its history is not what its step makes of the row", change.number, module)
        if row.history_id <= self.seen.get(module, 0):
            _differ("its history stands before the one that it follows", change.number, module)
        self.seen[module] = row.history_id
        if is_gone:
            del self.state[module]
        else:
            self.state[module] = row

    # --- and what is stored now ---

    def _compare(self) -> None:
        """Check that the replay ended at what is stored."""
        if self.anchor is not None and self.anchor.number > self.number:
            _differ("the anchor knows it, and there is no such change", self.number + 1)
        if self.platform is None and not self.is_deleted:
            _differ("the platform is gone, and its newest change does not say so", self.number or None)
        if self.platform is not None and self.is_deleted:
            _differ("it deleted the platform, which is there", self.number)
        if self.platform is not None and self.platform.revision != self.number:
            _differ(f"the newest change is {self.number}, and the platform's revision {self.platform.revision}")
        for module in sorted(self.state.keys() | self.rows.keys()):
            row, newest = self.rows.get(module), self.state.get(module)
            if row is None or newest is None:
                _differ("there is history and no row" if row is None else "there is a row and no history", None, module)
            if name := _difference(row, newest):
                _differ(f"its row and its newest history row differ in {name}", newest.change_number, module)


def _differ(what: str, change: int | None = None, module: str | None = None) -> NoReturn:
    raise _Differs(Difference(platform="", change=change, module=module, what=what))


def _module(row: Any) -> str:
    return row.module_id or ""


def _said(row: Any) -> Any:
    return [getattr(row, name) for name in (*_SAID, "secret_fingerprints")]


def _difference(row: Any, newest: Any) -> str | None:
    """Return the first thing in which a row says something else than its newest history row; None where there is none.

    By whom it was switched may be empty by now, as that goes with the user.
    """
    for name in _SAID:
        stored, told = getattr(row, name), getattr(newest, name)
        if (canonical_json(stored) != canonical_json(told)) if name == "config" else stored != told:
            return name
    for name in _BY:
        if getattr(row, name) not in (None, getattr(newest, name)):
            return name
    if row_state_of(row).secrets != newest.secret_fingerprints:
        return "secrets"
    return None


@contextmanager
def _snapshot(using: str) -> Iterator[None]:
    """Have every query of a `with` block see the database of one moment, and keep nobody from writing meanwhile.

    Inside somebody's transaction it is theirs to say what is seen.
    """
    connection = connections[using]
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(using), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        # Not atomic(), which takes the lock to write.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
