"""A restart of PostgreSQL under load, in good order and as after a crash: once it is back, no request fails."""

import random
import time

import pytest
from django.db import connection

from tests.faults.serving import Clients, free_port, serving
from tests.faults.states import assert_whole, broken_ever
from tests.postgres import Server

SEED = 4009
SHORT, LONG = 1, 10

if connection.vendor == "postgresql":

    @pytest.mark.parametrize(
        ("mode", "restarts"),
        [
            pytest.param("immediate", SHORT, id="immediate"),
            pytest.param("immediate", LONG, id="immediate-often", marks=pytest.mark.faults),
            pytest.param("fast", LONG, id="fast-often", marks=pytest.mark.faults),
        ],
    )
    def test_postgresql__restarted_under_load__fails_no_request_once_it_is_back(
        own_postgres: Server, mode: str, restarts: int
    ) -> None:
        chance, port = random.Random(SEED), free_port()
        away: list[tuple[float, float]] = []
        with serving(own_postgres.url, port), Clients(port, f"{SEED} {mode} {restarts}") as clients:
            for _ in range(restarts):
                clients.wait_for_answers()
                time.sleep(chance.uniform(0, 0.1))
                began = time.monotonic()
                own_postgres.restart(mode)
                away.append((began, time.monotonic()))
                connection.close()
                assert_whole()
        took = ", ".join(f"{ended - began:.2f}" for began, ended in away)
        print(f"seed {SEED}: {mode} restarts, away for {took} s; {clients.told()}")
        failures = clients.failures
        assert failures
        assert {failure.what for failure in failures} == {"503"}
        late = [one for one in failures if not any(one.began <= ended and began <= one.ended for began, ended in away)]
        assert late == []
        assert_whole()
        assert broken_ever() == []
        clients.assert_done_once()
