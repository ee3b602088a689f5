"""Lists of modules, changes and platform modules, and what they lead to."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from modules import services
from modules.models import Change, PlatformModule
from platforms.models import Platform, User
from tests.admin.pages import address, listed, logged_in, text_of
from tests.factories import MembershipFactory, PlatformFactory
from tests.fixtures.module_fixtures import Unchanged
from tests.modules.building import enable, origin

pytestmark = pytest.mark.django_db

ROWS = reverse("admin:modules_platformmodule_changelist")
CHANGES = reverse("admin:modules_change_changelist")
CATALOGUE = reverse("admin:modules_module_changelist")
PLATFORMS = reverse("admin:platforms_platform_changelist")
BULK = reverse("admin:modules_platformmodule_bulk")


# --- platform modules ------------------------------------------------------------------------------------------------


def test_rows__platform_admin__own_only_filtered_and_found(
    ann: User, kestrel_on: Platform, tidewater: Platform
) -> None:
    enable(tidewater, "cms")
    client = logged_in(ann)

    assert {row.module_id for row in listed(client, ROWS)} == {"billing", "customers", "messaging", "subscriptions"}
    assert [row.module_id for row in listed(client, ROWS, module__code__exact="billing")] == ["billing"]
    assert len(listed(client, ROWS, platform__kind__exact="loyalty", is_enabled__exact=1)) == 4
    assert {row.platform_id for row in listed(client, ROWS, platform__id__exact=tidewater.pk)} <= {kestrel_on.pk}
    assert [row.module_id for row in listed(client, ROWS, q="messag")] == ["messaging"]
    assert len(listed(client, ROWS, q="kestrel")) == 4


def test_rows__page__links_pills_and_what_is_set(ann: User, kestrel_on: Platform) -> None:
    services.configure(platform=kestrel_on, module="billing", config={"default_trial_days": 3}, origin=origin())

    html = text_of(logged_in(ann).get(ROWS))

    assert address("configure") in html
    assert '<span class="pill pill--on">On</span>' in html
    assert "1 set" in html
    assert "Add platform module" not in html


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("where", [ROWS, CHANGES, CATALOGUE, PLATFORMS])
def test_lists__many_rows__same_queries(
    operator: User, where: str, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for platform in PlatformFactory.create_batch(count):
        enable(platform, "customers", user=operator)
    client = logged_in(operator)
    expected = {ROWS: 7, CHANGES: 6, CATALOGUE: 5, PLATFORMS: 5}[where]

    with django_assert_num_queries(expected):
        assert client.get(where).status_code == 200


@pytest.mark.parametrize("modules", [1, 20])
def test_platform_page__many_modules_and_changes__same_queries(
    ann: User, kestrel: Platform, chain: list[str], modules: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    enable(kestrel, *chain[:modules])
    client = logged_in(ann)
    ContentType.objects.get_for_model(Platform)  # Django asks for it once in a process

    with django_assert_num_queries(13):
        client.get(reverse("admin:platforms_platform_change", args=[kestrel.pk]))


def test_platform_list__column__modules_on(operator: User, kestrel_on: Platform, tidewater: Platform) -> None:
    rows = {row.code: row.modules_on_count for row in listed(logged_in(operator), PLATFORMS)}

    assert rows == {"kestrel": 4, "tidewater": 0}
    assert "5 of " in text_of(logged_in(operator).get(PLATFORMS))


def test_platform_page__panels__modules_in_order_and_newest_changes(ann: User, kestrel_on: Platform) -> None:
    for days in range(12):
        services.configure(
            platform=kestrel_on,
            module="billing",
            config={"default_trial_days": days},
            origin=origin(reason=f"Try {days}"),
        )

    html = text_of(logged_in(ann).get(reverse("admin:platforms_platform_change", args=[kestrel_on.pk])))

    assert (
        html.index('id="module-customers"')
        < html.index('id="module-billing"')
        < html.index('id="module-subscriptions"')
    )
    assert address("switch_off") in html
    assert address("switch_on", module="cms") in html
    assert address("switch_off", module="monitoring") not in html
    assert "Try 11" in html
    assert "Try 1<" not in html.replace("”", "<")
    assert f"{CHANGES}?platform__id__exact={kestrel_on.pk}" in html


def test_platform__deleted_by_an_operator__rows_go_changes_stay(operator: User, kestrel_on: Platform) -> None:
    client = logged_in(operator)

    page = client.get(reverse("admin:platforms_platform_delete", args=[kestrel_on.pk]))
    answer = client.post(reverse("admin:platforms_platform_delete", args=[kestrel_on.pk]), {"post": "yes"})

    assert page.context["perms_lacking"] == set()
    assert answer.status_code == 302
    assert not PlatformModule.objects.exists()
    newest = Change.objects.first()
    assert newest is not None
    assert {step["action"] for step in newest.steps} == {"delete"}
    assert [str(change) for change in listed(client, CHANGES)] == ["kestrel #2", "kestrel #1"]
    detail = text_of(client.get(reverse("admin:modules_change_change", args=[newest.pk])))
    assert "(deleted)" in detail
    assert "Billing deleted" in detail


# --- changes and catalogue -------------------------------------------------------------------------------------------


def test_changes__list__own_only_filtered_and_found(ann: User, kestrel: Platform, tidewater: Platform) -> None:
    enable(kestrel, "customers", reason="Launch", request_id="req-1", source="api", user=ann)
    enable(kestrel, "cms", reason="Pages")
    enable(tidewater, "cms")
    client = logged_in(ann)

    assert [str(change) for change in listed(client, CHANGES)] == ["kestrel #2", "kestrel #1"]
    for query in ("launch", "req-1", "ann"):
        assert [str(change) for change in listed(client, CHANGES, q=query)] == ["kestrel #1"]
    assert [str(change) for change in listed(client, CHANGES, source__exact="api")] == ["kestrel #1"]
    today = timezone.now().date()
    assert len(listed(client, CHANGES, at__gte=f"{today} 00:00:00+00:00")) == 2
    assert {str(change) for change in listed(client, CHANGES, platform__id__exact=tidewater.pk)} <= {
        "kestrel #2",
        "kestrel #1",
    }


def test_change__page__steps_and_difference_of_each_row(ann: User, kestrel: Platform) -> None:
    services.enable(
        platform=kestrel,
        module="billing",
        config={"default_trial_days": 30, "api_key": "sk_live_secret"},
        origin=origin(ann, reason="Launch", request_id="req-1"),
    )
    change = Change.objects.get()

    answer = logged_in(ann).get(reverse("admin:modules_change_change", args=[change.pk]))

    assert [step["what"] for step in answer.context["line"]["steps"]] == [
        "Customers switched on",
        "Billing switched on",
        "Billing configured",
    ]
    assert {entry["module"]: [item["key"] for item in entry["diff"]] for entry in answer.context["entries"]} == {
        "Billing": ["state", "default_trial_days", "secrets.api_key"],
        "Customers": ["state"],
    }
    html = text_of(answer)
    assert "Launch" in html
    assert "req-1" in html
    assert "sk_live_secret" not in html


def test_change__foreign_or_missing__404(ann: User, kestrel: Platform, tidewater: Platform) -> None:
    enable(tidewater, "cms")
    client = logged_in(ann)

    for key in (Change.objects.get().pk, 999_999, "x", 10**30):
        assert client.get(reverse("admin:modules_change_change", args=[key])).status_code == 404


def test_catalogue__lists_what_is_and_was_installed(
    ann: User, kestrel_on: Platform, tidewater: Platform, left_behind: str
) -> None:
    enable(tidewater, "customers")
    client = logged_in(ann)

    rows = {row.code: row.on_count for row in listed(client, CATALOGUE)}
    page = text_of(client.get(reverse("admin:modules_module_change", args=["billing"])))

    assert rows["customers"] == 1
    assert rows["cms"] == 0
    assert left_behind in rows
    assert "Tidewater" not in text_of(client.get(reverse("admin:modules_module_change", args=["customers"])))
    assert "Kestrel Rewards" in page
    assert "<code>address.city</code>" in page
    assert client.get(reverse("admin:modules_module_change", args=["nothing"])).status_code == 404
    assert "No longer installed" in text_of(client.get(reverse("admin:modules_module_change", args=[left_behind])))


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_read_only_pages__anything_but_reading__405(
    operator: User, kestrel_on: Platform, unchanged: Unchanged, method: str
) -> None:
    client = logged_in(operator)
    pk = Change.objects.get().pk
    pages = [CHANGES, CATALOGUE]
    pages += [f"{CHANGES}{end}" for end in ("add/", f"{pk}/change/", f"{pk}/delete/", f"{pk}/history/")]
    pages += [f"{CATALOGUE}{end}" for end in ("add/", "billing/change/", "billing/delete/", "billing/history/")]

    with unchanged():
        answers = [getattr(client, method)(page) for page in pages]

    assert [answer.status_code for answer in answers] == [405] * len(pages)


def test_catalogue__somebody_without_a_platform__refused(operator: User) -> None:
    stranger = MembershipFactory.create(user__is_staff=True, user__username="sam").user
    stranger.memberships.all().delete()
    client = logged_in(stranger)

    assert client.get(CATALOGUE).status_code == 403
    assert client.get(reverse("admin:modules_module_change", args=["billing"])).status_code == 404
