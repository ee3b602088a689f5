"""Runs every test twice, on SQLite and on PostgreSQL, and says how each went: `python -m tests.run_suite [OPTIONS]`.

Options are pytest's and go to both runs.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.postgres import postgres, run_with

# A worker per processor, but no more databases and browsers at once than a small server bears.
_WORKERS = ("-n", "auto", "--maxprocesses", "8", "--dist", "worksteal")
_INTERRUPTED = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run went: pytest's exit status, and what its report counts."""

    database: str
    status: int
    report: Path

    def __str__(self) -> str:
        verdict = "passed" if self.status == 0 else "FAILED"
        if not self.report.exists():
            return f"{self.database:<11} {verdict}  no test was run (pytest's status is {self.status})"
        suite = ElementTree.parse(self.report).getroot().find("testsuite")
        count = {name: suite.get(name, "0") for name in ("tests", "failures", "errors", "skipped", "time")}
        amiss = [f"{count[name]} {name}" for name in ("failures", "errors", "skipped") if count[name] != "0"]
        return (
            f"{self.database:<11} {verdict}  {count['tests']} tests, {float(count['time']):.0f} s  {', '.join(amiss)}"
        )


def run(database: str, url: str, folder: Path, options: Sequence[str]) -> Outcome:
    """Run the suite on the database of this URL."""
    print(f"\n=== {database} ===", flush=True)
    report = folder / f"{database}.xml"
    command = [sys.executable, "-m", "pytest", *_WORKERS, f"--junitxml={report}", *options]
    # What workers and browsers leave behind when somebody presses Ctrl-C goes with our folder.
    return Outcome(database, run_with(url, command, TMPDIR=str(folder)), report)


def main(options: Sequence[str]) -> int:
    """Run the suite on both databases, the second also where the first failed; return 1 where either did."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    with tempfile.TemporaryDirectory(prefix="switchyard-suite-") as name:
        folder = Path(name)
        # As root, a PostgreSQL that a test starts in here runs as somebody else, who has to pass through.
        folder.chmod(0o711)
        outcomes = [run("SQLite", f"sqlite:///{folder / 'main.sqlite3'}", folder, options)]
        if outcomes[0].status != _INTERRUPTED:
            with postgres() as url:
                outcomes.append(run("PostgreSQL", url, folder, options))
        print("", *outcomes, sep="\n")
    return int(any(outcome.status for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
