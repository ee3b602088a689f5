"""Every route of the API × everybody × where: what the matrix of `platforms.access` promises, and nothing else.

The routes come from the resolver: one that is not in the table below, nor in a module's tree, fails.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from modules import gate, services
from modules.registry import registry
from platforms.models import Platform
from tests.access import world as worlds
from tests.access.routes import Route, api_routes
from tests.access.world import EVERYBODY, STRANGERS, UNKNOWN, Place, World
from tests.modules.building import origin

pytestmark = pytest.mark.django_db

# What a route asks for → who is let in on their own platform.
STAFF = {"superuser", "admin"}
READERS = {*STAFF, "viewer", "token read", "token write", "token admin", "token of a viewer"}
LET_IN = {
    "anybody": set(EVERYBODY),
    "somebody": set(EVERYBODY) - UNKNOWN,
    "catalogue": {*READERS, "foreign admin"},
    "view": READERS,
    "change": {*STAFF, "token admin"},
    "switch": {*STAFF, "token admin"},
    "manage": {*STAFF, "token write"},
    "members": STAFF,
    "operate": {"superuser"},
    "vendor view": {*READERS, "vendor", "token of the vendor"},
    "vendor manage": {*STAFF, "vendor", "token write", "token of the vendor"},
}
NEEDS: dict[str, dict[str, str]] = {
    "platforms-api:platforms": {"get": "somebody", "post": "operate"},
    "platforms-api:platform": {"get": "view", "patch": "change", "delete": "operate"},
    "platforms-api:vendors": {"get": "view", "post": "change"},
    "platforms-api:vendor": {"get": "view", "patch": "change", "delete": "change"},
    "platforms-api:members": {"get": "members", "post": "members"},
    "platforms-api:member": {"get": "members", "patch": "members", "delete": "members"},
    "platforms-api:tokens": {"get": "members", "post": "members"},
    "platforms-api:token": {"get": "members", "delete": "members"},
    "modules-api:modules": {"get": "catalogue"},
    "modules-api:module": {"get": "catalogue"},
    "modules-api:changes": {"get": "view"},
    "modules-api:change": {"get": "view"},
    "modules-api:menu": {"get": "view", "put": "change"},
    "modules-api:platform-modules": {"get": "somebody"},
    "modules-api:platform-state": {"get": "view", "put": "switch"},
    "modules-api:module-state": {"get": "view", "put": "switch", "patch": "switch"},
    "modules-api:enable": {"post": "switch"},
    "modules-api:disable": {"post": "switch"},
    "modules-api:reset": {"post": "switch"},
    "modules-api:revert": {"post": "switch"},
    "modules-api:platform-revert": {"post": "switch"},
    "modules-api:history": {"get": "view"},
    "modules-api:vendor-menu": {"get": "vendor view"},
    "modules-api:vendor-modules": {"get": "vendor view"},
}
# Of no tenant, and no viewset: what the API says of itself.
PLAIN = {"schema", "docs"}
SITUATIONS = ("own", "foreign", "missing", "foreign vendor", "off", "inactive")


def need_of(route: Route, method: str) -> str:
    """Return what the route asks for. Raises KeyError for one that nobody thought of."""
    if route.module is None:
        return NEEDS[route.name][method]
    if route.tree == "public":
        return "anybody"
    permission = getattr(route.view, "action_permissions", {}).get(route.methods[method])
    declared = registry[route.module].permission(permission).needs if permission else None
    reads = method == "get" if declared is None else declared == "view"
    return ("vendor " if route.tree == "vendor" else "") + ("view" if reads else "manage")


def operations() -> Iterator[tuple[Route, str]]:
    """Yield every operation of the API."""
    for route in api_routes():
        for method in route.methods:
            yield route, method


def model_of(route: Route) -> Any:
    return getattr(getattr(route.view, "queryset", None), "model", None)


def expected(route: Route, need: str, who: str, situation: str) -> set[int | str]:
    """Return the answers that are right: a status, "in" for whatever is said to those who are let in, or a code."""
    # A vendor's token ends with its vendor, and with its vendor's platform.
    is_unknown = who in UNKNOWN or (who == "token of the vendor" and situation == "inactive")
    if is_unknown and route.tree != "public":
        return {401}
    if "platform" not in route.words:
        return {"in"} if who in LET_IN[need] else {403}
    if route.tree == "public":
        return {"in"} if situation in ("own", "foreign", "foreign vendor") else {404}
    is_module_off = situation == "off" and route.module is not None
    if who == "superuser":
        if is_module_off:
            return {"module_disabled"}
        dark = situation == "missing" or (situation == "inactive" and route.tree == "vendor")
        return {404} if dark else {"in"}
    if who == "foreign admin" and situation == "foreign":
        # Theirs; the need decides as it does for the admin at home.
        return {"in"} if "admin" in LET_IN[need] else {403}
    if situation in ("foreign", "missing") or who in STRANGERS:
        return {404}
    if route.tree == "vendor":
        if situation == "inactive":
            return {404}
        if situation == "foreign vendor" and who in ("vendor", "token of the vendor"):
            return {404}
    if is_module_off:
        sees = who in LET_IN["vendor view" if route.tree == "vendor" else "view"]
        return {"module_disabled"} if sees else {404}
    return {"in"} if who in LET_IN[need] else {403}


def place_of(world: World, situation: str) -> Place:
    return {"foreign": world.foreign, "foreign vendor": world.beside}.get(situation, world.own)


def words_of(world: World, route: Route, situation: str) -> dict[str, object]:
    words = place_of(world, situation).words(model_of(route), module="analytics")
    return words | {"platform": "nowhere"} if situation == "missing" else words


def prepare(world: World, situation: str) -> None:
    if situation == "off":
        worlds.switch_everything_off(world.own.platform)
    if situation == "inactive":
        Platform.objects.filter(pk=world.own.platform.pk).update(is_active=False)


def is_right(answer: Any, wanted: set[int | str]) -> bool:
    status = answer.status_code
    if "in" in wanted:
        return status not in (401, 403, 404) and status < 500
    if "module_disabled" in wanted:
        return status == 403 and answer.json()["errors"][0]["code"] == "module_disabled"
    return status in wanted and (status != 403 or answer.json()["errors"][0]["code"] == "permission_denied")


def test_matrix__every_route__is_in_it(world: World) -> None:
    known = set(NEEDS) | PLAIN
    assert {route.name for route in api_routes() if route.module is None} == known
    for route, method in operations():
        assert need_of(route, method) in LET_IN
        if {"id", "code"} & set(route.words):
            assert model_of(route) in worlds.ROWS, f"{route.name}: say in tests.access.world how a row of it is made."


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("who", EVERYBODY)
def test_matrix__everybody_everywhere__gets_what_it_says(who: str, situation: str, world: World) -> None:
    prepare(world, situation)
    client = world.client(who)
    before = worlds.everything()
    wrong = []
    for route, method in operations():
        wanted = expected(route, need_of(route, method), who, situation)
        address = route.address(words_of(world, route, situation))
        # What is let in is only tried; what is refused is meant, and must leave everything as it was.
        query = "" if method == "get" or "in" not in wanted else "?dry_run=true"
        body = None if method == "get" else {}
        answer = getattr(client, method)(f"{address}{query}", body, HTTP_IF_MATCH="*")
        if not is_right(answer, wanted):
            wrong.append(f"{method} {address}: {answer.status_code} {answer.getvalue()[:120]!r}, not {wanted}")
        if who not in ("superuser", "foreign admin") and situation != "foreign":
            shown = answer.getvalue().decode(errors="replace")
            wrong += [f"{method} {address} shows {mark}" for mark in world.foreign.marks if mark in shown]
    assert wrong == []
    assert worlds.everything() == before


@pytest.mark.parametrize("who", [who for who in EVERYBODY if who != "superuser"])
def test_matrix__foreign_and_missing__are_the_same_answer(who: str, world: World) -> None:
    if who == "foreign admin":
        world.own, world.foreign = world.foreign, world.own
    client = world.client(who)
    for route, method in operations():
        if "platform" not in route.words or route.tree == "public":
            continue
        foreign, missing = (
            getattr(client, method)(
                route.address(words_of(world, route, situation)),
                None if method == "get" else {},
                HTTP_IF_MATCH="*",
                HTTP_X_REQUEST_ID="one",
            )
            for situation in ("foreign", "missing")
        )
        assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content), route.name


@pytest.mark.parametrize("module", [definition.code for definition in registry if not definition.is_core])
def test_gate__module_off_and_on_again__everything_is_dark_and_back(module: str, world: World) -> None:
    client = world.client("admin")
    reads = [route for route in api_routes() if route.module == module and "get" in route.methods]

    def answers() -> dict[str, tuple[int, bytes]]:
        found = {route.name: client.get(route.address(words_of(world, route, "own"))) for route in reads}
        return {name: (answer.status_code, answer.getvalue()) for name, answer in found.items()}

    on = answers()
    assert {status for status, _ in on.values()} <= {200}
    services.disable(platform=world.own.platform, module=module, origin=origin(), cascade=True)
    assert {status for status, _ in answers().values()} <= {403, 404}
    for route in reads:
        assert client.get(route.address(words_of(world, route, "own"))).status_code == (
            404 if route.tree == "public" else 403
        )
    services.enable(platform=world.own.platform, module=module, origin=origin())
    gate.forget()
    assert answers() == on
