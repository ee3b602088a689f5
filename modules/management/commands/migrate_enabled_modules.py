import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from django.apps import apps
from django.core.management.base import CommandError

from modules import legacy
from modules.legacy import Finding, Migrated
from modules.plans import Action
from modules.tables import Tables
from platforms.management.base import OperatorCommand, find_platform, one_line, shortened

_MAX_BATCH = 10_000


@dataclass(slots=True)
class _Summary:
    """What was counted."""

    dry_run: bool
    platforms: int = 0
    changed: int = 0
    tidied: int = 0
    switched_on: int = 0
    configs: int = 0
    kept: int = 0
    findings: Counter[str] = field(default_factory=Counter)

    def add(self, done: Migrated) -> None:
        """Count a platform."""
        self.platforms += 1
        self.changed += bool(done.steps)
        self.tidied += done.is_changed and not done.steps
        self.switched_on += sum(step.action is Action.ENABLE for step in done.steps)
        self.configs += done.configs
        self.kept += sum(not finding.taken for finding in done.findings)
        self.findings.update(str(finding.kind) for finding in done.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the counts as the report has them."""
        return {
            "dry_run": self.dry_run,
            "platforms": self.platforms,
            "changed": self.changed,
            "tidied": self.tidied,
            "modules_switched_on": self.switched_on,
            "configs_taken": self.configs,
            "entries_kept": self.kept,
            "findings": dict(sorted(self.findings.items())),
        }


class Command(OperatorCommand):
    help = (
        "Bring what the old system kept in the platforms' settings (enabled_modules, module_config) into rows, with a "
        "change of source migration for each platform. What has one meaning is taken and leaves the settings; all else "
        "(unknown codes, wrong types, configs that do not validate) stays there, untouched, and is listed with its "
        "reason. It may be interrupted and run again at any time. Findings are no failure: the status is 0. In the "
        "summary, changed platforms have a new change; tidied ones have none, as their settings named nothing that was "
        "not so already (an empty list, a core module) and only got shorter; kept entries stay in the settings."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say exactly what would be done, and write nothing")
        parser.add_argument("--platform", metavar="CODE", help="only this platform")
        parser.add_argument(
            "--report", metavar="FILE", help="write every finding and the summary to this file, as JSON"
        )
        parser.add_argument(
            "--batch-size",
            metavar="N",
            default=str(legacy.BATCH_SIZE),
            help=f"platforms in one transaction, 1 to {_MAX_BATCH}; {legacy.BATCH_SIZE} if left out",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        platform = find_platform(options["platform"]).code if options["platform"] is not None else None
        batch_size = _batch_size(options["batch_size"])
        total = legacy.pending(Tables.of(apps), platform).count()
        summary = _Summary(dry_run=options["dry_run"])
        with _report(options["report"], summary) as report, self.progress(total) as progress:
            for done in legacy.migrate(
                origin=legacy.origin("manage.py migrate_enabled_modules"),
                platform=platform,
                dry_run=options["dry_run"],
                batch_size=batch_size,
            ):
                summary.add(done)
                if report is not None:
                    report.add(done)
                progress.hide()
                self._say(done)
                progress.show(summary.platforms)
        self._sum_up(summary)

    def _say(self, done: Migrated) -> None:
        steps = ", ".join(f"{step.action} {step.module}" for step in done.steps)
        if done.steps or done.findings or done.is_changed:
            self.stdout.write(f"{done.platform}: {steps or 'no step'}")
        for finding in done.findings:
            self.stdout.write(f"  {_line(finding)}")

    def _sum_up(self, summary: _Summary) -> None:
        if summary.dry_run:
            self.stdout.write("Dry run: nothing was written. This is what would be done.")
        self.stdout.write(
            f"{summary.platforms} platforms looked at: {summary.changed} changed, {summary.tidied} only tidied. "
            f"{summary.switched_on} modules switched on, {summary.configs} configs taken, {summary.kept} entries kept."
        )
        for kind, count in sorted(summary.findings.items()):
            self.stdout.write(f"  {kind}: {count}")


class _Report:
    """A JSON document with a finding a line, written as they come."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_first = True
        stream.write('{"findings": [')

    def add(self, done: Migrated) -> None:
        """Write what there is to know about a platform."""
        for finding in done.findings:
            self._stream.write("\n" if self._is_first else ",\n")
            self._is_first = False
            json.dump({"platform": done.platform, **asdict(finding)}, self._stream, ensure_ascii=False)

    def close(self, summary: _Summary) -> None:
        """Write the summary and the end."""
        self._stream.write('\n], "summary": ')
        json.dump(summary.as_json(), self._stream, ensure_ascii=False)
        self._stream.write("}\n")


@contextmanager
def _report(name: str | None, summary: _Summary) -> Iterator[_Report | None]:
    """Yield the report that is asked for; it takes its name when it is complete, and is FILE.part until then."""
    if name is None:
        yield None
        return
    path = Path(name)
    # Said now, and not when all is migrated and the report has nowhere to go.
    if path.is_dir():
        raise CommandError(f"--report takes a file, and {one_line(str(path))} is a directory.")
    part = path.with_name(f"{path.name}.part")
    # A lone surrogate, which some databases keep in JSON, is written as the escape that JSON has for it.
    with part.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        report = _Report(stream)
        yield report
        report.close(summary)
    part.replace(path)


def _line(finding: Finding) -> str:
    value = f" = {json.dumps(finding.value, ensure_ascii=False)}" if finding.value is not None else ""
    fate = "taken" if finding.taken else "kept"
    return one_line(f"{fate}  {finding.kind}  {finding.path}{value}: {finding.reason}")


def _batch_size(text: str | int) -> int:
    try:
        size = int(text)
    except ValueError:
        size = 0
    if not 1 <= size <= _MAX_BATCH:
        raise CommandError(f"--batch-size takes a number from 1 to {_MAX_BATCH}, not {shortened(str(text))}.")
    return size
