"""A PostgreSQL that a test may restart, with a database that is ours from the first migration."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from config.settings.base import database
from tests.faults.serving import production
from tests.postgres import Server, own_server
from tests.processes import ROOT


@pytest.fixture(scope="session")
def migrated_server() -> Iterator[Server]:
    """Start a PostgreSQL and migrate its database. What it has committed outlives a crash, as in production."""
    with own_server("-c synchronous_commit=on") as server:
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, **production(server.url)}, check=True)
        yield server


@pytest.fixture
def own_postgres(migrated_server: Server, transactional_db: None) -> Iterator[Server]:
    """Have the test on the database of that server, which is emptied afterwards."""
    here = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(database(migrated_server.url))
    yield migrated_server
    call_command("flush", interactive=False, verbosity=0)
    connection.close()
    connection.settings_dict.update(here)
