"""How a value of the old settings is shown in a report that others read.

Old settings hold secrets, also where none belong: under a wrong key, a level too deep, in place of an object. So what
stands below `module_config` is shown by its type and size alone, unless the module's schema knows its place as an open
one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from modules import configs
from modules.definition import ModuleConfig

_OPEN_CHARACTERS = 40
_SHOWN_CHARACTERS = 80
_SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})
_NOT_THERE = object()


def type_name(value: Any) -> str:
    """Return what kind of JSON a value is, in words for a sentence."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
    return "an object"


def sized(value: Any) -> str:
    """Return the type and size of a value, and nothing that it says."""
    match value:
        case str():
            return f"a text of {_counted(len(value), 'character')}"
        case list():
            return f"a list of {_counted(len(value), 'item')}"
        case dict():
            return f"an object with {_counted(len(value), 'key')}"
    return type_name(value)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown_entry(value: Any) -> Any:
    """Return an entry of `enabled_modules`, which should be a code: a scalar as it is, a long text shortened."""
    if isinstance(value, str):
        return _shortened(value)
    return sized(value) if isinstance(value, (list, dict)) else value


def shown_switches(value: Any) -> Any:
    """Return all of `enabled_modules`; of a map which codes it has on, off and neither, shortened."""
    if not isinstance(value, dict):
        return shown_entry(value)
    said: dict[str, list[str]] = {"on": [], "off": [], "neither": []}
    for code, wanted in value.items():
        said["on" if wanted is True else "off" if wanted is False else "neither"].append(code)
    return _shortened("; ".join(f"{', '.join(codes)} {word}" for word, codes in said.items() if codes)) or sized(value)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def shown_setting(schema: type[ModuleConfig], config: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return what a config has at a path, if the schema knows that place as open; else that it is withheld."""
    if path and path[0] in configs.secret_fields(schema):
        return "withheld: a secret"
    value = _at(config, path)
    if value is _NOT_THERE:
        return "withheld"
    if not _is_open(schema, path) or isinstance(value, (list, dict)):
        return f"withheld: {sized(value)}"
    return sized(value) if value is None or (isinstance(value, str) and len(value) > _OPEN_CHARACTERS) else value


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _NOT_THERE
    return value


def _is_open(schema: type[ModuleConfig], path: tuple[str, ...]) -> bool:
    """Whether one plain value may stand there, and no secret."""
    root = configs.json_schema(schema)
    nodes = list(_nodes_at(root, root, path))
    return bool(nodes) and all(node.get("type") in _SCALARS and not node.get("writeOnly") for node in nodes)


def _nodes_at(root: Mapping[str, Any], node: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    """Yield every part of a JSON Schema that says what may stand at the path."""
    if "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    if alternatives := [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]:
        for alternative in alternatives:
            yield from _nodes_at(root, alternative, path)
    elif not path:
        yield node
    elif path[0] in node.get("properties", {}):
        yield from _nodes_at(root, node["properties"][path[0]], path[1:])
    elif "items" in node and path[0].isdecimal():
        yield from _nodes_at(root, node["items"], path[1:])
