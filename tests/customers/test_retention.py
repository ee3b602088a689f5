"""Retention: who did nothing for so long is told, and erased once the notice is over, unless they are back; health."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from customers import consents, health, privacy, retention, services, tasks
from customers.models import Customer, CustomerEvent, PrivacyRequest
from modules import ports, worker
from modules import services as module_services
from modules.declarations import Provider
from modules.models import TaskRun
from modules.ports import Finding, Level
from modules.tasks import enqueue
from platforms.access import Actor
from platforms.conflicts import Conflict
from platforms.models import Platform, User
from tests.customers.conftest import Untouched
from tests.factories import CustomerFactory, PrivacyRequestFactory
from tests.fixtures.module_fixtures import Install
from tests.modules.building import definition, enable, origin

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 8, 31, 9, 0, tzinfo=UTC)
told: list[Any] = []


def on_notify(**message: Any) -> None:
    told.append(message)


@pytest.fixture(autouse=True)
def _frozen() -> Any:
    told.clear()
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def posted(shop: Platform, install: Install) -> Platform:
    """Kestrel, which keeps customers for six months and has somebody who sends notices."""
    install(
        definition("post", provides=(Provider(port="notify", provider="tests.customers.test_retention.on_notify"),))
    )
    enable(shop, "post")
    return keep_for(shop, 6)


def keep_for(platform: Platform, months: int, **config: int) -> Platform:
    module_services.configure(
        platform=platform, module="customers", config={"inactive_months": months, **config}, origin=origin()
    )
    return Platform.objects.get(pk=platform.pk)


def quiet(platform: Platform, since: datetime, **fields: Any) -> Customer:
    """Make a customer of whom nothing was heard since then."""
    customer = CustomerFactory(platform=platform, **fields)
    Customer.objects.filter(pk=customer.pk).update(created_at=since)
    CustomerEvent.objects.filter(customer=customer).update(at=since)
    return customer


LONG_AGO = datetime(2026, 2, 27, tzinfo=UTC)


def noted() -> list[Any]:
    return list(PrivacyRequest.objects.filter(source="inactivity").values_list("customer", flat=True))


# --- who is told -----------------------------------------------------------------------------------------------------


def test_notice__inactive_for_so_long__told_once_and_stands_in_the_queue(posted: Platform) -> None:
    customer = quiet(posted, LONG_AGO, email="mae@example.com", locale="fr")
    assert retention.give_notice(posted) == 1
    request = PrivacyRequest.objects.get()
    assert (request.customer, request.kind, request.status) == (customer, "erasure", "open")
    assert (request.not_before, request.due_at) == (NOW + timedelta(days=14), NOW + timedelta(days=44))
    line = customer.events.latest("at")
    said = {"request": str(request.pk), "wanted": "erasure", "source": "inactivity", "reason": ""}
    assert (line.kind, line.at, line.actor_label, line.data) == ("asked", NOW, "", said)
    [message] = told
    assert (message["topic"], message["key"]) == ("customers.retention_notice", f"retention {request.pk}")
    assert message["context"] == {"erased_on": "2026-09-14"}
    assert [(to.address, to.person, to.locale) for to in message["recipients"]] == [
        ("mae@example.com", str(customer.pk), "fr")
    ]
    assert retention.give_notice(posted) == 0
    assert len(told) == 1


@pytest.mark.parametrize(
    ("since", "is_told"),
    [(datetime(2026, 2, 28, 8, 59, tzinfo=UTC), True), (datetime(2026, 2, 28, 9, 0, tzinfo=UTC), False)],
)
def test_notice__the_day_itself__is_the_last_on_which_they_are_kept(
    since: datetime, is_told: bool, posted: Platform
) -> None:
    quiet(posted, since)
    assert retention.give_notice(posted) == int(is_told)


def test_notice__who_did_something_or_is_no_customer_any_more__is_not_told(posted: Platform) -> None:
    did, exported, asked, called_off, erased = (quiet(posted, LONG_AGO) for _ in range(5))
    consents.give(customer=did, channel="sms", purpose="marketing", source="till")
    CustomerEvent.objects.create(platform=posted, customer=exported, kind="exported")
    PrivacyRequestFactory(customer=asked, kind="export")
    privacy.execute(request=PrivacyRequestFactory(customer=erased), is_early=True)
    assert retention.give_notice(posted) == 2
    assert set(noted()) == {exported.pk, called_off.pk}
    for request in PrivacyRequest.objects.filter(source="inactivity"):
        privacy.cancel(request=request)
    with time_machine.travel(NOW + timedelta(days=100)):
        assert retention.give_notice(posted) == 0
    with time_machine.travel(NOW + timedelta(days=300)):
        assert retention.give_notice(posted) == 3  # whose export still waits is not forgotten meanwhile


def test_notice__without_an_address__nobody_is_written_to_and_the_wait_is_the_same(posted: Platform) -> None:
    quiet(posted, LONG_AGO, email="")
    assert (retention.give_notice(posted), told) == (1, [])
    assert PrivacyRequest.objects.get().not_before == NOW + timedelta(days=14)


def test_notice__longer_grace__is_the_wait(posted: Platform) -> None:
    quiet(posted, LONG_AGO)
    retention.give_notice(keep_for(posted, 6, erase_grace_days=30))
    assert PrivacyRequest.objects.get().not_before == NOW + timedelta(days=30)


def test_notice__off_or_nobody_to_send_it__nothing_written(
    shop: Platform, posted: Platform, untouched: Untouched
) -> None:
    quiet(posted, LONG_AGO)
    kept_for_ever = keep_for(posted, 0)
    with untouched():
        assert retention.give_notice(kept_for_ever) == 0
    keep_for(posted, 6)
    module_services.disable(platform=Platform.objects.get(pk=posted.pk), module="post", origin=origin())
    with untouched():
        assert retention.give_notice(Platform.objects.get(pk=posted.pk)) == 0
    assert ports.dropped(posted) == {}


def test_notice__very_many__so_many_a_night_in_as_many_queries(
    posted: Platform, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    for day in range(7):
        quiet(posted, LONG_AGO - timedelta(days=day))
    quiet(Platform.objects.get(code="tidewater"), LONG_AGO)
    monkeypatch.setattr(retention, "MOST_A_NIGHT", 5)
    with django_assert_num_queries(8):
        assert retention.give_notice(posted) == 5
    assert retention.give_notice(posted) == 2
    assert retention.give_notice(posted) == 0


# --- what becomes of them --------------------------------------------------------------------------------------------


def work_off() -> None:
    enqueue(tasks.erase_due)
    worker.sweep()
    worker.sweep()


@pytest.mark.parametrize("is_on", [True, False])
def test_schedule__notice_and_wait_over__erased_whether_on_or_off(posted: Platform, is_on: bool) -> None:
    customer = quiet(posted, LONG_AGO)
    if not is_on:
        module_services.disable(platform=posted, module="customers", origin=origin())
    worker.run_schedule(task="customers.give_notice", at="2026-08-31T02:41")
    worker.sweep()
    assert noted() == [customer.pk]
    with time_machine.travel(NOW + timedelta(days=13)):
        work_off()
        assert Customer.objects.get().is_open
    with time_machine.travel(NOW + timedelta(days=14, minutes=1)):
        work_off()
    assert Customer.objects.get().status == "erased"


def test_due__back_again__called_off(posted: Platform) -> None:
    customer = quiet(posted, LONG_AGO)
    retention.give_notice(posted)
    with time_machine.travel(NOW + timedelta(days=3)):
        services.update_customer(customer=customer, values={"locale": "de"})
    with time_machine.travel(NOW + timedelta(days=15)):
        work_off()
    request = PrivacyRequest.objects.get()
    assert (request.status, request.report["why"]) == ("cancelled", "active_again")
    assert customer.events.latest("at").data["why"] == "active_again"
    assert Customer.objects.get().is_open
    assert TaskRun.objects.get(task="customers.erase").state == "done"


def test_due__retention_turned_off_meanwhile__called_off(posted: Platform) -> None:
    quiet(posted, LONG_AGO)
    retention.give_notice(posted)
    keep_for(posted, 0)
    with time_machine.travel(NOW + timedelta(days=15)):
        work_off()
    request = PrivacyRequest.objects.get()
    assert (request.status, request.report["why"]) == ("cancelled", "retention_off")
    assert Customer.objects.get().is_open


def test_due__held_and_released_meanwhile__is_no_sign_of_them_and_erased(posted: Platform) -> None:
    quiet(posted, LONG_AGO)
    retention.give_notice(posted)
    with time_machine.travel(NOW + timedelta(days=1)):
        privacy.release(request=privacy.hold(request=PrivacyRequest.objects.get(), reason="A lawsuit."))
    with time_machine.travel(NOW + timedelta(days=15)):
        work_off()
    assert PrivacyRequest.objects.get().status == "done"
    assert not Customer.objects.get().is_open


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize(("grace", "waits"), [(7, 7), (30, 14)])
def test_notice__they_ask_themselves__is_their_request_with_its_own_due_date(
    grace: int, waits: int, is_held: bool, posted: Platform, ann: User
) -> None:
    customer = quiet(posted, LONG_AGO)
    retention.give_notice(posted)
    keep_for(posted, 6, erase_grace_days=grace)
    noticed = PrivacyRequest.objects.get()
    if is_held:
        privacy.hold(request=noticed, reason="A lawsuit.")
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        asked = privacy.request_erasure(
            customer=Customer.objects.get(pk=customer.pk), source="post", reason=" A letter. ", by=Actor(ann)
        )
        now = timezone.now()
        released = privacy.release(request=asked)
    assert (asked.pk, asked.status) == (noticed.pk, "on_hold" if is_held else "open")
    assert (asked.source, asked.reason, asked.actor_label, asked.created_at) == ("post", "A letter.", "ann", now)
    not_before = min(now + timedelta(days=waits), noticed.not_before + timedelta(hours=is_held))
    assert (released.due_at, released.not_before) == (now + timedelta(days=30), not_before)
    assert PrivacyRequest.objects.count() == 1
    asked_for = customer.events.filter(kind="asked").order_by("at").values_list("data__source", flat=True)
    assert list(asked_for) == ["inactivity", "post"]


@pytest.mark.parametrize("reason", ["x" * 501, "a\x1b"])
def test_notice__they_ask_in_bad_words__refused_and_stays_a_notice(
    reason: str, posted: Platform, untouched: Untouched
) -> None:
    customer = quiet(posted, LONG_AGO)
    retention.give_notice(posted)
    with untouched(), pytest.raises(ValidationError) as error:
        privacy.request_erasure(customer=customer, source="post", reason=reason)
    assert set(error.value.error_dict) == {"reason"}


def test_due__asked_by_themselves_since__erased_whatever_they_did_and_the_platform_keeps(posted: Platform) -> None:
    customer = quiet(posted, LONG_AGO)
    retention.give_notice(posted)
    services.update_customer(customer=customer, values={"locale": "de"})
    keep_for(posted, 0)
    privacy.request_erasure(customer=Customer.objects.get(pk=customer.pk), source="email")
    with time_machine.travel(NOW + timedelta(days=8)):
        work_off()
    assert (PrivacyRequest.objects.get().status, Customer.objects.get().status) == ("done", "erased")


def test_due__merged_in_the_moment_of_the_notice__called_off(posted: Platform) -> None:
    customer = quiet(posted, LONG_AGO)
    retention.give_notice(posted)
    kept = quiet(posted, LONG_AGO)
    Customer.objects.filter(pk=customer.pk).update(status="merged", merged_into=kept)
    with time_machine.travel(NOW + timedelta(days=15)):
        work_off()
    request = PrivacyRequest.objects.get()
    assert (request.status, request.report["why"]) == ("cancelled", "closed")
    assert Customer.objects.get(pk=kept.pk).is_open


if connection.vendor == "postgresql":

    @pytest.mark.django_db(transaction=True)
    def test_notice__somebody_is_just_changing_them__is_not_told_yet(posted: Platform) -> None:
        customer = quiet(posted, LONG_AGO)

        def give() -> int:
            try:
                return retention.give_notice(posted)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool, transaction.atomic():
            services.lock_open(customer)
            assert pool.submit(give).result(20) == 0
        assert retention.give_notice(posted) == 1


def test_due__on_hold__kept(posted: Platform) -> None:
    quiet(posted, LONG_AGO)
    retention.give_notice(posted)
    privacy.hold(request=PrivacyRequest.objects.get(), reason="A lawsuit.")
    with time_machine.travel(NOW + timedelta(days=50)):
        work_off()
    assert Customer.objects.get().is_open


@pytest.mark.parametrize(
    ("months", "expected"),
    [
        (1, datetime(2026, 7, 31, 9, tzinfo=UTC)),
        (6, datetime(2026, 2, 28, 9, tzinfo=UTC)),
        (30, datetime(2024, 2, 29, 9, tzinfo=UTC)),
        (120, datetime(2016, 8, 31, 9, tzinfo=UTC)),
    ],
)
def test_months_before__any__a_day_that_is_there(months: int, expected: datetime) -> None:
    assert retention._months_before(NOW, months) == expected


# --- health ----------------------------------------------------------------------------------------------------------


def said(platform: Platform) -> list[tuple[str, Level]]:
    return [(finding.code, finding.level) for finding in ports.health(platform)["customers"]]


def test_health__requests__are_on_time_due_soon_or_overdue(shop: Platform) -> None:
    customer = CustomerFactory(platform=shop)
    request = PrivacyRequestFactory(customer=customer)
    PrivacyRequestFactory(customer__platform=Platform.objects.get(code="tidewater"))
    for days, expected in (
        (26, ("privacy", "ok")),
        (28, ("privacy_due_soon", "warning")),
        (31, ("privacy_overdue", "error")),
    ):
        with time_machine.travel(NOW + timedelta(days=days)):
            assert said(shop)[0] == expected
    assert health.privacy_requests(shop) == Finding(code="privacy", level=Level.OK)
    privacy.hold(request=request, reason="A lawsuit.")
    with time_machine.travel(NOW + timedelta(days=31)):
        assert said(shop)[0] == ("privacy", "ok")


def test_health__erasure_behind_an_export__is_a_warning_and_overdue_where_nobody_sees_to_it(shop: Platform) -> None:
    customer = CustomerFactory(platform=shop)
    PrivacyRequestFactory(customer=customer)
    waits = PrivacyRequestFactory(customer=customer, kind="export")
    PrivacyRequestFactory(customer__platform=shop)
    assert said(shop)[1] == ("erasures", "ok")
    with time_machine.travel(NOW + timedelta(days=8)):
        assert said(shop)[1] == ("erasure_behind_export", "warning")
        assert health.erasures(shop).detail == "1 erasures wait until an export is fetched or called off."
    with time_machine.travel(NOW + timedelta(days=31)):
        assert said(shop)[:2] == [("privacy_overdue", "error"), ("erasure_behind_export", "warning")]
        privacy.fetch(request=waits)
        assert said(shop)[1] == ("erasures", "ok")


def test_due__notice_called_off_by_the_platform__does_not_wait_for_an_export(posted: Platform) -> None:
    customer = quiet(posted, LONG_AGO)
    retention.give_notice(posted)
    PrivacyRequestFactory(customer=customer, kind="export")
    notice = PrivacyRequest.objects.get(kind="erasure")
    with time_machine.travel(NOW + timedelta(days=15)):
        with pytest.raises(Conflict, match="They wait for an export"):
            privacy.execute(request=notice)
        keep_for(posted, 0)
        assert privacy.execute(request=PrivacyRequest.objects.get(pk=notice.pk)).status == "cancelled"


def test_health__nobody_sends_notices__is_a_warning_where_they_are_wanted(shop: Platform, posted: Platform) -> None:
    assert said(posted)[2] == ("notices", "ok")
    module_services.disable(platform=posted, module="post", origin=origin())
    without = Platform.objects.get(pk=posted.pk)
    assert said(without)[2] == ("nobody_told", "warning")
    assert said(keep_for(without, 0))[2] == ("notices", "ok")
    assert timezone.now() == NOW


def test_health__nobody_asks_to_confirm__is_a_warning_where_consents_have_to_be(
    shop: Platform, posted: Platform
) -> None:
    assert said(posted)[4] == ("confirmations", "ok")
    module_services.disable(platform=posted, module="post", origin=origin())
    without = Platform.objects.get(pk=posted.pk)
    [finding] = [one for one in ports.health(without)["customers"] if one.code == "nobody_asked"]
    assert (finding.level, finding.detail) == (
        Level.WARNING,
        "No module sends the mails that ask to confirm a consent: no new one to e-mail counts.",
    )
    assert said(keep_for(without, 0, double_opt_in=False))[4] == ("confirmations", "ok")
