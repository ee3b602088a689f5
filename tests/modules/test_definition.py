import dataclasses
from typing import Any

import pytest

from modules.definition import DefinitionError, Feature, MenuItem, ModuleConfig, ModuleDefinition, Permission


class SwitchConfig(ModuleConfig):
    export: bool = False
    limit: int = 1


def declare(**fields: Any) -> ModuleDefinition:
    said = {"code": "shipping", "name": "Shipping", "description": "", "version": "1.0", "config": SwitchConfig}
    return ModuleDefinition(**said | fields)


@pytest.mark.parametrize("code", ["a", "billing", "dev_tools", "b2b", "a" * 50])
def test_definition__valid_code__is_accepted(code: str) -> None:
    assert declare(code=code).code == code


@pytest.mark.parametrize("code", ["", "Billing", "2b", "_a", "bill-ing", "bill ing", "a" * 51, "billing\n", "bílling"])
def test_definition__invalid_code__is_refused(code: str) -> None:
    with pytest.raises(DefinitionError, match="use lower-case letters, digits, underscores, a letter first"):
        declare(code=code)


@pytest.mark.parametrize("version", ["1", "1.2", "1.2.3", "10.20.30"])
def test_definition__valid_version__is_accepted(version: str) -> None:
    assert declare(version=version).version == version


@pytest.mark.parametrize("version", ["", "v1", "1.", "1.2.3.4", "1.2-beta", "1\n"])
def test_definition__invalid_version__is_refused(version: str) -> None:
    with pytest.raises(DefinitionError, match="is not of the form"):
        declare(version=version)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": " "}, "Module shipping has no name."),
        ({"requires": "customers"}, "Module shipping: requires is a tuple of codes, not a str."),
        ({"requires": ["customers"]}, "Module shipping: requires is a tuple of codes, not a list."),
        ({"uses": "cms"}, "Module shipping: uses is a tuple of codes, not a str."),
        ({"requires": ("shipping",)}, "Module shipping requires itself."),
        ({"uses": ("shipping",)}, "Module shipping uses itself."),
        ({"requires": ("cms", "cms")}, "Module shipping names a module twice in requires."),
        ({"requires": ("cms", "b"), "uses": ("a", "cms")}, "Module shipping both requires and uses cms."),
        ({"config": dict}, "Module shipping: config is not a subclass of ModuleConfig."),
        ({"config": SwitchConfig()}, "Module shipping: config is not a subclass of ModuleConfig."),
        (
            {"features": (Feature(code="export", name="Export", switch="exports"),)},
            "Module shipping: feature export is switched by exports, not in its config.",
        ),
        (
            {"features": (Feature(code="export", name="Export", switch="limit"),)},
            "Module shipping: feature export is switched by limit, which is not a bool.",
        ),
        (
            {"features": (Feature(code="export", name="Export", requires="cms"),)},  # type: ignore[arg-type]
            "Module shipping: what feature export requires is a tuple of codes.",
        ),
        (
            {"features": (Feature(code="export", name="Export"), Feature(code="export", name="Again"))},
            "Module shipping declares a feature twice.",
        ),
        (
            {"permissions": (Permission(code="export", name="Export"), Permission(code="export", name="Again"))},
            "Module shipping declares a permission twice.",
        ),
        (
            {"menu": (MenuItem(key="cms.labels", label="Labels"),)},
            "Module shipping: menu item 'cms.labels' does not start with 'shipping' and a dot.",
        ),
        (
            {"menu": (MenuItem(key="shipping.labels", label="Labels", permission="export"),)},
            "Module shipping: menu item 'shipping.labels' needs the permission export, which the module does not "
            "declare.",
        ),
        (
            {"menu": (MenuItem(key="shipping.labels", label="Labels", feature="export"),)},
            "Module shipping: menu item 'shipping.labels' belongs to the feature export, which the module does not "
            "declare.",
        ),
        (
            {"menu": (MenuItem(key="shipping.labels", label="Labels", audiences=()),)},
            "Module shipping: menu item 'shipping.labels' is for nobody: name staff, vendor, or both.",
        ),
        (
            {"permissions": (Permission(code="manage", name="Manage"),)},
            "Module shipping: every module has the permission manage.",
        ),
    ],
)
def test_definition__contradiction__is_refused_in_words(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        declare(**fields)
    assert str(refused.value) == message


def test_definition__everything_declared__is_kept() -> None:
    feature = Feature(code="export", name="Export", switch="export", requires=("cms",))
    item = MenuItem(key="shipping.labels", label="Labels", permission="export")
    export = Permission(code="export", name="Export", needs="view")
    made = declare(
        requires=("customers",),
        uses=("cms",),
        features=(feature,),
        permissions=(export,),
        menu=(item,),
        is_restricted=True,
    )
    assert made.permission("export") is export
    assert made.permission("manage").needs == "manage"
    with pytest.raises(LookupError, match="declares no permission erase"):
        made.permission("erase")
    assert (made.requires, made.uses, made.features, made.menu) == (("customers",), ("cms",), (feature,), (item,))
    assert (made.is_core, made.is_restricted) == (False, True)


def test_definition__once_made__cannot_be_changed() -> None:
    made = declare()
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "Other"  # type: ignore[misc]
    assert made.name == "Shipping"
    assert hash(made) == hash(declare())


def test_module_config__base__refuses_unknown_keys_and_wrong_types_and_change() -> None:
    config = SwitchConfig.model_validate_json('{"limit": 2}')
    with pytest.raises(ValueError, match="Instance is frozen"):
        config.limit = 3  # type: ignore[misc]
    for wrong in ('{"limits": 2}', '{"limit": "2"}', '{"export": 1}'):
        with pytest.raises(ValueError, match="1 validation error"):
            SwitchConfig.model_validate_json(wrong)
