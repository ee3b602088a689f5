"""Many at once, through every door, on modules that need one another: nobody ever sees a rule broken.

The short race is part of every run; the long one is of `make test-faults`.
"""

import io
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from modules.models import Change, PlatformModule
from modules.registry import registry
from modules.tables import Tables
from modules.verification import verify
from platforms.models import Platform
from tests.factories import PlatformFactory, UserFactory

ROOT = Path(__file__).parent.parent.parent
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


def violations(states: Iterator[tuple[int, str]]) -> list[str]:
    """Return what is on without what it needs, of (platform, module that is on)."""
    on: dict[int, set[str]] = {}
    for platform, module in states:
        on.setdefault(platform, set()).add(module)
    return [
        f"{module} is on without {required} on platform {platform}"
        for platform, modules in on.items()
        for module in modules
        for required in registry.requirements_of(module)
        if required not in modules and not registry[required].is_core
    ]


def broken_now() -> list[str]:
    """Return what is broken at this moment: one statement sees one moment."""
    rows = PlatformModule.objects.filter(is_enabled=True).order_by("pk").values_list("platform_id", "module_id")
    return violations(rows.iterator())


def broken_ever() -> list[str]:
    """Return what was broken after any change: the states that were committed, one after the other."""
    found: list[str] = []
    on: dict[int, set[str]] = {}
    rows = History.objects.order_by("platform_id", "change_number").values_list(
        "platform_id", "change_number", "module_id", "is_enabled"
    )
    last = (0, 0)
    for platform, number, module, is_enabled in [*rows, (0, 0, "", False)]:
        if last not in ((0, 0), (platform, number)):
            found += violations((last[0], module) for module in on[last[0]])
        last = (platform, number)
        own = on.setdefault(platform, set())
        own.add(module) if is_enabled else own.discard(module)
    return found


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
    assert [verdict.difference for verdict in verify(Tables.of(apps))] == [None] * race.platforms
    steps = sum(len({step["module"] for step in change.steps}) for change in Change.objects.all())
    assert History.objects.count() == steps
    call_command("verify_audit", stdout=io.StringIO())
