"""What a module declares about itself. Plain data: no Django model is needed to read or to write a definition."""

import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from modules.declarations import DeclarationError, EventType, Handler, Provider, Schedule, refusals

# Of modules, in addresses too.
CODE_PATTERN = "[a-z][a-z0-9_]{0,49}"
_CODE = re.compile(rf"\A{CODE_PATTERN}\Z")
_VERSION = re.compile(r"\A[0-9]+(?:\.[0-9]+){0,2}\Z")


class DefinitionError(DeclarationError):
    """A definition that contradicts itself, refused where it is written."""


class ModuleConfig(BaseModel):
    """Base of a module's config schema: one class gives the form, the validation, the JSON Schema and the typed object.

    Every field has a default, so that a module works before anybody configures it. A field of type `SecretStr | None`
    is stored encrypted and never shown. `schema_version` goes up when stored values would read differently.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, str_strip_whitespace=True, validate_default=True
    )

    schema_version: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A part of a module that its config can switch.

    `switch` names the bool field of the config that turns it on; without one it is on whenever the module is.
    `requires` names modules that must be on besides the module's own requirements.
    """

    code: str
    name: str
    switch: str | None = None
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Something that a person may be allowed to do in a module, e.g. `export`.

    Every module has `view` and `manage`; `needs` says which of the two brings this one along.
    """

    code: str
    name: str
    needs: Literal["view", "manage"] = "manage"


EVERY_MODULE_HAS = (
    Permission(code="view", name="View", needs="view"),
    Permission(code="manage", name="Manage", needs="manage"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuItem:
    """A line that a module adds to the menus; its key starts with the module's code, e.g. `cms.media`.

    `permission` is what a person needs to see it. `audiences` says in whose menus it stands: those of the platform's
    staff, of its vendors, or both. `page` names the page of the admin that it leads staff to, e.g.
    `admin:cms_asset_changelist`; `feature` the feature without which it is not there.
    """

    key: str
    label: str
    permission: str = "view"
    audiences: tuple[Literal["staff", "vendor"], ...] = ("staff",)
    page: str | None = None
    feature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDefinition:
    """A module: what it is called, what it needs, what can be configured.

    `requires` are hard: the module is never on without them. `uses` are optional: the module works better with them. A
    core module is on everywhere; a restricted one is switched by superusers only. `on_enable` and `on_disable` are
    dotted paths of functions that are told after the module was switched, as handlers are told of an event.

    `admin_router`, `vendor_router` and `public_router` are dotted paths of `ModuleRouter`s, whose routes are served
    below `platforms/{platform}/{code}/`, `vendor/{platform}/{vendor}/{code}/` and `public/{platform}/{code}/` while the
    module is on there. They are imported when the URLs load, so that no circle arises.

    Raises DefinitionError on construction when the declaration contradicts itself; what only the whole registry can
    tell (unknown requirements, cycles, clashes) is reported by the system checks `modules.E001` and following.
    """

    code: str
    name: str
    description: str
    version: str
    is_core: bool = False
    is_restricted: bool = False
    requires: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    config: type[ModuleConfig] = ModuleConfig
    features: tuple[Feature, ...] = field(default=())
    permissions: tuple[Permission, ...] = field(default=())
    menu: tuple[MenuItem, ...] = field(default=())
    admin_router: str | None = None
    vendor_router: str | None = None
    public_router: str | None = None
    events: tuple[EventType, ...] = ()
    handlers: tuple[Handler, ...] = ()
    on_enable: str | None = None
    on_disable: str | None = None
    schedules: tuple[Schedule, ...] = ()
    provides: tuple[Provider, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what can be seen to be wrong from here."""
        if not _CODE.match(self.code):
            raise DefinitionError(
                f"Module code {self.code!r}: use lower-case letters, digits, underscores, a letter first, at most 50."
            )
        if not self.name.strip():
            raise DefinitionError(f"Module {self.code} has no name.")
        if not _VERSION.match(self.version):
            raise DefinitionError(f"Module {self.code}: version {self.version!r} is not of the form 1, 1.2 or 1.2.3.")
        for kind, codes in (("requires", self.requires), ("uses", self.uses)):
            if not isinstance(codes, tuple):
                raise DefinitionError(f"Module {self.code}: {kind} is a tuple of codes, not a {type(codes).__name__}.")
            if self.code in codes:
                raise DefinitionError(f"Module {self.code} {kind} itself.")
            if len(set(codes)) != len(codes):
                raise DefinitionError(f"Module {self.code} names a module twice in {kind}.")
        if overlap := set(self.requires) & set(self.uses):
            raise DefinitionError(f"Module {self.code} both requires and uses {', '.join(sorted(overlap))}.")
        if not (isinstance(self.config, type) and issubclass(self.config, ModuleConfig)):
            raise DefinitionError(f"Module {self.code}: config is not a subclass of ModuleConfig.")
        self._refuse_wrong_parts()
        hooks = {"on_enable": self.on_enable, "on_disable": self.on_disable}
        for refusal in refusals(self.code, self.events, self.handlers, self.schedules, self.provides, hooks):
            raise DefinitionError(refusal)

    def _refuse_wrong_parts(self) -> None:
        """Refuse features, permissions and menu items that the module could not have."""
        for feature in self.features:
            if not isinstance(feature.requires, tuple):
                raise DefinitionError(f"Module {self.code}: what feature {feature.code} requires is a tuple of codes.")
            if feature.switch is None:
                continue
            if feature.switch not in self.config.model_fields:
                raise DefinitionError(
                    f"Module {self.code}: feature {feature.code} is switched by {feature.switch}, not in its config."
                )
            if self.config.model_fields[feature.switch].annotation is not bool:
                raise DefinitionError(
                    f"Module {self.code}: feature {feature.code} is switched by {feature.switch}, which is not a bool."
                )
        for kind, keys in (
            ("feature", [feature.code for feature in self.features]),
            ("permission", [permission.code for permission in self.permissions]),
            ("menu item", [item.key for item in self.menu]),
        ):
            if len(set(keys)) != len(keys):
                raise DefinitionError(f"Module {self.code} declares a {kind} twice.")
        for item in self.menu:
            self._refuse_wrong_menu_item(item)
        if reserved := {permission.code for permission in self.permissions} & {
            permission.code for permission in EVERY_MODULE_HAS
        }:
            raise DefinitionError(f"Module {self.code}: every module has the permission {', '.join(sorted(reserved))}.")

    def _refuse_wrong_menu_item(self, item: MenuItem) -> None:
        """Refuse a line that could stand in no menu, or would lead nowhere."""
        where = f"Module {self.code}: menu item {item.key!r}"
        if not item.key.startswith(f"{self.code}."):
            raise DefinitionError(f"{where} does not start with {self.code!r} and a dot.")
        if item.permission not in [one.code for one in (*EVERY_MODULE_HAS, *self.permissions)]:
            raise DefinitionError(f"{where} needs the permission {item.permission}, which the module does not declare.")
        if item.feature is not None and item.feature not in [feature.code for feature in self.features]:
            raise DefinitionError(f"{where} belongs to the feature {item.feature}, which the module does not declare.")
        if not item.audiences or not set(item.audiences) <= {"staff", "vendor"}:
            raise DefinitionError(f"{where} is for nobody: name staff, vendor, or both.")

    def permission(self, code: str) -> Permission:
        """Return one of the module's permissions, `view` and `manage` among them. Raises LookupError."""
        for permission in (*EVERY_MODULE_HAS, *self.permissions):
            if permission.code == code:
                return permission
        raise LookupError(f"Module {self.code} declares no permission {code}.")
