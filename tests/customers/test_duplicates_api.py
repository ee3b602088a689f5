"""Duplicates and merges over HTTP: found, dismissed, tried, merged and undone, with every obstacle named."""

from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from customers import duplicates, merging, services
from customers.models import Customer, DuplicatePair, Merge
from modules.models import Event, TaskRun
from platforms.models import Platform
from tests.customers.conftest import Untouched
from tests.factories import AddressFactory, CustomerFactory, DuplicatePairFactory, MergeFactory

pytestmark = pytest.mark.django_db

ROOT = "/api/v1/admin/platforms/kestrel/customers/"
DUPLICATES, MERGE, MERGES = f"{ROOT}duplicates/", f"{ROOT}merge/", f"{ROOT}merges/"


def errors(answer: Any) -> set[tuple[str | None, str]]:
    return {(error["attr"], error["code"]) for error in answer.json()["errors"]}


def body(kept: Customer, merged: Customer, **more: Any) -> dict[str, Any]:
    return {"kept": str(kept.pk), "merged": str(merged.pk), **more}


# --- duplicates ------------------------------------------------------------------------------------------------------


def test_duplicates__listed__with_who_and_why(shop: Platform, tidewater: Platform, as_viewer: APIClient) -> None:
    pair = DuplicatePairFactory.create(platform=shop)
    DuplicatePairFactory(platform=tidewater)
    gone = DuplicatePairFactory.create(platform=shop)
    merging.merge(kept=gone.a, merged=gone.b)
    [row] = as_viewer.get(DUPLICATES).json()["results"]
    assert (row["id"], row["why"], row["strength"], row["status"]) == (str(pair.pk), ["phone"], 2, "open")
    assert row["a"] == {
        "id": str(pair.a.pk),
        "first_name": "Maëlle",
        "last_name": pair.a.last_name,
        "email": pair.a.email,
        "phone": "+493023125999",
        "external_ref": "",
    }
    assert as_viewer.get(f"{DUPLICATES}{pair.pk}/").json() == row
    assert as_viewer.get(f"{DUPLICATES}{gone.pk}/").status_code == 404


def test_duplicates__filters__each_and_what_is_no_value(shop: Platform, as_viewer: APIClient) -> None:
    one = DuplicatePairFactory.create(platform=shop)
    two = DuplicatePairFactory.create(platform=shop, same_phone=False, same_email=True)
    duplicates.dismiss(pair=two)

    def found(**query: str) -> list[str]:
        return [row["id"] for row in as_viewer.get(DUPLICATES, query).json()["results"]]

    assert found(status="open") == found(why="phone") == found(customer=str(one.b.pk)) == [str(one.pk)]
    assert found(status="dismissed") == found(why="email") == found(customer=str(two.a.pk)) == [str(two.pk)]
    assert found(why="name") == []
    for query in ({"status": "asleep"}, {"why": "shoe size"}, {"customer": str(uuid4())}):
        [name] = query
        assert errors(as_viewer.get(DUPLICATES, query)) == {(name, "invalid_choice")}


def test_dismiss_and_reopen__by_staff__and_twice_is_once(
    shop: Platform, as_admin: APIClient, untouched: Untouched
) -> None:
    pair = DuplicatePairFactory.create(platform=shop)
    with untouched():
        assert as_admin.post(f"{DUPLICATES}{pair.pk}/dismiss/?dry_run=true", {}).json()["status"] == "dismissed"
        assert errors(as_admin.post(f"{DUPLICATES}{pair.pk}/dismiss/", {"why": "x"})) == {("why", "unknown_field")}
    first = as_admin.post(f"{DUPLICATES}{pair.pk}/dismiss/", {}).json()
    assert (first["status"], first["dismissed_by"]) == ("dismissed", "ann")
    with untouched():
        assert as_admin.post(f"{DUPLICATES}{pair.pk}/dismiss/", {}).json() == first
    assert as_admin.post(f"{DUPLICATES}{pair.pk}/reopen/", {}).json()["status"] == "open"


def test_duplicates__made_or_deleted__is_not_offered(shop: Platform, as_admin: APIClient, untouched: Untouched) -> None:
    pair = DuplicatePairFactory.create(platform=shop)
    trail = MergeFactory.create(platform=shop)
    with untouched():
        for address in (DUPLICATES, MERGES):
            assert as_admin.post(address, {}).status_code == 405
        for address in (f"{DUPLICATES}{pair.pk}/", f"{MERGES}{trail.pk}/"):
            assert as_admin.delete(address, HTTP_IF_MATCH="*").status_code == 405


def test_scan__asked_for__is_done_in_the_background(shop: Platform, as_admin: APIClient, untouched: Untouched) -> None:
    with untouched():
        tried = as_admin.post(f"{DUPLICATES}scan/?dry_run=true", {})
    assert (tried.status_code, tried.json()) == (202, {"queued": False})
    assert not TaskRun.objects.filter(task="customers.find_duplicates").exists()
    now = timezone.now().replace(second=0)
    with time_machine.travel(now, tick=False) as clock:
        for _ in range(3):
            asked = as_admin.post(f"{DUPLICATES}scan/", {})
            assert (asked.status_code, asked.json()) == (202, {"queued": True})
        assert TaskRun.objects.get(task="customers.find_duplicates").platform_id == shop.pk
        clock.shift(60)
        as_admin.post(f"{DUPLICATES}scan/", {})
    assert TaskRun.objects.filter(task="customers.find_duplicates").count() == 2


@pytest.mark.parametrize("count", [1, 20])
def test_duplicates__many__same_queries(
    count: int, shop: Platform, as_viewer: APIClient, django_assert_num_queries: Any
) -> None:
    DuplicatePairFactory.create_batch(count, platform=shop)
    as_viewer.get(DUPLICATES)
    with django_assert_num_queries(5):
        assert len(as_viewer.get(DUPLICATES).json()["results"]) == count


# --- merging ---------------------------------------------------------------------------------------------------------


def test_merge__tried__says_what_would_be_and_writes_nothing(
    maelle: Customer, double: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    with untouched():
        answer = as_admin.post(f"{MERGE}?dry_run=true", body(maelle, double, choices={"email": "merged"}))
    assert answer.status_code == 200
    said = answer.json()
    plan = said["preview"]
    assert said["merge"] is None
    assert plan["values"][0] == {
        "name": "email",
        "kept": "Maelle@Example.com",
        "merged": "m.dubois@example.com",
        "taken": "merged",
        "value": "m.dubois@example.com",
    }
    assert (plan["status"], plan["moves"]["addresses"], plan["blockers"]) == ("active", 2, [])
    assert plan["consents"] == [
        {
            "channel": "post",
            "purpose": "marketing",
            "kept": None,
            "merged": "given",
            "adds": "given",
            "counts": True,
        }
    ]
    assert plan["digest"] == merging.preview(maelle, double).digest


def test_merge__with_the_digest_that_was_shown__merged(maelle: Customer, double: Customer, as_admin: APIClient) -> None:
    digest = as_admin.post(f"{MERGE}?dry_run=true", body(maelle, double)).json()["preview"]["digest"]
    answer = as_admin.post(MERGE, body(maelle, double, digest=digest, reason="Rang."))
    assert answer.status_code == 200, answer.content
    trail = Merge.objects.get()
    said = answer.json()["merge"]
    assert (said["id"], said["kept"], said["merged"]) == (str(trail.pk), str(maelle.pk), str(double.pk))
    assert (said["actor"], said["reason"], said["moves"]["addresses"], said["undone_at"]) == ("ann", "Rang.", 2, None)
    assert as_admin.get(f"{ROOT}customers/{double.pk}/").json()["merged_into"] == str(maelle.pk)
    assert [row["id"] for row in as_admin.get(MERGES, {"kept": str(maelle.pk)}).json()["results"]] == [said["id"]]
    assert as_admin.get(MERGES, {"merged": str(maelle.pk)}).json()["results"] == []
    assert as_admin.get(f"{MERGES}{trail.pk}/").json() == said
    assert Event.objects.filter(name="customers.merged").count() == 1


def test_merge__stale_digest__refused(
    maelle: Customer, double: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    digest = merging.preview(maelle, double).digest
    AddressFactory(customer=double, city="Paris")
    with untouched():
        answer = as_admin.post(MERGE, body(maelle, double, digest=digest))
    assert (answer.status_code, errors(answer)) == (409, {(None, "stale")})


def test_merge__blocked__one_error_for_each_obstacle(
    maelle: Customer, double: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    Customer.objects.filter(pk__in=[maelle.pk, double.pk]).update(status="erased")
    with untouched():
        tried = as_admin.post(f"{MERGE}?dry_run=true", body(maelle, double))
        answer = as_admin.post(MERGE, body(maelle, double))
    assert tried.status_code == 200
    assert [one["code"] for one in tried.json()["preview"]["blockers"]] == ["closed", "closed"]
    assert (answer.status_code, len(answer.json()["errors"])) == (409, 2)
    assert errors(answer) == {(None, "closed")}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"kept": str(uuid4())}, {("kept", "does_not_exist")}),
        ({"merged": "nobody"}, {("merged", "does_not_exist")}),
        ({"merged": None}, {("merged", "null")}),
        ({"choices": {"email": "both"}}, {("choices.email", "invalid_choice")}),
        ({"choices": {"shoes": "kept", "phone": ""}}, {("choices.phone", "blank")}),
        ({"choices": {"shoes": "kept"}}, {("choices.shoes", "unknown_field")}),
        ({"choices": {"email": 5}}, {("choices.email", "invalid")}),
        ({"choices": ["email"]}, {("choices", "not_a_dict")}),
        ({"reason": "x" * 501}, {("reason", "max_length")}),
        ({"digest": 5}, {("digest", "invalid")}),
        ({"force": True}, {("force", "unknown_field")}),
    ],
)
def test_merge__bad_bodies__refused_and_nothing_written(
    change: dict[str, Any],
    expected: set[tuple[str, str]],
    maelle: Customer,
    double: Customer,
    as_admin: APIClient,
    untouched: Untouched,
) -> None:
    with untouched():
        answer = as_admin.post(MERGE, body(maelle, double) | change)
    assert answer.status_code == 400
    assert errors(answer) == expected


def test_merge__foreign_customer__is_not_there(
    maelle: Customer, tidewater: Platform, as_admin: APIClient, untouched: Untouched
) -> None:
    foreign = CustomerFactory(platform=tidewater)
    with untouched():
        answer = as_admin.post(MERGE, body(maelle, foreign))
    assert (answer.status_code, errors(answer)) == (400, {("merged", "does_not_exist")})


@pytest.mark.parametrize("path", ["merge/", "duplicates/scan/", "undo", "dismiss"])
def test_writes__by_a_viewer__refused_and_nothing_written(
    path: str, maelle: Customer, double: Customer, as_viewer: APIClient, untouched: Untouched
) -> None:
    pair, trail = (factory.create(platform=maelle.platform) for factory in (DuplicatePairFactory, MergeFactory))
    address = {"undo": f"{MERGES}{trail.pk}/undo/", "dismiss": f"{DUPLICATES}{pair.pk}/dismiss/"}.get(
        path, f"{ROOT}{path}"
    )
    with untouched():
        assert as_viewer.post(address, body(maelle, double) if path == "merge/" else {}).status_code == 403


# --- undone ----------------------------------------------------------------------------------------------------------


def test_undo__tried_and_meant__says_what_goes_back_and_what_stays(
    maelle: Customer, double: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    trail = merging.merge(kept=maelle, merged=double)
    services.update_customer(customer=maelle, values={"locale": "de"})
    with untouched():
        tried = as_admin.post(f"{MERGES}{trail.pk}/undo/?dry_run=true", {})
    answer = as_admin.post(f"{MERGES}{trail.pk}/undo/", {})
    for one in (tried, answer):
        assert one.status_code == 200
        assert (one.json()["restored"], one.json()["newer"]) == (["phone"], ["locale"])
    assert answer.json()["merge"]["undone_by"] == "ann"
    assert Customer.objects.get(pk=double.pk).is_open
    with untouched():
        again = as_admin.post(f"{MERGES}{trail.pk}/undo/", {})
    assert (again.status_code, errors(again)) == (409, {(None, "undone")})
    assert not DuplicatePair.objects.exists()


def test_undo__address_taken_meanwhile__refused_by_name(
    maelle: Customer, double: Customer, as_admin: APIClient, untouched: Untouched
) -> None:
    trail = merging.merge(kept=maelle, merged=double)
    CustomerFactory(platform=maelle.platform, email=double.email, external_ref="C-2")
    with untouched():
        answer = as_admin.post(f"{MERGES}{trail.pk}/undo/", {})
    assert (answer.status_code, errors(answer)) == (409, {(None, "email_taken"), (None, "external_ref_taken")})
