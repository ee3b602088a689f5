"""What the old system's settings of a platform say about its modules. Pure: no table is read or written.

Only what has one meaning is taken. What has none, or more than one, stays in the settings as it is and is named with
its reason, because a wrong guess would switch on what nobody asked for.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from modules import configs
from modules.configs import Config, InvalidConfig
from modules.legacy_showing import shown_entry, shown_setting, shown_switches, sized, type_name
from modules.plans import RowState, Wish
from modules.registry import ModuleRegistry

MODULES_KEY = "enabled_modules"
CONFIG_KEY = "module_config"
_BLANK = "A blank text names no module."


class Kind(StrEnum):
    """What is noticed about an entry."""

    WRONG_TYPE = "wrong_type"
    BLANK = "blank"
    NORMALISED = "normalised"
    DUPLICATE = "duplicate"
    UNKNOWN_MODULE = "unknown_module"
    CORE = "core"
    MISSING_REQUIREMENT = "missing_requirement"
    INVALID_CONFIG = "invalid_config"
    CONFLICT = "conflict"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to know about an entry: where it is (`enabled_modules.2`), what it is, and whether it was taken.

    What was not taken is still in the settings. `value` is short, and below `module_config` says no more than
    `legacy_showing` lets it.
    """

    kind: Kind
    path: str
    value: Any
    reason: str
    taken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the platform's rows say already: decisions of people, which an old setting does not overrule."""

    settings: Mapping[str, RowState] = field(default_factory=dict)
    switched_off: frozenset[str] = frozenset()

    def is_on(self, code: str) -> bool:
        """Whether a row says on."""
        return code in self.settings and self.settings[code].is_enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was understood, as wishes; what remains of the settings; and what there is to know about it."""

    wishes: tuple[Wish, ...] = ()
    remaining: Any = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry of `enabled_modules`: its key in the list or map, its place, and what it says."""

    key: Any
    path: str
    raw: str
    is_wanted: bool
    code: str


def read(settings: Any, registry: ModuleRegistry, standing: Standing | None = None) -> Reading:
    """Return what the settings of a platform say about its modules.

    settings: `Platform.settings` as it is, of any shape. standing: what the platform's rows say; nothing by default.
    """
    if settings is None:
        return Reading()
    if not isinstance(settings, dict):
        reason = "The settings are not an object, so nothing in them has a name."
        return Reading(
            remaining=settings,
            findings=(Finding(kind=Kind.WRONG_TYPE, path="settings", value=sized(settings), reason=reason),),
        )
    standing = standing or Standing()
    findings: list[Finding] = []
    remaining = dict(settings)
    wanted: list[str] = []
    taken_configs: dict[str, Config] = {}
    if MODULES_KEY in settings:
        wanted, left = _Switches(registry, standing, findings).read(settings[MODULES_KEY])
        _put(remaining, MODULES_KEY, left)
    if CONFIG_KEY in settings:
        taken_configs, left = _Configs(registry, standing, findings).read(settings[CONFIG_KEY])
        _put(remaining, CONFIG_KEY, left)
    return Reading(
        wishes=tuple(
            Wish(module=code, is_enabled=True if code in wanted else None, config=taken_configs.get(code))
            for code in dict.fromkeys([*wanted, *taken_configs])
        ),
        remaining=remaining,
        findings=tuple(findings),
    )


# What is left of a value of which everything was taken.
_NOTHING = object()


def _put(settings: dict[str, Any], key: str, left: Any) -> None:
    if left is _NOTHING:
        del settings[key]
    else:
        settings[key] = left


def _normalised(code: str) -> str:
    return code.strip().lower()


def _unknown(code: str, registry: ModuleRegistry) -> str:
    close = get_close_matches(code, [definition.code for definition in registry], n=1)
    hint = f" Was {close[0]} meant?" if close else ""
    return f"No installed module has this code.{hint}"


class _Switches:
    """Reads `enabled_modules`; one reading long."""

    def __init__(self, registry: ModuleRegistry, standing: Standing, findings: list[Finding]) -> None:
        self.registry = registry
        self.standing = standing
        self.findings = findings

    def read(self, value: Any) -> tuple[list[str], Any]:
        """Return the codes to switch on, and what is left of the value in its own shape."""
        match value:
            case list():
                entries = [(index, f"{MODULES_KEY}.{index}", item, True) for index, item in enumerate(value)]
            case str() if value.strip():
                entries = [(n, f"{MODULES_KEY}.{n}", part, True) for n, part in enumerate(value.split(","))]
            case str():
                self._find(Kind.BLANK, MODULES_KEY, value, _BLANK)
                return [], value
            case dict():
                entries = [(key, f"{MODULES_KEY}.{key}", key, wanted) for key, wanted in value.items()]
            case _:
                self._find(Kind.WRONG_TYPE, MODULES_KEY, value, f"A list of codes is wanted, not {type_name(value)}.")
                return [], value
        left: set[Any] = set()
        items: list[_Item] = []
        for key, path, raw, is_wanted in entries:
            if objection := self._objection(raw, is_wanted):
                self._stays(left, key, path, *objection)
            else:
                items.append(_Item(key, path, raw, is_wanted, _normalised(raw)))
        taken = self._taken(items, left)
        if not isinstance(value, list) and (taken or not left):
            reason = f"A list of codes is wanted, not {type_name(value)}; its codes were read all the same."
            self._find(Kind.WRONG_TYPE, MODULES_KEY, value, reason, taken=True)
        on = [item.code for item in taken if item.is_wanted and not self.registry[item.code].is_core]
        return list(dict.fromkeys(on)), self._left(value, left)

    @staticmethod
    def _left(value: Any, left: set[Any]) -> Any:
        """Return the entries that stay, in their order and shape."""
        if not left:
            return _NOTHING
        if isinstance(value, dict):
            return {key: wanted for key, wanted in value.items() if key in left}
        if isinstance(value, str):
            return ",".join(part for index, part in enumerate(value.split(",")) if index in left)
        return [item for index, item in enumerate(value) if index in left]

    def _objection(self, raw: Any, is_wanted: Any) -> tuple[Kind, Any, str] | None:
        """Return what is wrong with an entry, which of its values, and why; None where it can be taken as it is."""
        if not isinstance(raw, str):
            return Kind.WRONG_TYPE, raw, f"A code is wanted, not {type_name(raw)}."
        code = _normalised(raw)
        if not code:
            return Kind.BLANK, raw, _BLANK
        if code not in self.registry:
            return Kind.UNKNOWN_MODULE, raw, _unknown(code, self.registry)
        if not isinstance(is_wanted, bool):
            return Kind.WRONG_TYPE, sized(is_wanted), f"True or false is wanted, not {type_name(is_wanted)}."
        if not is_wanted and self.registry[code].is_core:
            return Kind.CORE, is_wanted, f"{code} is a core module: it is always on."
        if is_wanted and (missing := self.registry.unknown_requirements_of(code)):
            needy, required = missing[0]
            return Kind.MISSING_REQUIREMENT, raw, f"{needy} needs {required}, which is not installed."
        return None

    def _taken(self, items: list[_Item], left: set[Any]) -> list[_Item]:
        """Return the entries that are taken; say of the others with what they are in conflict."""
        said: dict[str, set[bool]] = {}
        for item in items:
            said.setdefault(item.code, set()).add(item.is_wanted)
        ons: list[_Item] = []
        offs: list[_Item] = []
        for item in items:
            if len(said[item.code]) > 1:
                self._conflict(left, item, f"{item.code} is said to be both on and off.")
            elif not item.is_wanted:
                offs.append(item)
            elif off := self._switched_off(item.code):
                needs = "" if off == item.code else f"It needs {off}. "
                self._conflict(left, item, f"{needs}{off} was switched off here since; that decision stands.")
            else:
                ons.append(item)
        brought = {
            required: item.code for item in reversed(ons) for required in self.registry.requirements_of(item.code)
        }
        taken = list(ons)
        for item in offs:
            if item.code in brought:
                self._conflict(left, item, f"{brought[item.code]} is on and needs {item.code}.")
            elif self.standing.is_on(item.code):
                self._conflict(left, item, f"{item.code} is on here already; that decision stands.")
            else:
                taken.append(item)
        self._remark(taken)
        return taken

    def _switched_off(self, code: str) -> str | None:
        """Return what somebody switched off of the module and all that it needs, None where nobody did."""
        needed = (code, *self.registry.requirements_of(code))
        return next((each for each in needed if each in self.standing.switched_off), None)

    def _remark(self, taken: list[_Item]) -> None:
        """Say which of the taken entries were written in another way, and which were there before."""
        seen: set[str] = set()
        for item in taken:
            if item.raw != item.code:
                self._find(Kind.NORMALISED, item.path, item.raw, f"Read as {item.code}.", taken=True)
            if item.code in seen:
                self._find(Kind.DUPLICATE, item.path, item.raw, f"{item.code} is named before.", taken=True)
            seen.add(item.code)

    def _conflict(self, left: set[Any], item: _Item, reason: str) -> None:
        value = item.raw if item.is_wanted else item.is_wanted
        self._stays(left, item.key, item.path, Kind.CONFLICT, value, reason)

    def _stays(self, left: set[Any], key: Any, path: str, kind: Kind, value: Any, reason: str) -> None:
        left.add(key)
        self._find(kind, path, value, reason)

    def _find(self, kind: Kind, path: str, value: Any, reason: str, *, taken: bool = False) -> None:
        shown = shown_switches(value) if path == MODULES_KEY else shown_entry(value)
        self.findings.append(Finding(kind=kind, path=path, value=shown, reason=reason, taken=taken))


class _Configs:
    """Reads `module_config`; one reading long. A module's config is taken whole or stays whole."""

    def __init__(self, registry: ModuleRegistry, standing: Standing, findings: list[Finding]) -> None:
        self.registry = registry
        self.standing = standing
        self.findings = findings

    def read(self, value: Any) -> tuple[dict[str, Config], Any]:
        """Return the configs to set, by module, and what is left of the value."""
        if not isinstance(value, dict):
            reason = f"An object with a config per module is wanted, not {type_name(value)}."
            self._find(Kind.WRONG_TYPE, CONFIG_KEY, sized(value), reason)
            return {}, value
        codes = {key: _normalised(key) for key in value}
        times = Counter(codes.values())
        taken: dict[str, Config] = {}
        left: Config = {}
        for key, config in value.items():
            code, path = codes[key], f"{CONFIG_KEY}.{key}"
            rivals = [value[other] for other in value if codes[other] == code] if times[code] > 1 else []
            if code in self.registry and any(rival != config for rival in rivals):
                self._find(Kind.CONFLICT, path, sized(config), f"There are several configs of {code}.")
            elif self._is_fit(code, path, config):
                if code in taken:
                    self._find(
                        Kind.DUPLICATE, path, sized(config), f"The config of {code} is there before.", taken=True
                    )
                elif key != code:
                    self._find(Kind.NORMALISED, path, sized(config), f"Read as {code}.", taken=True)
                taken[code] = config
                continue
            left[key] = config
        return {code: config for code, config in taken.items() if config}, left or _NOTHING

    def _is_fit(self, code: str, path: str, config: Any) -> bool:
        """Whether the config can be set; says why not."""
        definition = self.registry.get(code)
        if not code:
            return self._find(Kind.BLANK, path, sized(config), _BLANK)
        if definition is None:
            return self._find(Kind.UNKNOWN_MODULE, path, sized(config), _unknown(code, self.registry))
        if not isinstance(config, dict):
            return self._find(Kind.WRONG_TYPE, path, sized(config), f"An object is wanted, not {type_name(config)}.")
        schema = definition.config
        stored = self.standing.settings.get(code, RowState())
        try:
            valid = configs.validate(schema, config)
            configs.validate(schema, stored.config | configs.merge({}, config))
        except InvalidConfig as error:
            for item in error.errors:
                shown = shown_setting(schema, config, item.path)
                self._find(Kind.INVALID_CONFIG, ".".join((path, *item.path)), shown, item.detail)
            return False
        if configs.load(schema, config) != configs.load(schema, configs.merge({}, config)):
            # Stored configs hold no null: it stands for the default, and here the default is another.
            return self._find(
                Kind.INVALID_CONFIG, path, sized(config), "A null in it does not say what the default says."
            )
        clashes = [name for name, value in valid.config.items() if stored.config.get(name, value) != value]
        clashes += [name for name in config if name in stored.secrets]
        for name in clashes:
            shown = shown_setting(schema, config, (name,))
            self._find(Kind.CONFLICT, f"{path}.{name}", shown, f"{name} was set here since; that decision stands.")
        return not clashes

    def _find(self, kind: Kind, path: str, value: Any, reason: str, *, taken: bool = False) -> bool:
        self.findings.append(Finding(kind=kind, path=path, value=value, reason=reason, taken=taken))
        return taken
