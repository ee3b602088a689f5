"""What every test may count on."""

import os
import shutil
import time
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

import pytest
from django.db import connection

from modules import gate
from platforms import counters

pytest_plugins = ["tests.fixtures.api_fixtures", "tests.fixtures.module_fixtures", "tests.fixtures.world_fixtures"]

# Playwright's synchronous API keeps an event loop in the thread of the test, which Django then takes for async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

_THIRD_PARTY = {"billing", "subscriptions"}
PATIENCE_SECONDS = 30.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_BROWSER_ARGUMENTS = (
    "--no-sandbox",  # Chromium refuses to start as root with it; it sees our own pages only
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_configure() -> None:
    """Refuse to start where the modules from outside the tree are not installed: half of the suite is about them."""
    missing = _THIRD_PARTY - {entry.value for entry in entry_points(group="platform_modules")}
    if missing:
        raise pytest.UsageError(
            f"Not installed: {', '.join(sorted(missing))}. Run `make test`, or: python -m pip install --no-deps "
            "--no-build-isolation -e tests/third_party/billing -e tests/third_party/subscriptions"
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless it is asked for: with another -m of somebody's own, too."""
    if "faults" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("faults")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """Empty what processes keep: after a rollback the next test sees the same numbers of rows and changes again."""
    gate.forget()
    counters.forget()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Let the test database go once everybody else has: on PostgreSQL a process that a test killed is heard of late.

    A session that is still there then is ended: some thread of a test's server has left it behind, with nobody to
    close it, and no test to be told so.
    """
    yield
    if connection.vendor != "postgresql":
        return
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if cursor.fetchone() == (0,):
                return
            time.sleep(0.2)
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Launch the system's Chromium; fail, not skip, where there is none: the story in the browser is a promise."""
    named = os.environ.get("CHROMIUM")
    found = next((path for name in ([named] if named else _BROWSERS) if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(
            f"No Chromium: {named or ', '.join(_BROWSERS)} cannot be found. Install it (on Debian: apt-get install "
            "chromium), or say where it is in the environment variable CHROMIUM.",
            pytrace=False,
        )
    return {**browser_type_launch_args, "executable_path": found, "args": list(_BROWSER_ARGUMENTS)}
