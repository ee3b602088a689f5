"""kill -9, at random points, of what serves: nothing is half done, and nothing is done twice."""

import random
import time
from contextlib import ExitStack

import pytest

from tests.faults.serving import Clients, free_port, kill, serving
from tests.faults.states import assert_whole, broken_ever
from tests.processes import database_url, kill_group

SEED = 4006
# Of so many kills one ends all of the server, the others one of its workers.
ALL_OF_IT = 5
SHORT, LONG = 6, 100


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kills", [SHORT, pytest.param(LONG, marks=pytest.mark.faults)], ids=["short", "long"])
def test_server__killed_at_random_points__loses_nothing_and_does_nothing_twice(kills: int) -> None:
    chance, port = random.Random(SEED), free_port()
    began = time.monotonic()
    with ExitStack() as stack:
        server = stack.enter_context(serving(database_url(), port))
        with Clients(port, SEED) as clients:
            for number in range(1, kills + 1):
                clients.wait_for_answers()
                time.sleep(chance.uniform(0, 0.1))
                if number % ALL_OF_IT:
                    kill(chance.choice(server.workers()))
                else:
                    kill_group(server.process)
                    server = stack.enter_context(serving(database_url(), port))
                assert_whole()
    print(f"seed {SEED}: {kills} kills of the server in {time.monotonic() - began:.1f} s, {clients.told()}")
    assert clients.failures
    assert_whole()
    assert broken_ever() == []
    clients.assert_done_once()
