"""What modules hold on people: one map, from which a person's data is exported and erased.

A module with tables says in its `personal_data.py`, as MAP, of each of them how its rows belong to a person and what
becomes of each of its columns. What the module provides for the ports `personal_data.export` and `personal_data.erase`
are the two methods of that map, so that neither can know of a column that the other does not. The checks
`modules.E014` to `E016` refuse a table or a column that nobody thought of, and one that is erased and never exported.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import import_module
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Field, Model, Q, QuerySet
from django.utils.module_loading import module_has_submodule

from modules.ports import Erased, Person
from modules.registry import registry
from platforms import access
from platforms.models import Platform

_PART = "personal_data"


class PlainEncoder(DjangoJSONEncoder):
    """Says values of any column in JSON: phone numbers and their like as text."""

    def default(self, o: Any) -> Any:
        """Return what JSON can say of it."""
        try:
            return super().default(o)
        except TypeError:
            return str(o)


class Erasure(StrEnum):
    """What becomes of a column when the person is erased."""

    KEPT = "kept"
    BLANKED = "blanked"
    REPLACED = "replaced"
    DELETED = "deleted"  # with its row


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What an export tells of a column, and what erasing the person does to it.

    value: what takes its place, where it is replaced. made_from: the exported column of which it says nothing new.
    told_as: the lookup that an export follows, where the column itself is but a row's number.
    """

    is_exported: bool
    erasure: Erasure
    value: Any = None
    made_from: str = ""
    told_as: str = ""


NOT_PERSONAL = Treatment(is_exported=False, erasure=Erasure.KEPT)
EXPORTED = Treatment(is_exported=True, erasure=Erasure.KEPT)
BLANKED = Treatment(is_exported=True, erasure=Erasure.BLANKED)
DELETED = Treatment(is_exported=True, erasure=Erasure.DELETED)


def replaced(value: Any) -> Treatment:
    """Return the treatment of a column that is exported, and says `value` once the person is erased."""
    return Treatment(is_exported=True, erasure=Erasure.REPLACED, value=value)


def made_from(column: str) -> Treatment:
    """Return the treatment of a column that is made from an exported one, a search key say: blanked with it."""
    return Treatment(is_exported=False, erasure=Erasure.BLANKED, made_from=column)


def told_as(path: str, treatment: Treatment) -> Treatment:
    """Return the treatment with another row's own words exported in the place of its number."""
    return replace(treatment, told_as=path)


def each(treatment: Treatment, *columns: str) -> dict[str, Treatment]:
    """Return the same treatment for each of the columns."""
    return dict.fromkeys(columns, treatment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the rows of one model hold on a person.

    customer, email: the lookups that lead from a row to the customer's id, and to the e-mail address (in any case), by
    which it belongs to somebody; one of them at least. platform: the lookup of its platform, where the model has no
    `tenant_path`. fields: the treatment of every concrete field. kept: why the rows stay as they are, where they do.
    """

    model: type[Model]
    customer: str = ""
    email: str = ""
    platform: str = ""
    fields: Mapping[str, Treatment]
    kept: str = ""

    def __post_init__(self) -> None:
        """Refuse rows that could be nobody's."""
        if not (self.customer or self.email):
            raise ImproperlyConfigured(f"{self.model._meta.label}: say by what a row belongs to a person.")

    @property
    def name(self) -> str:
        """What people call the rows."""
        return str(self.model._meta.verbose_name_plural)

    @property
    def is_deleted(self) -> bool:
        """Whether the rows go when the person is erased."""
        return any(treatment.erasure is Erasure.DELETED for treatment in self.fields.values())

    def rows(self, platform: Platform, person: Person) -> QuerySet[Any]:
        """Return the person's rows on the platform, in the order of their keys."""
        rows = self.model._base_manager.filter(**{self.platform or access.tenant_path(self.model): platform})
        theirs = Q()
        if self.email and person.email:
            theirs |= Q(**{f"{self.email}__iexact": person.email})
        if self.customer and person.customer:
            theirs |= Q(**{self.customer: person.customer})
        try:
            return rows.filter(theirs).order_by("pk") if theirs else rows.none()
        except (ValidationError, ValueError):
            return rows.none()  # no id of this model's customers at all

    def export(self, platform: Platform, person: Person) -> list[dict[str, Any]]:
        """Return the exported columns of the person's rows, as JSON has them."""
        names = {name: how.told_as or name for name, how in self.fields.items() if how.is_exported}
        found = self.rows(platform, person).values_list(*names.values())
        return json.loads(json.dumps([dict(zip(names, row, strict=True)) for row in found], cls=PlainEncoder))

    def blanks(self) -> dict[str, Any]:
        """Return what the columns that are blanked or replaced say once the person is erased."""
        said = {name: how.value for name, how in self.fields.items() if how.erasure is Erasure.REPLACED}
        columns = {field.name: field for field in self.model._meta.concrete_fields}
        return said | {
            name: blank_of(columns[name]) for name, how in self.fields.items() if how.erasure is Erasure.BLANKED
        }

    def counted(self, count: int) -> Erased:
        """Return what erasing so many rows comes to."""
        if not count:
            return Erased()
        if self.kept:
            return Erased(kept={self.name: self.kept})
        return Erased(deleted=count) if self.is_deleted else Erased(anonymised=count)

    def erase(self, platform: Platform, person: Person) -> Erased:
        """Erase the person from these rows, and from what the admin's log says of them."""
        rows = self.rows(platform, person)
        keys = list(rows.values_list("pk", flat=True))
        if keys and not self.kept:
            forget_in_admin_log(self.model, keys)
            if self.is_deleted:
                rows.delete()
            else:
                rows.order_by().update(**self.blanks())
        return self.counted(len(keys))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scattered:
    """Rows in which people stand, and no column says who: only looking through them tells.

    export returns what these rows say of a person, by column, forget has them say nothing of them any more, and returns
    how many did: the one finds what the other does. name: what people call the rows. fields: by model the treatment of
    every concrete field; what is BLANKED says nothing of the person any more, as forget sees to it.
    """

    name: str
    fields: Mapping[type[Model], Mapping[str, Treatment]]
    export: Callable[[Platform, Person], list[dict[str, Any]]]
    forget: Callable[[Platform, Person], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalDataMap:
    """What a module holds on people, table by table.

    holdings: in the order in which they are erased: what points at others comes before them. scattered: what has to be
    looked through, and is erased first of all, while anything still says by what they are known. without: the models
    that hold nothing on anybody. before_erasing: what else is done before the holdings, in the same transaction, while
    the rows still say who they are about: files, say. Each is called with platform and person, twice for the same one
    if need be.
    """

    holdings: tuple[Holding, ...] = ()
    scattered: tuple[Scattered, ...] = ()
    without: tuple[type[Model], ...] = ()
    before_erasing: tuple[Callable[[Platform, Person], None], ...] = ()

    @property
    def holds_nothing(self) -> bool:
        """Whether nobody can be found here."""
        return not (self.holdings or self.scattered)

    def export(self, platform: Platform, person: Person) -> dict[str, Any]:
        """Return what the module holds on a person, as JSON has it: rows by what people call them; {} for nobody."""
        found = {holding.name: holding.export(platform, person) for holding in self.holdings}
        found |= {one.name: one.export(platform, person) for one in self.scattered}
        return {name: rows for name, rows in found.items() if rows}

    def preview(self, platform: Platform, person: Person) -> Erased:
        """Return what `erase` would come to as things stand; nothing is written or locked.

        Without what is scattered: looking through that is for those who erase, not for everybody who looks.
        """
        return total(holding.counted(holding.rows(platform, person).count()) for holding in self.holdings)

    def erase(self, platform: Platform, person: Person) -> Erased:
        """Erase a person in the module's tables. The caller holds the transaction; erased twice, nothing is amiss."""
        found = [Erased(anonymised=one.forget(platform, person)) for one in self.scattered]
        for act in self.before_erasing:
            act(platform, person)
        return total([*found, *(holding.erase(platform, person) for holding in self.holdings)])


def total(erased: Iterable[Erased]) -> Erased:
    """Return several outcomes as one."""
    deleted = anonymised = 0
    kept: dict[str, str] = {}
    for one in erased:
        deleted, anonymised = deleted + one.deleted, anonymised + one.anonymised
        kept |= one.kept
    return Erased(deleted=deleted, anonymised=anonymised, kept=kept)


def blank_of(field: Field) -> Any:
    """Return what a column says when it says nothing. Raises ImproperlyConfigured for one that always says something.

    None where it may be null, else an empty text, or what an empty one is by default: `{}`, say.
    """
    if field.null:
        return None
    if field.empty_strings_allowed and not field.has_default():
        return ""
    if field.has_default() and not (default := field.get_default()):
        return default
    raise ImproperlyConfigured(f"{field.model._meta.label}.{field.name} has no blank.")


def map_of(code: str) -> PersonalDataMap | None:
    """Return the map of an installed module; None where it has none."""
    try:
        app = apps.get_app_config(code)
    except LookupError:
        return None
    if app.module is None or not module_has_submodule(app.module, _PART):
        return None
    found = getattr(import_module(f"{app.name}.{_PART}"), "MAP", None)
    return found if isinstance(found, PersonalDataMap) else None


def maps() -> dict[str, PersonalDataMap]:
    """Return the maps of all installed modules, by code, what is required first."""
    return {one.code: found for one in registry if (found := map_of(one.code)) is not None}


def preview(platform: Platform, person: Person) -> dict[str, Erased]:
    """Return what erasing a person would come to in every installed module, on or off, as things stand."""
    return {code: one.preview(platform, person) for code, one in maps().items() if not one.holds_nothing}


def forget_in_admin_log(model: type[Model], keys: Iterable[Any]) -> None:
    """Empty what the admin's log says of these rows: it calls them by name, and quotes what hung on them."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(model), object_id__in=[str(key) for key in keys]
    )
    entries.update(object_repr="", change_message="")
