"""The demo story's customers: as many as it says, valid, the same every time, and never told twice."""

from collections import Counter
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers import consents, demo, segments
from customers.models import Address, ConsentRecord, Customer, DuplicatePair, Note, PrivacyRequest, Segment, Tag
from customers.rules import validate_rules
from customers.selectors import search
from modules import guards
from platforms.demo import Story
from platforms.models import Platform

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _told(db: None) -> None:
    call_command("demo", stdout=StringIO())


def everything() -> dict[str, list[dict[str, Any]]]:
    models = apps.get_app_config("customers").get_models(include_auto_created=True)
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in models}


def test_demo__each_platform__has_as_many_as_the_story_says() -> None:
    found = Counter(Customer.objects.values_list("platform__code", flat=True))
    assert found == {"kestrel": 240, "tidewater": 180, "quarry": 60}


def test_demo__every_row__is_one_that_the_services_would_take() -> None:
    for model in (Customer, Address, Note):
        for row in model._default_manager.all():
            kept = {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}
            row.full_clean(validate_unique=False, validate_constraints=False)
            assert {field.name: field.value_from_object(row) for field in row._meta.concrete_fields} == kept
    for line in ConsentRecord.objects.all():
        line.clean_fields(exclude=["platform", "customer"])


def test_demo__duplicate_pair__is_planted_on_kestrel() -> None:
    pair = search(Customer.objects.filter(platform__code="kestrel"), "+33199004242")
    assert {customer.name for customer in pair} == {"Maëlle Dubois"}
    assert pair.count() == 2


def test_demo__queue__shows_the_planted_pair_and_no_other() -> None:
    [found] = DuplicatePair.objects.all()
    assert (found.platform.code, found.a.name, found.b.name) == ("kestrel", "Maëlle Dubois", "Maëlle Dubois")
    assert (found.why, found.status) == (["phone", "name"], "open")


def test_demo__consents__stand_in_every_way() -> None:
    newest = [consents.newest(customer.consents.all()) for customer in Customer.objects.prefetch_related("consents")]
    assert {(line.action, line.counts) for lines in newest for line in lines} == {
        ("given", False),
        ("confirmed", True),
        ("withdrawn", False),
    }


def test_demo__each_segment__has_members_and_names_nothing_that_is_not_there() -> None:
    found = Counter(Segment.objects.values_list("platform__code", flat=True))
    assert found == {"kestrel": 3, "tidewater": 2, "quarry": 2}
    for segment in Segment.objects.select_related("platform"):
        of_platform = Customer.objects.filter(platform=segment.platform).count()
        assert 0 < segments.count(segments.members_of(segment)).number < of_platform, segment
        assert validate_rules(segment.rules, segment.platform) == segment.rules
        before = segment.name, segment.key
        segment.full_clean()
        assert (segment.name, segment.key) == before


def test_demo__twice__changes_nothing() -> None:
    before = everything()
    call_command("demo", stdout=StringIO())
    assert everything() == before


def test_demo__told_anew__are_the_same_people(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    quarry = Platform.objects.get(code="quarry")
    before = list(Customer.objects.filter(platform=quarry).order_by("pk").values("pk", "first_name", "created_at"))
    with guards.lifted():
        ConsentRecord.objects.filter(platform=quarry).delete()
    Customer.objects.filter(platform=quarry).delete()
    Tag.objects.filter(platform=quarry).delete()
    with django_assert_max_num_queries(43):
        demo.load(Story())
    assert (
        list(Customer.objects.filter(platform=quarry).order_by("pk").values("pk", "first_name", "created_at")) == before
    )


def test_demo__privacy__one_due_in_six_days_one_on_hold_and_no_worker_erases_either() -> None:
    due, held = PrivacyRequest.objects.order_by("-due_at")
    assert {due.platform.code, held.platform.code} == {"kestrel"}
    assert (due.due_at - timezone.now()).days in (5, 6)
    assert (due.status, held.status, bool(held.hold_reason)) == ("open", "on_hold", True)
    for request in (due, held):
        request.clean_fields()
        assert request.customer.is_open
    kinds = [list(one.customer.events.order_by("-at").values_list("kind", flat=True)[:2]) for one in (due, held)]
    assert (kinds[0][0], kinds[1]) == ("asked", ["held", "asked"])
    assert not PrivacyRequest.objects.ripe().exists()
    assert not PrivacyRequest.objects.overdue().exists()
