"""Events are written with the change, and delivered once it is committed, whoever dies when."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from modules import events, services, work, worker
from modules.events import Happened
from modules.models import Delivery, Event
from modules.plans import Wish
from modules.registry import registry
from modules.work_models import Work
from platforms.access import Actor
from platforms.models import Platform, User
from platforms.services import delete_platform
from tests.factories import PlatformFactory
from tests.fixtures.module_fixtures import Install
from tests.modules import listening
from tests.modules.building import definition, enable, origin
from tests.modules.listening import HERE, SOLD, Broken, effects, post, shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_fails() -> Iterator[None]:
    listening.failing.clear()
    yield
    listening.failing.clear()


@pytest.fixture
def told(install: Install, platform: Platform) -> Platform:
    """A platform on which the module that listens is on; what switching it on told is done with."""
    install(shop(), post("on_sold"))
    enable(platform, "post")
    Event.objects.all().delete()
    return platform


def sell(platform: Platform, order: int = 7) -> Event:
    events.emit(SOLD, platform=platform, data={"order": order})
    return Event.objects.get(name=SOLD, data={"order": order})


def states() -> list[tuple[str, int, str]]:
    return list(Delivery.objects.order_by("pk").values_list("state", "attempts", "note"))


def time_passes(model: type[Work] = Delivery) -> None:
    """Make everything that waits due, as if its back-off were over."""
    model._base_manager.filter(state="waiting").update(due_at=timezone.now())


# --- What is written ------------------------------------------------------------------------------------------------


def test_emit__envelope__is_what_was_said(install: Install, platform: Platform, ann: User) -> None:
    install(shop())
    events.emit(SOLD, platform=platform, vendor_id=4, actor_id=ann.pk, data={"order": 7})
    event = Event.objects.get()
    assert isinstance(event.pk, uuid.UUID)
    assert (event.name, event.version, event.platform_id, event.vendor_id, event.actor_id, event.data) == (
        SOLD,
        3,
        platform.pk,
        4,
        ann.pk,
        {"order": 7},
    )
    assert timezone.now() - event.at < timedelta(seconds=10)


def test_emit__undeclared__is_refused(platform: Platform) -> None:
    with pytest.raises(LookupError, match=r"No installed module declares the event shop\.sold\."):
        events.emit(SOLD, platform=platform)
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_emit__outside_a_transaction__is_refused(install: Install, platform: Platform) -> None:
    install(shop())
    with pytest.raises(TransactionManagementError, match="in the transaction of the change"):
        events.emit(SOLD, platform=platform)
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_emit__rolled_back__leaves_no_event_and_no_hint(install: Install, platform: Platform) -> None:
    install(shop(), post("on_sold"))
    with transaction.atomic():
        sell(platform)
        assert Delivery.objects.count() == 1
        transaction.set_rollback(True)
    assert (Event.objects.count(), Delivery.objects.count(), OrmQ.objects.count()) == (0, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_emit__committed__sends_one_hint_for_all(install: Install, platform: Platform) -> None:
    install(shop(), post("on_sold", "on_sold_too"))
    with transaction.atomic():
        events.emit_all([Happened(name=SOLD, platform_id=platform.pk, data={"order": n}) for n in range(3)])
        assert not OrmQ.objects.exists()
    [message] = OrmQ.objects.all()
    deliveries = [str(pk) for pk in Delivery.objects.order_by("pk").values_list("pk", flat=True)]
    assert len(deliveries) == 6
    assert (message.task["func"], message.task["args"], message.task["kwargs"]) == (
        "modules.worker.work_off",
        ("Delivery", deliveries),
        {},
    )


@pytest.mark.django_db(transaction=True)
def test_emit__queue_out_of_reach__does_not_undo_what_is_committed(
    install: Install, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    install(shop(), post("on_sold"))
    enable(platform, "post")

    def unreachable(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith('INSERT INTO "django_q_ormq"'):
            raise Broken("no queue")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(unreachable), transaction.atomic():
        sell(platform)
    assert not OrmQ.objects.exists()
    assert "no queue" in caplog.text
    worker.sweep()
    assert effects() == ["sold 7"]


def test_emit__nobody_listens__is_one_insert_and_no_hint(
    install: Install,
    platform: Platform,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_capture_on_commit_callbacks: Any,
) -> None:
    install(shop())
    with django_capture_on_commit_callbacks() as callbacks, django_assert_num_queries(1):
        events.emit_all([Happened(name=SOLD, platform_id=platform.pk) for _ in range(100)])
    assert callbacks == []
    assert Event.objects.count() == 100


def test_emit__many_with_listeners__is_two_inserts(
    install: Install, platform: Platform, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    install(shop(), post("on_sold", "on_sold_too"))
    with django_assert_num_queries(2):
        events.emit_all([Happened(name=SOLD, platform_id=platform.pk) for _ in range(50)])
    assert Delivery.objects.count() == 100


# --- What is delivered ----------------------------------------------------------------------------------------------


def test_delivery__handler__gets_the_event(told: Platform, monkeypatch: pytest.MonkeyPatch, ann: User) -> None:
    got: list[Any] = []
    monkeypatch.setattr(listening, "on_sold", got.append)
    events.emit(SOLD, platform=told, actor_id=ann.pk, data={"order": 7})
    event = Event.objects.get()
    worker.work_off("Delivery", [str(Delivery.objects.get().pk)])
    [envelope] = got
    assert (envelope.id, envelope.name, envelope.version, envelope.at) == (event.pk, SOLD, 3, event.at)
    assert (envelope.platform, envelope.vendor_id, envelope.actor_id, envelope.data) == (
        told,
        None,
        ann.pk,
        {"order": 7},
    )


def test_delivery__hint_lost__sweep_delivers_once(told: Platform) -> None:
    sell(told)
    worker.sweep()
    worker.sweep()
    assert effects() == ["sold 7"]
    assert states() == [("done", 1, "")]


def test_delivery__hinted_again__is_not_made_again(told: Platform) -> None:
    sell(told)
    key = str(Delivery.objects.get().pk)
    worker.work_off("Delivery", [key, key])
    worker.work_off("Delivery", [key, "4711"])
    assert effects() == ["sold 7"]


def test_delivery__handler_raises__is_rolled_back_and_tried_again_later(
    told: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    sell(told)
    listening.failing += [Broken("no paper\nDETAIL: a whole row"), Broken("no ink")]
    before = timezone.now()
    worker.sweep()
    assert effects() == []
    assert states() == [("waiting", 1, "Broken: no paper")]
    waits = Delivery.objects.get().due_at - before
    assert timedelta(seconds=29) < waits < timedelta(seconds=40)
    assert "no paper" in caplog.text

    worker.sweep()
    assert states() == [("waiting", 1, "Broken: no paper")]

    time_passes()
    before = timezone.now()
    worker.sweep()
    assert states() == [("waiting", 2, "Broken: no ink")]
    assert timedelta(seconds=59) < Delivery.objects.get().due_at - before < timedelta(seconds=70)

    time_passes()
    worker.sweep()
    assert effects() == ["sold 7"]
    assert states() == [("done", 3, "")]
    assert Delivery.objects.get().finished_at is not None


def test_delivery__one_handler_raises__the_other_is_told(told: Platform, install: Install) -> None:
    install(definition("other", handlers=post("on_sold_too").handlers))
    enable(told, "other")
    sell(told)
    listening.failing += [Broken("no paper")]
    worker.sweep()
    assert effects() == ["also sold 7"]
    assert [state for state, _, _ in states()] == [
        "waiting",
        "done",
    ]


def test_delivery__fails_every_time__has_failed_until_it_is_retried(told: Platform, settings: Settings) -> None:
    settings.TASK_ATTEMPTS = 3
    settings.TASK_BACKOFF_SECONDS = 0
    sell(told)
    listening.failing += [Broken(f"jam {number}") for number in range(3)]
    worker.sweep()
    worker.sweep()
    assert effects() == []
    assert states() == [("failed", 3, "Broken: jam 2")]

    assert work.retry(Delivery, Delivery.objects.all()) == 1
    worker.sweep()
    assert effects() == ["sold 7"]
    assert work.retry(Delivery, Delivery.objects.all()) == 0


def test_delivery__worker_dies_in_every_attempt__has_failed(told: Platform, settings: Settings) -> None:
    settings.TASK_ATTEMPTS = 2
    sell(told)
    key = Delivery.objects.get().pk
    for _ in range(2):
        time_passes()
        assert work.take(Delivery, key, work.backoff) is not None  # and then nothing more is heard
    time_passes()
    worker.sweep()
    assert effects() == []
    assert states() == [("failed", 2, "The worker was stopped in the middle of every attempt.")]


def test_delivery__taken_by_another_meanwhile__is_theirs(told: Platform) -> None:
    sell(told)
    key = Delivery.objects.get().pk
    slow = work.take(Delivery, key, work.backoff)
    assert slow is not None
    assert work.take(Delivery, key, work.backoff) is None
    time_passes()
    assert work.take(Delivery, key, work.backoff) is not None
    with transaction.atomic():
        assert not work.retake(slow)
    work.failed(slow, Broken("too late"))
    assert states() == [("waiting", 2, "")]


def test_delivery__stopped_by_its_time_out__counts_and_is_passed_on(
    told: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(event: Any) -> None:
        listening.note(event.platform, "half")
        raise SystemExit("Task exceeded maximum timeout value (300 seconds)")

    monkeypatch.setattr(listening, "on_sold", stopped)
    sell(told)
    with pytest.raises(SystemExit):
        worker.sweep()
    assert effects() == []
    assert states() == [("waiting", 1, "SystemExit: Task exceeded maximum timeout value (300 seconds)")]


def test_backoff__every_attempt__waits_twice_as_long_up_to_an_hour() -> None:
    assert [work.backoff(attempts).seconds for attempts in range(1, 10)] == [
        *(30, 60, 120, 240, 480, 960, 1920, 3600, 3600)
    ]


# --- The gate -------------------------------------------------------------------------------------------------------


def test_delivery__module_off__is_dark_and_recorded_until_it_is_on_again(told: Platform) -> None:
    services.disable(platform=told, module="post", origin=origin())
    sell(told)
    worker.sweep()
    assert effects() == []
    assert states() == [("skipped", 1, f"The module post is off on {told.code}.")]

    enable(told, "post")
    worker.sweep()
    assert effects() == []
    sell(told, 8)
    worker.sweep()
    assert effects() == ["sold 8"]


def test_delivery__module_off_elsewhere__is_told_where_it_is_on(told: Platform) -> None:
    other = PlatformFactory()
    events.emit_all([Happened(name=SOLD, platform_id=one.pk, data={"order": one.pk}) for one in (other, told)])
    worker.sweep()
    assert effects() == [f"sold {told.pk}"]


def test_delivery__platform_gone__is_skipped(told: Platform, ann: User) -> None:
    sell(told)
    delete_platform(platform=told, actor=Actor(ann), source="admin")
    worker.sweep()
    assert states() == [("skipped", 1, "The platform is gone.")]


def test_delivery__module_uninstalled_since__is_skipped(platform: Platform) -> None:
    with registry.register_temporarily(shop(), post("on_sold")):
        sell(platform)
    worker.sweep()
    assert states() == [("skipped", 1, "No installed module post declares this handler any more.")]


# --- Events of the heart --------------------------------------------------------------------------------------------


def heart_events() -> list[tuple[str, Any]]:
    return list(Event.objects.order_by("at", "name", "data__module").values_list("name", "data"))


def test_services__every_change__tells_what_it_did(platform: Platform, ann: User) -> None:
    services.enable(platform=platform, module="billing", origin=origin(ann))
    services.configure(
        platform=platform, module="billing", config={"default_trial_days": 3, "api_key": "hunter22"}, origin=origin()
    )
    services.disable(platform=platform, module="billing", origin=origin())
    services.reset(platform=platform, module="billing", origin=origin())
    assert heart_events() == [
        ("modules.enabled", {"module": "billing", "keys": []}),
        ("modules.enabled", {"module": "customers", "keys": []}),
        ("modules.configured", {"module": "billing", "keys": ["api_key", "default_trial_days"]}),
        ("modules.disabled", {"module": "billing", "keys": []}),
        ("modules.configured", {"module": "billing", "keys": ["api_key", "default_trial_days"]}),
    ]
    first = Event.objects.order_by("at").first()
    assert first is not None
    assert (first.platform_id, first.actor_id) == (platform.pk, ann.pk)
    assert "hunter22" not in repr(list(Event.objects.values()))


def test_services__nothing_to_do_or_refused_or_tried__tells_nothing(platform: Platform) -> None:
    services.disable(platform=platform, module="billing", origin=origin())
    services.enable(platform=platform, module="billing", origin=origin(), dry_run=True)
    with pytest.raises(services.Blocked):
        services.enable(platform=platform, module="gone", origin=origin())
    assert not Event.objects.exists()


def test_services__many_platforms__tell_in_one_insert(db: None) -> None:
    platforms = PlatformFactory.create_batch(30)
    with CaptureQueriesContext(connection) as captured:
        services.apply_many(
            wishes={one.pk: [Wish(module="billing", is_enabled=True)] for one in platforms}, origin=origin()
        )
    assert sum('INSERT INTO "modules_event"' in query["sql"] for query in captured) == 1
    assert Event.objects.count() == 60


def test_hooks__of_the_module_itself__are_called_after_the_switch(install: Install, platform: Platform) -> None:
    install(post(on_enable=f"{HERE}.on_enable", on_disable=f"{HERE}.on_disable"), definition("other"))
    enable(platform, "other", "post")
    worker.sweep()
    assert effects() == ["post is on"]
    services.disable(platform=platform, module="post", origin=origin())
    services.disable(platform=platform, module="other", origin=origin())
    worker.sweep()
    assert effects() == ["post is on", "post is off"]
    assert [state for state, _, _ in states()] == ["done", "done"]


def test_hooks__switched_back_before_they_are_called__are_skipped(install: Install, platform: Platform) -> None:
    install(post(on_enable=f"{HERE}.on_enable", on_disable=f"{HERE}.on_disable"))
    enable(platform, "post")
    services.disable(platform=platform, module="post", origin=origin())
    enable(platform, "post")
    services.disable(platform=platform, module="post", origin=origin())
    worker.sweep()
    assert effects() == ["post is off", "post is off"]
    enable(platform, "post")
    services.disable(platform=platform, module="post", origin=origin())
    enable(platform, "post")
    worker.sweep()
    assert effects()[2:] == ["post is on", "post is on"]
    assert ("skipped", 1, f"The module post is on again on {platform.code}.") in states()


# --- Tidying up -----------------------------------------------------------------------------------------------------


def test_prune__old_events__go_unless_somebody_waits_or_failed(told: Platform, settings: Settings) -> None:
    for order in range(4):
        sell(told, order)
    worker.sweep()
    long_ago = timezone.now() - timedelta(days=settings.WORK_KEPT_DAYS, minutes=1)
    Event.objects.exclude(data={"order": 3}).update(at=long_ago)
    Delivery.objects.filter(event__data={"order": 1}).update(state="waiting")
    Delivery.objects.filter(event__data={"order": 2}).update(state="failed")
    worker.prune()
    assert sorted(event.data["order"] for event in Event.objects.all()) == [1, 2, 3]
    assert Delivery.objects.count() == 3
