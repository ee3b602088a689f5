"""A database that cannot do it in time: 503 in the API's shape or a plain page, never a 500, and nothing changed."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from django.db import DatabaseError, OperationalError, close_old_connections, connection, transaction
from django.test import Client, RequestFactory
from django.urls import reverse

from config.settings.base import database
from platforms.api import error_views
from platforms.database import is_busy
from platforms.models import Platform

ROOT = Path(__file__).parents[2]
KESTREL = "/api/v1/admin/platforms/kestrel/"
BUSY = {
    "type": "server_error",
    "errors": [
        {"code": "busy", "detail": "Too busy just now. Nothing was changed: try again in a moment.", "attr": None}
    ],
}


def in_a_hurry(ask):
    """Call `ask` in a thread whose connection waits for a lock for 0.2 s only; return what it returns."""

    def run():
        statement = "SET lock_timeout = 200" if connection.vendor == "postgresql" else "PRAGMA busy_timeout = 200"
        try:
            connection.cursor().execute(statement)
            return ask()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(timeout=20)


# --- Locks -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("patch", KESTREL, {"name": "New"}),
        ("delete", KESTREL, {}),
        ("post", "/api/v1/admin/module-config/kestrel/customers/enable/", {}),
    ],
)
def test_api__row_is_locked_for_too_long__is_503_and_changes_nothing(kestrel, as_operator, method, path, body):
    with transaction.atomic():
        Platform.objects.select_for_update().get()
        Platform.objects.update(currency="EUR")
        response = in_a_hurry(lambda: getattr(as_operator, method)(path, body, headers={"If-Match": "*"}))
    assert (response.status_code, response.json(), response["Retry-After"]) == (503, BUSY, "5")
    assert list(Platform.objects.values_list("name", "revision")) == [("Kestrel Rewards", 0)]
    assert getattr(as_operator, method)(path, body, headers={"If-Match": "*"}).status_code in (200, 204)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("debug", [True, False])
def test_admin__row_is_locked_for_too_long__is_a_plain_page_and_changes_nothing(kestrel, operator, settings, debug):
    settings.DEBUG = debug
    client = Client()
    client.force_login(operator)
    form = {"name": "New", "kind": "b2b", "currency": "EUR", "locales": "en"}
    url = reverse("admin:platforms_platform_change", args=[kestrel.pk])
    with transaction.atomic():
        Platform.objects.select_for_update().get()
        Platform.objects.update(currency="EUR")
        page = in_a_hurry(lambda: client.post(url, form))
    assert (page.status_code, page["Retry-After"], page["Content-Type"]) == (503, "5", "text/html; charset=utf-8")
    assert "Nothing was changed" in page.content.decode()
    assert Platform.objects.get().name == "Kestrel Rewards"


@pytest.mark.parametrize(
    ("path", "kind"), [("/api/v1/x", "application/json"), ("/admin/x", "text/html; charset=utf-8")]
)
@pytest.mark.parametrize(("error", "status"), [(OperationalError("locked"), 503), (OperationalError("full"), 500)])
def test_middleware__that_meets_it__is_answered_alike(path, kind, error, status):
    class Cause(Exception):
        sqlite_errorcode = 261 if status == 503 else 13  # SQLITE_BUSY_RECOVERY, SQLITE_FULL

    error.__cause__ = Cause()
    try:
        raise error
    except OperationalError:
        response = error_views.server_error(RequestFactory().get(path))
    assert (response.status_code, response["Content-Type"]) == (status, kind)


# --- What counts as busy ---------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_is_busy__wrong_statement_or_other_error__is_not():
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        connection.cursor().execute("SELECT no_such_column FROM no_such_table")
    assert not is_busy(caught.value)
    assert not is_busy(ValueError())
    assert not is_busy(None)
    assert not is_busy(OperationalError("of our own making"))


# Each of PostgreSQL's limits, in a statement that runs into it. SQLite has but one, its lock, which is above.
@pytest.mark.django_db(transaction=True)
def test_is_busy__statement_or_transaction_takes_too_long__is(kestrel, client_of, ann):
    if connection.vendor != "postgresql":
        return
    cursor = connection.cursor()
    cursor.execute("SET statement_timeout = 100")
    try:
        with pytest.raises(DatabaseError) as caught:
            cursor.execute("SELECT pg_sleep(5)")
        assert is_busy(caught.value)
        cursor.execute("SET idle_in_transaction_session_timeout = 100")
        with pytest.raises(DatabaseError) as caught:
            idle_in_a_transaction(cursor, 0.5)
        assert is_busy(caught.value)
    finally:
        connection.close()
    # What died with its transaction is not in the way of the next request.
    assert client_of(ann).get(KESTREL).status_code == 200


def idle_in_a_transaction(cursor, seconds):
    """Do nothing for a while between two statements."""
    with transaction.atomic():
        cursor.execute("SELECT 1")
        time.sleep(seconds)
        cursor.execute("SELECT 1")


# --- Settings --------------------------------------------------------------------------------------------------------


def test_timeouts__of_postgresql__are_in_its_options():
    default = database("postgresql://u@h/n")["OPTIONS"]["options"]
    limits = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
    assert default == f"{limits} -c random_page_cost=1.1"
    own = database("postgresql://u@h/n?options=-c%20lock_timeout%3D1s")["OPTIONS"]["options"]
    assert own == f"{default} -c lock_timeout=1s"


@pytest.mark.django_db
def test_timeouts__of_the_connection__are_those_of_the_settings():
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for name, value in [
                ("statement_timeout", "30s"),
                ("lock_timeout", "10s"),
                ("idle_in_transaction_session_timeout", "1min"),
            ]:
                cursor.execute(f"SHOW {name}")
                assert cursor.fetchone() == (value,)
        else:
            assert cursor.execute("PRAGMA busy_timeout").fetchone() == (20_000,)


@pytest.mark.parametrize(("environment", "expected"), [({}, "False"), ({"DATABASE_TIMEOUTS": "true"}, "True")])
def test_timeouts__of_a_command__are_lifted_unless_asked_for(environment, expected):
    ask = "from django.conf import settings; print(settings.DATABASE_TIMEOUTS)"
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_TIMEOUTS"}
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", ask],
        cwd=ROOT,
        env={
            **kept,
            "DJANGO_SETTINGS_MODULE": "config.settings.dev",
            "DATABASE_URL": "sqlite://:memory:",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == expected


# --- Connections -----------------------------------------------------------------------------------------------------


def end_backend(number):
    """End another connection of PostgreSQL's, and wait until it is gone."""
    connection.cursor().execute("SELECT pg_terminate_backend(%s, 5000)", [number])


@pytest.mark.django_db(transaction=True)
def test_connection__that_the_server_ended__costs_the_next_request_nothing(kestrel, ann, client_of, monkeypatch):
    """Between two requests `pg_terminate_backend`: a restart of PostgreSQL, or a proxy that cuts idle connections."""
    if connection.vendor != "postgresql":
        return
    client = client_of(ann)
    # As in production, where the tests' settings differ.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 60)
    connection.close()
    assert connection.settings_dict["CONN_HEALTH_CHECKS"] is True
    for ask in (
        lambda: client.get(KESTREL),
        lambda: client.patch(KESTREL, {"name": "New"}, headers={"If-Match": "*"}),
        lambda: client.get(reverse("admin:index")),
    ):
        assert client.get(KESTREL).status_code == 200
        ours = connection.connection.info.backend_pid
        in_a_hurry(partial(end_backend, ours))
        # What Django does where a request begins; its test client leaves it out.
        close_old_connections()
        assert ask().status_code == 200
        assert connection.connection.info.backend_pid != ours
    connection.close()


def test_settings__production__asks_whether_a_connection_lives():
    settings = database("postgresql://u@h/n")
    assert (settings["CONN_HEALTH_CHECKS"], settings["CONN_MAX_AGE"]) == (True, 60)
