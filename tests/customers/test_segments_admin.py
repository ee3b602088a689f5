"""Segments in the admin: rules put together without a script, looked at before they are saved, members in a list."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from customers import segments
from customers.models import Customer, Segment, Tag
from modules.registry import registry
from platforms.models import Platform, User, Vendor
from tests.admin.pages import form_on, listed, logged_in, send, text_of
from tests.customers.conftest import Untouched
from tests.factories import CustomerFactory, SegmentFactory, TagFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:customers_segment_changelist")
ADD = reverse("admin:customers_segment_add")
CUSTOMERS = reverse("admin:customers_customer_changelist")
FORM = "segment_form"
GOLD = {"field": "tag", "operator": "has", "value": ["Gold"]}


def page_of(segment: Segment) -> str:
    return reverse("admin:customers_segment_change", args=[segment.pk])


@pytest.fixture
def gold(shop: Platform) -> Tag:
    return TagFactory(platform=shop, name="Gold", key="gold")


def add_rule(client: Client, page: Any, condition: str, typed: dict[str, Any] | None = None) -> Any:
    return send(client, page, FORM, {**(typed or {}), "new_rule": condition}, "Add")


# --- building --------------------------------------------------------------------------------------------------------


def test_build__rule_by_rule__previewed_and_then_saved(maelle: Customer, gold: Tag, ann: User) -> None:
    member = CustomerFactory(platform=maelle.platform, last_name="Kerbrat", tags=[gold])
    client = logged_in(ann)
    typed: dict[str, Any] = {"platform": str(gold.platform_id), "name": "Golden", "match": "all"}
    page = add_rule(client, client.get(ADD), "tag.has", typed)
    assert page.status_code == 200
    assert "errorlist" not in text_of(page)
    assert form_on(page, FORM).data["rules-0-condition"] == ["tag.has"]
    assert form_on(page, FORM).data["name"] == ["Golden"]
    page = add_rule(client, page, "email.is_set", {"rules-0-value": "gold"})
    assert form_on(page, FORM).data["rules-0-value"] == ["gold"]
    page = send(client, page, FORM, button="Preview")
    assert "Preview" in text_of(page)
    assert "1 customer. Nothing is saved yet" in text_of(page)
    assert list(page.context["first"]) == [member]
    assert not Segment.objects.exists()
    answer = send(client, page, FORM, button="Save")
    assert answer.status_code == 302, answer.context["errors"]
    segment = Segment.objects.get()
    assert (segment.name, segment.match, segment.platform) == ("Golden", "all", gold.platform)
    assert segment.rules == [{**GOLD, "value": ["gold"]}, {"field": "email", "operator": "is_set"}]


# What somebody types for each kind of value, and what is kept of it.
TYPED: dict[str, tuple[dict[str, Any], Any]] = {
    "status.is": ({"value": ["active", "blocked"]}, ["active", "blocked"]),
    "email.is_set": ({}, None),
    "email.ends_with": ({"value": " @Example.com "}, "example.com"),
    "name.starts_with": ({"value": "Jür"}, "Jür"),
    "locale.is": ({"value": "de, fr-CH"}, ["de", "fr-CH"]),
    "tag.has_not": ({"value": "Gold, "}, ["Gold"]),
    "vendor.bought_from": ({"value": "brindle"}, ["brindle"]),
    "country.is": ({"value": ["DE", "FR"]}, ["FR", "DE"]),
    "city.is": ({"value": "Brest; Paris"}, ["Brest", "Paris"]),
    "created.before": ({"value": "2026-03-16"}, "2026-03-16"),
    "created.within": ({"value": "30"}, 30),
    "consent.given": (
        {"value_0": "email", "value_1": "marketing"},
        {"channel": "email", "purpose": "marketing"},
    ),
}


@pytest.mark.parametrize("condition", TYPED)
def test_rule__of_each_kind__typed_kept_and_shown_again(condition: str, gold: Tag, brindle: Vendor, ann: User) -> None:
    client = logged_in(ann)
    segment = SegmentFactory(platform=gold.platform)
    typed, kept = TYPED[condition]
    page = add_rule(client, client.get(page_of(segment)), condition)
    values = {f"rules-1-{name}": value for name, value in typed.items()}
    answer = send(client, page, FORM, {**values, "rules-0-DELETE": "on"}, "Save")
    assert answer.status_code == 302, answer.context["errors"]
    segment.refresh_from_db()
    name, _, code = condition.partition(".")
    assert segment.rules == [{"field": name, "operator": code, **({} if kept is None else {"value": kept})}]
    # As it is shown it can be saved, and is the same.
    before = segment.rules
    assert send(client, client.get(page_of(segment)), FORM, button="Save").status_code == 302
    segment.refresh_from_db()
    assert segment.rules == before


def test_add_rule__nothing_chosen_or_what_cannot_be_asked__adds_none(gold: Tag, ann: User) -> None:
    client = logged_in(ann)
    segment = SegmentFactory(platform=gold.platform)
    for chosen in ("", "shoe_size.is", "\0"):
        page = add_rule(client, client.get(page_of(segment)), chosen)
        assert form_on(page, FORM).data["rules-TOTAL_FORMS"] == ["1"]
    segment.rules = [GOLD] * 20
    segments.save_segment(segment=segment)
    assert "Add a rule" not in text_of(client.get(page_of(segment)))


def test_rule__of_tags_or_vendors__says_which_there_are(
    gold: Tag, brindle: Vendor, tidewater: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    TagFactory(platform=gold.platform, name="Argent", key="argent")
    TagFactory(platform=tidewater, name="Theirs", key="theirs")
    client = logged_in(ann)
    typed = {"platform": str(gold.platform_id)}
    page = add_rule(client, client.get(ADD), "tag.has", typed)
    assert "Tags, with commas between them." in text_of(page)
    assert "There are: Argent, Gold." in text_of(page)
    page = add_rule(client, page, "vendor.bought_from", {**typed, "rules-0-value": "gold"})
    assert "Codes of vendors, with commas between them. There are: brindle." in text_of(page)
    # Of a platform that nobody may choose there is nothing to be read.
    page = add_rule(client, client.get(ADD), "tag.has", {"platform": str(tidewater.pk)})
    assert "There are" not in text_of(page)
    monkeypatch.setattr("customers.admin.forms.MOST_CHOICES", 1)
    assert "There are" not in text_of(add_rule(client, client.get(ADD), "tag.has", typed))


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"rules-0-DELETE": "on"}, "Name at least one rule."),
        ({"rules-0-value": ""}, "This field is required."),
        ({"rules-0-value": "Nowhere"}, "has no “Nowhere”."),
        ({"rules-0-condition": "shoe_size.is"}, "This can not be asked."),
        ({"rules-0-condition": "created.before", "rules-0-value": "soon"}, "Enter a valid date."),
        ({"rules-0-condition": "created.within", "rules-0-value": "9" * 400}, "Ensure this value is less"),
        (
            {"rules-0-condition": "consent.given", "rules-0-value_0": "pigeon", "rules-0-value_1": "a"},
            "Select a valid choice.",
        ),
        ({"rules-0-condition": "status.is", "rules-0-value": ["erased"]}, "Select a valid choice."),
        ({"rules-TOTAL_FORMS": "30"}, "Please submit at most 20 forms."),
        ({"rules-TOTAL_FORMS": "none"}, "ManagementForm data is missing"),
        ({"rules-0-condition": None}, "This field is required."),
        ({"name": ""}, "This field is required."),
        ({"name": "MINE"}, "This segment is there already"),
    ],
)
@pytest.mark.parametrize("button", ["Save", "Preview"])
def test_save__bad_input__says_where_and_writes_nothing(
    button: str, typed: dict[str, Any], said: str, gold: Tag, ann: User, untouched: Untouched
) -> None:
    SegmentFactory(platform=gold.platform, name="Mine")
    segment = SegmentFactory(platform=gold.platform, rules=[GOLD])
    client = logged_in(ann)
    with untouched():
        page = send(client, client.get(page_of(segment)), FORM, typed, button)
        assert page.status_code == 200
        assert said in text_of(page)
        assert "found" not in page.context


def test_save__somebody_else_saved_meanwhile__refused(gold: Tag, ann: User, untouched: Untouched) -> None:
    segment = SegmentFactory(platform=gold.platform)
    client = logged_in(ann)
    page = client.get(page_of(segment))
    segment.rules = [GOLD]
    segments.save_segment(segment=segment)
    with untouched():
        assert "Somebody else saved this" in text_of(send(client, page, FORM, {"name": "X"}, "Save"))


def test_build__names_and_platform_of_somebody_else__refused(
    gold: Tag, tidewater: Platform, ann: User, untouched: Untouched
) -> None:
    TagFactory(platform=tidewater, name="Theirs", key="theirs")
    CustomerFactory(platform=tidewater, last_name="Secret")
    client = logged_in(ann)
    with untouched():
        page = add_rule(client, client.get(ADD), "tag.has_not", {"platform": str(gold.platform_id), "name": "A"})
        page = send(client, page, FORM, {"rules-0-value": "Theirs"}, "Preview")
        assert "has no “Theirs”." in text_of(page)
        page = add_rule(client, client.get(ADD), "email.is_set", {"platform": str(tidewater.pk), "name": "A"})
        for button in ("Preview", "Save"):
            answer = send(client, page, FORM, button=button)
            assert answer.status_code == 200
            assert "Secret" not in text_of(answer)


# --- looking ---------------------------------------------------------------------------------------------------------


def test_page__of_a_viewer__rules_and_members_to_be_read(maelle: Customer, gold: Tag, vic: User) -> None:
    segment = SegmentFactory(platform=gold.platform)
    page = logged_in(vic).get(page_of(segment))
    assert "Status is Active" in text_of(page)
    assert "Maëlle Dubois" in text_of(page)
    assert not {"Add", "Preview", "Save"} & set(form_on(page, FORM).buttons)


def test_page__rule_that_names_what_has_gone__says_so(gold: Tag, ann: User) -> None:
    segment = SegmentFactory(platform=gold.platform, rules=[GOLD])
    gold.delete()
    page = text_of(logged_in(ann).get(page_of(segment)))
    assert "Finds nobody" in page
    assert "Gone: Gold" in page
    assert "The rules find nobody." in page
    segment.rules = [{"field": "shoe_size", "operator": "is", "value": 42}]
    Segment.objects.filter(pk=segment.pk).update(rules=segment.rules)
    page = text_of(logged_in(ann).get(page_of(segment)))
    assert "An unknown rule" in page
    assert "Finds nobody" in page


def test_members__in_the_list_of_customers__searched_and_in_scope(
    maelle: Customer, gold: Tag, tidewater: Platform, ann: User
) -> None:
    members = [CustomerFactory(platform=gold.platform, last_name=f"Kerbrat {n}", tags=[gold]) for n in range(2)]
    segment = SegmentFactory(platform=gold.platform, rules=[GOLD])
    foreign = SegmentFactory(platform=tidewater)
    client = logged_in(ann)
    assert listed(client, CUSTOMERS, segment=segment.pk) == members[::-1]
    assert listed(client, CUSTOMERS, segment=segment.pk, q="kerbrat 1") == [members[1]]
    for nobody in (foreign.pk, "no id"):
        assert listed(client, CUSTOMERS, segment=nobody) == []
    assert f"{CUSTOMERS}?segment={segment.pk}" in text_of(client.get(page_of(segment)))


def test_filter__of_very_many_segments__offers_the_chosen_one(
    maelle: Customer, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, _ = (SegmentFactory(platform=maelle.platform) for _ in range(2))
    client = logged_in(ann)
    assert "Segment 1" in text_of(client.get(CUSTOMERS)) or chosen.name in text_of(client.get(CUSTOMERS))
    monkeypatch.setattr("customers.admin.segments.MOST_CHOICES", 1)
    assert chosen.name not in text_of(client.get(CUSTOMERS))
    assert chosen.name in text_of(client.get(CUSTOMERS, {"segment": chosen.pk}))


@pytest.mark.parametrize("count", [1, 20])
def test_pages__many_rows__same_queries(count: int, gold: Tag, ann: User, django_assert_num_queries: Any) -> None:
    for _ in range(count):
        segment = SegmentFactory(platform=gold.platform, rules=[GOLD])
        CustomerFactory(platform=gold.platform, tags=[gold])
    client = logged_in(ann)
    with django_assert_num_queries(11):
        assert len(client.get(LIST).context["cl"].result_list) == count
    with django_assert_num_queries(19):
        assert client.get(page_of(segment)).status_code == 200


def test_menu__module_on__leads_there() -> None:
    [item] = [item for item in registry["customers"].menu if item.key == "customers.segments"]
    assert (item.page, item.feature) == ("admin:customers_segment_changelist", "segments")
