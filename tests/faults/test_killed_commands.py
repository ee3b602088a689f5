"""kill -9, at random points, of what operators run: run again, it does what is left, and nothing is half done."""

import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from modules import secrets, services
from modules.models import Change, PlatformModule
from modules.plans import Wish
from platforms.models import Platform
from tests.factories import PlatformFactory
from tests.faults.serving import production
from tests.faults.states import assert_whole, broken_ever
from tests.modules.building import origin
from tests.processes import ROOT, database_url, kill_group

SEED = 4008
# How often each is killed.
SHORT = {"import_platforms": 1, "migrate_enabled_modules": 1}
LONG = dict.fromkeys(
    ("enable_module", "disable_module", "import_platforms", "migrate_enabled_modules", "rotate_config_keys"), 20
)
# Over several of each command's batches.
IMPORTED, WITH_SECRET, BATCH = 600, 250, "100"
# What the old system kept of each platform, and what remains of it once the rest has become rows.
OLD = {"enabled_modules": ["billing", "nonsense"], "module_config": {"cms": {"keep_revisions": 7}}}
REMAINING = {"enabled_modules": ["nonsense"]}


class Victims:
    """Runs commands and kills them at random points of their work; what is left is done by running them again."""

    def __init__(self, seed: int, kills: dict[str, int]) -> None:
        self.chance = random.Random(seed)
        self.left = Counter(kills)
        self.killed: Counter[str] = Counter()
        # How long each works, as far as is known.
        self._seconds: dict[str, float] = {}

    def run(self, name: str, *arguments: str) -> bool:
        """Run a command; return whether it came to its end. At the point where it is killed everything is whole."""
        command = [sys.executable, "-W", "ignore", "-m", "tests.faults.announcing", name, *arguments]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **production(database_url())},
            start_new_session=True,
            # What is read beyond a line would be lost to communicate().
            bufsize=0,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                return self._comes_to_its_end(name, process)
            finally:
                kill_group(process)

    def _comes_to_its_end(self, name: str, process: subprocess.Popen[bytes]) -> bool:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"begins\n", process.stderr.read()
        began = time.monotonic()
        if self.left[name]:
            try:
                # A little over: some of them are to be in their last breath.
                process.wait(self.chance.uniform(0, 1.1 * self._seconds.get(name, 0.2)))
            except subprocess.TimeoutExpired:
                kill_group(process)
                self.left[name] -= 1
                self.killed[name] += 1
                assert_whole()
                return False
        said, errors = process.communicate(timeout=120)
        assert (process.returncode, said[-5:]) == (0, b"done\n"), errors
        self._seconds[name] = time.monotonic() - began
        return True


@pytest.fixture
def victims(request: pytest.FixtureRequest) -> Victims:
    """Commands that are to be killed so often."""
    return Victims(SEED, request.param)


def switch(victims: Victims, platform: Platform, number: int) -> None:
    """Switch modules on and off again: a run that was killed had done all of it, or nothing."""
    for name, *options in (["enable_module"], ["disable_module", "--cascade"]):
        for module in ("subscriptions", "customers"):
            reason = f"{name} {module} {number}"
            before = on(platform)
            while not victims.run(name, platform.code, module, "--reason", reason, *options):
                pass
            assert Change.objects.filter(reason=reason).count() == (on(platform) != before)


def on(platform: Platform) -> set[str]:
    """Return what is on."""
    return set(PlatformModule.objects.filter(platform=platform, is_enabled=True).values_list("module_id", flat=True))


def import_and_migrate(victims: Victims, folder: Path, number: int) -> None:
    """Import platforms of the old system, then bring their settings into rows."""
    codes = [f"old-{number}-{row}" for row in range(IMPORTED)]
    rows = {code: {"code": code, "name": code, "kind": "b2b", "currency": "EUR", "settings": OLD} for code in codes}
    dump = folder / f"{number}.jsonl"
    dump.write_text("".join(f"{json.dumps(row)}\n" for row in rows.values()))
    own = Platform.objects.filter(code__in=codes)
    is_done = False
    while not is_done:
        is_done = victims.run("import_platforms", str(dump))
        assert all(row == rows[row["code"]] for row in own.values("code", "name", "kind", "currency", "settings"))
    assert own.count() == IMPORTED
    is_done = False
    while not is_done:
        is_done = victims.run("migrate_enabled_modules", "--batch-size", BATCH)
        # Each is as it was, or brought along: rows, change and settings at once.
        assert all(
            settings == (REMAINING if number else OLD) for number, settings in own.values_list("revision", "settings")
        )
    assert set(own.values_list("revision", flat=True)) == {1}


def rotate(victims: Victims, settings: Settings) -> None:
    """Seal every secret anew: whatever was killed, each of them opens and says what it said."""
    settings.MODULE_CONFIG_KEYS = [Fernet.generate_key().decode(), *settings.MODULE_CONFIG_KEYS]
    is_done = False
    while not is_done:
        is_done = victims.run("rotate_config_keys")
        assert_secrets_open()
    settings.MODULE_CONFIG_KEYS = settings.MODULE_CONFIG_KEYS[:1]
    assert_secrets_open()


def assert_secrets_open() -> None:
    """Fail where a secret does not say what it said."""
    stored = PlatformModule.objects.exclude(secrets={}).values_list("platform__code", "secrets")
    assert [secrets.decrypt(kept["api_key"]["token"]) for _, kept in stored] == [
        f"secret-of-{code}" for code, _ in stored
    ]
    assert len(stored) == WITH_SECRET


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("victims", [SHORT], indirect=True, ids=["short"])
def test_import__killed_at_random_points__is_resumed_and_leaves_no_platform_half_done(
    victims: Victims, tmp_path: Path
) -> None:
    import_and_migrate(victims, tmp_path, 0)
    assert_whole()
    print(f"seed {SEED}: killed {dict(victims.killed)}")


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("victims", [LONG], indirect=True, ids=["long"])
def test_command__killed_at_random_points__is_run_again_and_nothing_is_half_done(
    victims: Victims, tmp_path: Path, settings: Settings
) -> None:
    switched, *others = PlatformFactory.create_batch(1 + WITH_SECRET)
    wishes = {
        platform.pk: [Wish(module="billing", config={"api_key": f"secret-of-{platform.code}"})] for platform in others
    }
    services.apply_many(wishes=wishes, origin=origin())
    for number in itertools.count():
        switch(victims, switched, number)
        import_and_migrate(victims, tmp_path, number)
        rotate(victims, settings)
        if not victims.left.total():
            break
    assert_whole()
    assert broken_ever() == []
    print(f"seed {SEED}: killed {dict(victims.killed)}, {Change.objects.count()} changes are there and whole")
