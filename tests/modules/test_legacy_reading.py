from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.definition import ModuleConfig
from modules.legacy import Finding, Standing, read
from modules.plans import RowState, Wish, plan
from modules.registry import registry
from tests.modules.building import definition, registry_of
from tests.modules.legacy_accounts import assert_nothing_is_lost


def found(reading: Any) -> list[tuple[str, str, bool]]:
    return [(str(finding.kind), finding.path, finding.taken) for finding in reading.findings]


def on(*codes: str) -> tuple[Wish, ...]:
    return tuple(Wish(module=code, is_enabled=True) for code in codes)


def test_read__list_of_known_codes__takes_all_and_leaves_the_rest_in_order() -> None:
    reading = read({"a": 1, "enabled_modules": ["cms", "monitoring", "customers"], "theme": {"x": []}}, registry)
    assert reading.wishes == on("cms", "customers")
    assert reading.remaining == {"a": 1, "theme": {"x": []}}
    assert list(reading.remaining) == ["a", "theme"]
    assert reading.findings == ()


@pytest.mark.parametrize("old", [None, {}, {"theme": 1}])
def test_read__nothing_said_of_modules__has_nothing_to_do(old: Any) -> None:
    reading = read(old, registry)
    assert (reading.wishes, reading.remaining, reading.findings) == ((), old, ())


@pytest.mark.parametrize("empty", [[], {}])
def test_read__empty_list_or_map__is_understood_and_gone(empty: Any) -> None:
    reading = read({"enabled_modules": empty, "module_config": {}}, registry)
    assert (reading.wishes, reading.remaining) == ((), {})


def test_read__comma_separated_text__takes_codes_and_leaves_a_text() -> None:
    reading = read({"enabled_modules": "cms, Customers,inventory,"}, registry)
    assert reading.wishes == on("cms", "customers")
    assert reading.remaining == {"enabled_modules": "inventory,"}
    assert found(reading) == [
        ("unknown_module", "enabled_modules.2", False),
        ("blank", "enabled_modules.3", False),
        ("normalised", "enabled_modules.1", True),
        ("wrong_type", "enabled_modules", True),
    ]


def test_read__map__takes_true_and_false_and_leaves_a_map() -> None:
    given_map = {"cms": True, "analytics": False, "monitoring": False, "inventory": True, "messaging": "yes"}
    reading = read({"enabled_modules": given_map}, registry)
    assert reading.wishes == on("cms")
    assert reading.remaining == {"enabled_modules": {"monitoring": False, "inventory": True, "messaging": "yes"}}
    assert found(reading) == [
        ("core", "enabled_modules.monitoring", False),
        ("unknown_module", "enabled_modules.inventory", False),
        ("wrong_type", "enabled_modules.messaging", False),
        ("wrong_type", "enabled_modules", True),
    ]


def test_read__upper_case_and_duplicates__are_taken_once_and_named() -> None:
    reading = read({"enabled_modules": [" CMS ", "cms", "customers", "Cms"]}, registry)
    assert reading.wishes == on("cms", "customers")
    assert reading.remaining == {}
    assert found(reading) == [
        ("normalised", "enabled_modules.0", True),
        ("duplicate", "enabled_modules.1", True),
        ("normalised", "enabled_modules.3", True),
        ("duplicate", "enabled_modules.3", True),
    ]


def test_read__code_close_to_a_restricted_module__is_not_guessed_at() -> None:
    reading = read({"enabled_modules": ["dev-tools"]}, registry)
    assert reading.wishes == ()
    assert reading.remaining == {"enabled_modules": ["dev-tools"]}
    assert reading.findings == (
        Finding(
            kind="unknown_module",
            path="enabled_modules.0",
            value="dev-tools",
            reason="No installed module has this code. Was dev_tools meant?",
        ),
    )


@pytest.mark.parametrize("value", [None, 7, 1.5, True, "", "  "])
@pytest.mark.parametrize("key", ["enabled_modules", "module_config"])
def test_read__value_of_a_wrong_type__stays_as_it_is_and_is_named(key: str, value: Any) -> None:
    reading = read({key: value}, registry)
    assert (reading.wishes, reading.remaining) == ((), {key: value})
    kind = "blank" if isinstance(value, str) and key == "enabled_modules" else "wrong_type"
    assert found(reading) == [(kind, key, False)]


@pytest.mark.parametrize("old", [["enabled_modules"], "enabled_modules", 5, False])
def test_read__settings_that_are_no_object__stay_as_they_are_and_are_named(old: Any) -> None:
    reading = read(old, registry)
    assert (reading.wishes, reading.remaining) == ((), old)
    assert found(reading) == [("wrong_type", "settings", False)]


def test_read__items_of_wrong_types__stay_in_their_order() -> None:
    reading = read({"enabled_modules": [None, "cms", 7, "", ["customers"], {"x": 1}, True]}, registry)
    assert reading.wishes == on("cms")
    assert reading.remaining == {"enabled_modules": [None, 7, "", ["customers"], {"x": 1}, True]}
    assert [kind for kind, _, _ in found(reading)] == ["wrong_type", "wrong_type", "blank"] + ["wrong_type"] * 3


def test_read__map_that_contradicts_itself__leaves_both_entries() -> None:
    reading = read({"enabled_modules": {"cms": True, "CMS": False, "customers": True}}, registry)
    assert reading.wishes == on("customers")
    assert reading.remaining == {"enabled_modules": {"cms": True, "CMS": False}}
    assert found(reading)[:2] == [
        ("conflict", "enabled_modules.cms", False),
        ("conflict", "enabled_modules.CMS", False),
    ]


def test_read__off_for_what_another_entry_needs__leaves_the_off() -> None:
    reading = read({"enabled_modules": {"billing": True, "customers": False}}, registry)
    assert reading.wishes == on("billing")
    assert reading.remaining == {"enabled_modules": {"customers": False}}
    assert reading.findings[0].reason == "billing is on and needs customers."


def test_read__module_that_somebody_switched_off_since__stays_off() -> None:
    standing = Standing(settings={"customers": RowState()}, switched_off=frozenset({"customers"}))
    reading = read({"enabled_modules": ["customers", "billing", "cms"]}, registry, standing)
    assert reading.wishes == on("cms")
    assert reading.remaining == {"enabled_modules": ["customers", "billing"]}
    assert found(reading) == [("conflict", "enabled_modules.0", False), ("conflict", "enabled_modules.1", False)]


def test_read__module_that_somebody_switched_on_since__stays_on() -> None:
    standing = Standing(settings={"cms": RowState(is_enabled=True)})
    reading = read({"enabled_modules": {"cms": False}}, registry, standing)
    assert (reading.wishes, reading.remaining) == ((), {"enabled_modules": {"cms": False}})
    assert found(reading) == [("conflict", "enabled_modules.cms", False)]


def test_read__requirement_that_is_not_installed__leaves_the_code() -> None:
    reading = read({"enabled_modules": ["a", "b"]}, registry_of(definition("a", "missing"), definition("b")))
    assert reading.wishes == on("b")
    assert reading.remaining == {"enabled_modules": ["a"]}
    assert found(reading) == [("missing_requirement", "enabled_modules.0", False)]


def test_read__config__is_taken_whole_or_stays_whole() -> None:
    reading = read(
        {
            "module_config": {
                "Customers": {"privacy_due_days": 45},
                "messaging": {"from_name": "A", "no_such_key": 1, "max_attempts": "x"},
                "cms": [],
                "inventory": {"api_key": "secret"},
            }
        },
        registry,
    )
    assert reading.wishes == (Wish(module="customers", config={"privacy_due_days": 45}),)
    assert reading.remaining == {
        "module_config": {
            "messaging": {"from_name": "A", "no_such_key": 1, "max_attempts": "x"},
            "cms": [],
            "inventory": {"api_key": "secret"},
        }
    }
    assert [(str(f.kind), f.path, f.value, f.taken) for f in reading.findings] == [
        ("normalised", "module_config.Customers", "an object with 1 key", True),
        ("invalid_config", "module_config.messaging.max_attempts", "x", False),
        ("invalid_config", "module_config.messaging.no_such_key", "withheld: a number", False),
        ("wrong_type", "module_config.cms", "a list of 0 items", False),
        ("unknown_module", "module_config.inventory", "an object with 1 key", False),
    ]


def test_read__secret_that_does_not_validate__is_not_shown() -> None:
    reading = read({"module_config": {"billing": {"api_key": "short"}}}, registry)
    assert reading.remaining == {"module_config": {"billing": {"api_key": "short"}}}
    [finding] = reading.findings
    assert (finding.path, finding.value) == ("module_config.billing.api_key", "withheld: a secret")
    assert "short" not in finding.reason


PLANTED = "sk_live_123"


@pytest.mark.parametrize(
    ("old", "path", "shown"),
    [
        (PLANTED, "settings", "a text of 11 characters"),
        ({"module_config": PLANTED}, "module_config", "a text of 11 characters"),
        ({"module_config": [PLANTED]}, "module_config", "a list of 1 item"),
        ({"module_config": {"billing": PLANTED}}, "module_config.billing", "a text of 11 characters"),
        ({"module_config": {"billing": 12345678}}, "module_config.billing", "a number"),
        ({"module_config": {"inventory": PLANTED}}, "module_config.inventory", "a text of 11 characters"),
        ({"module_config": {"": PLANTED}}, "module_config.", "a text of 11 characters"),
        (
            {"module_config": {"billing": {"apikey": PLANTED}}},
            "module_config.billing.apikey",
            "withheld: a text of 11 characters",
        ),
        (
            {"module_config": {"billing": {"address": {"api_key": PLANTED}}}},
            "module_config.billing.address.api_key",
            "withheld: a text of 11 characters",
        ),
        (
            {"module_config": {"billing": {"address": PLANTED}}},
            "module_config.billing.address",
            "withheld: a text of 11 characters",
        ),
        (
            {"module_config": {"billing": {"allowed_currencies": PLANTED}}},
            "module_config.billing.allowed_currencies",
            "withheld: a text of 11 characters",
        ),
        (
            {"module_config": {"billing": {"default_trial_days": {"key": PLANTED}}}},
            "module_config.billing.default_trial_days",
            "withheld: an object with 1 key",
        ),
        ({"module_config": {"billing": {"api_key": [PLANTED]}}}, "module_config.billing.api_key", "withheld: a secret"),
        (
            {"module_config": {"customers": {"privacy_due_days": PLANTED * 4}}},
            "module_config.customers.privacy_due_days",
            "a text of 44 characters",
        ),
        ({"enabled_modules": {"cms": PLANTED}}, "enabled_modules.cms", "a text of 11 characters"),
    ],
)
def test_read__secret_in_a_wrong_place__is_not_shown(old: Any, path: str, shown: str) -> None:
    reading = read(old, registry)
    assert [(finding.path, finding.value) for finding in reading.findings] == [(path, shown)]
    assert PLANTED not in str(reading.findings)


@pytest.mark.parametrize(
    ("config", "path", "shown"),
    [
        ({"customers": {"privacy_due_days": "soon"}}, "customers.privacy_due_days", "soon"),
        ({"customers": {"privacy_due_days": 0}}, "customers.privacy_due_days", 0),
        (
            {"customers": {"privacy_due_days": None}, "CUSTOMERS": {"double_opt_in": "x"}},
            "customers",
            "an object with 1 key",
        ),
        ({"billing": {"stripe_mode": "production"}}, "billing.stripe_mode", "production"),
        ({"billing": {"address": {"city": 7}}}, "billing.address.city", 7),
        ({"billing": {"allowed_currencies": ["EUR", "euros"]}}, "billing.allowed_currencies.1", "euros"),
    ],
)
def test_read__wrong_value_at_an_open_place__is_shown(config: Any, path: str, shown: Any) -> None:
    finding = read({"module_config": config}, registry).findings[0]
    assert (finding.path, finding.value) == (f"module_config.{path}", shown)


def test_read__secret_that_somebody_set_since__is_not_shown() -> None:
    standing = Standing(settings={"billing": RowState(config={"stripe_mode": "live"}, secrets={"api_key": "0123"})})
    old = {"module_config": {"billing": {"api_key": "sk_live_123", "stripe_mode": "test"}}}
    assert [(f.path, f.value) for f in read(old, registry, standing).findings] == [
        ("module_config.billing.stripe_mode", "test"),
        ("module_config.billing.api_key", "withheld: a secret"),
    ]


@pytest.mark.parametrize(
    ("switches", "shown"),
    [
        ({"customers": True, "analytics": False, "cms": True}, "customers, cms on; analytics off"),
        ({"customers": True, "cms": "yes"}, "customers on; cms neither"),
        ({}, "an object with 0 keys"),
        ({"customers": True} | {f"analytics{' ' * n}": False for n in range(9)}, None),
    ],
)
def test_read__map_of_modules__is_shown_as_what_is_on_and_off(switches: dict[str, Any], shown: str | None) -> None:
    finding = read({"enabled_modules": switches}, registry).findings[-1]
    assert (finding.kind, finding.path, finding.taken) == ("wrong_type", "enabled_modules", True)
    if shown is None:
        assert len(finding.value) == 81
        assert finding.value.endswith("…")
    else:
        assert finding.value == shown


def test_read__config_that_somebody_set_since__stays() -> None:
    standing = Standing(
        settings={
            "customers": RowState(config={"privacy_due_days": 10}),
            "billing": RowState(secrets={"api_key": "0123456789abcdef"}),
        }
    )
    old = {
        "module_config": {
            "customers": {"privacy_due_days": 45, "erase_grace_days": 3},
            "billing": {"api_key": None},
            "cms": {"keep_revisions": 9},
        }
    }
    reading = read(old, registry, standing)
    assert reading.wishes == (Wish(module="cms", config={"keep_revisions": 9}),)
    assert reading.remaining == {
        "module_config": {name: old["module_config"][name] for name in ("customers", "billing")}
    }
    assert found(reading) == [
        ("conflict", "module_config.customers.privacy_due_days", False),
        ("conflict", "module_config.billing.api_key", False),
    ]


def test_read__null_that_says_something_else_than_the_default__stays() -> None:
    class Config(ModuleConfig):
        limit: int | None = 5

    modules = registry_of(definition("a", config=Config))
    reading = read({"module_config": {"a": {"limit": None}}}, modules)
    assert (reading.wishes, reading.remaining) == ((), {"module_config": {"a": {"limit": None}}})
    assert found(reading) == [("invalid_config", "module_config.a", False)]


def test_read__several_configs_of_one_module__are_taken_where_they_agree() -> None:
    agreed, other = {"privacy_due_days": 45}, {"privacy_due_days": 46}
    reading = read({"module_config": {"customers": agreed, "CUSTOMERS": agreed}}, registry)
    assert reading.wishes == (Wish(module="customers", config=agreed),)
    assert found(reading) == [("duplicate", "module_config.CUSTOMERS", True)]
    old = {"module_config": {"customers": agreed, "CUSTOMERS": other}}
    reading = read(old, registry)
    assert (reading.wishes, reading.remaining) == ((), old)


def test_read__long_values__are_shortened_in_the_finding_only() -> None:
    reading = read({"enabled_modules": ["x" * 500]}, registry)
    assert reading.findings[0].value == "x" * 80 + "…"
    assert reading.remaining == {"enabled_modules": ["x" * 500]}


CODES = [definition.code for definition in registry]
# Few enough that what is to meet, meets: the same code twice, what needs another and that other.
FEW = ["customers", "billing", "messaging", "monitoring"]
NAMES = st.sampled_from([*FEW, *FEW, "Customers", " BILLING ", "inventory", "dev-tools", "", " "]) | st.sampled_from(
    CODES
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
LISTS = st.lists(NAMES, max_size=6) | st.lists(NAMES | SCALARS, max_size=6)
TEXTS = st.lists(NAMES, min_size=1, max_size=6).map(",".join)
MAPS = st.dictionaries(NAMES, st.booleans(), min_size=2, max_size=8) | st.dictionaries(NAMES, SCALARS, max_size=6)
CONFIGS: dict[str, Any] = {
    "customers": {"privacy_due_days": st.sampled_from([1, 45, 0, "soon", None]), "double_opt_in": st.booleans()},
    "messaging": {
        "from_name": st.sampled_from(["A", "B"]),
        "from_email": st.sampled_from(["a@kestrel.example", "nobody", None]),
        "smtp_password": st.sampled_from(["", "hush", "other", None]),
    },
    "billing": {
        "api_key": st.sampled_from(["long-enough", "short", None]),
        "address": st.fixed_dictionaries({}, optional={"city": st.sampled_from(["Bath", None, 7])}),
    },
}


def config_of(name: str) -> st.SearchStrategy[Any]:
    fields = CONFIGS.get(name.strip().lower())
    if fields is None:
        return JSON
    return st.fixed_dictionaries({}, optional=fields | {"no_such_key": SCALARS}) | JSON


CONFIG_NAMES = st.lists(
    st.sampled_from(["customers", "Customers", "messaging", "billing", "Billing", "inventory", ""]), unique=True
)
MODULE_CONFIG = CONFIG_NAMES.flatmap(lambda names: st.fixed_dictionaries({name: config_of(name) for name in names}))
SHAPES: dict[str, st.SearchStrategy[Any]] = {
    "list": st.fixed_dictionaries({"a": SCALARS, "enabled_modules": LISTS, "theme": JSON}),
    "text": st.fixed_dictionaries({"enabled_modules": TEXTS, "theme": JSON}),
    "map": st.fixed_dictionaries({"enabled_modules": MAPS, "theme": JSON}),
    "configs": st.fixed_dictionaries({"module_config": MODULE_CONFIG}),
    "both": st.fixed_dictionaries({"enabled_modules": LISTS | TEXTS | MAPS, "b": JSON, "module_config": MODULE_CONFIG}),
    "anything": st.fixed_dictionaries({"enabled_modules": JSON, "module_config": JSON}) | JSON,
}


def after(standing: Standing, wishes: tuple[Wish, ...]) -> dict[str, RowState]:
    made = plan(platform="p", registry=registry, current=standing.settings, wishes=wishes)
    assert made.blockers == ()
    return {**standing.settings, **made.outcome}


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    on_since=st.lists(st.sampled_from(FEW), max_size=1),
    off_since=st.lists(st.sampled_from(FEW), max_size=1),
    configured=st.booleans(),
)
def test_read__any_settings_on_any_platform__lose_nothing_and_are_read_once(
    shape: str, data: st.DataObject, on_since: list[str], off_since: list[str], configured: bool
) -> None:
    old = data.draw(SHAPES[shape])
    config = (Wish(module="messaging", config={"smtp_password": "kept", "from_name": "B"}),) if configured else ()
    wishes = tuple({wish.module: wish for wish in (*config, *on(*on_since))}.values())
    current = after(Standing(), wishes)
    switched_off = frozenset(code for code in off_since if code not in current or not current[code].is_enabled)
    switched_off -= {definition.code for definition in registry if definition.is_core}
    standing = Standing(settings={code: RowState() for code in switched_off} | current, switched_off=switched_off)
    reading = read(old, registry, standing)
    outcome = after(standing, reading.wishes)
    assert_nothing_is_lost(old, reading.remaining, outcome, reading.findings, registry)
    for code in switched_off:
        assert not outcome[code].is_enabled
    for code, setting in standing.settings.items():
        assert setting.config.items() <= outcome[code].config.items()
        assert setting.secrets.items() <= outcome[code].secrets.items()
    again = read(reading.remaining, registry, Standing(settings=outcome, switched_off=switched_off))
    assert after(Standing(settings=outcome), again.wishes) == outcome
    assert again.remaining == reading.remaining
