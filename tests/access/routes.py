"""Every route of the API and every page of the admin, found by walking the resolver: none can be forgotten."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

API = "api/v1/"
ADMIN = "admin/"
_CONVERTER = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")
_WORD = re.compile(r"{([^{}]+)}")


@dataclass(frozen=True, slots=True)
class Route:
    """One address, as the resolver has it, and who answers there.

    `methods` are those that a viewset answers, with the names of its actions; empty where a plain view answers.
    """

    name: str
    template: str
    words: tuple[str, ...]
    view: Any
    methods: dict[str, str]
    module: str | None

    @property
    def tree(self) -> str:
        """The word after `api/v1/`: admin, vendor, public, or that of a route that is in no tree."""
        return self.template.removeprefix(API).partition("/")[0]

    def address(self, values: Mapping[str, object]) -> str:
        """Return the address with these words filled in. Raises KeyError where one of its words is not among them."""
        return "/" + self.template.format_map(values)


def walk(
    patterns: list[URLPattern | URLResolver], template: str = "", space: str = "", given: dict[str, Any] | None = None
) -> Iterator[Route]:
    """Yield every route below these patterns; its template has `{word}` for what an address fills in."""
    for pattern in patterns:
        here = template + _CONVERTER.sub(r"{\1}", str(pattern.pattern))
        kwargs = {**(given or {}), **(pattern.default_kwargs if isinstance(pattern, URLResolver) else {})}
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from walk(pattern.url_patterns, here, inner, kwargs)
            continue
        view = getattr(pattern.callback, "cls", pattern.callback)
        actions: dict[str, str] = getattr(pattern.callback, "actions", None) or {}
        offered = set(getattr(view, "http_method_names", ())) - {"head", "options"}
        yield Route(
            name=f"{space}{pattern.name}",
            template=here,
            words=tuple(_WORD.findall(here)),
            view=view,
            methods={method: action for method, action in actions.items() if method in offered},
            module=kwargs.get("module"),
        )


def api_routes() -> list[Route]:
    """Return every route below `/api/v1/`."""
    return [route for route in walk(get_resolver().url_patterns) if route.template.startswith(API)]


def admin_routes() -> list[Route]:
    """Return every page below `/admin/`."""
    return [route for route in walk(get_resolver().url_patterns) if route.template.startswith(ADMIN)]
