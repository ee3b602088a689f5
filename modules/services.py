"""The one way to change what is on and how it is configured: lock, read, plan, refuse or apply.

The admin, the API, the commands and the legacy migration all come through here. What a caller may know about
the outcome it learns from `Outcome`; what stands in the way it is told by `Blocked`, `StalePlan` or `InvalidConfig`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from modules import ledger, secrets, timeline
from modules.configs import InvalidConfig
from modules.ledger import Entry
from modules.models import Change
from modules.origins import Origin, origin_of_actor, origin_of_request, origin_of_system
from modules.plans import REQUESTED, Blocker, Plan, RowState, Wish, plan
from modules.registry import registry
from modules.reverting import wishes_back
from modules.secrets import SecretUnreadable
from modules.tables import Tables, row_state_of
from platforms import access
from platforms.access import Actor, Right
from platforms.database import first_line, points_nowhere
from platforms.models import Platform

__all__ = [
    "Blocked",
    "Collision",
    "InvalidConfig",
    "Origin",
    "Outcome",
    "Resealed",
    "SecretPlace",
    "StalePlan",
    "apply",
    "apply_many",
    "configure",
    "disable",
    "enable",
    "origin_of_request",
    "origin_of_system",
    "preview",
    "preview_revert",
    "record_platform_deletion",
    "reseal_secrets",
    "reset",
    "revert",
]

# Called under the lock with the platform as it is now and its settings; refuses by raising.
Precondition = Callable[[Platform, Mapping[str, RowState]], None]
# What is wished for, or what says so once the platform's settings are read.
Wishes = Iterable[Wish] | Callable[[Mapping[str, RowState]], Iterable[Wish]]


class Blocked(Exception):
    """Something stands in the way of a plan; `plan.blockers` says what. Nothing was written."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(" ".join(blocker.detail for blocker in plan.blockers))
        self.plan = plan

    @property
    def blockers(self) -> tuple[Blocker, ...]:
        """What stands in the way, one entry an obstacle."""
        return self.plan.blockers


class StalePlan(Exception):
    """The plan that somebody was shown is not the one that would be applied now; `plan` is. Nothing was written."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("Something changed since this plan was shown. Look at it again.")
        self.plan = plan


class Collision(Exception):
    """The database refuses what would be written: its author was deleted meanwhile, say. Nothing was written."""

    def __init__(self, error: IntegrityError) -> None:
        if points_nowhere(error):
            message = (
                "Something that this change points at is missing: a user who was deleted meanwhile, or a module that "
                "was installed without running migrate."
            )
        else:
            message = f"The database refuses this change: {first_line(str(error))}"
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlace:
    """Where a secret is: its platform's code, its module, and its name."""

    platform: str
    module: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """What became of some platforms' secrets: how many went to the newest key, were there already, or stay shut."""

    moved: int = 0
    current: int = 0
    unreadable: tuple[SecretPlace, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a plan: the change it made, None where there was nothing to do or it was a dry run."""

    platform: Platform
    plan: Plan
    change: Change | None
    dry_run: bool = False


def apply(
    *,
    platform: Platform,
    wishes: Wishes,
    origin: Origin,
    cascade: bool = False,
    digest: str | None = None,
    precondition: Precondition | None = None,
    dry_run: bool = False,
    back_to: int | None = None,
) -> Outcome:
    """Bring a platform's modules to what is wished for, in one transaction and one change.

    digest: of the plan that somebody was shown; where today's is another, StalePlan is raised. precondition: called
    under the lock, to refuse by raising what it likes. back_to: the number of the change that the wishes lead back to.
    The platform that was passed in has the new revision afterwards.

    Raises Platform.DoesNotExist, InvalidConfig, StalePlan, Blocked, Collision, or PermissionDenied where a restricted
    module would move or the author has lost the right since they asked. Whatever is raised, nothing was written.
    """
    if not callable(wishes):
        wishes = list(wishes)
        # Before the plan too: what is wrong with a config is told only to those who may set it.
        _refuse_restricted((wish.module for wish in wishes), origin)
    with _colliding():
        [entry] = _locked([platform.pk], origin, Tables.of(apps))
        if origin.actor is not None and not access.still_may(origin.actor, Right.SWITCH, entry.platform):
            raise PermissionDenied("Your right to switch modules on this platform was withdrawn.")
        settings = _settings_of(entry.rows)
        if precondition is not None:
            precondition(entry.platform, settings)
        if callable(wishes):
            wishes = list(wishes(settings))
            _refuse_restricted((wish.module for wish in wishes), origin)
        entry.plan = _plan(entry.platform, settings, wishes, cascade)
        _refuse_restricted((step.module for step in entry.plan.steps), origin, entry.platform)
        if digest is not None and digest != entry.plan.digest:
            raise StalePlan(entry.plan)
        if entry.plan.blockers:
            raise Blocked(entry.plan)
        if not dry_run:
            if back_to is not None and entry.plan.steps:
                requested = {step.module for step in entry.plan.steps if step.cause == REQUESTED}
                entry.undoes = timeline.first_change_after(entry.platform, back_to, requested)
            ledger.write([entry], Tables.of(apps))
    platform.revision = entry.platform.revision
    return Outcome(platform=platform, plan=entry.plan, change=entry.change, dry_run=dry_run)


def apply_many(*, wishes: Mapping[int, Sequence[Wish]], origin: Origin, tables: Tables | None = None) -> list[Entry]:
    """Bring many platforms, by number, to what is wished for: one transaction, one change each, all or nothing.

    Locks in key order and writes set by set. tables: the models to write with, for a data migration; today's otherwise.
    Returns an entry per platform that exists, with its locked platform, its plan and its change (None: nothing to do).

    Raises InvalidConfig, Blocked (of the first platform concerned), Collision, or PermissionDenied.
    """
    _refuse_restricted((wish.module for own in wishes.values() for wish in own), origin)
    tables = tables or Tables.of(apps)
    with _colliding():
        entries = _locked(wishes, origin, tables)
        for entry in entries:
            settings = _settings_of(entry.rows)
            entry.plan = _plan(entry.platform, settings, wishes[entry.platform.pk], cascade=False)
            _refuse_restricted((step.module for step in entry.plan.steps), origin)
            if entry.plan.blockers:
                raise Blocked(entry.plan)
        ledger.write(entries, tables)
    return entries


def preview(*, platform: Platform, wishes: Wishes, cascade: bool = False) -> Plan:
    """Return the plan for these wishes as things stand, blockers and all; lock and write nothing. One query.

    Raises InvalidConfig.
    """
    settings = _settings_of(Tables.of(apps).rows_of([platform.pk])[platform.pk])
    return _plan(platform, settings, wishes(settings) if callable(wishes) else wishes, cascade)


def enable(
    *, platform: Platform, module: str, origin: Origin, config: Mapping[str, Any] | None = None, **options: Any
) -> Outcome:
    """Switch a module on, with all that it needs; options and errors as in `apply`."""
    return apply(
        platform=platform, wishes=[Wish(module=module, is_enabled=True, config=config)], origin=origin, **options
    )


def disable(*, platform: Platform, module: str, origin: Origin, cascade: bool = False, **options: Any) -> Outcome:
    """Switch a module off, with `cascade` also those that need it; options and errors as in `apply`."""
    wish = Wish(module=module, is_enabled=False)
    return apply(platform=platform, wishes=[wish], origin=origin, cascade=cascade, **options)


def configure(
    *,
    platform: Platform,
    module: str,
    config: Mapping[str, Any],
    origin: Origin,
    replaces: bool = False,
    **options: Any,
) -> Outcome:
    """Put config over what is stored, or in its place; options and errors as in `apply`."""
    wish = Wish(module=module, config=config, replaces=replaces)
    return apply(platform=platform, wishes=[wish], origin=origin, **options)


def reset(*, platform: Platform, module: str, origin: Origin, **options: Any) -> Outcome:
    """Bring a module's config and secrets back to the defaults; options and errors as in `apply`."""
    return apply(platform=platform, wishes=[Wish(module=module, resets=True)], origin=origin, **options)


def revert(
    *,
    platform: Platform,
    to: int,
    origin: Origin,
    module: str | None = None,
    keep_secrets: bool = False,
    **options: Any,
) -> Outcome:
    """Bring a module, or all of the platform's, back to how they stood after change `to`; options as in `apply`.

    A change like any other, through the same plan: state and config are those of then. Of secrets history keeps only
    fingerprints. Where one is not that of then, this is Blocked; with `keep_secrets` all of them stay as they are now.

    Raises Change.DoesNotExist where the platform has no such change, and what `apply` raises.
    """
    wishes = _wishes_back(platform, to, module, keep_secrets)
    return apply(platform=platform, wishes=wishes, origin=origin, back_to=to, **options)


def preview_revert(
    *, platform: Platform, to: int, module: str | None = None, keep_secrets: bool = False, cascade: bool = False
) -> Plan:
    """Return the plan of `revert()` as things stand, blockers and all; lock and write nothing. Three queries.

    Raises Change.DoesNotExist and InvalidConfig.
    """
    return preview(platform=platform, wishes=_wishes_back(platform, to, module, keep_secrets), cascade=cascade)


def _wishes_back(platform: Platform, to: int, module: str | None, keep_secrets: bool) -> Wishes:
    """Return what says, in view of how things stand, what leads back. History does not change: it is read before."""
    then = timeline.settings_at(platform, timeline.after_change(platform, to))
    modules = None if module is None else [module]

    def in_view_of(now: Mapping[str, RowState]) -> list[Wish]:
        return wishes_back(registry=registry, then=then, now=now, modules=modules, keep_secrets=keep_secrets)

    return in_view_of


def reseal_secrets(*, platform_ids: Iterable[int], dry_run: bool = False) -> Resealed:
    """Encrypt the secrets of these platforms with the newest key, in one transaction, or say what that would do.

    What a row says stays what it is, so that there is no change of it to record. A secret that no key opens is left as
    it is, and named.
    """
    tables = Tables.of(apps)
    moved = current = 0
    unreadable: list[SecretPlace] = []
    written = []
    with transaction.atomic():
        for platform, rows in _locked_rows(platform_ids, tables):
            for code, row in sorted(rows.items()):
                before = moved
                for name, kept in row.secrets.items():
                    try:
                        token = secrets.resealed(kept["token"])
                    except SecretUnreadable:
                        unreadable.append(SecretPlace(platform=platform.code, module=code, name=name))
                        continue
                    current += token == kept["token"]
                    moved += token != kept["token"]
                    kept["token"] = token
                if moved > before:
                    written.append(row)
        if not dry_run:
            ledger.reseal(written, tables)
    return Resealed(moved=moved, current=current, unreadable=tuple(unreadable))


def record_platform_deletion(platform: Platform, actor: Actor, source: str, reason: str = "") -> None:
    """Make a platform's deletion its last change, before it goes: every row with its last history row.

    Called inside the transaction that deletes the platform.
    """
    tables = Tables.of(apps)
    [entry] = _locked([platform.pk], origin_of_actor(actor, source, reason), tables)
    ledger.write_deletion(entry, tables)


@contextmanager
def _colliding() -> Iterator[None]:
    """One transaction, in which what the database refuses to have together is a Collision."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Collision(error) from error


def _locked(platform_ids: Iterable[int], origin: Origin, tables: Tables) -> list[Entry]:
    """Lock the platforms and read their rows: an entry each, its plan yet to be made. Two queries.

    Raises Platform.DoesNotExist where there is only one and it is gone.
    """
    wanted = list(platform_ids)
    entries = [Entry(platform=platform, rows=rows, origin=origin) for platform, rows in _locked_rows(wanted, tables)]
    if not entries and len(wanted) == 1:
        raise Platform.DoesNotExist("The platform is gone.")
    return entries


def _locked_rows(platform_ids: Iterable[int], tables: Tables) -> list[tuple[Any, Mapping[str, Any]]]:
    """Lock the platforms in key order, then read their rows by module code: the lock before anything it protects."""
    rows: QuerySet[Any] = QuerySet(tables.platform)
    platforms = list(rows.select_for_update(no_key=True).filter(pk__in=list(platform_ids)).order_by("pk"))
    modules = tables.rows_of([platform.pk for platform in platforms])
    return [(platform, modules[platform.pk]) for platform in platforms]


def _settings_of(rows: Mapping[str, Any]) -> dict[str, RowState]:
    return {code: row_state_of(row) for code, row in rows.items()}


def _plan(platform: Any, settings: Mapping[str, RowState], wishes: Iterable[Wish], cascade: bool) -> Plan:
    return plan(platform=platform.code, registry=registry, current=settings, wishes=wishes, cascade=cascade)


def _refuse_restricted(modules: Iterable[str], origin: Origin, locked: Platform | None = None) -> None:
    """Raise PermissionDenied where one of these modules is restricted and their author is no superuser.

    locked: the platform, where it is locked: whoever is somebody must then be a superuser still.
    """
    restricted = [code for code in dict.fromkeys(modules) if code in registry and registry[code].is_restricted]
    is_theirs = origin.may_switch_restricted
    if restricted and is_theirs and locked is not None and origin.actor is not None:
        is_theirs = access.still_may(origin.actor, Right.OPERATE, locked)
    if restricted and not is_theirs:
        raise PermissionDenied(f"Only superusers may switch or configure {', '.join(restricted)}.")
