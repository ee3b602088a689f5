"""What stands behind the `?` of every route: what is documented is taken, and what is not known is refused."""

from typing import Any

import pytest
from django.test import Client
from django_filters import ChoiceFilter, ModelChoiceFilter, MultipleChoiceFilter

from platforms.choices import name_all
from tests.access import world as worlds
from tests.access.test_api_matrix import operations, words_of
from tests.access.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def documented(db: None) -> dict[tuple[str, str], list[str]]:
    """Return the parameters of the query that the OpenAPI document has, by address and method."""
    paths = Client().get("/api/v1/schema/?format=json").json()["paths"]
    return {
        (path, method): sorted(one["name"] for one in operation["parameters"] if one["in"] == "query")
        for path, operations_of_path in paths.items()
        for method, operation in operations_of_path.items()
    }


def test_parameter__unknown__refused_by_every_operation_with_what_is_documented(
    world: World, documented: dict[tuple[str, str], list[str]]
) -> None:
    client, before = world.client("superuser"), worlds.everything()
    for route, method in operations():
        address = route.address(words_of(world, route, "own"))
        answer = getattr(client, method)(f"{address}?stauts=active&dryrun=true", {}, HTTP_IF_MATCH="*")
        known = documented[f"/{route.template}", method]
        detail = "There is no such parameter here." + (f" Known: {name_all(known)}." if known else "")
        assert (answer.status_code, answer.json()["errors"]) == (
            400,
            [{"code": "unknown_filter", "detail": detail, "attr": name} for name in ("stauts", "dryrun")],
        ), (method, address)
    assert worlds.everything() == before


def test_parameter__documented__is_unknown_to_no_operation(
    world: World, documented: dict[tuple[str, str], list[str]]
) -> None:
    client, before = world.client("superuser"), worlds.everything()
    for route, method in operations():
        # Nonsense but for the two that would be found wrong, or believed, first: what matters is that each is known.
        said: dict[str, Any] = dict.fromkeys(documented[f"/{route.template}", method], "x")
        said |= {name: value for name, value in (("dry_run", "true"), ("page_size", "1")) if name in said}
        address = route.address(words_of(world, route, "own"))
        query = "&".join(f"{name}={value}" for name, value in {**said, "format": "json"}.items())
        answer = getattr(client, method)(f"{address}?{query}", {}, HTTP_IF_MATCH="*")
        errors = answer.json()["errors"] if answer.status_code >= 400 else []
        assert "unknown_filter" not in {error["code"] for error in errors}, (method, address, errors)
    assert worlds.everything() == before


def test_parameter__only_of_a_list__refused_by_the_row(world: World) -> None:
    client = world.client("superuser")
    row = f"/api/v1/admin/platforms/kestrel/vendors/{world.own.vendor.code}/"
    for query in ("page_size=1", "cursor=x", "dry_run=true"):
        assert client.get(f"{row}?{query}").json()["errors"][0]["code"] == "unknown_filter"
    assert client.get(f"{row}?format=json").status_code == 200


def test_filter__no_choice_of_it__named_what_there_is(world: World) -> None:
    """By every list that has such a filter, also of modules."""
    client, asked = world.client("superuser"), 0
    for route, method in operations():
        filterset = getattr(route.view, "filterset_class", None)
        if method != "get" or filterset is None or "id" in route.words or route.name.endswith("platform"):
            continue
        for name, one in filterset.base_filters.items():
            if not isinstance(one, ChoiceFilter | MultipleChoiceFilter) or isinstance(one, ModelChoiceFilter):
                continue
            answer = client.get(f"{route.address(words_of(world, route, 'own'))}?{name}=%25s")
            [error] = answer.json()["errors"]
            choices = name_all(value for value, _ in one.extra["choices"])
            detail = f"“%s” is not a valid choice: name one of {choices}."
            assert error == {"code": "invalid_choice", "detail": detail, "attr": name}, route.name
            asked += 1
    assert asked > 10
