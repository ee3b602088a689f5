import pytest

from modules.definition import ModuleConfig
from modules.registry import ModuleRegistry
from modules.registry import registry as the_registry
from tests.modules.building import definition, registry_of


class OwnConfig(ModuleConfig):
    pass


@pytest.fixture
def shop() -> ModuleRegistry:
    """A diamond with a tail, registered dependents first: e → d → (b, c) → a, and f alone."""
    return registry_of(
        definition("f"),
        definition("e", "d"),
        definition("d", "c", "b"),
        definition("c", "a"),
        definition("b", "a"),
        definition("a"),
    )


@pytest.fixture
def chain() -> ModuleRegistry:
    """Five thousand modules, each of which requires the one before it, the last registered first."""
    return registry_of(
        *(definition(f"m{number}", *([f"m{number - 1}"] if number else [])) for number in reversed(range(5000)))
    )


def test_requirements_of__diamond__names_each_once_and_what_is_needed_first(shop: ModuleRegistry) -> None:
    assert shop.requirements_of("e") == ("a", "c", "b", "d")
    assert shop.requirements_of("a") == ()


def test_dependents_of__diamond__names_each_once_and_what_needs_first(shop: ModuleRegistry) -> None:
    assert shop.dependents_of("a") == ("e", "d", "b", "c")
    assert shop.dependents_of("e") == ()


def test_requirements_of__chain_of_five_thousand__is_found(chain: ModuleRegistry) -> None:
    assert chain.requirements_of("m4999") == tuple(f"m{number}" for number in range(4999))
    assert chain.dependents_of("m0") == tuple(f"m{number}" for number in reversed(range(1, 5000)))
    assert [one.code for one in chain] == [f"m{number}" for number in range(5000)]
    assert chain.cycle() == ()


def test_requirements_of__unknown_requirement__is_left_out_and_named() -> None:
    built = registry_of(definition("a", "b"), definition("b", "gone"))
    assert built.requirements_of("a") == ("b",)
    assert built.unknown_requirements_of("a") == (("b", "gone"),)
    assert built.unknown_requirements_of("b") == (("b", "gone"),)


def test_requirements_of__cycle__ends() -> None:
    built = registry_of(definition("a", "b"), definition("b", "c"), definition("c", "a"))
    assert set(built.requirements_of("a")) == {"b", "c"}
    assert set(built.dependents_of("a")) == {"b", "c"}
    assert built.cycle() == ("a", "b", "c", "a")


def test_cycle__beside_its_start__names_the_circle_only() -> None:
    built = registry_of(definition("x", "a"), definition("a", "b"), definition("b", "a"))
    assert built.cycle() == ("a", "b", "a")


def test_in_order__some_codes__keeps_the_registered_order_where_nothing_decides(shop: ModuleRegistry) -> None:
    assert shop.in_order(["e", "f", "b"]) == ["f", "b", "e"]
    assert shop.in_order(["e", "unknown"]) == ["e"]
    assert shop.in_order([]) == []


def test_registry__as_a_container__answers_by_code(shop: ModuleRegistry) -> None:
    assert ("a" in shop, "z" in shop, len(shop)) == (True, False, 6)
    assert shop["a"].code == "a"
    assert shop.get("z") is None
    with pytest.raises(KeyError):
        shop["z"]


def test_register__same_code_twice__keeps_the_first_and_reports_the_second() -> None:
    first, second = definition("a", version="1.0"), definition("a", version="2.0")
    built = registry_of(first, second)
    assert built["a"] is first
    assert built.clashes == ((first, second),)


def test_register__equal_definition_again__is_no_clash() -> None:
    built = registry_of(definition("a"), definition("a"))
    assert (built.clashes, len(built), built.generation) == ((), 1, 1)


def test_register_temporarily__after_the_block__all_is_as_it_was(shop: ModuleRegistry) -> None:
    generation = shop.generation
    with shop.register_temporarily(definition("g", "f"), definition("a", "f")):
        assert shop.requirements_of("g") == ("f",)
        assert len(shop.clashes) == 1
        inside = shop.generation
    assert "g" not in shop
    assert shop.clashes == ()
    assert len({generation, inside, shop.generation}) == 3


def test_register_temporarily__exception_in_the_block__all_is_as_it_was(shop: ModuleRegistry) -> None:
    with pytest.raises(ZeroDivisionError), shop.register_temporarily(definition("g")):
        raise ZeroDivisionError
    assert "g" not in shop


def test_of_config__known_schema__returns_its_module() -> None:
    built = registry_of(definition("a"), definition("b", config=OwnConfig))
    assert built.of_config(OwnConfig).code == "b"


def test_of_config__unknown_schema__raises_lookup_error(shop: ModuleRegistry) -> None:
    with pytest.raises(LookupError, match="OwnConfig is the config of no installed module"):
        shop.of_config(OwnConfig)


def test_the_registry__as_installed__has_the_six_and_what_entry_points_add() -> None:
    six = {"customers", "cms", "analytics", "messaging", "monitoring", "dev_tools"}
    assert {one.code for one in the_registry} >= six | {"billing", "subscriptions"}
    assert {one.code for one in the_registry if one.is_core} == {"monitoring"}
    assert {one.code for one in the_registry if one.is_restricted} == {"dev_tools"}
    assert the_registry.requirements_of("subscriptions") == ("customers", "billing", "messaging")
    assert the_registry.dependents_of("customers") == ("subscriptions", "billing")
    assert the_registry["messaging"].uses == ("customers",)


def test_is_on__requirement_not_installed__is_off_whatever_the_row_says() -> None:
    modules = registry_of(definition("a", "gone"), definition("b", "a"), definition("c"), definition("d", is_core=True))

    assert modules.runnable() == ["c", "d"]
    assert [modules.is_on(code, switched_on=True) for code in ("a", "b", "c", "d", "gone")] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert [modules.is_on(code, switched_on=False) for code in ("c", "d")] == [False, True]


def test_direct_dependents_of__also_of_what_is_not_installed() -> None:
    modules = registry_of(definition("a", "gone"), definition("b", "a"), definition("c", "gone"))

    assert modules.direct_dependents_of("gone") == ("a", "c")
    assert modules.direct_dependents_of("a") == ("b",)
