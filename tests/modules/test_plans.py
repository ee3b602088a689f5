from dataclasses import replace
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from modules.configs import FieldError, InvalidConfig
from modules.definition import ModuleConfig
from modules.plans import Action, Blocker, Obstacle, Plan, RowState, Step, Wish, plan
from modules.registry import ModuleRegistry
from modules.secrets import fingerprint
from tests.modules.building import definition, registry_of

ON, OFF = RowState(is_enabled=True), RowState()


class Address(BaseModel):
    city: str = ""
    street: str = ""


class ShippingConfig(ModuleConfig):
    days: int = Field(3, ge=0, le=30)
    rate: float = 1.0
    answer: bool | int = 0
    carrier: Literal["post", "bike"] = "post"
    address: Address = Address()
    key: SecretStr | None = Field(None, min_length=4)
    other_key: SecretStr | None = None


class NewerConfig(ModuleConfig):
    schema_version = 3
    days: int = 1


REGISTRY = registry_of(
    definition("tracking", "shipping", "messages"),
    definition("shipping", "customers", config=ShippingConfig),
    definition("customers"),
    definition("messages", uses=("customers",)),
    definition("watch", is_core=True, config=ShippingConfig),
    definition("lost", "nowhere"),
    definition("newer", config=NewerConfig),
)


def planned(*wishes: Wish, registry: ModuleRegistry = REGISTRY, cascade: bool = False, **current: RowState) -> Plan:
    return plan(platform="kestrel", registry=registry, current=current, wishes=wishes, cascade=cascade)


def on(code: str, **fields: Any) -> Wish:
    return Wish(module=code, is_enabled=True, **fields)


def off(code: str) -> Wish:
    return Wish(module=code, is_enabled=False)


def said(made: Plan) -> list[tuple[str, str, str]]:
    return [(step.module, str(step.action), step.cause) for step in made.steps]


def test_plan__enable__brings_what_is_needed_in_order() -> None:
    made = planned(on("tracking"))
    assert said(made) == [
        ("customers", "enable", "required by tracking"),
        ("shipping", "enable", "required by tracking"),
        ("messages", "enable", "required by tracking"),
        ("tracking", "enable", "requested"),
    ]
    assert made.blockers == ()
    assert made.outcome == dict.fromkeys(("customers", "shipping", "messages", "tracking"), ON)
    assert made.moves_others_than(["tracking"]) is True
    assert made.moves_others_than(["tracking", "customers", "shipping", "messages"]) is False


def test_plan__enable__leaves_what_is_on_alone() -> None:
    assert said(planned(on("shipping"), customers=ON)) == [("shipping", "enable", "requested")]


def test_plan__enable_what_is_on__is_empty() -> None:
    made = planned(on("shipping"), off("messages"), shipping=ON, customers=ON)
    assert (made.steps, made.blockers, made.outcome, made.new_secrets) == ((), (), {}, {})


def test_plan__enable_what_is_on_without_what_it_needs__repairs() -> None:
    assert said(planned(on("shipping"), shipping=ON)) == [("customers", "enable", "required by shipping")]


def test_plan__optional_use__is_not_brought() -> None:
    assert said(planned(on("messages"))) == [("messages", "enable", "requested")]


def test_plan__disable_what_others_need__is_blocked_and_names_each() -> None:
    made = planned(off("customers"), customers=ON, shipping=ON, messages=ON, tracking=ON)
    assert made.blockers == (
        Blocker(
            module="customers", code=Obstacle.REQUIRED_BY, detail="Tracking is on and needs Customers.", by="tracking"
        ),
        Blocker(
            module="customers", code=Obstacle.REQUIRED_BY, detail="Shipping is on and needs Customers.", by="shipping"
        ),
    )


def test_plan__disable_with_cascade__takes_them_along_first() -> None:
    made = planned(off("customers"), cascade=True, customers=ON, shipping=ON, messages=ON, tracking=ON)
    assert said(made) == [
        ("tracking", "disable", "requires customers"),
        ("shipping", "disable", "requires customers"),
        ("customers", "disable", "requested"),
    ]
    assert made.blockers == ()


def test_plan__disable_all_that_depend__needs_no_cascade() -> None:
    made = planned(off("customers"), off("shipping"), customers=ON, shipping=ON)
    assert said(made) == [("shipping", "disable", "requested"), ("customers", "disable", "requested")]


def test_plan__some_on_and_some_off__switches_off_first() -> None:
    made = planned(on("shipping"), off("messages"), messages=ON)
    assert [step.module for step in made.steps] == ["messages", "customers", "shipping"]


@pytest.mark.parametrize("cascade", [False, True])
def test_plan__wanted_on_and_its_requirement_off__is_blocked(cascade: bool) -> None:
    made = planned(on("shipping"), off("customers"), cascade=cascade)
    detail = "Shipping is wanted on and needs Customers."
    assert made.blockers == (Blocker(module="customers", code=Obstacle.REQUIRED_BY, detail=detail, by="shipping"),)


@pytest.mark.parametrize("cascade", [False, True])
def test_plan__core_off__is_blocked(cascade: bool) -> None:
    made = planned(off("watch"), cascade=cascade)
    detail = "Watch is a core module: it is always on."
    assert (made.steps, made.blockers) == ((), (Blocker(module="watch", code=Obstacle.CORE, detail=detail),))


def test_plan__core_on__is_so_already() -> None:
    made = planned(on("watch"))
    assert (made.steps, made.blockers) == ((), ())


@pytest.mark.parametrize(
    "wish", [on("gone"), off("gone"), Wish(module="gone", config={"a": 1}), Wish(module="gone", resets=True)]
)
def test_plan__not_installed__is_blocked(wish: Wish) -> None:
    made = planned(wish, gone=ON)
    assert made.steps == ()
    assert made.blockers == (Blocker(module="gone", code=Obstacle.NOT_INSTALLED, detail="gone is not installed."),)


def test_plan__wish_of_a_module_that_is_not_installed__is_blocked_once() -> None:
    assert len(planned(on("gone", config={"a": 1})).blockers) == 1


def test_plan__requirement_not_installed__is_blocked() -> None:
    made = planned(on("lost"))
    detail = "Lost needs nowhere, which is not installed."
    assert made.blockers == (Blocker(module="lost", code=Obstacle.MISSING_REQUIREMENT, detail=detail, by="nowhere"),)


def test_plan__chain_of_five_thousand__does_not_overflow() -> None:
    chain = registry_of(
        *(definition(f"m{number}", *([f"m{number - 1}"] if number else [])) for number in reversed(range(5000)))
    )
    made = planned(on("m4999"), registry=chain)
    assert [step.module for step in made.steps] == [f"m{number}" for number in range(5000)]
    undone = planned(off("m0"), registry=chain, cascade=True, **made.outcome)
    assert [step.module for step in undone.steps] == [f"m{number}" for number in reversed(range(5000))]


def test_plan__configure__merges_over_what_is_stored() -> None:
    stored = RowState(config={"days": 5, "address": {"city": "Kiel", "street": "Am Kai"}})
    made = planned(Wish(module="shipping", config={"address": {"city": "Rom"}}), shipping=stored)
    assert said(made) == [("shipping", "configure", "requested")]
    assert made.outcome == {
        "shipping": replace(stored, config={"days": 5, "address": {"city": "Rom", "street": "Am Kai"}})
    }


def test_plan__configure_with_null__goes_back_to_the_default() -> None:
    stored = RowState(config={"days": 5, "address": {"city": "Kiel", "street": "Am Kai"}})
    made = planned(Wish(module="shipping", config={"days": None, "address": {"street": None}}), shipping=stored)
    assert made.outcome["shipping"].config == {"address": {"city": "Kiel"}}


def test_plan__replace__keeps_nothing_of_what_was_stored_but_secrets() -> None:
    stored = RowState(config={"days": 5, "carrier": "bike"}, secrets={"key": "aa"})
    made = planned(Wish(module="shipping", config={"days": 6}, replaces=True), shipping=stored)
    assert made.outcome["shipping"] == RowState(config={"days": 6}, secrets={"key": "aa"})


def test_plan__reset__empties_config_and_removes_secrets() -> None:
    stored = RowState(is_enabled=True, config={"days": 5}, secrets={"key": "aa"})
    made = planned(Wish(module="shipping", resets=True), shipping=stored, customers=ON)
    assert said(made) == [("shipping", "reset", "requested")]
    assert made.outcome["shipping"] == ON
    assert made.new_secrets == {"shipping": {"key": None}}


@pytest.mark.parametrize(
    "wish",
    [
        Wish(module="shipping", config={}),
        Wish(module="shipping", config={"days": 5}),
        Wish(module="shipping", config={"days": 5}, replaces=True),
        Wish(module="shipping", config={"carrier": None}),
        Wish(module="shipping", config={"key": "", "other_key": ""}),
        Wish(module="shipping", config={"other_key": None}),
        Wish(module="customers", resets=True),
    ],
)
def test_plan__config_that_is_so_already__makes_no_step(wish: Wish) -> None:
    made = planned(wish, shipping=RowState(config={"days": 5}))
    assert (made.steps, made.outcome, made.new_secrets) == ((), {}, {})


def test_plan__configure_a_core_module_without_a_row__keeps_it_on() -> None:
    made = planned(Wish(module="watch", config={"days": 4}))
    assert made.outcome == {"watch": RowState(is_enabled=True, config={"days": 4})}


def test_plan__enable_with_config__is_one_plan_of_two_steps() -> None:
    made = planned(on("shipping", config={"days": 4}))
    assert said(made) == [
        ("customers", "enable", "required by shipping"),
        ("shipping", "enable", "requested"),
        ("shipping", "configure", "requested"),
    ]
    assert made.outcome == {"customers": ON, "shipping": RowState(is_enabled=True, config={"days": 4})}


def test_plan__true_over_one__is_a_change() -> None:
    made = planned(Wish(module="shipping", config={"answer": True}), shipping=RowState(config={"answer": 1}))
    assert made.outcome["shipping"].config == {"answer": True}


@pytest.mark.parametrize(("stored", "given"), [(1, 1.0), (10**16, 1e16), (0, -0.0), (10**23, 1e23)])
def test_plan__the_same_number_written_otherwise__makes_no_step(stored: float, given: float) -> None:
    made = planned(Wish(module="shipping", config={"rate": given}), shipping=RowState(config={"rate": stored}))
    assert made.steps == ()


def test_plan__invalid_configs__are_all_said_with_their_module() -> None:
    with pytest.raises(InvalidConfig) as refused:
        planned(
            Wish(module="shipping", config={"days": 31, "weight": 1, "address": {"city": 5}}),
            Wish(module="watch", config={"carrier": "horse"}),
        )
    assert [(error.module, error.path, error.code) for error in refused.value.errors] == [
        ("shipping", ("days",), "less_than_equal"),
        ("shipping", ("address", "city"), "string_type"),
        ("shipping", ("weight",), "unknown_field"),
        ("watch", ("carrier",), "literal_error"),
    ]
    assert refused.value.errors[2] == FieldError(
        ("weight",), "unknown_field", "There is no setting of this name.", "shipping"
    )


@pytest.mark.parametrize("levels", [21, 100_000])
def test_plan__config_too_deep__is_refused_before_the_stack_overflows(levels: int) -> None:
    deep: dict[str, Any] = {}
    for _ in range(levels - 1):
        deep = {"address": deep}
    with pytest.raises(InvalidConfig) as refused:
        planned(Wish(module="shipping", config=deep))
    assert [(error.module, error.path, error.code) for error in refused.value.errors] == [("shipping", (), "too_deep")]


def test_plan__new_secret__is_in_the_outcome_by_fingerprint_only() -> None:
    made = planned(Wish(module="shipping", config={"key": "hunter22"}))
    assert said(made) == [("shipping", "configure", "requested")]
    assert made.outcome["shipping"] == RowState(secrets={"key": fingerprint("hunter22")})
    assert {name: secret.get_secret_value() for name, secret in made.new_secrets["shipping"].items() if secret} == {
        "key": "hunter22"
    }
    assert "hunter22" not in repr(made)


def test_plan__same_secret_again__makes_no_step() -> None:
    stored = RowState(secrets={"key": fingerprint("hunter22")})
    made = planned(Wish(module="shipping", config={"key": "hunter22"}), shipping=stored)
    assert (made.steps, made.new_secrets) == ((), {})


def test_plan__null_secret__removes_that_one() -> None:
    stored = RowState(secrets={"key": "aa", "other_key": "bb"})
    made = planned(Wish(module="shipping", config={"key": None}), shipping=stored)
    assert made.outcome["shipping"].secrets == {"other_key": "bb"}
    assert made.new_secrets == {"shipping": {"key": None}}


def test_plan__secret_that_does_not_validate__is_not_told() -> None:
    with pytest.raises(InvalidConfig) as refused:
        planned(Wish(module="shipping", config={"key": "§§§", "other_key": ["§§§"]}))
    assert [error.path for error in refused.value.errors] == [("key",), ("other_key",)]
    assert "§" not in str(refused.value) + repr(refused.value.errors)


def test_plan__newer_schema__stamps_what_is_configured_and_what_is_new() -> None:
    assert planned(on("newer")).outcome["newer"].config_version == 3
    old = RowState(config={"days": 2}, config_version=2)
    assert planned(Wish(module="newer", config={"days": 5}), newer=old).outcome["newer"].config_version == 3
    assert planned(on("newer"), newer=old).outcome["newer"] == replace(old, is_enabled=True)


def test_plan__digest__is_bound_to_the_platform() -> None:
    digests = {
        plan(platform=code, registry=REGISTRY, current={}, wishes=[on("customers")]).digest for code in ("one", "two")
    }
    assert len(digests) == 2


def test_plan__digest__tells_secrets_and_configs_apart() -> None:
    wishes = [{"days": 4}, {"days": 5}, {"key": "hunter22"}, {"key": "hunter23"}, {"answer": True}, {"answer": 1}]
    assert len({planned(Wish(module="shipping", config=config)).digest for config in wishes}) == len(wishes)


def test_setting__digest__follows_what_it_says() -> None:
    settings = [
        OFF,
        ON,
        RowState(config={"a": 1}),
        RowState(config={"a": True}),
        RowState(config_version=2),
        RowState(secrets={"key": "aa"}),
    ]
    assert len({setting.digest for setting in settings}) == len(settings)
    assert RowState(config={"a": 1, "b": 2}).digest == RowState(config={"b": 2, "a": 1.0}).digest


def test_step__as_json__is_what_changes_keep() -> None:
    step = Step(module="cms", action=Action.ENABLE, cause="requested")
    assert step.as_json() == {"module": "cms", "action": "enable", "cause": "requested"}
    assert type(step.as_json()["action"]) is str


def test_plan__wishes_that_contradict_each_other__has_no_step_at_all() -> None:
    modules = registry_of(definition("m0"), definition("m1"), definition("m3", "m0", "m1"))
    wishes = [Wish(module="m1", is_enabled=False), Wish(module="m3", is_enabled=True)]

    made = plan(platform="kestrel", registry=modules, current={"m1": ON}, wishes=wishes, cascade=True)

    assert made.steps == ()
    assert dict(made.outcome) == {}
    assert [(blocker.module, blocker.code, blocker.by) for blocker in made.blockers] == [
        ("m1", Obstacle.REQUIRED_BY, "m3")
    ]
