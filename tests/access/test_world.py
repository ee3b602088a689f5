"""What the tests of access compare: every row there is, and every change of one."""

from collections.abc import Callable

import pytest
from django.db import connection, transaction

from platforms.models import Platform
from tests.access import world as worlds
from tests.access.world import World


def by_hand(platform: Platform) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update platforms_platform set name = 'Other' where id = %s", [platform.pk])


def taken_back(platform: Platform) -> None:
    with transaction.atomic():
        Platform.objects.update(name="Gone again")
        transaction.set_rollback(True)
    Platform.objects.update(name="Stays")


WRITES: dict[str, Callable[[Platform], object]] = {
    "saved": lambda platform: Platform(code="new", name="New", kind="loyalty", currency="EUR").save(),
    "updated": lambda platform: Platform.objects.filter(pk=platform.pk).update(name="Other"),
    "made in bulk": lambda platform: Platform.objects.bulk_create(
        [Platform(code="new", name="New", kind="loyalty", currency="EUR")]
    ),
    "by hand": by_hand,
    "taken back": taken_back,
}


@pytest.mark.parametrize("how", WRITES)
def test_everything__written_somehow__differs(how: str, world: World) -> None:
    before = worlds.everything()
    assert worlds.everything() is before
    WRITES[how](world.own.platform)
    assert worlds.everything() != before


def test_everything__written_and_rolled_back__is_the_same(world: World) -> None:
    before = worlds.everything()
    with transaction.atomic():
        Platform.objects.update(name="Gone again")
        assert worlds.everything() != before
        transaction.set_rollback(True)
    assert worlds.everything() == before
