"""What modules hold on people is thought of, all of it: said when Django starts.

E014 a table or a column that is in no map, or in one that has none such, E015 a column that is erased and never
exported, or that could not be treated so, E016 a map that the module does not provide for both ports.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.utils.module_loading import import_string

from modules import ports
from modules.definition import ModuleDefinition
from modules.personal_data import Erasure, Holding, PersonalDataMap, Scattered, Treatment, blank_of, map_of
from modules.registry import registry

_NEVER_EXPORTED = "is erased and never exported"
_PORTS = (ports.PERSONAL_DATA_EXPORT.name, ports.PERSONAL_DATA_ERASE.name)


def check_map(definition: ModuleDefinition, models: Sequence[type[Model]]) -> Iterator[CheckMessage]:
    """Yield what is wrong with what a module says of the people in its tables."""
    found = map_of(definition.code)
    if found is None:
        if models:
            yield Error(
                f"Module {definition.code} has tables and does not say what they hold on people.",
                hint=f"Write {definition.code}/personal_data.py with a MAP, a modules.personal_data.PersonalDataMap.",
                obj=_where(definition.code),
                id="modules.E014",
            )
        return
    yield from check_tables(definition.code, found, models)
    for holding in found.holdings:
        yield from check_holding(definition.code, holding)
    for one in found.scattered:
        yield from check_scattered(definition.code, one)
    yield from _providers_of(definition, found)


def check_tables(code: str, found: PersonalDataMap, models: Sequence[type[Model]]) -> Iterator[CheckMessage]:
    """Yield the tables that the map leaves out, names twice, or has of others."""
    said = [*(holding.model for holding in found.holdings), *found.without]
    said += [model for one in found.scattered for model in one.fields]
    for model in models:
        if model not in said:
            yield Error(
                f"{model._meta.label} is not in the personal data map of its module.",
                hint="Add a Holding with all of its fields, or name it in `without`: it holds nothing on anybody.",
                obj=_where(code),
                id="modules.E014",
            )
    for model in dict.fromkeys(said):
        if model not in models or said.count(model) > 1:
            yield Error(
                f"{model._meta.label} stands in the personal data map of {code} "
                f"{'twice' if model in models else 'and is no table of that module'}.",
                hint="Name each of the module's own tables once.",
                obj=_where(code),
                id="modules.E014",
            )


def check_holding(code: str, holding: Holding) -> Iterator[CheckMessage]:
    """Yield the columns of a table that nobody thought of, and those that are treated as they cannot be."""
    yield from _columns_of(code, holding.model, holding.fields)
    columns = {field.name: field for field in holding.model._meta.concrete_fields}
    for name, how in holding.fields.items():
        problem = ""
        if _is_erased(holding, name) and not _is_told(name, holding.fields):
            problem = _NEVER_EXPORTED
        elif how.erasure is not Erasure.KEPT and holding.kept:
            problem = "is erased, in rows that are kept as they are"
        elif how.erasure in (Erasure.BLANKED, Erasure.REPLACED) and holding.is_deleted:
            problem = f"is {how.erasure}, in rows that are deleted"
        elif how.erasure is Erasure.BLANKED and name in columns:
            try:
                blank_of(columns[name])
            except ImproperlyConfigured:
                problem = "is blanked, and always says something"
        if problem:
            yield _mistreated(code, holding.model, name, problem)


def check_scattered(code: str, scattered: Scattered) -> Iterator[CheckMessage]:
    """Yield the columns of tables to be looked through that nobody thought of, or that are erased, never exported."""
    for model, fields in scattered.fields.items():
        yield from _columns_of(code, model, fields)
        for name, how in fields.items():
            if how.erasure is not Erasure.KEPT and not _is_told(name, fields):
                yield _mistreated(code, model, name, _NEVER_EXPORTED)


def _columns_of(code: str, model: type[Model], fields: Mapping[str, Treatment]) -> Iterator[CheckMessage]:
    """Yield the columns that are not in the map, and what is in the map and no column."""
    columns = {field.name for field in model._meta.concrete_fields}
    for name in sorted(columns ^ fields.keys()):
        said = "is not in the personal data map of its module" if name in columns else "is no field, and is in the map"
        yield Error(
            f"{model._meta.label}.{name} {said}.",
            hint="Say what becomes of every concrete field: NOT_PERSONAL, EXPORTED, BLANKED, DELETED, replaced(…), …",
            obj=_where(code),
            id="modules.E014",
        )


def _mistreated(code: str, model: type[Model], name: str, problem: str) -> CheckMessage:
    return Error(
        f"{model._meta.label}.{name} {problem}.",
        hint="What is erased can be asked for first: export it, or say of what exported field it is made.",
        obj=_where(code),
        id="modules.E015",
    )


def _is_told(name: str, fields: Mapping[str, Treatment]) -> bool:
    """Whether an export says what stands in the column, or what that is made from."""
    made_from = fields[name].made_from
    return fields[name].is_exported or (made_from in fields and fields[made_from].is_exported)


def _is_erased(holding: Holding, name: str) -> bool:
    """Whether a column is lost once the person is erased. Of a deleted row, keys and relations say nothing."""
    if holding.fields[name].erasure is not Erasure.KEPT:
        return True
    columns = {field.name: field for field in holding.model._meta.concrete_fields}
    if not holding.is_deleted or name not in columns or name in (holding.customer, holding.email):
        return False
    return not (columns[name].primary_key or columns[name].is_relation)


def _providers_of(definition: ModuleDefinition, found: PersonalDataMap) -> Iterator[CheckMessage]:
    provided = {offer.port: offer.provider for offer in definition.provides if offer.port in _PORTS}
    wanted = dict(zip(_PORTS, (found.export, found.erase), strict=True)) if not found.holds_nothing else {}
    for port in _PORTS:
        try:
            is_right = (import_string(provided[port]) if port in provided else None) == wanted.get(port)
        except ImportError:
            continue  # modules.E011 says so
        if not is_right:
            yield Error(
                f"Module {definition.code} does not provide {port} from its personal data map.",
                hint=f"Write export, erase = MAP.export, MAP.erase in {definition.code}/personal_data.py, and provide "
                "both where the map has holdings.",
                obj=_where(definition.code),
                id="modules.E016",
            )


def models_of(code: str) -> list[type[Model]]:
    """Return the models of a module's tables, those that Django makes for relations among them."""
    try:
        models = apps.get_app_config(code).get_models(include_auto_created=True)
    except LookupError:
        return []
    return [model for model in models if model._meta.managed and not model._meta.proxy]


def check_personal_data(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check every installed module."""
    return [message for one in registry for message in check_map(one, models_of(one.code))]


def _where(code: str) -> str:
    return f"{code} (personal_data.py)"
