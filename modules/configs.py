"""What a config may hold: everything that is derived from a module's `ModuleConfig` schema."""

import json
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from modules.definition import ModuleConfig

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
# A null character in JSON text; a backslash before it would make it six characters that somebody typed.
_NULL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a config: where (`address`, `city`), a code, words for a person, and whose config it is."""

    path: tuple[str, ...]
    code: str
    detail: str
    module: str = ""


class InvalidConfig(Exception):
    """A config that its module's schema refuses; `errors` has every error of every field."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{'.'.join((e.module or 'config', *e.path))}: {e.detail}" for e in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidConfig:
    """A config that its schema accepts: what was set explicitly, in canonical JSON, and the secrets apart from it."""

    config: Config
    secrets: dict[str, SecretStr]


def field_is_secret(field: FieldInfo) -> bool:
    """Whether the field is a `SecretStr`, optional or not."""
    annotation = field.annotation
    if annotation is SecretStr:
        return True
    return typing.get_origin(annotation) in (typing.Union, UnionType) and SecretStr in typing.get_args(annotation)


@cache
def secret_fields(schema: type[ModuleConfig]) -> frozenset[str]:
    """Return the names of the schema's secrets. Secrets stand at the top level only; a check refuses others."""
    return frozenset(name for name, field in schema.model_fields.items() if field_is_secret(field))


def misplaced_secrets(schema: type[BaseModel]) -> tuple[str, ...]:
    """Return the dotted paths of secrets that stand where they could not be kept apart: nested, or in a list."""
    return tuple(
        dict.fromkeys(
            path
            for name, field in schema.model_fields.items()
            if not field_is_secret(field)
            for path in _paths_of_secrets(field.annotation, name, frozenset({schema}))
        )
    )


def _paths_of_secrets(annotation: Any, path: str, above: frozenset[type]) -> Iterator[str]:
    """Yield where secrets stand in a type; `above` are the models that it stands in, one of which it may name again."""
    if annotation is SecretStr:
        yield path
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in above:
            for name, field in annotation.model_fields.items():
                yield from _paths_of_secrets(field.annotation, f"{path}.{name}", above | {annotation})
    else:
        for part in typing.get_args(annotation):
            yield from _paths_of_secrets(part, path, above)


def refuse_deep(values: Mapping[str, Any]) -> None:
    """Raise InvalidConfig where more than MAX_DEPTH objects and lists stand inside one another.

    Said before anything walks them that would overflow the stack.
    """
    level: list[Any] = [values]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
            if isinstance(inner, (Mapping, list, tuple))
        ]
    if level:
        raise InvalidConfig([FieldError((), "too_deep", f"Nested deeper than {MAX_DEPTH} levels.")])


def _field_errors(error: ValidationError, schema: type[ModuleConfig]) -> list[FieldError]:
    """Return pydantic's findings in our words, without the values: one of them may be a secret."""
    found = [_field_error(item, schema) for item in error.errors(include_url=False, include_input=False)]
    inside = {item.path[:length] for item in found for length in range(len(item.path))}
    # A list with a wrong entry is reported as too short as well, because pydantic counts the others only.
    return [item for item in found if item.code != "too_short" or item.path not in inside]


def _field_error(item: Mapping[str, Any], schema: type[ModuleConfig]) -> FieldError:
    path = tuple(str(part) for part in item["loc"])
    code, detail = item["type"], item["msg"].removeprefix("Value error, ").rstrip(".") + "."
    unit = "character" if path and path[0] in secret_fields(schema) else "entry"
    match code:
        case "extra_forbidden":
            return _unknown(path)
        case "string_pattern_mismatch":
            detail = "This is not of the form that is asked for."  # pydantic's words quote a regular expression
        case "too_short":
            detail = f"At least {_counted(item['ctx']['min_length'], unit)}."
        case "too_long":
            detail = f"At most {_counted(item['ctx']['max_length'], unit)}."
    return FieldError(path, code, detail)


def _counted(number: int, unit: str) -> str:
    plural = {"entry": "entries"}.get(unit, f"{unit}s")
    return f"{number} {unit if number == 1 else plural}"


def _unknown(path: tuple[str, ...]) -> FieldError:
    return FieldError(path, "unknown_field", "There is no setting of this name.")


def unknown_removals(
    schema: type[BaseModel], patch: Mapping[str, Any], above: tuple[str, ...] = ()
) -> list[FieldError]:
    """Return an error for each null in a patch that would remove a key which the schema does not have.

    Merged, they are gone before `validate()` could see them.
    """
    found: list[FieldError] = []
    for key, value in patch.items():
        path = (*above, key)
        if key not in schema.model_fields:
            found += [_unknown(path)] if value is None else []
        elif isinstance(value, Mapping) and (inner := _object_of(schema.model_fields[key])):
            found += unknown_removals(inner, value, path)
    return found


def _object_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model that a field holds, optional or not; None where it holds something else."""
    for part in (field.annotation, *typing.get_args(field.annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def validate(schema: type[ModuleConfig], values: Mapping[str, Any]) -> ValidConfig:
    """Check the explicitly set values of a config, secrets among them, against the schema.

    Raises InvalidConfig with every error.
    """
    refuse_deep(values)
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidConfig([FieldError((), "not_json", f"Not JSON: {error}.")]) from error
    if len(text) > MAX_BYTES:
        raise InvalidConfig([FieldError((), "too_large", f"Larger than {MAX_BYTES // 1024} KiB.")])
    if _NULL.search(text):
        raise InvalidConfig([FieldError((), "null_character", "Holds a null character.")])
    try:
        parsed = schema.model_validate_json(text)
    except ValidationError as error:
        raise InvalidConfig(_field_errors(error, schema)) from None
    secrets = {
        name: value for name in secret_fields(schema) if name in values and (value := getattr(parsed, name)) is not None
    }
    config = parsed.model_dump(mode="json", exclude_unset=True, exclude=set(secret_fields(schema)))
    return ValidConfig(config=_pruned(parsed, config), secrets=secrets)


def _pruned(model: BaseModel, dumped: Config) -> Config:
    """Return what was set without objects in which nothing is, where that says no more than their default does."""
    kept = {}
    for name, value in dumped.items():
        held = getattr(model, name)
        if isinstance(held, BaseModel):
            value = _pruned(held, value)
            if not value and held == type(model).model_fields[name].get_default(call_default_factory=True):
                continue
        kept[name] = value
    return kept


def merge(stored: Mapping[str, Any], patch: Mapping[str, Any]) -> Config:
    """Return the stored values with the patch over them; null removes a key (JSON Merge Patch, RFC 7396)."""
    merged = dict(stored)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def load(
    schema: type[ModuleConfig], config: Mapping[str, Any], secrets: Mapping[str, str] | None = None
) -> ModuleConfig:
    """Return the typed object that code reads, from stored values and secrets in the clear.

    Raises InvalidConfig where what is stored no longer fits the schema.
    """
    try:
        return schema.model_validate_json(json.dumps({**config, **(secrets or {})}))
    except ValidationError as error:
        raise InvalidConfig(_field_errors(error, schema)) from None


@cache
def _defaults_text(schema: type[ModuleConfig]) -> str:
    return schema().model_dump_json(exclude=set(secret_fields(schema)))


def defaults(schema: type[ModuleConfig]) -> Config:
    """Return what the config is where nobody said otherwise, without secrets."""
    return json.loads(_defaults_text(schema))


def effective(schema: type[ModuleConfig], config: Mapping[str, Any]) -> Config:
    """Return what code reads, as JSON: the stored values over the defaults, without secrets.

    Stored values that no longer fit the schema are shown as they are: reading never fails on what an older version
    wrote.
    """
    try:
        return load(schema, config).model_dump(mode="json", exclude=set(secret_fields(schema)))
    except InvalidConfig:
        return merge(defaults(schema), {key: value for key, value in config.items() if value is not None})


@cache
def _json_schema_text(schema: type[ModuleConfig]) -> str:
    return json.dumps(schema.model_json_schema())


def json_schema(schema: type[ModuleConfig]) -> dict[str, Any]:
    """Return the schema as JSON Schema; secrets are write-only strings there."""
    return json.loads(_json_schema_text(schema))
