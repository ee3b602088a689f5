"""The wiring of the modules is sound: what only the whole registry can tell, said when Django starts.

E001 unknown requirement, E002 cycle of requirements, E003 reserved or clashing code, E005 core module that needs one
that is not, E006 config field without a default, E007 secret where it could not be kept apart, E008 no usable key to
encrypt secrets with; with `check --database default` also W001 rows of a module that is not installed, W002 module
that migrate has not seen, W003 guard of the record that the database does not have. E004, routes and admin pages that
do not ask the gate, stands in `modules.surface_checks`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError, connections

from modules import configs, guards, secrets
from modules.registry import ModuleRegistry, registry

# Words that stand in the addresses where a module's code would: /platforms/{platform}/{module}/… and the admin's own.
RESERVED_CODES = frozenset(
    {"add", "admin", "api", "change", "changes", "delete", "history", "members", "menu", "module", "modules"}
    | {"platform", "platforms", "public", "revert", "static", "tokens", "vendor", "vendors"}
)


def check_registry(modules: ModuleRegistry) -> Iterator[CheckMessage]:
    """Yield what is wrong with the definitions, taken together."""
    for definition in modules:
        where = f"{definition.code} (definition.py)"
        for required in definition.requires:
            if required not in modules:
                yield Error(
                    f"Module {definition.code} requires {required}, which is not installed.",
                    hint=f"Install the module {required}, or take it out of requires in the definition.",
                    obj=where,
                    id="modules.E001",
                )
            elif definition.is_core and not modules[required].is_core:
                yield Error(
                    f"Module {definition.code} is core and requires {required}, which can be switched off.",
                    hint=f"Make {required} a core module too, or move it from requires to uses.",
                    obj=where,
                    id="modules.E005",
                )
        if definition.code in RESERVED_CODES:
            yield Error(
                f"The module code {definition.code} is reserved: it stands in addresses already.",
                hint="Give the module another code.",
                obj=where,
                id="modules.E003",
            )
        for name, field in definition.config.model_fields.items():
            if field.is_required():
                yield Error(
                    f"The config of module {definition.code} has no default for {name}.",
                    hint="Give the field a default: a module works before anybody configures it.",
                    obj=where,
                    id="modules.E006",
                )
        for path in configs.misplaced_secrets(definition.config):
            yield Error(
                f"The config of module {definition.code} has a secret at {path}, below the top level or in a list.",
                hint="Make it a field of the config itself, of type SecretStr | None = None.",
                obj=where,
                id="modules.E007",
            )
    for known, refused in modules.clashes:
        yield Error(
            f"Two modules want the code {known.code}: "
            f"“{known.name}” {known.version} and “{refused.name}” {refused.version}.",
            hint="Rename one of them, or uninstall it. Until then the first is in force.",
            obj=f"{known.code} (definition.py)",
            id="modules.E003",
        )
    if circle := modules.cycle():
        yield Error(
            f"Modules require each other in a circle: {' → '.join(circle)}.",
            hint="Break the circle: one of them can move its need from requires to uses.",
            obj=f"{circle[0]} (definition.py)",
            id="modules.E002",
        )


def check_definitions(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check the one registry."""
    return list(check_registry(registry))


def check_keys(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that secrets can be encrypted: a wrong key is said before the first one is entered."""
    try:
        secrets.decrypt(secrets.encrypt("Switchyard"))
    except ImproperlyConfigured as error:
        hint = "Make one with: from cryptography.fernet import Fernet; Fernet.generate_key()"
        return [Error(str(error), hint=hint, obj="MODULE_CONFIG_KEYS", id="modules.E008")]
    return []


def check_mirror(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report modules that platforms have rows of and that are no longer installed, and those migrate has not seen."""
    rows, mirrored = (apps.get_model("modules", name).objects for name in ("PlatformModule", "Module"))
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            codes = list(rows.using(alias).order_by("module").values_list("module_id", flat=True).distinct())
            seen = set(mirrored.using(alias).values_list("pk", flat=True))
        except (OperationalError, ProgrammingError):
            connections[alias].close()  # not migrated yet: there are no rows to speak of
            continue
        found += [
            CheckWarning(
                f"Platforms have rows of the module {code}, which is not installed.",
                hint="Install it again to have it back; until then it is off everywhere and its rows are kept.",
                obj=code,
                id="modules.W001",
            )
            for code in codes
            if code not in registry
        ]
        found += [
            CheckWarning(
                f"The module {definition.code} is installed, and migrate has not run since.",
                hint="Run manage.py migrate; until then the module cannot be switched.",
                obj=definition.code,
                id="modules.W002",
            )
            for definition in registry
            if definition.code not in seen
        ]
    return found


def check_guards(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report guards that a database should have and has not: somebody took them away, or a restore left them out."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        try:
            tables = set(connection.introspection.table_names())
            present = [guard for _, guard in guards.in_place(connection)]
        except OperationalError:
            connection.close()  # no such database yet
            continue
        found += [
            CheckWarning(
                f"Nothing in the database guards {model._meta.db_table}: {guard.name} is missing.",
                hint="Run migrate; if that changes nothing, run verify_audit, then migrate modules back to before its "
                "guards and forward again.",
                obj=guard.name,
                id="modules.W003",
            )
            for model, guard in guards.declared(connection)
            if guard not in present and model._meta.db_table in tables
        ]
    return found


def register_checks() -> None:
    """Have Django run these checks."""
    register(check_definitions, "modules")
    register(check_keys, Tags.security)
    register(check_mirror, Tags.database)
    register(check_guards, Tags.database)
