"""A corpus of nasty bodies on every write of the API, also of modules: refused in the one shape, nothing written."""

from typing import Any

import pytest

from tests.access import world as worlds
from tests.access.test_api_matrix import operations, words_of
from tests.access.world import World
from tests.integration.api.v1.test_conventions import BAD_BODIES

pytestmark = pytest.mark.django_db

VALUES: list[Any] = [
    None,
    True,
    -1,
    10**99,
    1e308,
    "",
    "\x07",
    "\u202egnp.exe",
    "x" * 5000,
    [],
    [[]],
    {},
    {"a": {"b": []}},
]
# Every name that a field has somewhere.
FIELDS = (
    "code",
    "name",
    "kind",
    "currency",
    "locales",
    "is_active",
    "user",
    "role",
    "vendor",
    "scopes",
    "expires_in_days",
    "modules",
    "cascade",
    "config",
    "is_enabled",
    "reason",
    "digest",
    "to",
    "keep_secrets",
    "hidden",
    "plan",
    "number",
    "amount",
    "issued_on",
    "invoice",
    "received_on",
    "reference",
    "price",
    "is_public",
)


def writes(world: World) -> list[tuple[str, str]]:
    """Return method and address of every write."""
    return [(method, route.address(words_of(world, route, "own"))) for route, method in operations() if method != "get"]


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_body__not_one_good_object__refused_by_every_write(body: bytes, world: World) -> None:
    client, before = world.client("superuser"), worlds.everything()
    for method, address in writes(world):
        answer = getattr(client, method)(address, body, content_type="application/json", HTTP_IF_MATCH="*")
        assert answer.status_code == 400, address
        assert answer.json()["errors"][0]["code"] == "parse_error", address
    assert worlds.everything() == before


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_body__any_value_in_every_field__refused_in_words(value: Any, world: World) -> None:
    client, before = world.client("superuser"), worlds.everything()
    for method, address in writes(world):
        answer = getattr(client, method)(f"{address}?dry_run=true", dict.fromkeys(FIELDS, value), HTTP_IF_MATCH="*")
        # A module of that name is not found; all else is not valid.
        assert answer.status_code in (400, 404), (method, address)
        assert answer.json()["errors"], (method, address)
    assert worlds.everything() == before
