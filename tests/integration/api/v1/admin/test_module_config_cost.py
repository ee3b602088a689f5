"""How many queries it takes, however many platforms and modules there are."""

import pytest

from modules import services
from modules.registry import registry
from tests.factories import PlatformFactory
from tests.integration.api.v1.admin.answers import ALL, BILLING, ONE, answer
from tests.modules.building import enable, origin


@pytest.fixture(params=["few", "many"])
def crowd(request, kestrel):
    """Nobody else, or fifty more platforms with rows, and twenty more modules, half of them on for kestrel too."""
    if request.param == "many":
        codes = request.getfixturevalue("chain")
        for platform in PlatformFactory.create_batch(50):
            enable(platform, "subscriptions")
        enable(kestrel, codes[9])
    return request.param


def test_cost__state_of_a_platform__is_at_most_three_queries(
    crowd, kestrel, ann, client_of, token_of, django_assert_num_queries
):
    script, person = client_of(token_of("read")), client_of(ann)
    if crowd == "few":
        with django_assert_num_queries(2):  # token, platform without rows
            assert len(script.get(ONE).json()) == len(registry)
        with django_assert_num_queries(3):  # session, user, platform without rows
            assert len(person.get(ONE).json()) == len(registry)
        enable(kestrel, "subscriptions")
    with django_assert_num_queries(2):  # token, rows
        assert len(script.get(ONE).json()) == len(registry)
    with django_assert_num_queries(3):  # session, user, rows
        person.get(ONE)
    with django_assert_num_queries(3):  # token, platform, row
        script.get(BILLING)


@pytest.mark.parametrize("has_rows", [False, True])
def test_cost__switching__is_at_most_twelve_queries(
    crowd, kestrel, as_script, chain, has_rows, django_assert_max_num_queries
):
    last = chain[-1]
    if has_rows:
        enable(kestrel, last, "subscriptions")
        for first in (chain[0], "customers", "messaging"):
            services.disable(platform=kestrel, module=first, cascade=True, origin=origin())
    for verb, module in [
        ("enable", last),
        ("disable", chain[0]),
        ("enable", "subscriptions"),
        ("disable", "customers"),
    ]:
        with django_assert_max_num_queries(12):
            body = answer(as_script.post(f"{ONE}{module}/{verb}/", {"cascade": True} if verb == "disable" else {}))
        assert len(body["steps"]) >= 3


def test_cost__switching_with_a_session__is_at_most_thirteen_queries(
    crowd, kestrel, ann, client_of, django_assert_max_num_queries
):
    services.enable(platform=kestrel, module="customers", origin=origin())
    services.disable(platform=kestrel, module="customers", origin=origin())
    person = client_of(ann)
    with django_assert_max_num_queries(14):  # one row is changed, three are made; session and user are two
        body = answer(person.post(f"{ONE}subscriptions/enable/", {}))
    assert len(body["steps"]) == 4


def test_cost__lists__are_constant(crowd, kestrel, client_of, operator, token_of, django_assert_num_queries):
    enable(kestrel, "subscriptions")
    client = client_of(token_of("read"))
    with django_assert_num_queries(2):  # token, rows
        client.get(ALL)
    with django_assert_num_queries(4):  # and the platform and module that the filters name
        client.get(ALL, {"platform": "kestrel", "module": "billing"})
    with django_assert_num_queries(4):  # token, platform, versions, changes
        client.get(f"{BILLING}history/")


def test_cost__states_of_the_past__are_constant(crowd, kestrel, client_of, token_of, django_assert_num_queries):
    enable(kestrel, "subscriptions")
    client = client_of(token_of("read"))
    now = {"as_of": "2026-03-16T09:00:00Z"}
    with django_assert_num_queries(3):  # token, platform, versions
        client.get(ONE, now)
    with django_assert_num_queries(3):
        client.get(BILLING, now)
    with django_assert_num_queries(4):  # and the rows of now
        client.get(ONE, {"compare": "2026-03-16T09:00:00Z"})
    with django_assert_num_queries(4):  # or the versions of the other time
        client.get(ONE, {**now, "compare": "2026-03-17T09:00:00Z"})
    with django_assert_num_queries(5):  # the other platform and its rows, and those of this one
        client.get(ONE, {"compare": "kestrel"})


def test_cost__going_back__is_at_most_fifteen_queries(crowd, kestrel, as_script, django_assert_max_num_queries):
    enable(kestrel, "subscriptions", "cms")
    for path in (f"{ONE}subscriptions/revert/", f"{ONE}revert/"):
        to = kestrel.revision
        services.disable(platform=kestrel, module="customers", cascade=True, origin=origin())
        with django_assert_max_num_queries(15):  # beside a switch's: the change, how all was then, which is undone
            body = answer(as_script.post(path, {"to": to}, headers={"If-Match": "*"}))
        assert len(body["steps"]) >= 3
        kestrel.refresh_from_db()
