import json
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from modules import selectors
from modules.selectors import ModuleStateRow
from platforms.management.base import OperatorCommand, find_platform
from platforms.models import Platform


class Command(OperatorCommand):
    help = (
        "Show the catalogue of modules, or how every module stands on one platform: as a table, or with --json as a "
        "list with all that is known of each. Secrets are never shown, only whether they are set."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "platform", metavar="PLATFORM", nargs="?", help="the platform's code; without it, the catalogue"
        )
        parser.add_argument("--json", action="store_true", help="as JSON, in the words of the API")

    def handle(self, *args: Any, **options: Any) -> None:
        platform = find_platform(options["platform"]) if options["platform"] is not None else None
        if options["json"]:
            rows = [asdict(row) for row in (selectors.states_of(platform) if platform else selectors.catalogue())]
            self.stdout.write(json.dumps(rows, indent=2, default=_time, ensure_ascii=False))
        elif platform:
            self._show_platform(platform)
        else:
            self._show_catalogue()

    def _show_catalogue(self) -> None:
        rows = [
            (
                entry.code,
                entry.name,
                entry.version,
                _kind(is_core=entry.is_core, is_restricted=entry.is_restricted, is_installed=entry.is_installed),
                ", ".join(entry.requires),
                ", ".join(entry.required_by),
            )
            for entry in selectors.catalogue()
        ]
        self._table(("MODULE", "NAME", "VERSION", "KIND", "REQUIRES", "REQUIRED BY"), rows)

    def _show_platform(self, platform: Platform) -> None:
        self.stdout.write(f"{platform.name} ({platform.code}), revision {platform.revision}")
        rows = [
            (
                state.module,
                _standing(state),
                _day(state.enabled_at if state.is_enabled else state.disabled_at),
                (state.enabled_by if state.is_enabled else state.disabled_by) or "",
                _config(state),
            )
            for state in selectors.states_of(platform)
        ]
        self._table(("MODULE", "STATE", "SINCE", "BY", "CONFIG"), rows)

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


def _day(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else ""


def _time(value: Any) -> str:
    """Return a time as the API writes it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"{value!r} is not JSON.")
