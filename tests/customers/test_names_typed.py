"""Names typed in one field: what is shown is what is kept, also of names that hold commas and quotation marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.admin.forms import MAX_NAMES, NamesField
from customers.models import Customer, Tag
from customers.values import MAX_TEXT
from platforms.models import Platform, User
from tests.admin.pages import form_on, logged_in, send, text_of
from tests.customers.conftest import Untouched
from tests.customers.test_admin import page_of, save
from tests.customers.test_segments_admin import add_rule
from tests.customers.test_segments_admin import page_of as page_of_segment
from tests.factories import CustomerFactory, SegmentFactory, TagFactory

NAMES = ["Gold", "Trade, wholesale", 'The "best"', "a;b", '"', '""', '", "', "5'11\"", "d’Or"]
# What a name may hold that says something in the field, beside letters; none starts or ends with white space.
names = st.text(st.sampled_from("ab,;\"' \u2003ß田"), min_size=1, max_size=8).map(str.strip).filter(bool)


@given(st.lists(names, unique=True, max_size=6))
def test_field__any_names__are_read_as_they_are_shown(kept: list[str]) -> None:
    field = NamesField()
    shown = field.prepare_value(kept)
    assert field.clean(shown) == kept
    assert not field.has_changed(kept, shown)
    assert field.prepare_value(field.clean(shown)) == shown


@given(st.text(st.sampled_from("a,;\"' \n"), max_size=12))
def test_field__anything_typed__is_shown_as_what_was_read(typed: str) -> None:
    field = NamesField()
    read = field.clean(typed)
    assert field.clean(field.prepare_value(read)) == read
    assert field.prepare_value(typed) == typed


def test_field__as_many_and_long_as_a_rule_may_have__can_be_typed() -> None:
    longest = NamesField().prepare_value([f"{number:03}".ljust(MAX_TEXT, '"') for number in range(MAX_NAMES)])
    assert len(str(longest)) <= int(NamesField().widget.attrs["maxlength"])


@pytest.mark.django_db
@pytest.mark.parametrize("others", [[], ["Trade", "wholesale"]])
def test_customer__tag_with_a_comma__is_kept_by_a_save_and_can_be_typed(
    others: list[str], maelle: Customer, ann: User, untouched: Untouched
) -> None:
    tags = [TagFactory(platform=maelle.platform, name=name, key=name.lower()) for name in ["Trade, wholesale", *others]]
    customer = CustomerFactory(platform=maelle.platform, tags=tags[:1])
    client = logged_in(ann)
    page = client.get(page_of(customer))
    assert form_on(page, "customer_form").data["tag_names"] == ['"Trade, wholesale"']
    assert "One with a comma stands in quotation marks" in text_of(page)
    with untouched():
        assert save(client, customer, {}).status_code == 302
    assert save(client, customer, {"last_name": "Le Goff"}).status_code == 302
    assert list(customer.tags.all()) == tags[:1]
    assert save(client, maelle, {"tag_names": '"TRADE, wholesale"'}).status_code == 302
    assert list(maelle.tags.all()) == tags[:1]


@pytest.mark.django_db
def test_customer__tags_of_all_sorts__said_as_they_are_typed(maelle: Customer, ann: User) -> None:
    tags = [TagFactory(platform=maelle.platform, name=name, key=name.lower()) for name in NAMES]
    client = logged_in(ann)
    page = client.get(page_of(maelle))
    said = page.context["adminform"].form.fields["tag_names"].help_text
    listed = said.partition("There are: ")[2].removesuffix(".")
    assert save(client, maelle, {"tag_names": listed}).status_code == 302
    assert set(maelle.tags.all()) == set(tags)


@pytest.mark.django_db
@pytest.mark.parametrize("condition", ["city.is", "tag.has", "tag.has_not"])
def test_segment__rule_of_names_with_commas__stays_when_something_else_is_saved(
    condition: str, shop: Platform, ann: User
) -> None:
    for name in NAMES:
        Tag.objects.create(platform=shop, name=name, key=name.lower())
    field, _, operator = condition.partition(".")
    rules = [{"field": field, "operator": operator, "value": ["Washington, D.C."] if field == "city" else NAMES}]
    segment = SegmentFactory(platform=shop, rules=rules)
    client = logged_in(ann)
    page = client.get(page_of_segment(segment))
    assert "One with a comma stands in quotation marks" in text_of(page)
    assert send(client, page, "segment_form", {"name": "Renamed"}, "Save").status_code == 302
    segment.refresh_from_db()
    assert (segment.name, segment.rules) == ("Renamed", rules)


@pytest.mark.django_db
def test_segment__name_with_a_comma_typed__is_one_and_shown_again(shop: Platform, ann: User) -> None:
    segment = SegmentFactory(platform=shop)
    client = logged_in(ann)
    page = add_rule(client, client.get(page_of_segment(segment)), "city.is")
    typed = '"Washington, D.C.", Brest'
    page = send(client, page, "segment_form", {"rules-1-value": typed}, "Preview")
    assert form_on(page, "segment_form").data["rules-1-value"] == [typed]
    assert send(client, page, "segment_form", button="Save").status_code == 302
    segment.refresh_from_db()
    assert segment.rules[1]["value"] == ["Washington, D.C.", "Brest"]


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["a\0b", '"a\0, b"'])
def test_customer__nul_in_a_name__said_in_the_form(
    typed: str, maelle: Customer, ann: User, untouched: Untouched
) -> None:
    with untouched():
        assert "Null characters are not allowed." in text_of(save(logged_in(ann), maelle, {"tag_names": typed}))
