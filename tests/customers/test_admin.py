"""Customers in the admin: found by a start, written by the services, all on one page, closed ones to be read."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from customers import merging, privacy, services
from customers.models import Address, Customer, Tag
from modules.models import Event
from platforms.admin_base import BoundedPaginator
from platforms.models import Platform, User, Vendor
from tests.admin.pages import form_on, listed, logged_in, send, text_of
from tests.customers.conftest import Untouched
from tests.factories import (
    AddressFactory,
    ConsentFactory,
    CustomerFactory,
    MembershipFactory,
    NoteFactory,
    TagFactory,
    VendorFactory,
)

pytestmark = pytest.mark.django_db

LIST = reverse("admin:customers_customer_changelist")
ADD = reverse("admin:customers_customer_add")


def page_of(customer: Customer) -> str:
    return reverse("admin:customers_customer_change", args=[customer.pk])


def save(client: Client, customer: Customer, typed: dict[str, Any]) -> Any:
    return send(client, client.get(page_of(customer)), "customer_form", typed, "Save")


def errors_on(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


# --- the list --------------------------------------------------------------------------------------------------------


def test_list__search_and_filters__by_a_start_and_on_own_platforms(
    maelle: Customer, brindle: Vendor, tidewater: Platform, ann: User
) -> None:
    CustomerFactory(platform=tidewater, last_name="Dubois")
    gold = TagFactory(platform=maelle.platform, name="Gold")
    other = CustomerFactory(platform=maelle.platform, last_name="Kerbrat", tags=[gold])
    services.block_customer(customer=other)
    client = logged_in(ann)
    assert listed(client, LIST) == [other, maelle]
    assert listed(client, LIST, q="dub") == [maelle]
    assert listed(client, LIST, q="ubois") == []
    assert listed(client, LIST, q="KER") == listed(client, LIST, status="blocked") == [other]
    assert listed(client, LIST, tags__id__exact=gold.pk) == [other]
    assert listed(client, LIST, vendors__id__exact=brindle.pk) == [maelle]


def test_list__closed_customers__are_shown_to_who_asks_for_them(maelle: Customer, ann: User) -> None:
    blocked, merged, erased = CustomerFactory.create_batch(3, platform=maelle.platform)
    services.block_customer(customer=blocked)
    merging.merge(kept=maelle, merged=merged)
    privacy.erase_now(customer=erased)
    client = logged_in(ann)
    assert listed(client, LIST) == [blocked, maelle]
    assert [listed(client, LIST, status=status) for status in ("active", "blocked", "merged", "erased")] == [
        [maelle],
        [blocked],
        [merged],
        [erased],
    ]
    assert listed(client, LIST, status="all") == [erased, merged, blocked, maelle]
    assert listed(client, LIST, status="all", q=merged.last_name) == [merged]
    assert listed(client, LIST, status="lost") == []
    [shown] = [one for one in client.get(LIST).context["cl"].filter_specs if one.title == "status"]
    choices = list(shown.choices(client.get(LIST).context["cl"]))
    assert [one["display"] for one in choices] == [
        "Active or blocked",
        "Active",
        "Blocked",
        "Merged",
        "Erased",
        "All",
    ]
    assert [one["selected"] for one in choices] == [True, *[False] * 5]


def test_list__filters_of_several_platforms__tell_those_apart_that_are_called_alike(
    shop: Platform, tidewater: Platform, ann: User, operator: User
) -> None:
    for platform, names in ((shop, ("Gold", "Silver")), (tidewater, ("Gold",))):
        for name in names:
            TagFactory(platform=platform, name=name, key=name.lower())

    def offered(user: User) -> list[str]:
        [tags] = [one for one in logged_in(user).get(LIST).context["cl"].filter_specs if one.title == "tags"]
        return [label for _, label in tags.lookup_choices]

    assert offered(ann) == ["Gold", "Silver"]
    assert "None" in text_of(logged_in(ann).get(LIST))
    assert sorted(offered(operator)) == ["Gold · Kestrel Rewards", "Gold · Tidewater Market", "Silver"]


def test_list__of_very_many_tags__offers_the_chosen_one(
    maelle: Customer, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold, silver = (TagFactory(platform=maelle.platform, name=name, key=name.lower()) for name in ("Gold", "Silver"))
    services.update_customer(customer=maelle, values={"tags": [gold]})
    CustomerFactory(platform=maelle.platform, tags=[silver])
    client = logged_in(ann)
    monkeypatch.setattr("platforms.admin_base.MOST_CHOICES", 1)
    page = text_of(client.get(LIST))
    assert "Too many to list here." in page
    assert "Gold" not in page
    listing = text_of(client.get(reverse("admin:customers_tag_changelist")))
    assert f"{LIST}?tags__id__exact={gold.pk}" in listing
    chosen = client.get(LIST, {"tags__id__exact": gold.pk})
    assert list(chosen.context["cl"].result_list) == [maelle]
    assert "Gold" in text_of(chosen)


def test_list__searched_or_filtered__says_how_many_are_found(maelle: Customer, ann: User) -> None:
    client = logged_in(ann)
    assert "show all" not in text_of(client.get(LIST))
    for query in ({"q": "dub"}, {"status": "active"}):
        assert "1 result, <a" in text_of(client.get(LIST, query))


def test_list__of_very_many__is_counted_so_far_and_no_further(
    shop: Platform, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        CustomerFactory(platform=shop)
    monkeypatch.setattr(BoundedPaginator, "MOST", 3)
    assert "more than 3 customers" in text_of(logged_in(ann).get(LIST))
    monkeypatch.setattr(BoundedPaginator, "MOST", 4)
    page = text_of(logged_in(ann).get(LIST))
    assert "4 customers" in page
    assert "more than" not in page


@pytest.mark.parametrize("count", [1, 20])
def test_list__many_customers__same_queries(
    count: int, shop: Platform, ann: User, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        CustomerFactory(platform=shop)
    client = logged_in(ann)
    with django_assert_num_queries(15):
        assert client.get(LIST).status_code == 200


# --- one customer ----------------------------------------------------------------------------------------------------


def test_add__whole__made_by_the_service(shop: Platform, brindle: Vendor, ann: User) -> None:
    TagFactory(platform=shop, name="Gold", key="gold")
    client = logged_in(ann)
    typed = {
        "platform": str(shop.pk),
        "first_name": "Maëlle",
        "email": "Maelle@Example.com",
        "phone": "+49 30 23125042",
        "tag_names": "GOLD",
        "vendor_codes": "brindle",
        "is_blocked": "on",
        "addresses-TOTAL_FORMS": "1",
        "addresses-0-kind": "shipping",
        "addresses-0-is_default": "on",
        "addresses-0-line1": "12 rue de Siam",
        "addresses-0-city": "Brest",
        "addresses-0-country": "FR",
        "notes-TOTAL_FORMS": "1",
        "notes-0-text": "Rang twice.",
    }
    answer = send(client, client.get(ADD), "customer_form", typed, "Save")
    assert answer.status_code == 302, answer.context["errors"]
    customer = Customer.objects.get()
    assert (customer.email_key, str(customer.phone), customer.status) == (
        "maelle@example.com",
        "+493023125042",
        "blocked",
    )
    assert [tag.name for tag in customer.tags.all()] == ["Gold"]
    assert list(customer.vendors.all()) == [brindle]
    assert (customer.addresses.get().city, customer.notes.get().author) == ("Brest", "ann")
    assert {event.name for event in Event.objects.all()} == {"customers.created", "customers.updated"}
    assert customer.events.earliest("at").actor_label == "ann"


def test_add__only_one_platform_to_choose__is_chosen(shop: Platform, tidewater: Platform, ann: User) -> None:
    TagFactory(platform=shop, name="Gold")
    client = logged_in(ann)
    page = client.get(ADD)
    assert form_on(page, "customer_form").data["platform"] == [str(shop.pk)]
    assert "There are: Gold." in text_of(page)
    MembershipFactory(platform=tidewater, user=ann)
    page = client.get(ADD)
    assert "platform" not in form_on(page, "customer_form").data
    assert form_on(client.get(ADD, {"platform": tidewater.pk}), "customer_form").data["platform"] == [str(tidewater.pk)]
    assert "There are" not in text_of(page)


def test_change__some_fields__by_the_service_and_in_the_log(maelle: Customer, ann: User) -> None:
    first, billing = (AddressFactory(customer=maelle, kind=kind, is_default=True) for kind in ("shipping", "billing"))
    note = NoteFactory(customer=maelle)
    Event.objects.all().delete()
    client = logged_in(ann)
    typed = {
        "last_name": "Le Goff",
        "vendor_codes": "",
        "addresses-TOTAL_FORMS": "3",
        "addresses-2-kind": "shipping",
        "addresses-2-is_default": "on",
        "addresses-2-line1": "1 quai de la Fosse",
        "addresses-2-city": "Nantes",
        "addresses-2-country": "FR",
        "notes-0-DELETE": "on",
    }
    assert save(client, maelle, typed).status_code == 302
    maelle.refresh_from_db()
    assert (maelle.last_name_key, maelle.vendors.count()) == ("le goff maelle", 0)
    assert set(maelle.addresses.filter(is_default=True).values_list("city", "kind")) == {
        ("Nantes", "shipping"),
        ("Brest", "billing"),
    }
    assert not maelle.notes.filter(pk=note.pk).exists()
    line = maelle.events.get(data__note=str(note.pk))
    assert (line.kind, line.actor_label) == ("updated", "ann")
    assert {event.name for event in Event.objects.all()} == {"customers.updated"}
    assert LogEntry.objects.count() == 1
    assert {first.pk, billing.pk} <= set(maelle.addresses.values_list("pk", flat=True))


def test_change__nothing_typed__nothing_written(maelle: Customer, ann: User, untouched: Untouched) -> None:
    AddressFactory(customer=maelle, is_default=True)
    with untouched():
        assert save(logged_in(ann), maelle, {}).status_code == 302


def test_change__blocked_ticked_and_unticked__by_the_service(maelle: Customer, ann: User) -> None:
    client = logged_in(ann)
    save(client, maelle, {"is_blocked": "on"})
    assert Customer.objects.get().status == "blocked"
    save(client, maelle, {"is_blocked": None})
    assert Customer.objects.get().status == "active"


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"email": "customer-of-tidewater@example.com", "tag_names": "Nowhere"}, "tag_names"),
        ({"vendor_codes": "saltmarsh"}, "vendor_codes"),
        ({"tag_names": ",".join(map(str, range(101)))}, "tag_names"),
        ({"email": "taken@example.com"}, "__all__"),
        ({"phone": "12"}, "phone"),
        ({"first_name": "", "last_name": "", "email": "", "external_ref": ""}, "__all__"),
        ({"locale": "german"}, "locale"),
    ],
)
def test_change__bad_values__said_in_the_form_and_nothing_written(
    typed: dict[str, str], field: str, maelle: Customer, tidewater: Platform, ann: User, untouched: Untouched
) -> None:
    VendorFactory(platform=tidewater, code="saltmarsh")
    CustomerFactory(platform=maelle.platform, email="TAKEN@example.com")
    with untouched():
        assert set(errors_on(save(logged_in(ann), maelle, typed))) == {field}


def test_add__address_of_another_customer__said_in_the_form(maelle: Customer, ann: User, untouched: Untouched) -> None:
    client = logged_in(ann)
    typed = {"platform": str(maelle.platform_id), "email": "maelle@example.com"}
    with untouched():
        answer = send(client, client.get(ADD), "customer_form", typed, "Save")
    assert errors_on(answer) == {"__all__": ["Another customer has this e-mail address."]}


def test_change__saved_by_somebody_else_meanwhile__refused(maelle: Customer, ann: User, untouched: Untouched) -> None:
    client = logged_in(ann)
    page = client.get(page_of(maelle))
    services.update_customer(
        customer=maelle, values={"tags": [TagFactory(platform=maelle.platform, name="Gold", key="gold")]}
    )
    with untouched():
        answer = send(client, page, "customer_form", {"first_name": "New"}, "Save")
    assert "Somebody else saved this" in text_of(answer)


def test_page__everything_about_a_customer__is_on_it(maelle: Customer, brindle: Vendor, ann: User) -> None:
    ConsentFactory(customer=maelle, document_version="2026-01")
    NoteFactory(customer=maelle, vendor=brindle, text="Likes it dark.")
    page = text_of(logged_in(ann).get(page_of(maelle)))
    for text in ("Agreed", "document 2026-01", "Likes it dark.", "Brindle Coffee", "marketing by post, given"):
        assert text in page


def test_page__timeline__says_in_words_what_happened_and_leads_to_the_other_of_a_merge(
    maelle: Customer, ann: User
) -> None:
    other = CustomerFactory(platform=maelle.platform)
    services.update_customer(customer=maelle, values={"external_ref": "C-9", "first_name": "Mae"})
    trail = merging.merge(kept=maelle, merged=other, reason="Rang <twice>.")
    client = logged_in(ann)
    kept = text_of(client.get(page_of(maelle)))
    assert "Changed: first name, reference" in kept
    assert f'Merged with <a href="{page_of(other)}">another customer</a>: Rang &lt;twice&gt;.' in kept
    merged = text_of(client.get(page_of(other)))
    assert f'Merged into <a href="{page_of(maelle)}">another customer</a>: Rang &lt;twice&gt;.' in merged
    merging.undo(trail=trail)
    for customer, two in ((maelle, other), (other, maelle)):
        page = text_of(client.get(page_of(customer)))
        assert f'Merge undone with <a href="{page_of(two)}">another customer</a>' in page
    assert "/history/" not in page


@pytest.mark.parametrize("status", ["merged", "erased"])
def test_closed_customer__page__is_to_be_read_and_writes_nothing(
    status: str, maelle: Customer, ann: User, untouched: Untouched
) -> None:
    AddressFactory(customer=maelle)
    into = CustomerFactory(platform=maelle.platform) if status == "merged" else None
    client = logged_in(ann)
    form = client.get(page_of(maelle))
    Customer.objects.filter(pk=maelle.pk).update(status=status, merged_into=into)
    page = client.get(page_of(maelle))
    with untouched():
        answer = send(client, form, "customer_form", {"first_name": "New"}, "Save")
    assert (page.status_code, page.context["has_change_permission"], answer.status_code) == (200, False, 403)
    # Nothing is typed there, and nothing says how.
    assert "A language tag" in text_of(form)
    assert "A language tag" not in text_of(page)


def test_customer__delete_page__is_not_there(maelle: Customer, ann: User, untouched: Untouched) -> None:
    address = reverse("admin:customers_customer_delete", args=[maelle.pk])
    client = logged_in(ann)
    with untouched():
        assert client.get(address).status_code == client.post(address, {"post": "yes"}).status_code == 405
    assert address not in text_of(client.get(page_of(maelle)))


def test_platform__with_customers_and_the_module_off__can_be_deleted(maelle: Customer, operator: User) -> None:
    from modules import services as module_services
    from tests.modules.building import origin

    module_services.disable(platform=maelle.platform, module="customers", origin=origin(), cascade=True)
    address = reverse("admin:platforms_platform_delete", args=[maelle.platform_id])
    assert logged_in(operator).post(address, {"post": "yes"}).status_code == 302
    assert not Customer.objects.filter(pk=maelle.pk).exists()


# --- tags ------------------------------------------------------------------------------------------------------------


def test_tag__in_another_spelling__said_in_the_form(shop: Platform, ann: User) -> None:
    client, address = logged_in(ann), reverse("admin:customers_tag_add")
    for name, status in (("Gold", 302), ("GOLD", 200)):
        answer = send(client, client.get(address), "tag_form", {"platform": str(shop.pk), "name": name}, "Save")
        assert answer.status_code == status
    assert [(tag.name, tag.key) for tag in Tag.objects.all()] == [("Gold", "gold")]
    assert "perhaps in another spelling" in text_of(answer)
    assert not Address.objects.exists()
