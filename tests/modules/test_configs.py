import json
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from modules import configs
from modules.configs import InvalidConfig
from modules.definition import ModuleConfig


class Address(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    city: str = ""
    country: str = "DE"


class ShippingConfig(ModuleConfig):
    """How parcels travel."""

    days: int = Field(3, ge=0, le=30, title="Days", description="How long it takes.")
    label: str = ""
    zones: tuple[str, ...] = ("north",)
    rates: dict[str, float] = {}
    address: Address = Address(city="Kiel")
    depot: Address | None = None
    anything: Any = None
    key: SecretStr | None = None


def refusal(values: dict[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    with pytest.raises(InvalidConfig) as refused:
        configs.validate(ShippingConfig, values)
    return [(error.path, error.code) for error in refused.value.errors]


def nested(levels: int, innermost: Any = 1) -> Any:
    value = innermost
    for _ in range(levels):
        value = [value]
    return value


def test_validate__good_values__returns_only_what_was_set() -> None:
    valid = configs.validate(ShippingConfig, {"days": 3, "label": "  Fähre ", "address": {"city": "Rom"}})
    assert valid.config == {"days": 3, "label": "Fähre", "address": {"city": "Rom"}}
    assert valid.secrets == {}


def test_validate__secret__is_kept_apart() -> None:
    valid = configs.validate(ShippingConfig, {"days": 4, "key": "hunter22"})
    assert valid.config == {"days": 4}
    assert valid.secrets["key"].get_secret_value() == "hunter22"
    assert "hunter22" not in repr(valid)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"days": 31}, [(("days",), "less_than_equal")]),
        ({"days": "3"}, [(("days",), "int_type")]),
        ({"days": 3.5}, [(("days",), "int_type")]),
        ({"days": True}, [(("days",), "int_type")]),
        ({"weight": 1}, [(("weight",), "unknown_field")]),
        (
            {"address": {"zip": 1, "city": 2}},
            [(("address", "city"), "string_type"), (("address", "zip"), "unknown_field")],
        ),
        ({"zones": ["a", 1]}, [(("zones", "1"), "string_type")]),
        ({"zones": "north"}, [(("zones",), "tuple_type")]),
        ({"rates": {"a": "x"}}, [(("rates", "a"), "float_type")]),
        ({"rates": {"a": float("nan")}}, [((), "not_json")]),
        ({"rates": {"a": float("inf")}}, [((), "not_json")]),
        ({"label": "\ud800"}, [((), "not_json")]),
        ({"anything": object()}, [((), "not_json")]),
        ({"anything": 10**5000}, [((), "not_json")]),
        ({"label": "a\x00b"}, [((), "null_character")]),
        ({"rates": {"\x00": 1.0}}, [((), "null_character")]),
        ({"label": "a\\\x00"}, [((), "null_character")]),
        ({"label": "x" * 64 * 1024}, [((), "too_large")]),
        ({"anything": nested(20)}, [((), "too_deep")]),
        ({"anything": nested(19, innermost={})}, [((), "too_deep")]),
        ({"anything": (nested(19),)}, [((), "too_deep")]),
        ({"anything": nested(100_000)}, [((), "too_deep")]),
    ],
)
def test_validate__bad_values__names_every_field(values: dict[str, Any], expected: list[Any]) -> None:
    assert refusal(values) == expected


def test_validate__values_at_the_limits__are_accepted() -> None:
    assert configs.validate(ShippingConfig, {"anything": nested(19)}).config == {"anything": nested(19)}
    label = "x" * (64 * 1024 - len('{"label": ""}'))
    assert configs.validate(ShippingConfig, {"label": label}).config == {"label": label}


def test_validate__a_typed_escape__is_no_null_character() -> None:
    typed = "C:" + "\\" + "u0000"
    assert configs.validate(ShippingConfig, {"label": typed}).config == {"label": typed}


def test_validate__what_it_returned__is_returned_again() -> None:
    once = configs.validate(ShippingConfig, {"rates": {"ä": 1e16}, "zones": ["b", "a"], "depot": {"city": "X"}}).config
    assert configs.validate(ShippingConfig, once).config == once
    assert json.loads(json.dumps(once)) == once


def test_invalid_config__text__names_module_and_path_and_no_value() -> None:
    with pytest.raises(InvalidConfig) as refused:
        configs.validate(ShippingConfig, {"address": {"city": 5}, "days": 99})
    assert str(refused.value) == (
        "config.days: Input should be less than or equal to 30.; config.address.city: Input should be a valid string."
    )


@pytest.mark.parametrize(
    ("stored", "patch", "expected"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": None}, {}),
        ({}, {"a": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": 1}, {"a": {"b": 1, "c": None}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": [1]}, {"a": [1]}),
        ({"a": [1, 2]}, {"a": [3, None]}, {"a": [3, None]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_merge__rfc_7396__gives_its_examples(stored: Any, patch: Any, expected: Any) -> None:
    before = json.dumps(stored)
    assert configs.merge(stored, patch) == expected
    assert json.dumps(stored) == before


def test_defaults__each_time__are_a_copy_of_their_own() -> None:
    first = configs.defaults(ShippingConfig)
    first["address"]["city"] = "changed"
    first["zones"].append("changed")
    assert configs.defaults(ShippingConfig) == {
        "days": 3,
        "label": "",
        "zones": ["north"],
        "rates": {},
        "address": {"city": "Kiel", "country": "DE"},
        "depot": None,
        "anything": None,
    }


@pytest.mark.parametrize(
    "stored", [{}, {"days": 9}, {"depot": {"city": "Rom"}}, {"address": {"country": "IT"}}, {"rates": {"a": 1.0}}]
)
def test_effective__stored_values__is_what_code_reads(stored: dict[str, Any]) -> None:
    shown = configs.effective(ShippingConfig, stored)
    assert "key" not in shown
    assert shown == json.loads(configs.load(ShippingConfig, stored).model_dump_json(exclude={"key"}))


def test_effective__nested_value__takes_the_nested_models_own_defaults() -> None:
    assert configs.effective(ShippingConfig, {"depot": {"city": "Rom"}})["depot"] == {"city": "Rom", "country": "DE"}
    assert configs.effective(ShippingConfig, {"address": {"country": "IT"}})["address"] == {"city": "", "country": "IT"}


def test_effective__values_that_no_longer_fit__are_shown_as_they_are() -> None:
    shown = configs.effective(ShippingConfig, {"days": "many", "gone": 1, "address": {"country": "IT"}})
    assert (shown["days"], shown["gone"], shown["zones"]) == ("many", 1, ["north"])
    assert shown["address"] == {"city": "Kiel", "country": "IT"}


def test_load__stored_values_and_secrets__is_the_typed_object() -> None:
    loaded = configs.load(ShippingConfig, {"days": 9, "zones": ["a"]}, {"key": "hunter22"})
    assert isinstance(loaded, ShippingConfig)
    assert (loaded.days, loaded.zones, loaded.key) == (9, ("a",), SecretStr("hunter22"))


def test_load__values_that_no_longer_fit__raises_without_the_values() -> None:
    with pytest.raises(InvalidConfig) as refused:
        configs.load(ShippingConfig, {"days": "§§§"}, {"gone_key": "§§§"})
    assert [error.path for error in refused.value.errors] == [("days",), ("gone_key",)]
    assert "§" not in str(refused.value)


def test_secret_fields__schema__names_the_optional_and_the_plain() -> None:
    class Two(ModuleConfig):
        one: SecretStr | None = None
        two: SecretStr = SecretStr("")
        three: str = ""

    assert configs.secret_fields(Two) == {"one", "two"}
    assert configs.misplaced_secrets(Two) == ()


def test_json_schema__each_time__is_a_copy_that_hides_secrets() -> None:
    schema = configs.json_schema(ShippingConfig)
    assert schema["properties"]["key"]["anyOf"][0] == {"format": "password", "type": "string", "writeOnly": True}
    schema["properties"].clear()
    assert "days" in configs.json_schema(ShippingConfig)["properties"]
    assert configs.json_schema(ShippingConfig)["properties"]["days"] == {
        "default": 3,
        "description": "How long it takes.",
        "maximum": 30,
        "minimum": 0,
        "title": "Days",
        "type": "integer",
    }


def test_validate__list_with_a_wrong_entry__is_not_called_too_short_as_well() -> None:
    class Priced(ModuleConfig):
        currencies: tuple[Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")], ...] = Field(("EUR",), min_length=1)
        key: SecretStr | None = Field(None, min_length=8)

    def said(values: dict[str, Any]) -> list[tuple[tuple[str, ...], str, str]]:
        with pytest.raises(InvalidConfig) as refused:
            configs.validate(Priced, values)
        return [(error.path, error.code, error.detail) for error in refused.value.errors]

    assert said({"currencies": ["eur"]}) == [
        (("currencies", "0"), "string_pattern_mismatch", "This is not of the form that is asked for.")
    ]
    assert said({"currencies": []}) == [(("currencies",), "too_short", "At least 1 entry.")]
    assert said({"key": "short"}) == [(("key",), "too_short", "At least 8 characters.")]
