"""A form made from a module's config schema, and what a filled-in form means.

What a page showed travels with it, so that a field counts as changed when the person changed it, and not when somebody
else did meanwhile. A field that was not changed stays as it is stored, set or not; one that was emptied goes back to
its default; one that was changed is set.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from django import forms
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from modules import configs
from modules.config_fields import (
    CheckField,
    ChoicesField,
    DecimalField,
    SecretField,
    as_json,
    field_for,
    range_text,
    shown,
    words,
)
from modules.configs import Config, FieldError, InvalidConfig
from modules.definition import ModuleConfig

PREFIX = "config"
REMOVE_PREFIX = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSetting:
    """One field of a config: where it stands, what it is called, what its JSON Schema says, what it is by default."""

    path: tuple[str, ...]
    label: str
    description: str
    node: Mapping[str, Any]
    is_optional: bool
    is_secret: bool
    default: Any
    own_default: Any = None  # what it is where its object is stored without it

    @property
    def name(self) -> str:
        """The name of its form field, as the API names it in errors: `config.address.city`."""
        return ".".join((PREFIX, *self.path))

    @property
    def remove_name(self) -> str:
        """The name of the checkbox that removes a secret."""
        return ".".join((REMOVE_PREFIX, *self.path))

    @property
    def help_text(self) -> str:
        """What the schema says of it, its range and its default."""
        default = "" if self.is_secret else words(shown(self.default)) if "enum" in self.node else shown(self.default)
        return " ".join(filter(None, (self.description, range_text(self.node), default and f"Default: {default}.")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The settings that stand together: a config's own, and those of each part of it that is an object."""

    title: str = ""
    description: str = ""
    settings: tuple[ConfigSetting, ...] = ()
    path: tuple[str, ...] = field(default=())


def groups_of(schema: type[ModuleConfig]) -> list[Group]:
    """Return the settings of a schema, its own first, then one group for every object in it."""
    document = configs.json_schema(schema)
    return list(_groups(schema, document, document.get("$defs", {}), configs.defaults(schema), Group(), (schema,)))


def _groups(
    model: type[BaseModel],
    node: Mapping[str, Any],
    defs: Mapping[str, Any],
    defaults: Any,
    group: Group,
    above: tuple[type[BaseModel], ...],
) -> Iterator[Group]:
    own: list[ConfigSetting] = []
    below: list[Group] = []
    for name, info in model.model_fields.items():
        part, is_optional = _resolved(node["properties"].get(info.alias or name, {}), defs)
        path, default = (*group.path, name), defaults.get(name) if isinstance(defaults, Mapping) else None
        label, description = info.title or words(name), info.description or ""
        inner = _model_in(info)
        if inner is not None and inner not in above and "properties" in part:
            heading = Group(title=label, description=description, path=path)
            below += _groups(inner, part, defs, default, heading, (*above, inner))
        else:
            own.append(
                ConfigSetting(
                    path=path,
                    label=label,
                    description=description,
                    node=part,
                    is_optional=is_optional,
                    is_secret=not group.path and configs.field_is_secret(info),
                    default=default,
                    own_default=part.get("default"),
                )
            )
    yield Group(title=group.title, description=group.description, path=group.path, settings=tuple(own))
    yield from below


def _resolved(node: Mapping[str, Any], defs: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return a part of a JSON Schema with its reference followed and null taken out, and whether null was in it."""
    if "$ref" in node:
        node = {**defs[node["$ref"].rpartition("/")[2]], **{key: item for key, item in node.items() if key != "$ref"}}
    branches = [branch for branch in node.get("anyOf", ()) if branch.get("type") != "null"]
    is_optional = len(branches) < len(node.get("anyOf", ()))
    if len(branches) == 1:
        rest = {key: item for key, item in node.items() if key != "anyOf"}
        node = _resolved({**branches[0], **rest}, defs)[0]
    elif is_optional:
        node = {**node, "anyOf": branches}
    if isinstance(node.get("items"), Mapping) and "$ref" in node["items"]:
        node = {**node, "items": _resolved(node["items"], defs)[0]}
    return dict(node), is_optional


def _model_in(info: FieldInfo) -> type[BaseModel] | None:
    """Return the object that a field is, optional or not; None where it is something else or a choice of several."""
    parts = [info.annotation, *get_args(info.annotation)]
    models = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
    return models[0] if len(models) == 1 else None


def at(values: Any, path: Iterable[str]) -> Any:
    """Return what stands at a path of a config; None where nothing does."""
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def patch_of(
    settings: Iterable[ConfigSetting],
    *,
    shown_values: Mapping[str, Any],
    given: Mapping[tuple[str, ...], Any],
    removed_secrets: Iterable[tuple[str, ...]] = (),
) -> Config:
    """Return the merge patch (RFC 7396) that a filled-in form stands for.

    shown_values: the config as the page showed it. given: by path, what its fields hold now; None: nothing. What is as
    it was shown is not in the patch, what was emptied is null in it, and everything else is set. A secret is in it only
    where a new one was typed, or as null where it is to be removed.
    """
    settings = list(settings)
    removed = set(removed_secrets)
    touched: set[tuple[str, ...]] = set()
    patch: Config = {}
    for setting in settings:
        new = given.get(setting.path)
        if setting.is_secret:
            if setting.path in removed:
                _put(patch, setting.path, None)
            elif new:
                _put(patch, setting.path, new)
        elif not is_same(old := at(shown_values, setting.path), new):
            _put(patch, setting.path, _over(old, new))
            touched.add(setting.path)
    for setting in settings:
        if len(setting.path) > 1 and setting.path[0] in patch and setting.path not in touched:
            # An object that was all default is about to be stored: what its default said has to be stored with it.
            old = at(shown_values, setting.path)
            if old is not None and old != setting.own_default:
                _put(patch, setting.path, old)
    return patch


def is_same(old: Any, new: Any) -> bool:
    """Whether a field says what it was shown with; an empty one is the same whatever kind of nothing was shown."""
    if new is None:
        return old is None or old in ("", [], {})
    if isinstance(old, str) and isinstance(new, str) and old != new:
        return old.replace("\r\n", "\n").strip() == new
    return (type(old) is type(new) and old == new) or (old == new and bool not in (type(old), type(new)))


def _put(patch: Config, path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        patch = patch.setdefault(key, {})
    patch[path[-1]] = value


def _over(old: Any, new: Any) -> Any:
    """Return what has to be merged over `old` so that `new` comes of it, even where less of it is stored than shown."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**dict.fromkeys(old.keys() - new.keys()), **{key: _over(old.get(key), value) for key, value in new.items()}}


class ConfigForm(forms.Form):
    """The settings of one schema as form fields.

    values: the effective config to show. secrets: which of the secrets are set. kept_secrets: what was typed into
    secret fields on an earlier turn, by name; it stays typed until something else is.
    """

    def __init__(
        self,
        *args: Any,
        schema: type[ModuleConfig],
        values: Mapping[str, Any],
        secrets: Iterable[str] = (),
        kept_secrets: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.groups = groups_of(schema)
        self.settings = [setting for group in self.groups for setting in group.settings]
        self.values = values
        self.kept_secrets = dict(kept_secrets or {})
        self.secrets_set = frozenset(secrets)
        for setting in self.settings:
            self._add(setting)

    def _add(self, setting: ConfigSetting) -> None:
        value = at(self.values, setting.path)
        made = field_for(setting.node, is_optional=setting.is_optional, default=setting.default, value=value)
        made.label = setting.label
        made.help_text = " ".join(filter(None, (getattr(made, "hint", ""), setting.help_text)))
        if not setting.is_secret:
            made.initial = value
        self.fields[setting.name] = made
        if setting.is_secret and setting.path[-1] in self.secrets_set:
            remove = CheckField()
            remove.label = f"Remove {setting.label}"
            self.fields[setting.remove_name] = remove

    def clean(self) -> dict[str, Any]:
        """Refuse a secret that is both typed and to be removed."""
        data = super().clean() or self.cleaned_data
        for setting in self.settings:
            if setting.is_secret and data.get(setting.remove_name) and data.get(setting.name):
                self.add_error(setting.name, "Type a new one or remove it, not both.")
        return data

    def typed_secrets(self) -> dict[str, str]:
        """Return the secrets that were typed now or on an earlier turn, and are not to be removed."""
        data = getattr(self, "cleaned_data", {})
        found = {}
        for setting in self.settings:
            key = setting.path[-1]
            if setting.is_secret and not data.get(setting.remove_name):
                found[key] = data.get(setting.name) or self.kept_secrets.get(key, "")
        return {key: value for key, value in found.items() if value}

    def given(self, shown_values: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
        """Return by path what the fields hold; what says the same in another way as it was shown."""
        typed = self.typed_secrets()
        found: dict[tuple[str, ...], Any] = {}
        for setting in self.settings:
            if setting.is_secret:
                found[setting.path] = typed.get(setting.path[-1])
            else:
                new, old = self.cleaned_data.get(setting.name), at(shown_values, setting.path)
                found[setting.path] = old if _says_the_same(self.fields[setting.name], old, new) else new
        return found

    def patch(self, shown_values: Mapping[str, Any]) -> Config:
        """Return what a valid form stands for, as a merge patch; shown_values: as in `patch_of()`."""
        removed = [setting.path for setting in self.settings if self.cleaned_data.get(setting.remove_name)]
        return patch_of(
            self.settings, shown_values=shown_values, given=self.given(shown_values), removed_secrets=removed
        )

    def shown_values(self) -> Config:
        """Return what the page shows of the config: the values of its fields, no secret among them."""
        found: Config = {}
        for setting in self.settings:
            if not setting.is_secret:
                _put(found, setting.path, at(self.values, setting.path))
        return found

    def add_config_errors(self, error: InvalidConfig) -> None:
        """Put what the schema says at the fields that it is about; what is about no field, at the form."""
        names = {setting.path: setting.name for setting in self.settings}
        for item in error.errors:
            path, rest = _field_of(item, names)
            detail = _sentence(item, rest)
            self.add_error(names.get(path), detail if path else ": ".join(filter(None, (".".join(rest), detail))))


def _field_of(item: FieldError, names: Mapping[tuple[str, ...], str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the path of the field that an error is about, empty where there is none, and what is left of its path."""
    for length in range(len(item.path), 0, -1):
        if item.path[:length] in names:
            return item.path[:length], item.path[length:]
    return (), item.path


def _sentence(item: FieldError, rest: tuple[str, ...]) -> str:
    """Return an error's words, with the entry of the list that it is about, counted as people count."""
    if rest and rest[0].isdecimal():
        return f"Entry {int(rest[0]) + 1}: {item.detail}"
    return item.detail


def _says_the_same(made: forms.Field, old: Any, new: Any) -> bool:
    """Whether a field says what was shown, though not in the same way."""
    match made:
        case DecimalField():
            return made.same(old, new)
        case CheckField():
            # A box that nobody ticked, in a part of the config that is not there.
            return old is None and new is False
        case ChoicesField():
            # The order in which boxes stand says nothing.
            return (
                isinstance(old or [], list)
                and len(old or ()) == len(new or ())
                and all(entry in (old or ()) for entry in new or ())
            )
        case _:
            return False


def rows_of(schema: type[ModuleConfig], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a config to be read, group by group: label, text and whether it is the default; no secret among them."""
    return [
        {
            "title": group.title,
            "rows": [
                {
                    "label": setting.label,
                    "text": shown(value) if not isinstance(value, dict) else as_json(value),
                    "is_default": value == setting.default,
                }
                for setting in group.settings
                if not setting.is_secret
                for value in [at(values, setting.path)]
            ],
        }
        for group in groups_of(schema)
    ]


__all__ = ["ConfigForm", "ConfigSetting", "Group", "SecretField", "at", "groups_of", "is_same", "patch_of", "rows_of"]
