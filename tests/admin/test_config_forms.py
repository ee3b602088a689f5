"""A form made from a schema, and what a filled-in form means."""

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from django import forms
from django.http import QueryDict
from pydantic import BaseModel, EmailStr, Field, HttpUrl, SecretStr, TypeAdapter

from modules import configs
from modules.config_fields import ChoicesField, JsonField, LinesField
from modules.config_forms import ConfigForm, groups_of, patch_of
from modules.configs import FieldError, InvalidConfig
from modules.definition import ModuleConfig
from modules.registry import registry


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    city: str = Field("", title="City")
    floor: int | None = None


class Everything(ModuleConfig):
    """One field of every kind."""

    whole: int = Field(14, ge=0, le=365, title="Days", description="How long.")
    open_range: int | None = Field(None, gt=3, lt=9)
    part: float = Field(0.5, ge=0)
    exact: Decimal = Decimal("1.50")
    flag: bool = True
    maybe: bool | None = None
    line: str = Field("", max_length=50)
    long: str = Field("", max_length=2000)
    mode: Literal["test", "live"] = "test"
    level: Literal[1, 2] | None = None
    colour: Colour = Colour.RED
    some: tuple[Literal["email", "phone"], ...] = ("email",)
    numbers: tuple[int, ...] = (30, 300)
    shares: tuple[float, ...] = ()
    names: list[str] = []
    mail: EmailStr | None = None
    site: HttpUrl | None = None
    day: date | None = None
    key: SecretStr | None = Field(None, title="API key")
    place: Place = Place()
    other: Place | None = None
    table: dict[str, int] = {}
    pair: tuple[int, int] = (1, 2)


def form(data: dict[str, Any] | None = None, stored: dict[str, Any] | None = None, **options: Any) -> ConfigForm:
    """Return the form over what is stored; with data, as a browser would send it after these fields were typed into."""
    values = configs.effective(Everything, stored or {})
    drawn = ConfigForm(schema=Everything, values=values, **options)
    if data is None:
        return drawn
    sent = browser_sends(drawn)
    for name, value in data.items():
        if value is None:
            sent.pop(name, None)
        else:
            sent.setlist(name, value if isinstance(value, list) else [value])
    return ConfigForm(sent, schema=Everything, values=values, **options)


def browser_sends(drawn: forms.Form) -> QueryDict:
    """Return what a browser sends back of a form in which nobody typed."""
    sent = QueryDict(mutable=True)
    for bound in drawn:
        value = bound.value()
        if isinstance(bound.field, ChoicesField):
            sent.setlist(bound.html_name, [str(item) for item in value or []])
        elif isinstance(bound.field.widget, forms.CheckboxInput):
            if value:
                sent[bound.html_name] = "on"
        elif isinstance(bound.field.widget, forms.PasswordInput):
            sent[bound.html_name] = ""
        else:
            sent[bound.html_name] = "" if value is None else str(value).replace("\n", "\r\n")
    return sent


def patch(data: dict[str, Any], stored: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """Return the patch of a valid form into which this was typed."""
    filled = form(data, stored, **options)
    assert filled.errors == {}
    return filled.patch(form(stored=stored).shown_values())


# --- which field -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "widget", "attributes"),
    [
        ("whole", forms.NumberInput, {"min": 0, "max": 365, "step": 1, "class": "vIntegerField"}),
        ("open_range", forms.NumberInput, {"min": 4, "max": 8}),
        ("part", forms.NumberInput, {"min": 0, "step": "any"}),
        ("exact", forms.NumberInput, {"step": "any"}),
        ("flag", forms.CheckboxInput, {}),
        ("maybe", forms.Select, {}),
        ("line", forms.TextInput, {"maxlength": 50, "class": "vTextField"}),
        ("long", forms.Textarea, {"maxlength": 2000, "class": "vLargeTextField"}),
        ("mode", forms.Select, {}),
        ("colour", forms.Select, {}),
        ("some", forms.CheckboxSelectMultiple, {}),
        ("numbers", forms.Textarea, {"class": "vLargeTextField lines"}),
        ("mail", forms.EmailInput, {"class": "vTextField"}),
        ("site", forms.URLInput, {"class": "vURLField"}),
        ("day", forms.TextInput, {}),
        ("key", forms.PasswordInput, {"autocomplete": "new-password"}),
        ("place.city", forms.TextInput, {"class": "vTextField"}),
        ("other.floor", forms.NumberInput, {}),
        ("table", forms.Textarea, {"class": "vLargeTextField json"}),
        ("pair", forms.Textarea, {"class": "vLargeTextField json"}),
    ],
)
def test_field__of_every_kind__native_widget(name: str, widget: type[forms.Widget], attributes: dict[str, Any]) -> None:
    made = form().fields[f"config.{name}"].widget

    assert type(made) is not forms.Widget
    assert isinstance(made, widget)
    assert {key: made.attrs.get(key) for key in attributes} == attributes


def test_field__titled__label_help_range_and_default() -> None:
    made = form().fields["config.whole"]

    assert (made.label, made.help_text) == ("Days", "How long. 0 to 365. Default: 14.")


def test_field__without_title__name_in_words() -> None:
    assert form().fields["config.open_range"].label == "Open range"


def test_groups__nested_objects__each_a_group_with_dotted_names() -> None:
    groups = groups_of(Everything)

    assert [(group.title, [setting.name for setting in group.settings]) for group in groups[1:]] == [
        ("Place", ["config.place.city", "config.place.floor"]),
        ("Other", ["config.other.city", "config.other.floor"]),
    ]


def test_groups__schema_that_holds_itself__ends_in_json() -> None:
    class Node(BaseModel):
        name: str = ""
        below: "Node | None" = None

    class Tree(ModuleConfig):
        root: Node = Node()

    made = ConfigForm(schema=Tree, values=configs.effective(Tree, {}))

    assert isinstance(made.fields["config.root.below"], JsonField)


@pytest.mark.parametrize("definition", list(registry), ids=lambda definition: definition.code)
def test_form__of_every_installed_module__nothing_typed_is_an_empty_patch(definition: Any) -> None:
    values = configs.effective(definition.config, {})
    drawn = ConfigForm(schema=definition.config, values=values)

    sent = ConfigForm(browser_sends(drawn), schema=definition.config, values=values)

    assert sent.is_valid(), sent.errors
    assert sent.patch(drawn.shown_values()) == {}


def test_secret__set__neither_in_value_nor_in_what_was_shown() -> None:
    drawn = form(secrets=["key"], kept_secrets={"key": "sk_live_1"})

    assert "sk_live_1" not in drawn.as_p()
    assert "key" not in drawn.shown_values()


# --- what it means ---------------------------------------------------------------------------------------------------


def test_patch__nothing_typed__empty_whether_stored_or_default() -> None:
    assert patch({}) == {}
    assert (
        patch({}, {"whole": 14, "names": ["a"], "place": {"city": "Kiel"}, "long": "one\ntwo", "table": {"a": 1}}) == {}
    )


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"config.whole": "30"}, {"whole": 30}),
        ({"config.part": "0.25"}, {"part": 0.25}),
        ({"config.exact": "1.75"}, {"exact": "1.75"}),
        ({"config.flag": None}, {"flag": False}),
        ({"config.maybe": "False"}, {"maybe": False}),
        ({"config.line": " text "}, {"line": "text"}),
        ({"config.long": "one\r\ntwo"}, {"long": "one\ntwo"}),
        ({"config.mode": "live"}, {"mode": "live"}),
        ({"config.level": "2"}, {"level": 2}),
        ({"config.colour": "blue"}, {"colour": "blue"}),
        ({"config.some": ["email", "phone"]}, {"some": ["email", "phone"]}),
        ({"config.some": []}, {"some": []}),
        ({"config.numbers": "1\r\n\r\n 2 \r\n"}, {"numbers": [1, 2]}),
        ({"config.shares": "0.5\n1"}, {"shares": [0.5, 1]}),
        ({"config.names": "ann\nbob"}, {"names": ["ann", "bob"]}),
        ({"config.mail": "a@example.com"}, {"mail": "a@example.com"}),
        ({"config.day": "2026-03-16"}, {"day": "2026-03-16"}),
        ({"config.key": "sk_live_1"}, {"key": "sk_live_1"}),
        ({"config.place.city": "Kiel"}, {"place": {"city": "Kiel"}}),
        ({"config.other.floor": "3"}, {"other": {"floor": 3}}),
        ({"config.table": '{"a": 1}'}, {"table": {"a": 1}}),
        ({"config.pair": "[3, 4]"}, {"pair": [3, 4]}),
    ],
)
def test_patch__typed__set_explicitly_and_taken_by_the_schema(typed: dict[str, Any], expected: dict[str, Any]) -> None:
    found = patch(typed)

    assert found == expected
    configs.validate(Everything, configs.merge({}, found))


@pytest.mark.parametrize(
    ("stored", "typed", "expected"),
    [
        ({"whole": 30}, {"config.whole": ""}, {"whole": None}),
        ({"names": ["a"]}, {"config.names": " "}, {"names": None}),
        ({"mode": "live"}, {"config.mode": ""}, {"mode": None}),
        ({"maybe": True}, {"config.maybe": ""}, {"maybe": None}),
        ({"place": {"city": "Kiel"}}, {"config.place.city": ""}, {"place": {"city": None}}),
        ({"table": {"a": 1}}, {"config.table": ""}, {"table": None}),
    ],
)
def test_patch__emptied__back_to_its_default(
    stored: dict[str, Any], typed: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert patch(typed, stored) == expected


def test_patch__explicit_default_left_alone__stays_explicit() -> None:
    stored = {"whole": 14}

    assert configs.merge(stored, patch({"config.line": "x"}, stored)) == {"whole": 14, "line": "x"}


def test_patch__one_field_of_an_object_with_a_default_of_its_own__the_others_stay_as_shown() -> None:
    class Shop(ModuleConfig):
        home: Place = Place(city="Kiel", floor=2)

    values = configs.effective(Shop, {})
    drawn = ConfigForm(schema=Shop, values=values)
    sent = browser_sends(drawn)
    sent["config.home.floor"] = "3"
    filled = ConfigForm(sent, schema=Shop, values=values)

    assert filled.is_valid()
    stored = configs.merge({}, filled.patch(drawn.shown_values()))
    assert configs.effective(Shop, stored) == {"home": {"city": "Kiel", "floor": 3}}


def test_patch__key_taken_out_of_a_table__is_gone_after_the_merge() -> None:
    stored = {"table": {"a": 1, "b": 2}}

    assert configs.merge(stored, patch({"config.table": '{"b": 2, "c": 3}'}, stored)) == {"table": {"b": 2, "c": 3}}


def test_patch__same_number_written_otherwise__nothing_changed() -> None:
    assert patch({"config.exact": "1.5"}, {"exact": "1.50"}) == {}


def test_patch__boxes_in_another_order__nothing_changed() -> None:
    assert patch({}, {"some": ["phone", "email"]}) == {}


def test_patch__changed_by_somebody_else_since_shown__not_ours() -> None:
    filled = form({"config.line": "mine", "config.whole": "14"}, {"whole": 99})

    shown = configs.effective(Everything, {})

    assert filled.is_valid()
    assert filled.patch(shown) == {"line": "mine"}


def test_patch__secret_empty__kept() -> None:
    assert patch({"config.key": ""}, secrets=["key"]) == {}


def test_patch__secret_removed__null() -> None:
    assert patch({"remove.key": "on"}, secrets=["key"]) == {"key": None}


def test_patch__secret_typed_on_an_earlier_turn__still_typed() -> None:
    assert patch({}, secrets=["key"], kept_secrets={"key": "sk_live_1"}) == {"key": "sk_live_1"}
    assert patch({"config.key": "sk_live_2"}, kept_secrets={"key": "sk_live_1"}) == {"key": "sk_live_2"}
    assert patch({"remove.key": "on"}, secrets=["key"], kept_secrets={"key": "sk_live_1"}) == {"key": None}


def test_form__secret_typed_and_removed__refused() -> None:
    filled = form({"remove.key": "on", "config.key": "sk_live_1"}, secrets=["key"])

    assert filled.errors == {"config.key": ["Type a new one or remove it, not both."]}


def test_patch_of__pure__says_only_what_differs() -> None:
    settings = [setting for group in groups_of(Everything) for setting in group.settings]
    shown = configs.effective(Everything, {})
    given = {setting.path: None for setting in settings} | {("whole",): 14, ("flag",): False, ("line",): "x"}

    found = patch_of(settings, shown_values=shown, given=given)

    assert found["flag"] is False
    assert found["line"] == "x"
    assert "whole" not in found
    assert found["numbers"] is None
    assert "names" not in found


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("whole", "many", "Enter a whole number."),
        ("whole", "9" * 4000, "A number of more than 100 digits."),
        ("part", "nan", "Enter a number."),
        ("line", "a\x00b", "Null characters are not allowed."),
        ("names", "a\x00b", "Null characters are not allowed."),
        ("mode", "other", "Select a valid choice. other is not one of the available choices."),
        ("table", '{"a": 1, "a": 2}', 'The key "a" is there twice in one object.'),
        ("table", "[" * 10_000, "Nested deeper than 20 levels, at line 1 column 21."),
    ],
)
def test_form__unreadable__said_at_the_field(name: str, typed: str, message: str) -> None:
    assert form({f"config.{name}": typed}).errors == {f"config.{name}": [message]}


def test_form__json_that_is_none__shown_again_as_typed() -> None:
    filled = form({"config.table": "{oops"})

    assert list(filled.errors) == ["config.table"]
    assert "{oops" in filled["config.table"].as_widget()


def test_lines__not_a_number__left_for_the_schema_to_point_at() -> None:
    made = LinesField(TypeAdapter(list[int]).json_schema())

    assert made.clean("1\nmany\n" + "9" * 5000) == [1, "many", "9" * 5000]


def test_config_errors__at_their_fields__others_at_the_form() -> None:
    filled = form({})
    assert filled.is_valid()

    filled.add_config_errors(
        InvalidConfig(
            [
                FieldError(("whole",), "less_than_equal", "Too large."),
                FieldError(("numbers", "1"), "int_type", "Not a number."),
                FieldError(("place", "city"), "string_type", "Not a text."),
                FieldError(("gone", "deep"), "unknown_field", "There is no setting of this name."),
                FieldError((), "too_large", "Larger than 64 KiB."),
            ]
        )
    )

    assert filled.errors == {
        "config.whole": ["Too large."],
        "config.numbers": ["Entry 2: Not a number."],
        "config.place.city": ["Not a text."],
        "__all__": ["gone.deep: There is no setting of this name.", "Larger than 64 KiB."],
    }


def test_field__of_annotated_items__choices_by_constraint_are_lines() -> None:
    class Codes(ModuleConfig):
        codes: tuple[Annotated[str, Field(pattern="^[A-Z]{3}$")], ...] = ("EUR",)

    made = ConfigForm(schema=Codes, values=configs.effective(Codes, {}))

    assert isinstance(made.fields["config.codes"], LinesField)
    assert made["config.codes"].value() == "EUR"
