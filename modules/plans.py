"""From what is to what is wanted: the ordered steps, each with its cause, and what stands in the way.

Nothing here reads or writes a database. The same `plan()` answers the form that asks first, the dry run, and the call
that applies it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from modules import configs, secrets
from modules.canonical import canonical_json
from modules.configs import Config, FieldError, InvalidConfig
from modules.definition import ModuleConfig
from modules.registry import ModuleRegistry

REQUESTED = "requested"


class Action(StrEnum):
    """What a step does to a module."""

    ENABLE = "enable"
    DISABLE = "disable"
    CONFIGURE = "configure"
    RESET = "reset"
    DELETE = "delete"


class Obstacle(StrEnum):
    """Why a module cannot be switched."""

    REQUIRED_BY = "required_by"
    CORE = "core"
    NOT_INSTALLED = "not_installed"
    MISSING_REQUIREMENT = "missing_requirement"
    SECRET_CHANGED = "secret_changed"  # noqa: S105  (a word for an obstacle)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowState:
    """What a row says of a module: on or off, what was configured, and which secrets are set, by fingerprint."""

    is_enabled: bool = False
    config: Config = field(default_factory=dict)
    config_version: int = 1
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A short text that is another one as soon as the row says something else."""
        return _digest(self._content())

    def _content(self) -> list[Any]:
        return [self.is_enabled, self.config, self.config_version, dict(self.secrets)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants of one module; None leaves a part as it is.

    `config` goes over what is stored, null removing a key; with `replaces` it takes its place. A secret is kept unless
    it is named: null removes it, an empty text keeps it. `resets` brings everything back to its default. `secrets` says
    by fingerprint which secrets there have to be: they cannot be made from that, so any other stands in the way.
    """

    module: str
    is_enabled: bool | None = None
    config: Mapping[str, Any] | None = None
    replaces: bool = False
    resets: bool = False
    secrets: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that a plan does."""

    module: str
    action: Action
    cause: str

    def as_json(self) -> dict[str, str]:
        """Return the step as changes keep it and the API shows it."""
        return {"module": self.module, "action": str(self.action), "cause": self.cause}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """One thing that stands in the way of what is wanted: the module that cannot be switched, and why."""

    module: str
    code: Obstacle
    detail: str
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would happen; with blockers, nothing, and what stands in the way.

    `outcome` has the new state of every row that changes; `new_secrets` what to encrypt for it, None where a
    secret is removed.
    """

    platform: str
    steps: tuple[Step, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    outcome: Mapping[str, RowState] = field(default_factory=dict)
    new_secrets: Mapping[str, Mapping[str, SecretStr | None]] = field(default_factory=dict)
    digest: str = ""

    def moves_others_than(self, modules: Iterable[str]) -> bool:
        """Whether a module would change that is not among these."""
        return not {step.module for step in self.steps} <= set(modules)


def _digest(content: Any) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def plan(
    *,
    platform: str,
    registry: ModuleRegistry,
    current: Mapping[str, RowState],
    wishes: Iterable[Wish],
    cascade: bool = False,
) -> Plan:
    """Return the steps from what is to what is wanted.

    platform: the platform's code; the digest is bound to it. current: the rows by module code; a module without one
    was never touched. Each module is wished for at most once. Enabling brings what the module needs; disabling what
    others need is blocked unless `cascade` takes them along. What is so already makes no step.

    Raises InvalidConfig, with every error of every module, where a config does not fit its schema.
    """
    wanted = {wish.module: wish for wish in wishes}
    switching = _Switching(registry, current, cascade)
    switching.enable([code for code, wish in wanted.items() if wish.is_enabled is True])
    switching.disable([code for code, wish in wanted.items() if wish.is_enabled is False])

    outcome: dict[str, RowState] = {}
    new_secrets: dict[str, dict[str, SecretStr | None]] = {}
    configured: list[Step] = []
    errors: list[FieldError] = []
    for code, wish in wanted.items():
        if wish.secrets is not None:
            switching.require_secrets(code, wish.secrets)
        if wish.config is None and not wish.resets:
            continue
        if code not in registry:
            switching.block(code, Obstacle.NOT_INSTALLED, f"{code} is not installed.")
            continue
        before = switching.before(code)
        try:
            after, changed_secrets = _configured(registry[code].config, before, wish)
        except InvalidConfig as error:
            errors += [replace(item, module=code) for item in error.errors]
            continue
        # By digest, not by ==, for which a list of true and one of 1 say the same.
        if after.digest != before.digest:
            action = Action.RESET if wish.resets else Action.CONFIGURE
            configured.append(Step(module=code, action=action, cause=REQUESTED))
            outcome[code] = after
            new_secrets[code] = changed_secrets
    if errors:
        raise InvalidConfig(errors)

    if blockers := tuple(switching.blockers):
        digest = _digest([platform, [[blocker.module, blocker.code, blocker.by] for blocker in blockers]])
        return Plan(platform=platform, blockers=blockers, digest=digest)
    switched = switching.steps()
    for step in switched:
        before = outcome.get(step.module) or switching.before(step.module)
        outcome[step.module] = replace(before, is_enabled=step.action is Action.ENABLE)
    steps = (*switched, *configured)
    return Plan(
        platform=platform,
        steps=steps,
        outcome=outcome,
        new_secrets=new_secrets,
        digest=_digest(
            [
                platform,
                [step.as_json() for step in steps],
                {code: current[code]._content() for code in outcome if code in current},
                {code: setting._content() for code, setting in outcome.items()},
            ]
        ),
    )


class _Switching:
    """Works out which modules go on and off, and why; one plan long."""

    def __init__(self, registry: ModuleRegistry, current: Mapping[str, RowState], cascade: bool) -> None:
        self.registry = registry
        self.current = current
        self.cascade = cascade
        self.on: dict[str, str] = {}  # module → why it is to be on, in the order of the wishes
        self.off: dict[str, str] = {}
        self.blockers: list[Blocker] = []

    def is_on(self, code: str) -> bool:
        """Whether the module is on before the plan; a core module always is, one that is not installed never."""
        definition = self.registry.get(code)
        if definition is None:
            return False
        return definition.is_core or (code in self.current and self.current[code].is_enabled)

    def before(self, code: str) -> RowState:
        """Return the installed module's setting before the plan; of one never touched, what its schema starts from."""
        version = self.registry[code].config.schema_version
        return self.current.get(code) or RowState(is_enabled=self.is_on(code), config_version=version)

    def block(self, module: str, code: Obstacle, detail: str, by: str | None = None) -> None:
        """Say what stands in the way, once."""
        blocker = Blocker(module=module, code=code, detail=detail, by=by)
        if blocker not in self.blockers:
            self.blockers.append(blocker)

    def enable(self, codes: list[str]) -> None:
        """Want these on, and with them all that they need."""
        for code in codes:
            if code not in self.registry:
                self.block(code, Obstacle.NOT_INSTALLED, f"{code} is not installed.")
                continue
            for needy, missing in self.registry.unknown_requirements_of(code):
                detail = f"{self._name(needy)} needs {missing}, which is not installed."
                self.block(code, Obstacle.MISSING_REQUIREMENT, detail, by=missing)
            self.on[code] = REQUESTED
        for code in list(self.on):
            for required in self.registry.requirements_of(code):
                self.on.setdefault(required, f"required by {code}")

    def disable(self, codes: list[str]) -> None:
        """Want these off; what needs them stands in the way, or goes along."""
        for code in codes:
            definition = self.registry.get(code)
            if definition is None:
                self.block(code, Obstacle.NOT_INSTALLED, f"{code} is not installed.")
            elif definition.is_core:
                self.block(code, Obstacle.CORE, f"{definition.name} is a core module: it is always on.")
            else:
                self.off[code] = REQUESTED
        for code in list(self.off):
            for dependent in self.registry.dependents_of(code):
                if dependent in self.on:
                    detail = f"{self._name(dependent)} is wanted on and needs {self._name(code)}."
                    self.block(code, Obstacle.REQUIRED_BY, detail, by=dependent)
                elif self.is_on(dependent) and dependent not in self.off:
                    if self.cascade:
                        self.off[dependent] = f"requires {code}"
                    else:
                        detail = f"{self._name(dependent)} is on and needs {self._name(code)}."
                        self.block(code, Obstacle.REQUIRED_BY, detail, by=dependent)

    def require_secrets(self, code: str, wanted: Mapping[str, str]) -> None:
        """Let each secret stand in the way that is not the one that is wanted, by fingerprint."""
        if code not in self.registry:
            self.block(code, Obstacle.NOT_INSTALLED, f"{code} is not installed.")
            return
        stored = self.before(code).secrets
        for name in sorted(wanted.keys() | stored.keys()):
            if wanted.get(name) != stored.get(name):
                detail = f"{self._name(code)} {_changed(name, then=name in wanted, now=name in stored)}."
                self.block(code, Obstacle.SECRET_CHANGED, detail, by=name)

    def steps(self) -> tuple[Step, ...]:
        """Return what is switched: off first, dependents before what they need; then on, what is needed first."""
        going_off = [code for code in reversed(self.registry.in_order(self.off)) if self.is_on(code)]
        coming_on = [code for code in self.registry.in_order(self.on) if not self.is_on(code) and code not in self.off]
        return (
            *(Step(module=code, action=Action.DISABLE, cause=self.off[code]) for code in going_off),
            *(Step(module=code, action=Action.ENABLE, cause=self.on[code]) for code in coming_on),
        )

    def _name(self, code: str) -> str:
        return self.registry[code].name


def _changed(secret: str, *, then: bool, now: bool) -> str:
    if not now:
        return f"had the secret {secret} then and has none now: it was not kept and cannot be brought back"
    if not then:
        return f"has the secret {secret} now and had none then: once removed, it could not be brought back"
    return f"had another secret {secret} then: it was not kept and cannot be brought back"


def _configured(
    schema: type[ModuleConfig], before: RowState, wish: Wish
) -> tuple[RowState, dict[str, SecretStr | None]]:
    """Return the row after the wish's config, and the secrets that change with it. Raises InvalidConfig."""
    names = configs.secret_fields(schema)
    given = dict(wish.config or {})
    configs.refuse_deep(given)
    given_secrets = {name: given.pop(name) for name in names & given.keys()}
    if wish.resets:
        given_secrets = dict.fromkeys(before.secrets) | given_secrets
    # An empty text keeps the secret, as an empty field in a form does.
    given_secrets = {name: value for name, value in given_secrets.items() if value != ""}
    base = {} if wish.replaces or wish.resets else before.config
    set_secrets = {name: value for name, value in given_secrets.items() if value is not None}
    unknown = configs.unknown_removals(schema, given)
    try:
        valid = configs.validate(schema, configs.merge(base, given) | set_secrets)
    except InvalidConfig as error:
        raise InvalidConfig([*unknown, *error.errors]) from None
    if unknown:
        raise InvalidConfig(unknown)
    fingerprints = dict(before.secrets)
    changed: dict[str, SecretStr | None] = {}
    for name, value in given_secrets.items():
        if value is None:
            if fingerprints.pop(name, None) is not None:
                changed[name] = None
        else:
            secret = valid.secrets[name]
            mark = secrets.fingerprint(secret.get_secret_value())
            if fingerprints.get(name) != mark:
                fingerprints[name] = mark
                changed[name] = secret
    after = RowState(
        is_enabled=before.is_enabled,
        config=valid.config,
        config_version=schema.schema_version if valid.config != before.config else before.config_version,
        secrets=fingerprints,
    )
    return after, changed
