import json
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError

from modules import selectors, timeline
from modules.selectors import CatalogueEntry, ModuleStateRow
from modules.timeline import ModuleDifferences, Standing
from platforms.management.base import OperatorCommand, find_platform


class Command(OperatorCommand):
    help = (
        "Show the catalogue of modules, or how every module stands on one platform: as a table, or with --json as a "
        "list with all that is known of each. --as-of shows how it was, --compare what differs from another platform "
        "or another time. Secrets are never shown, only whether they are set."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "platform", metavar="PLATFORM", nargs="?", help="the platform's code; without it, the catalogue"
        )
        parser.add_argument("--json", action="store_true", help="as JSON, in the words of the API")
        parser.add_argument("--as-of", metavar="TIME", help="how it stood then, e.g. 2026-03-16T09:00:00Z")
        parser.add_argument(
            "--compare", metavar="PLATFORM|TIME", help="what differs from another platform, or this one then"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["platform"] is None:
            if options["as_of"] is not None or options["compare"] is not None:
                raise CommandError("Name the platform too: --as-of and --compare are about one.")
            catalogue = selectors.catalogue()
            self._json(catalogue) if options["json"] else self._show_catalogue(catalogue)
            return
        platform = find_platform(options["platform"])
        moment = timeline.moment_of(options["as_of"]) if options["as_of"] is not None else None
        left = timeline.standing(platform, moment)
        if options["compare"] is None:
            self._json(left.states) if options["json"] else self._show_platform(left)
            return
        found = timeline.compare(left, self._other(left, options["compare"]))
        self._json(found) if options["json"] else self._show_differences(found)

    def _other(self, left: Standing, named: str) -> Standing:
        """Return what to compare with: another platform at the same time, or this one at another, which has a T."""
        if "T" in named:
            return timeline.standing(left.platform, timeline.moment_of(named))
        return timeline.standing(find_platform(named), left.moment)

    def _json(self, rows: Iterable[Any]) -> None:
        self.stdout.write(json.dumps([asdict(row) for row in rows], indent=2, default=_time, ensure_ascii=False))

    def _show_catalogue(self, catalogue: Sequence[CatalogueEntry]) -> None:
        rows = [
            (
                entry.code,
                entry.name,
                entry.version,
                _kind(is_core=entry.is_core, is_restricted=entry.is_restricted, is_installed=entry.is_installed),
                ", ".join(entry.requires),
                ", ".join(entry.required_by),
            )
            for entry in catalogue
        ]
        self._table(("MODULE", "NAME", "VERSION", "KIND", "REQUIRES", "REQUIRED BY"), rows)

    def _show_platform(self, standing: Standing) -> None:
        platform = standing.platform
        self.stdout.write(f"{platform.name} ({platform.code}), revision {standing.revision}")
        rows = [
            (
                state.module,
                _standing(state),
                _day(state.enabled_at if state.is_enabled else state.disabled_at),
                (state.enabled_by if state.is_enabled else state.disabled_by) or "",
                _config(state),
            )
            for state in standing.states
        ]
        self._table(("MODULE", "STATE", "SINCE", "BY", "CONFIG"), rows)

    def _show_differences(self, found: Sequence[ModuleDifferences]) -> None:
        if not found:
            self.stdout.write("Nothing differs.")
            return
        rows = [
            (module.module, item.key, _value(item.old), _value(item.new))
            for module in found
            for item in module.differences
        ]
        self._table(("MODULE", "KEY", "HERE", "THERE"), rows)

    def _table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        for row in (head, *rows):
            line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            self.stdout.write(line.rstrip())


def _kind(*, is_core: bool, is_restricted: bool, is_installed: bool) -> str:
    if not is_installed:
        return "unknown (not installed)"
    return "core" if is_core else "restricted" if is_restricted else ""


def _standing(state: ModuleStateRow) -> str:
    if not state.is_installed:
        return "unknown"
    if state.is_core:
        return "on (core)"
    return "on" if state.is_enabled else "off"


def _config(state: ModuleStateRow) -> str:
    """Return what somebody set, with secrets masked."""
    shown = dict(state.config) | {name: "•••" for name, secret in state.secrets.items() if secret.is_set}
    return json.dumps(shown, ensure_ascii=False) if shown else ""


def _value(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _day(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else ""


def _time(value: Any) -> str:
    """Return a time as the API writes it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"{value!r} is not JSON.")
