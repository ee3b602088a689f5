"""The world of these tests."""

import pytest

from tests.access import world as worlds
from tests.access.world import World


@pytest.fixture
def world(db: None) -> World:
    """Two platforms alike, and everybody who could ask for something on one of them."""
    return worlds.build()
