"""What a module shows goes through the gate: its routes and its admin pages start from our bases. E004 where not."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from django.apps import AppConfig
from django.contrib import admin
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django_filters import ModelChoiceFilter, ModelMultipleChoiceFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.relations import RelatedField
from rest_framework.serializers import BaseSerializer

from modules.admin.bases import GateMixin
from modules.api.bases import GATES
from modules.api.routes import TREES, router_of
from modules.definition import ModuleDefinition
from modules.registry import registry
from platforms import access
from platforms.admin_inlines import ScopedInline
from platforms.api.filters import TenantChoiceFilter
from platforms.api.serializers import OfTenantMixin

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
            for message, hint in _faults_of(viewset, tree):
                yield Error(f"The route {prefix} of module {definition.code} {message}", hint=hint, obj=where, id=_ID)


def _faults_of(viewset: type[Any], tree: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a viewset in this tree, each with the cure."""
    gate = GATES[tree]
    if not issubclass(viewset, gate):
        yield "does not ask the gate.", f"Have {viewset.__name__} start from {gate.__name__}, in modules.api.bases."
        return
    model = getattr(getattr(viewset, "queryset", None), "model", None)
    if model is not None and not access.is_tenant_model(model):
        yield (
            f"serves {model.__name__}, which does not say whose its rows are.",
            'Declare on the model where its platform is: tenant_path: ClassVar[str] = "platform".',
        )
    elif tree == "vendor" and model is not None and access.vendor_path(model) is None:
        yield (
            f"serves {model.__name__} to vendors, which does not say whose its rows are.",
            'Declare on the model where its vendor is: vendor_path: ClassVar[str] = "vendor".',
        )
    # A foreign row that is looked up is refused in other words than a missing one, if it is refused at all.
    for name, relation, of in relations_of(viewset):
        if not isinstance(relation, OfTenantMixin):
            yield (
                f"takes {of.__name__} in {name}, of whatever platform.",
                "Have the field be a TenantRelatedField or TenantKeyField, in platforms.api.serializers.",
            )
    for name, narrowing in filters_of(viewset):
        if not isinstance(narrowing, TenantChoiceFilter):
            yield (
                f"is filtered by {name}, a row of whatever platform.",
                "Have the filter be a TenantChoiceFilter, in platforms.api.filters.",
            )


def relations_of(viewset: type[Any]) -> Iterator[tuple[str, RelatedField, type[Model]]]:
    """Yield the fields of the viewset's body that name a row of a tenant: dotted path, field, the row's model."""
    serializer_class = getattr(viewset, "serializer_class", None)
    if serializer_class is not None:
        yield from _relations_below(serializer_class(), ())


def _relations_below(field: Any, path: tuple[str, ...]) -> Iterator[tuple[str, RelatedField, type[Model]]]:
    if getattr(field, "read_only", False):
        return
    inner = getattr(field, "child_relation", None) or getattr(field, "child", None)
    if isinstance(field, RelatedField):
        model = cast(Any, field).queryset.model  # what can be written has one: DRF insists
        if access.is_tenant_model(model):
            yield ".".join(path), field, model
    elif inner is not None:
        yield from _relations_below(inner, path)
    elif isinstance(field, BaseSerializer):
        for name, part in getattr(field, "fields", {}).items():
            yield from _relations_below(part, (*path, name))


def filters_of(viewset: type[Any]) -> Iterator[tuple[str, ModelChoiceFilter]]:
    """Yield the filters of the viewset's list, by name, that name a row of a tenant."""
    if DjangoFilterBackend not in getattr(viewset, "filter_backends", ()):
        return
    filterset = DjangoFilterBackend().get_filterset_class(viewset, getattr(viewset, "queryset", None))
    for name, narrowing in getattr(filterset, "base_filters", {}).items():
        rows = narrowing.extra.get("queryset")
        if isinstance(narrowing, ModelChoiceFilter | ModelMultipleChoiceFilter) and (
            callable(rows) or access.is_tenant_model(rows.model)
        ):
            yield name, narrowing


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
