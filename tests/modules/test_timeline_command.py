"""`show_modules --as-of` and `--compare`: a platform's past and what differs, on a terminal."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from modules import selectors, services, timeline
from platforms.models import Platform
from tests.factories import PlatformFactory
from tests.modules import test_commands
from tests.modules.building import enable, origin
from tests.modules.test_commands import Run

run, refused = test_commands.run, test_commands.refused

AT = datetime(2026, 3, 16, 9, tzinfo=UTC)


@pytest.fixture
def story(platform: Platform) -> Platform:
    """Billing on at nine; configured, with a secret, at ten."""
    enable(platform, "billing", at=AT)
    config = {"default_trial_days": 30, "api_key": "hush-hush-hush"}
    services.configure(platform=platform, module="billing", config=config, origin=origin(at=AT + timedelta(hours=1)))
    return platform


def test_show_modules__as_of__how_it_stood(run: Run, story: Platform) -> None:
    lines = run("show_modules", "kestrel", "--as-of", "2026-03-16T09:30").splitlines()

    assert lines[0] == f"{story.name} (kestrel), revision 1"
    assert [line for line in lines if line.startswith("billing")] == ["billing        on         2026-03-16 09:00"]
    states = json.loads(run("show_modules", "kestrel", "--json", "--as-of", "2026-03-16T10:00:00Z"))
    assert {state["revision"] for state in states} == {2}
    assert states == json.loads(run("show_modules", "kestrel", "--json"))


def test_show_modules__compare__what_differs(run: Run, story: Platform) -> None:
    PlatformFactory(code="quarry")
    mark = selectors.state_of(story, "billing").secrets["api_key"].fingerprint

    assert run("show_modules", "kestrel", "--compare", "2026-03-16T09:00Z").splitlines() == [
        "MODULE   KEY                        HERE                THERE",
        "billing  config.default_trial_days  30",
        f'billing  secrets.api_key            "{mark}"',
    ]
    assert run("show_modules", "kestrel", "--as-of", "2026-03-16T09:00", "--compare", "quarry").splitlines() == [
        "MODULE     KEY         HERE  THERE",
        "customers  is_enabled  true  false",
        "billing    is_enabled  true  false",
    ]
    assert run("show_modules", "kestrel", "--compare", "kestrel") == "Nothing differs.\n"
    [module, *_] = json.loads(run("show_modules", "kestrel", "--json", "--compare", "2026-03-16T09:00Z"))
    assert (module["module"], module["differences"][0]["old"]) == ("billing", 30)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["kestrel", "--as-of", "tomorrow"], "Write a time as in ISO 8601, e.g. 2026-03-16T09:00:00Z."),
        (["kestrel", "--as-of", "9999-01-01T00:00"], "This time has not come yet."),
        (["kestrel", "--compare", "Tomorrow"], "Write a time as in ISO 8601, e.g. 2026-03-16T09:00:00Z."),
        (["kestrel", "--compare", "nowhere"], "There is no platform nowhere."),
        (["--compare", "kestrel"], "Name the platform too: --as-of and --compare are about one."),
        (["--as-of", "2026-03-16"], "Name the platform too: --as-of and --compare are about one."),
    ],
)
def test_show_modules__no_such_time_or_platform__one_line(
    refused: Run, story: Platform, arguments: list[str], said: str
) -> None:
    assert refused("show_modules", *arguments) == said


def test_show_modules__as_of__never_rewritten_by_what_follows(run: Run, story: Platform) -> None:
    command = ("show_modules", "kestrel", "--as-of", "2026-03-16T09:30")
    before = run(*command)
    services.revert(platform=story, to=1, keep_secrets=True, origin=origin())
    assert timeline.standing(story, None).revision == 3
    assert run(*command) == before
