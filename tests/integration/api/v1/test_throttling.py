"""Too often is 429 with `Retry-After`, in the one shape: by token, by user, by address."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory

from config.settings import base
from platforms import counters
from platforms.api.throttling import PublicThrottle
from platforms.api.viewsets import BaseViewSet
from platforms.checks import check_rates
from platforms.models import RequestCount, Vendor
from platforms.rates import parse_rate

KESTREL = "/api/v1/admin/platforms/kestrel/"
VENDORS = f"{KESTREL}vendors/"
MOMENT = 1_700_000_040 + 48  # twelve seconds before the window ends


@pytest.fixture(autouse=True)
def rates(settings):
    settings.THROTTLE_RATES = {
        "client": "5/min",
        "anonymous": "3/min",
        "bad_credentials": "2/min",
        "public": "4/min",
    }
    with counters.clock_at(MOMENT):
        yield


def statuses(count, ask):
    return [ask().status_code for _ in range(count)]


def refused(response):
    assert response.status_code == 429
    assert response["Retry-After"] == "12"
    body = response.json()
    assert (body["type"], [(error["attr"], error["code"]) for error in body["errors"]]) == (
        "client_error",
        [(None, "throttled")],
    )


# --- By token, by user -----------------------------------------------------------------------------------------------


def test_token__too_often__is_429_until_the_window_ends(token_of, client_of):
    client = client_of(token_of("read"))
    assert statuses(5, lambda: client.get(KESTREL)) == [200] * 5
    refused(client.get(KESTREL))
    with counters.clock_at(MOMENT + 12):
        assert client.get(KESTREL).status_code == 200


def test_token__another_token_or_the_user_of_it__has_a_count_of_its_own(ann, token_of, client_of):
    clients = [client_of(token_of("read")), client_of(token_of("read")), client_of(ann)]
    for client in clients:
        assert statuses(6, lambda client=client: client.get(KESTREL)) == [200] * 5 + [429]


def test_token__write_that_is_too_often__changes_nothing(token_of, client_of):
    client = client_of(token_of("admin"))
    statuses(5, lambda: client.get(KESTREL))
    refused(client.post(VENDORS, {"code": "fern", "name": "Fern"}, headers={"Idempotency-Key": "k"}))
    assert not Vendor.objects.exists()
    with counters.clock_at(MOMENT + 12):
        assert (
            client.post(VENDORS, {"code": "fern", "name": "Fern"}, headers={"Idempotency-Key": "k"}).status_code == 201
        )


def test_token__requests_that_fail__count(token_of, client_of):
    client = client_of(token_of("read"))
    asks = [
        lambda: client.get("/api/v1/admin/platforms/nowhere/"),
        lambda: client.post(VENDORS, {}),
        lambda: client.post(VENDORS, b"{", content_type="application/json"),
        lambda: client.put(KESTREL, {}),
        lambda: client.get(f"{KESTREL}tokens/"),
    ]
    assert [ask().status_code for ask in asks] == [404, 403, 400, 405, 403]
    refused(client.get(KESTREL))


def test_token__other_process_has_counted__counts_here_too(token_of, client_of):
    client = client_of(token_of("read"))
    for _ in range(2):
        counters.forget()
        statuses(2, lambda: client.get(KESTREL))
    counters.forget()
    assert statuses(2, lambda: client.get(KESTREL)) == [200, 429]


# --- By address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [KESTREL, "/api/v1/admin/modules/", "/api/v1/docs/"])
def test_anonymous__too_often__is_429_by_address(db, path):
    client = APIClient()
    first = client.get(path).status_code
    assert statuses(3, lambda: client.get(path)) == [first, first, 429]
    assert client.get(path, REMOTE_ADDR="198.51.100.7").status_code == first
    assert client.get(path, headers={"X-Forwarded-For": "198.51.100.8"}).status_code == 429


def test_anonymous__too_often__does_not_touch_who_has_credentials(kestrel, token_of, client_of):
    statuses(5, lambda: APIClient().get(KESTREL))
    assert client_of(token_of("read")).get(KESTREL).status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer swy_x", "Bearer a b", "Bearer \xff"])
def test_bad_credentials__too_often__are_429_by_address(token_of, client_of, header, django_assert_num_queries):
    guesser = APIClient(headers={"Authorization": header})
    assert statuses(2, lambda: guesser.get(KESTREL)) == [401, 401]
    response = guesser.get(KESTREL)
    refused(response)
    assert "WWW-Authenticate" not in response
    with django_assert_num_queries(header == "Bearer swy_x"):  # nothing is written any more
        refused(guesser.post(VENDORS, {}))
    assert guesser.get(KESTREL, REMOTE_ADDR="198.51.100.7").status_code == 401
    # A good token is no guess, whoever else is at its address.
    assert client_of(token_of("read")).get(KESTREL).status_code == 200


def test_bad_credentials__of_an_ipv6_network__are_counted_together(db):
    guesser = APIClient(headers={"Authorization": "Bearer swy_x"})
    addresses = [f"2001:db8::{number:x}" for number in range(1, 4)]
    assert [guesser.get(KESTREL, REMOTE_ADDR=address).status_code for address in addresses] == [401, 401, 429]
    assert guesser.get(KESTREL, REMOTE_ADDR="2001:db8:0:1::1").status_code == 401


# --- The public API --------------------------------------------------------------------------------------------------


class ContactView(BaseViewSet):
    """A public view as a module has it: open to all, one action slower than the rest."""

    permission_classes = []
    throttle_classes = [PublicThrottle]
    throttle_scope = "messaging.contact"
    throttle_rates = {"create": "1/hour"}

    def list(self, request):
        return self._answer()

    def create(self, request):
        return self._answer()

    def _answer(self):
        return Response({})


@pytest.fixture
def ask():
    """Ask the public view."""
    view = ContactView.as_view({"get": "list", "post": "create"})
    return lambda method, **environ: view(getattr(APIRequestFactory(), method)("/", **environ))


def test_public__too_often__is_429_by_address(db, ask):
    assert statuses(5, lambda: ask("get")) == [200] * 4 + [429]
    assert ask("get", REMOTE_ADDR="198.51.100.7").status_code == 200


def test_public__action_with_a_rate__is_counted_apart(db, ask, settings):
    assert statuses(2, lambda: ask("post")) == [200, 429]
    assert statuses(5, lambda: ask("get")) == [200] * 4 + [429]
    # The operator's word comes first.
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "messaging.contact.create": ""}
    assert statuses(3, lambda: ask("post")) == [200] * 3


# --- Rates -----------------------------------------------------------------------------------------------------------


def test_rate__empty__is_no_limit(settings, token_of, client_of):
    settings.THROTTLE_RATES = dict.fromkeys(settings.THROTTLE_RATES, "")
    client = client_of(token_of("read"))
    assert set(statuses(20, lambda: client.get(KESTREL))) == {200}
    assert set(statuses(20, lambda: APIClient().get(KESTREL))) == {401}
    assert not RequestCount.objects.exists()


@pytest.mark.parametrize(
    ("rate", "parsed"), [("1/sec", (1, 1)), ("600/min", (600, 60)), ("9/hour", (9, 3600)), ("", None)]
)
def test_rate__is_read(rate, parsed):
    assert parse_rate(rate) == parsed


@pytest.mark.parametrize("rate", ["0/min", "5", "5/week", "-5/min", "5 /min", "5/min ", "many"])
def test_rate__that_is_none__is_a_mistake_in_the_settings(rate):
    with pytest.raises(ImproperlyConfigured, match="is no rate"):
        parse_rate(rate)


def test_checks__rate_that_is_none__e001(settings):
    assert check_rates(None) == []
    settings.THROTTLE_RATES = {"client": "600 a minute", "anonymous": ""}
    [message] = check_rates(None)
    assert message.id == "platforms.E001"
    assert "'600 a minute' is no rate: write 600/min" in message.msg
    assert "THROTTLE_CLIENT" in message.hint


def test_rates__as_they_come__cost_a_token_a_statement_in_ten(settings, token_of, client_of, django_assert_num_queries):
    settings.THROTTLE_RATES = base.THROTTLE_RATES
    assert settings.THROTTLE_RATES == {
        "client": "600/min",
        "anonymous": "60/min",
        "bad_credentials": "20/min",
        "public": "60/min",
    }
    client = client_of(token_of("read"))
    for queries in [2] * 9 + [3] + [2] * 9 + [3]:
        with django_assert_num_queries(queries):
            client.get(KESTREL)
    # Who asks without a name is counted each time.
    with django_assert_num_queries(1):
        APIClient().get(KESTREL)
