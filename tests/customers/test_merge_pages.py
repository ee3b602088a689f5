"""Duplicates and merges in the admin: a queue, the two side by side, and a way back."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.urls import reverse

from customers import duplicates, merging, privacy, services
from customers.models import Customer, CustomerEvent, DuplicatePair, Merge
from modules import services as module_services
from platforms.models import Platform, User
from tests.admin.pages import form_on, listed, logged_in, messages_of, send, text_of
from tests.customers.conftest import Untouched
from tests.factories import AddressFactory, CustomerFactory, DuplicatePairFactory, MergeFactory
from tests.modules.building import origin

pytestmark = pytest.mark.django_db

QUEUE, MERGES = reverse("admin:customers_duplicatepair_changelist"), reverse("admin:customers_merge_changelist")
MERGE = reverse("admin:customers_customer_merge")


def compare(client: Client, kept: Customer, other: object) -> Any:
    return client.get(MERGE, {"kept": str(kept.pk), "other": str(other)})


def merge_page(trail: Merge) -> str:
    return reverse("admin:customers_merge_change", args=[trail.pk])


def act(client: Client, action: str, *pairs: DuplicatePair) -> Any:
    chosen = {"action": action, "_selected_action": [str(pair.pk) for pair in pairs]}
    return client.post(f"{QUEUE}?status=all", chosen, follow=True)


# --- the queue -------------------------------------------------------------------------------------------------------


def test_queue__strongest_first__open_and_live_ones_of_own_platforms(
    shop: Platform, tidewater: Platform, ann: User
) -> None:
    DuplicatePairFactory(platform=tidewater)
    weak = DuplicatePairFactory.create(platform=shop, same_phone=False, same_name=True, strength=1)
    strong = DuplicatePairFactory.create(platform=shop)
    dismissed = duplicates.dismiss(pair=DuplicatePairFactory.create(platform=shop))
    gone = DuplicatePairFactory.create(platform=shop)
    merging.merge(kept=gone.a, merged=gone.b)
    client = logged_in(ann)
    assert listed(client, QUEUE) == [strong, weak]
    assert listed(client, QUEUE, status="dismissed") == [dismissed]
    assert set(listed(client, QUEUE, status="all")) == {strong, weak, dismissed}
    assert listed(client, QUEUE, same_name__exact="1") == [weak]
    assert "Phone" in text_of(client.get(QUEUE))


def test_queue__dismissed_and_looked_at_again__by_the_service(shop: Platform, ann: User) -> None:
    pairs = DuplicatePairFactory.create_batch(2, platform=shop)
    client = logged_in(ann)
    assert "2 pairs dismissed." in text_of(act(client, "dismiss", *pairs))
    assert set(DuplicatePair.objects.values_list("status", "dismissed_by")) == {("dismissed", "ann")}
    assert "1 pair open again." in text_of(act(client, "reopen", pairs[0]))
    assert listed(client, QUEUE) == [pairs[0]]


@contextmanager
def taken_away(pair: DuplicatePair) -> Iterator[None]:
    """Have a scan take the pair away right before the service looks it up."""
    done: list[bool] = []

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith('SELECT "customers_duplicatepair"') and "LIMIT 21" in sql and not done:
            done.append(True)
            DuplicatePair.objects.filter(pk=pair.pk).delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield
    assert done


def test_queue__a_pair_is_gone_meanwhile__the_others_are_dismissed(shop: Platform, ann: User) -> None:
    gone, pair = sorted(DuplicatePairFactory.create_batch(2, platform=shop), key=lambda pair: pair.pk)
    client = logged_in(ann)
    with taken_away(gone):
        assert "1 pair dismissed." in text_of(act(client, "dismiss", gone, pair))
    # Here what the scan did is rolled back with the service's refusal: it used the same connection.
    assert DuplicatePair.objects.get(status="dismissed") == pair


def test_compare__pair_is_gone_meanwhile__said(shop: Platform, ann: User) -> None:
    pair = DuplicatePairFactory.create(platform=shop)
    client = logged_in(ann)
    page = compare(client, pair.a, pair.b.pk)
    with taken_away(pair):
        answer = send(client, page, "merge_form", {}, "They are two")
    assert messages_of(answer) == ["Nobody asks about these two any more."]


def test_queue__viewer_and_foreign_pair__nothing_is_done(
    shop: Platform, tidewater: Platform, ann: User, vic: User, untouched: Untouched
) -> None:
    own, foreign = (DuplicatePairFactory.create(platform=platform) for platform in (shop, tidewater))
    with untouched():
        act(logged_in(vic), "dismiss", own)
        act(logged_in(ann), "dismiss", own, foreign)


@pytest.mark.parametrize("count", [1, 15])
def test_lists__many_rows__same_queries(count: int, shop: Platform, ann: User, django_assert_num_queries: Any) -> None:
    DuplicatePairFactory.create_batch(count, platform=shop)
    MergeFactory.create_batch(count, platform=shop)
    client = logged_in(ann)
    for address, queries in ((QUEUE, 11), (MERGES, 11)):
        with django_assert_num_queries(queries):
            assert len(listed(client, address)) == count


# --- the two side by side --------------------------------------------------------------------------------------------


def test_compare__two_customers__shows_both_what_moves_and_what_consents_come_to(
    maelle: Customer, double: Customer, ann: User, untouched: Untouched
) -> None:
    services.block_customer(customer=double)
    client = logged_in(ann)
    with untouched():
        answer = compare(client, maelle, double.pk)
    page = text_of(answer)
    for text in ("m.dubois@example.com", "1 vendor<", "2 addresses<", "1 note<", "will be blocked", "Agreed"):
        assert text in page
    sent = form_on(answer, "merge_form").data
    assert (sent["email"], sent["phone"]) == (["kept"], ["merged"])
    assert "last_name" not in sent
    assert "They are two" not in page


@pytest.mark.parametrize("said", ["M.Dubois@example.com", "C-2", "id"])
def test_choose__by_address_reference_or_id__leads_to_the_comparison(
    said: str, maelle: Customer, double: Customer, ann: User
) -> None:
    client = logged_in(ann)
    page = client.get(reverse("admin:customers_customer_change", args=[maelle.pk]))
    asked = client.get(page.context["merge_url"])
    assert form_on(asked, "other_form").data["kept"] == [str(maelle.pk)]
    answer = client.get(MERGE, {"kept": str(maelle.pk), "other": double.pk if said == "id" else said}, follow=True)
    assert answer.context["other"] == double
    assert answer.wsgi_request.GET["other"] == str(double.pk)


def test_choose__by_how_a_name_starts__leads_to_the_one_or_lists_who_may_be_meant(
    maelle: Customer, double: Customer, tidewater: Platform, ann: User
) -> None:
    CustomerFactory(platform=tidewater, last_name="Dubois")
    client = logged_in(ann)
    assert compare(client, maelle, "dub").status_code == 302
    third = CustomerFactory(platform=maelle.platform, last_name="Dubois-Kerbrat", email="k@example.com")
    answer = compare(client, maelle, "dub")
    assert "Several are found" in text_of(answer)
    assert [one["label"] for one in answer.context["found"]] == [third.label, double.label]
    assert compare(client, maelle, third.pk).wsgi_request.get_full_path() == answer.context["found"][0]["url"]


@pytest.mark.parametrize("said", [str, lambda reference: reference.hex, lambda reference: str(reference)[:13]])
def test_choose__by_a_reference_that_could_be_an_id__leads_to_whose_it_is(
    said: Callable[[uuid.UUID], str], maelle: Customer, double: Customer, tidewater: Platform, ann: User
) -> None:
    # Whose id it is on another platform is nobody here.
    typed = said(CustomerFactory(platform=tidewater).pk)
    services.update_customer(customer=double, values={"external_ref": typed})
    answer = compare(logged_in(ann), maelle, typed)
    assert answer.status_code == 302, answer.context["form"].errors
    assert answer["Location"].endswith(f"other={double.pk}")


def test_choose__id_of_one_and_reference_of_another__leads_to_whose_id_it_is(
    maelle: Customer, double: Customer, ann: User
) -> None:
    CustomerFactory(platform=maelle.platform, external_ref=str(double.pk))
    assert compare(logged_in(ann), maelle, double.pk).context["other"] == double


@pytest.mark.parametrize(
    "said", ["", "nobody@example.com", "C-9", "0", "foreign", "7b0f2a5e-0000-4000-8000-000000000000"]
)
def test_choose__what_is_nobody_here__said_in_the_form(
    said: str, maelle: Customer, tidewater: Platform, ann: User
) -> None:
    foreign = CustomerFactory(platform=tidewater)
    answer = compare(logged_in(ann), maelle, foreign.pk if said == "foreign" else said)
    assert (answer.status_code, list(answer.context["form"].errors)) == (200, ["other"])


@pytest.mark.parametrize("said", ["", "0", "7b0f2a5e-0000-4000-8000-000000000000", "foreign"])
def test_compare__nobody_to_keep__is_not_there(said: str, shop: Platform, tidewater: Platform, ann: User) -> None:
    foreign = CustomerFactory(platform=tidewater)
    kept = str(foreign.pk) if said == "foreign" else said
    assert logged_in(ann).get(MERGE, {"kept": kept}).status_code == 404


def test_merge__chosen_and_confirmed__by_the_service_and_to_the_kept_one(
    maelle: Customer, double: Customer, ann: User
) -> None:
    client = logged_in(ann)
    answer = send(
        client, compare(client, maelle, double.pk), "merge_form", {"email": "merged", "reason": "Rang."}, "Merge"
    )
    assert answer["Location"] == reverse("admin:customers_customer_change", args=[maelle.pk])
    trail = Merge.objects.get()
    assert (trail.choices["email"], trail.reason, trail.actor_label) == ("merged", "Rang.", "ann")
    assert merge_page(trail) in messages_of(answer)[0]
    entry = LogEntry.objects.get()
    # No name of somebody who may be erased without the kept one.
    assert (entry.object_id, entry.change_message) == (str(maelle.pk), "Took in another customer.")
    closed = text_of(client.get(reverse("admin:customers_customer_change", args=[double.pk])))
    assert f'Merged into <a href="{answer["Location"]}">Maëlle Dubois</a>' in closed
    assert "Merge with…" not in closed


def test_merge__changed_since_the_page_was_shown__shown_anew_and_nothing_written(
    maelle: Customer, double: Customer, ann: User, untouched: Untouched
) -> None:
    client = logged_in(ann)
    page = compare(client, maelle, double.pk)
    AddressFactory(customer=double, city="Paris")
    with untouched():
        answer = send(client, page, "merge_form", {"email": "merged", "reason": "Rang."}, "Merge")
    assert "has changed since you saw this page" in text_of(answer)
    data = form_on(answer, "merge_form").data
    assert (data["email"], data["reason"]) == (["merged"], ["Rang."])
    assert send(client, answer, "merge_form", {}, "Merge").status_code == 302


def test_merge__something_in_the_way__named_and_nothing_written(
    maelle: Customer, double: Customer, ann: User, untouched: Untouched
) -> None:
    client = logged_in(ann)
    page = compare(client, maelle, double.pk)
    Customer.objects.filter(pk=double.pk).update(status="erased")
    with untouched():
        answer = send(client, page, "merge_form", {}, "Merge")
    assert "The merged customer was erased" in text_of(answer)
    assert "Merge" not in form_on(answer, "merge_form").buttons
    assert "name two" in text_of(compare(client, maelle, maelle.pk))


def test_merge__collides_with_what_somebody_saved_meanwhile__said_and_nothing_written(
    maelle: Customer, double: Customer, ann: User, untouched: Untouched
) -> None:
    client = logged_in(ann)
    page = compare(client, maelle, double.pk)
    collided: list[bool] = []

    def tag_first(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith('UPDATE "customers_customer_tags"') and not collided:
            collided.append(True)
            maelle.tags.add(double.tags.get(name="Silver"))
        return execute(sql, params, many, context)

    with untouched(), connection.execute_wrapper(tag_first):
        answer = send(client, page, "merge_form", {"email": "merged", "reason": "Rang."}, "Merge")
    assert collided
    assert "Somebody saved something meanwhile that collides with it." in text_of(answer)
    data = form_on(answer, "merge_form").data
    assert (data["email"], data["reason"]) == (["merged"], ["Rang."])
    assert send(client, answer, "merge_form", {}, "Merge").status_code == 302


@pytest.mark.parametrize("typed", [{"email": "both"}, {"reason": "x" * 501}, {"digest": None}])
def test_merge__what_no_page_sends__said_and_nothing_written(
    typed: dict[str, str | None], maelle: Customer, double: Customer, ann: User, untouched: Untouched
) -> None:
    client = logged_in(ann)
    with untouched():
        answer = send(client, compare(client, maelle, double.pk), "merge_form", typed, "Merge")
    assert answer.status_code == 200


def test_merge__viewer__may_look_and_no_more(
    maelle: Customer, double: Customer, ann: User, vic: User, untouched: Untouched
) -> None:
    trail = MergeFactory.create(platform=maelle.platform)
    page = compare(logged_in(ann), maelle, double.pk)
    client = logged_in(vic)
    assert form_on(compare(client, maelle, double.pk), "merge_form").buttons == {}
    with untouched():
        assert send(client, page, "merge_form", {}, "Merge").status_code == 403
        assert client.post(merge_page(trail), {"undo": "1"}).status_code == 403
    assert "undo_form" not in text_of(client.get(merge_page(trail)))


def test_merge__module_off__is_not_there(maelle: Customer, double: Customer, ann: User, untouched: Untouched) -> None:
    client = logged_in(ann)
    page = compare(client, maelle, double.pk)
    module_services.disable(platform=maelle.platform, module="customers", origin=origin(), cascade=True)
    with untouched():
        assert send(client, page, "merge_form", {}, "Merge").status_code == 403


def test_pair__they_are_two__dismissed_from_the_comparison(shop: Platform, ann: User) -> None:
    pair = DuplicatePairFactory.create(platform=shop)
    client = logged_in(ann)
    led = client.get(reverse("admin:customers_duplicatepair_change", args=[pair.pk]))
    page = client.get(led["Location"])
    assert "They share: Phone." in text_of(page)
    assert send(client, page, "merge_form", {}, "They are two")["Location"] == QUEUE
    assert DuplicatePair.objects.get().status == "dismissed"
    assert re.search(r"ann said on \d+ \w+ \d+ that they are two\.", text_of(client.get(led["Location"])))


def test_pair__dismissed__looked_at_again_from_the_comparison(shop: Platform, ann: User) -> None:
    pair = duplicates.dismiss(pair=DuplicatePairFactory.create(platform=shop))
    client = logged_in(ann)
    page = compare(client, pair.a, pair.b.pk)
    assert set(form_on(page, "merge_form").buttons) == {"Merge", "Look at them again"}
    answer = send(client, page, "merge_form", {}, "Look at them again")
    assert (answer["Location"], messages_of(answer)) == (QUEUE, ["They are in the queue again."])
    pair.refresh_from_db()
    assert (pair.status, pair.dismissed_at, pair.dismissed_by) == ("open", None, "")
    assert "They are two" in form_on(compare(client, pair.a, pair.b.pk), "merge_form").buttons


@pytest.mark.parametrize("button", ["dismiss", "reopen"])
def test_pair__of_nobody_any_more_or_by_a_viewer__nothing_is_settled(
    button: str, shop: Platform, ann: User, vic: User, untouched: Untouched
) -> None:
    pair = duplicates.dismiss(pair=DuplicatePairFactory.create(platform=shop))
    other = CustomerFactory(platform=shop)
    address = f"{MERGE}?kept={pair.a_id}&other="
    with untouched():
        assert logged_in(vic).post(f"{address}{pair.b_id}", {button: "1"}).status_code == 403
        answer = logged_in(ann).post(f"{address}{other.pk}", {button: "1"})
    assert messages_of(answer) == ["Nobody asks about these two any more."]
    assert form_on(compare(logged_in(vic), pair.a, pair.b_id), "merge_form").buttons == {}


# --- undone ----------------------------------------------------------------------------------------------------------


def test_merge_page__undone__by_the_service_and_says_what_stays(maelle: Customer, double: Customer, ann: User) -> None:
    trail = merging.merge(kept=maelle, merged=double, reason="Rang.")
    services.update_customer(customer=maelle, values={"locale": "de"})
    client = logged_in(ann)
    page = client.get(merge_page(trail))
    for text in ("Rang.", "1 vendor, 1 tag, 2 addresses", "phone, language", "Undo the merge"):
        assert text in text_of(page)
    answer = send(client, page, "undo_form", {}, "Undo the merge")
    assert messages_of(answer) == ["The two are two again. Changed since, and left so: language."]
    assert Customer.objects.get(pk=double.pk).is_open
    assert "undo_form" not in text_of(client.get(merge_page(trail)))


def test_merge__undone_and_one_of_them_erased__names_them_nowhere(
    maelle: Customer, double: Customer, ann: User
) -> None:
    services.update_customer(customer=double, values={"last_name": "Kerbrat"})
    client = logged_in(ann)
    typed = {"reason": "Kerbrat rang."}
    send(client, compare(client, maelle, double.pk), "merge_form", typed, "Merge")
    trail = Merge.objects.get()
    send(client, client.get(merge_page(trail)), "undo_form", {}, "Undo the merge")
    later = merging.merge(kept=CustomerFactory(platform=maelle.platform), merged=maelle, reason="Stays.")
    assert "Kerbrat" in LogEntry.objects.get(object_id=str(trail.pk)).object_repr

    privacy.erase_now(customer=Customer.objects.get(pk=double.pk))

    said = [*LogEntry.objects.values_list("object_repr", "change_message"), *CustomerEvent.objects.values_list("data")]
    assert "Kerbrat" not in str(said)
    assert "Kerbrat" not in str(Merge.objects.values())
    # The other's own stays, wherever it has gone since.
    assert "Maëlle" in str(said)
    later.refresh_from_db()
    assert (later.reason, later.kept.events.filter(data__reason="Stays.").count()) == ("Stays.", 1)


def test_merge_page__address_taken_meanwhile__named_and_nothing_written(
    maelle: Customer, double: Customer, ann: User, untouched: Untouched
) -> None:
    trail = merging.merge(kept=maelle, merged=double)
    client = logged_in(ann)
    page = client.get(merge_page(trail))
    CustomerFactory(platform=maelle.platform, email=double.email)
    with untouched():
        answer = send(client, page, "undo_form", {}, "Undo the merge")
    assert messages_of(answer) == ["Another customer has the e-mail address m.dubois@example.com by now."]
    again = text_of(client.get(merge_page(trail)))
    assert "This cannot be undone now" in again
    assert "undo_form" not in again


def test_merge_page__what_went_over_is_there_again__said_and_nothing_written(
    maelle: Customer, double: Customer, ann: User, untouched: Untouched
) -> None:
    trail = merging.merge(kept=maelle, merged=double)
    client = logged_in(ann)
    page = client.get(merge_page(trail))
    double.tags.add(maelle.tags.get(name="Silver"))
    with untouched():
        answer = send(client, page, "undo_form", {}, "Undo the merge")
    assert messages_of(answer) == ["Somebody saved something meanwhile that collides with it. Nothing was done."]


def test_pages__without_a_row__are_not_there(shop: Platform, ann: User) -> None:
    client = logged_in(ann)
    for model in ("duplicatepair", "merge"):
        for key in ("7b0f2a5e-0000-4000-8000-000000000000", "x"):
            assert client.get(reverse(f"admin:customers_{model}_change", args=[key])).status_code == 404


def test_platform__with_pairs_and_merges__can_be_deleted(shop: Platform, operator: User) -> None:
    DuplicatePairFactory(platform=shop)
    MergeFactory(platform=shop)
    address = reverse("admin:platforms_platform_delete", args=[shop.pk])
    assert logged_in(operator).post(address, {"post": "yes"}).status_code == 302
    assert not Customer.objects.filter(platform=shop.pk).exists()
