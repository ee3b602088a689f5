from typing import Annotated, Any

import pytest
from django.apps import apps
from django.core import checks as django_checks
from django.core.checks import CheckMessage
from pydantic import BaseModel, Field, SecretStr
from pytest_django.fixtures import Settings

from modules.checks import check_definitions, check_keys, check_mirror, check_registry
from modules.definition import ModuleConfig, ModuleDefinition
from modules.mirror import mirror
from modules.models import Module
from modules.registry import registry
from platforms.models import Platform
from tests.modules.building import definition, enable, registry_of


def found(*definitions: ModuleDefinition) -> list[CheckMessage]:
    return list(check_registry(registry_of(*definitions)))


def said(*definitions: ModuleDefinition) -> list[tuple[str | None, str]]:
    return [(message.id, message.msg) for message in found(*definitions)]


def test_checks__as_installed__find_nothing() -> None:
    assert check_definitions(None) == []


def test_checks__are_registered__with_django() -> None:
    assert django_checks.run_checks(tags=["modules"]) == []


def test_checks__unknown_requirement__e001() -> None:
    [message] = found(definition("a", "gone"))
    assert (message.id, message.level) == ("modules.E001", django_checks.ERROR)
    assert message.msg == "Module a requires gone, which is not installed."
    assert message.hint == "Install the module gone, or take it out of requires in the definition."
    assert message.obj == "a (definition.py)"


def test_checks__unknown_use__is_fine() -> None:
    assert found(definition("a", uses=("gone",))) == []


def test_checks__cycle__e002_names_the_path() -> None:
    assert said(definition("a", "b"), definition("b", "c"), definition("c", "a")) == [
        ("modules.E002", "Modules require each other in a circle: a → b → c → a.")
    ]


@pytest.mark.parametrize("code", ["admin", "api", "modules", "platforms", "revert", "vendor"])
def test_checks__reserved_code__e003(code: str) -> None:
    assert said(definition(code)) == [
        ("modules.E003", f"The module code {code} is reserved: it stands in addresses already.")
    ]


def test_checks__two_modules_of_one_code__e003_names_both() -> None:
    assert said(definition("a", name="One"), definition("a", name="Other", version="2.0")) == [
        ("modules.E003", "Two modules want the code a: “One” 1.0 and “Other” 2.0.")
    ]


def test_checks__core_requires_what_can_go_off__e005() -> None:
    assert said(definition("a", "b", is_core=True), definition("b")) == [
        ("modules.E005", "Module a is core and requires b, which can be switched off.")
    ]
    assert said(definition("a", "b", is_core=True), definition("b", is_core=True)) == []


def test_checks__field_without_default__e006() -> None:
    class Lacking(ModuleConfig):
        limit: int

    assert said(definition("a", config=Lacking)) == [
        ("modules.E006", "The config of module a has no default for limit.")
    ]


class Inner(BaseModel):
    key: SecretStr | None = None
    again: "Inner | None" = None


class Outer(BaseModel):
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("annotation", "path"),
    [
        (tuple[SecretStr, ...], "field"),
        (dict[str, SecretStr], "field"),
        (Inner | None, "field.key"),
        (tuple[Inner, ...], "field.key"),
        (tuple[Inner, ...] | None, "field.key"),
        (dict[str, tuple[Inner, ...]], "field.key"),
        (Annotated[Outer, "note"] | None, "field.inner.key"),
    ],
)
def test_checks__secret_that_could_not_be_kept_apart__e007(annotation: Any, path: str) -> None:
    config = type("Config", (ModuleConfig,), {"__annotations__": {"field": annotation}, "field": None})
    assert said(definition("a", config=config)) == [
        ("modules.E007", f"The config of module a has a secret at {path}, below the top level or in a list.")
    ]


def test_checks__secret_at_the_top__is_fine() -> None:
    class Kept(ModuleConfig):
        key: SecretStr | None = None
        other: SecretStr | None = Field(None, min_length=3)

    assert found(definition("a", config=Kept)) == []


def test_checks__several_faults__are_all_said() -> None:
    assert [
        message.id for message in found(definition("api", "gone"), definition("b", "b2"), definition("b2", "b"))
    ] == [
        "modules.E001",
        "modules.E003",
        "modules.E002",
    ]


@pytest.mark.django_db
def test_check_mirror__row_of_a_module_that_is_gone__w001(platform: Platform, gone_module: Module) -> None:
    [message] = check_mirror(None, databases=["default"])
    assert (message.id, message.level, message.obj) == ("modules.W001", django_checks.WARNING, "gone")
    assert message.msg == "Platforms have rows of the module gone, which is not installed."


@pytest.mark.django_db
def test_check_mirror__installed_modules_only__finds_nothing(platform: Platform) -> None:
    enable(platform, "billing")
    assert check_mirror(None, databases=["default"]) == []


def test_check_mirror__no_database_asked_for__reads_none() -> None:
    assert check_mirror(None) == []


@pytest.mark.parametrize("keys", [[], [""], ["notakey"]])
def test_keys__none_that_encrypts__is_e008(settings: Settings, keys: list[str]) -> None:
    settings.MODULE_CONFIG_KEYS = keys
    assert [found.id for found in check_keys(None)] == ["modules.E008"]


@pytest.mark.django_db
def test_mirror__module_installed_since_migrate__is_w002() -> None:
    with registry.register_temporarily(definition("parcels")):
        assert [(found.id, found.obj) for found in check_mirror(None, databases=["default"])] == [
            ("modules.W002", "parcels")
        ]
        mirror(apps)
        assert check_mirror(None, databases=["default"]) == []
    assert check_keys(None) == []
