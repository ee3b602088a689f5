"""What a module shows goes through the gate: its routes and its admin pages start from our bases. E004 where not."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from modules.admin.bases import GateMixin
from modules.api.bases import GATES
from modules.api.routes import TREES, router_of
from modules.definition import ModuleDefinition
from modules.registry import registry
from platforms.admin_inlines import ScopedInline

_ID = "modules.E004"


def check_routes(definition: ModuleDefinition) -> Iterator[CheckMessage]:
    """Yield what is wrong with the routes that a definition names."""
    for tree in TREES:
        where = f"{definition.code} ({tree}_router in definition.py)"
        try:
            router = router_of(definition, tree)
        except ImproperlyConfigured as error:
            yield Error(str(error), hint="Correct the dotted path, or what it names.", obj=where, id=_ID)
            continue
        for prefix, viewset, _ in router.registry if router is not None else ():
            if fault := _fault_of(viewset, tree):
                yield Error(
                    f"The route {prefix} of module {definition.code} {fault[0]}", hint=fault[1], obj=where, id=_ID
                )


def _fault_of(viewset: type[Any], tree: str) -> tuple[str, str] | None:
    """Return what is wrong with a viewset in this tree, and the cure; None where nothing is."""
    gate = GATES[tree]
    if not issubclass(viewset, gate):
        return "does not ask the gate.", f"Have {viewset.__name__} start from {gate.__name__}, in modules.api.bases."
    model = getattr(getattr(viewset, "queryset", None), "model", None)
    if model is not None and not hasattr(model, "tenant_path"):
        return (
            f"serves {model.__name__}, which does not say whose its rows are.",
            'Declare on the model where its platform is: tenant_path: ClassVar[str] = "platform".',
        )
    if tree == "vendor" and model is not None and not hasattr(model, "vendor_path"):
        return (
            f"serves {model.__name__} to vendors, which does not say whose its rows are.",
            'Declare on the model where its vendor is: vendor_path: ClassVar[str] = "vendor".',
        )
    return None


def check_admin_pages(site: admin.AdminSite) -> Iterator[CheckMessage]:
    """Yield the admin pages of modules that would show what is off."""
    for model, page in site._registry.items():
        if model._meta.app_label not in registry:
            continue
        if not isinstance(page, GateMixin):
            yield Error(
                f"The admin page of {model._meta.label} does not ask the gate.",
                hint=f"Have {type(page).__name__} start from ModuleModelAdmin, in modules.admin.bases.",
                obj=type(page),
                id=_ID,
            )
        for inline in page.inlines:
            if not (issubclass(inline, GateMixin) and issubclass(inline, ScopedInline)):
                yield Error(
                    f"{inline.__name__}, on the admin page of {model._meta.label}, shows rows of everybody.",
                    hint="Have it start from ModuleInline, in modules.admin.bases.",
                    obj=type(page),
                    id=_ID,
                )


def check_surfaces(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check every installed module's routes and admin pages."""
    routes = [message for definition in registry for message in check_routes(definition)]
    return [*routes, *check_admin_pages(admin.site)]


def register_checks() -> None:
    """Have Django run these checks."""
    register(check_surfaces, "modules")
