"""Many at once, through every door, on modules that need one another: nobody ever sees a rule broken.

The short race is part of every run; the long one is of `make test-faults`.
"""

import io
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from modules.models import Change, PlatformModule
from platforms.models import Platform
from tests.factories import PlatformFactory, UserFactory
from tests.faults.states import broken_ever, broken_now, differences
from tests.processes import ROOT

History = PlatformModule.history.model


@dataclass(frozen=True, slots=True)
class Race:
    """How many processes make how many calls each; `seconds` is what all of it may take once they are ready."""

    processes: int
    calls: int
    platforms: int
    seconds: float


IS_SQLITE = connection.vendor == "sqlite"
SHORT = Race(processes=3, calls=80, platforms=2, seconds=60)
LONG = Race(4, 1000, 4, 300) if IS_SQLITE else Race(8, 1250, 4, 300)


def run(race: Race) -> tuple[Counter[str], list[str], float]:
    """Let the processes race; return what became of the calls, what was seen broken meanwhile, and how long it took."""
    codes = [platform.code for platform in PlatformFactory.create_batch(race.platforms)]
    UserFactory(username="ann", is_staff=True, is_superuser=True)
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.racing", str(connection.settings_dict["NAME"])]
    command += ["--calls", str(race.calls), "--platforms", *codes]
    racers = [
        subprocess.Popen(
            [*command, "--seed", str(seed)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for seed in range(race.processes)
    ]
    counts: Counter[str] = Counter()
    unexpected: list[str] = []
    seen: list[str] = []
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        started = time.monotonic()
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        while any(racer.poll() is None for racer in racers):
            seen += broken_now()
            time.sleep(0.05)
            assert time.monotonic() - started < race.seconds
        took = time.monotonic() - started
        for racer in racers:
            told: dict[str, Any] = json.loads(racer.communicate()[0])
            counts.update(told["counts"])
            unexpected += told["unexpected"]
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()
    assert unexpected == [], unexpected[0]
    return counts, seen, took


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("race", [SHORT, pytest.param(LONG, marks=pytest.mark.faults)], ids=["short", "long"])
def test_race__through_every_door__breaks_no_rule_and_loses_nothing(race: Race) -> None:
    counts, seen, took = run(race)
    print(f"{race.processes} processes, {counts.total()} calls in {took:.1f} s: {dict(sorted(counts.items()))}")
    assert counts.total() == race.processes * race.calls
    assert seen == broken_now() == broken_ever() == []
    done = sum(count for what, count in counts.items() if what.endswith(": done"))
    assert Change.objects.count() == done
    assert sum(Platform.objects.values_list("revision", flat=True)) == done
    assert differences() == []
    steps = sum(len({step["module"] for step in change.steps}) for change in Change.objects.all())
    assert History.objects.count() == steps
    call_command("verify_audit", stdout=io.StringIO())
