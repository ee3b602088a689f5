"""schemathesis over the whole document: whatever is sent, no answer that the document does not name, never a 5xx.

Every operation is tried at an address that is there, as somebody whom it lets in, with what the document allows and
what it does not. Each example is rolled back, so that the next one finds the world as it was.
"""

from collections.abc import Iterator
from math import ceil
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.requests import WSGIRequest
from tests.access.routes import Route, api_routes
from tests.access.test_api_matrix import model_of, need_of
from tests.access.world import World
from tests.factories import ApiTokenFactory

pytestmark = pytest.mark.django_db

OPERATIONS = [
    pytest.param(route, method, id=f"{method} {route.template}")
    for route in api_routes()
    for method in sorted(route.methods)
]
# So many on both databases together, whatever the number of operations, half of them with what the document allows.
CASES = 5000
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
EXAMPLES = ceil(CASES / 2 / len(OPERATIONS) / len(MODES))
# The same ones every time, and others on the other database.
SEED = int(connection.vendor == "postgresql")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def document() -> BaseSchema:
    """The document as the API serves it, with the API behind it."""
    application = get_wsgi_application()
    application.request_class = WSGIRequest  # type: ignore[attr-defined]
    made = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))
    made.app = application
    return made


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Have a request leave the connection open on which the test holds its transaction, as Django's own client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def credentials(world: World, route: Route, method: str) -> dict[str, dict[str, str]]:
    """Return headers and cookies of somebody whom the operation lets in."""
    if route.tree == "public":
        return {}
    need = need_of(route, method)
    if need == "members":
        # No token may see those.
        client, mark = Client(), "x" * 32
        client.force_login(world.people["admin"])  # type: ignore[arg-type]
        cookies = {"sessionid": client.cookies["sessionid"].value, "csrftoken": mark}
        return {"cookies": cookies, "headers": {"X-CSRFToken": mark}}
    user = world.people["superuser" if need == "operate" else "admin"]
    token = ApiTokenFactory(user=user, platform=None, scopes=["read", "write", "admin"])
    return {"headers": {"Authorization": f"Bearer {token.secret}"}}


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize(("route", "method"), OPERATIONS)
def test_fuzz__operation__answers_what_the_document_says(
    route: Route, method: str, mode: GenerationMode, document: BaseSchema, world: World
) -> None:
    words = world.own.words(model_of(route), module="billing")
    operation: Any = document[f"/{route.template}"][method.upper()]
    address = {word: str(words[word]) for word in route.words}
    cases = operation.as_strategy(mode, path_parameters=address, **credentials(world, route, method))

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def answers(case: Case) -> None:
        with transaction.atomic():
            response = case.call(base_url="http://testserver")
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)

    answers()
