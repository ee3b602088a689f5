"""The three trees of routes that modules have, built from the registry: for staff, for vendors, for everybody."""

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import import_string

from modules.api.bases import ModuleRouter
from modules.definition import ModuleDefinition
from modules.registry import registry

TREES = ("admin", "vendor", "public")


def router_of(definition: ModuleDefinition, tree: str) -> ModuleRouter | None:
    """Return the router that a module has in this tree; None where it has none.

    Raises ImproperlyConfigured where the definition names one that is not there, or is none.
    """
    dotted: str | None = getattr(definition, f"{tree}_router")
    if dotted is None:
        return None
    try:
        router = import_string(dotted)
    except ImportError as error:
        raise ImproperlyConfigured(f"Module {definition.code}: {tree}_router cannot be imported: {error}") from error
    if not isinstance(router, ModuleRouter):
        raise ImproperlyConfigured(f"Module {definition.code}: {tree}_router {dotted} is no ModuleRouter.")
    return router


def module_routes(tree: str) -> list[URLPattern | URLResolver]:
    """Return the routes of all modules in this tree, each below its module's code, which the views are given."""
    return [
        path(f"{code}/", include((router.urls, code), namespace=f"{tree}-{code}"), {"module": code})
        for code in (definition.code for definition in registry)
        if (router := router_of(registry[code], tree)) is not None
    ]
