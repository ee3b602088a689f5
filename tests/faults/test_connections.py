"""Connections to the database that end under the server's hands: one request fails at the most, and nothing is lost."""

import random
import time

import pytest
from django.db import connection

from tests.faults.serving import Clients, free_port, serving
from tests.faults.states import assert_whole, broken_ever
from tests.processes import database_url

SEED = 4007
SHORT, LONG = 10, 200
_BACKENDS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        AND (state <> 'idle' OR %s)
    ORDER BY pid
"""


def end_a_backend(chance: random.Random) -> None:
    """End the connection of one of those that serve: mostly one that is in the middle of something."""
    is_any = chance.random() < 0.2
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_BACKENDS, [is_any])
            if found := [pid for (pid,) in cursor.fetchall()]:
                cursor.execute("SELECT pg_terminate_backend(%s)", [chance.choice(found)])
                if cursor.fetchone() == (True,):
                    return


if connection.vendor == "postgresql":

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("ends", [SHORT, pytest.param(LONG, marks=pytest.mark.faults)], ids=["short", "long"])
    def test_connection__ended_at_random_points__fails_one_request_and_loses_nothing(ends: int) -> None:
        chance, port = random.Random(SEED), free_port()
        began = time.monotonic()
        with serving(database_url(), port), Clients(port, SEED) as clients:
            for _ in range(ends):
                clients.wait_for_answers()
                time.sleep(chance.uniform(0, 0.1))
                end_a_backend(chance)
                assert_whole()
        print(f"seed {SEED}: {ends} connections ended in {time.monotonic() - began:.1f} s, {clients.told()}")
        assert 0 < len(clients.failures) <= ends
        assert {failure.what for failure in clients.failures} == {"503"}
        assert_whole()
        assert broken_ever() == []
        clients.assert_done_once()
