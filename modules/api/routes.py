"""The three trees of routes that modules have, built from the registry: for staff, for vendors, for everybody."""

from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import import_string

from modules.api.bases import ModuleRouter
from modules.registry import registry

TREES = ("admin", "vendor", "public")


def routers(tree: str) -> dict[str, ModuleRouter]:
    """Return the router of every module that has one in this tree: module code → router.

    Raises ImportError where a definition names one that is not there.
    """
    named = {definition.code: getattr(definition, f"{tree}_router") for definition in registry}
    return {code: import_string(dotted) for code, dotted in named.items() if dotted is not None}


def module_routes(tree: str) -> list[URLPattern | URLResolver]:
    """Return the routes of all modules in this tree, each below its module's code, which the views are given."""
    return [
        path(f"{code}/", include((router.urls, code), namespace=f"{tree}-{code}"), {"module": code})
        for code, router in routers(tree).items()
    ]
