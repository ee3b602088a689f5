"""A secret that was planted by every door is found nowhere again: in no table, page, answer, log, report or mail."""

import io
import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from pydantic import SecretStr, field_validator
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from modules import gate
from modules.definition import ModuleConfig
from modules.models import Change
from modules.registry import registry
from modules.secrets import decrypt
from platforms.models import Platform, User
from tests.admin.pages import save, send
from tests.fixtures.module_fixtures import Install
from tests.modules.building import definition, row_of

pytestmark = pytest.mark.django_db

PLANTED = "pl4nt3d0s3cr3t0"
PAGE, API = "/admin/modules/platformmodule/kestrel/billing/", "/api/v1/admin/module-config/kestrel/billing/"


def hidden_forms() -> Iterator[bytes]:
    """Yield the planted text as it is, and as base64 has it, wherever in a longer text it stands."""
    yield PLANTED.encode()
    for shift in range(3):
        # What depends on the letters before and after it is cut off.
        yield b64encode(b"\0" * shift + PLANTED.encode())[4:-4]


def assert_absent(what: str, text: str | bytes) -> None:
    content = text.encode() if isinstance(text, str) else text
    for form in hidden_forms():
        assert form not in content, f"the planted secret is in {what}"


def every_row() -> str:
    """Return all that the database holds, table by table, as text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found += [repr(row) for row in cursor.fetchall()]
    return "\n".join(found)


def dumped() -> str:
    said = io.StringIO()
    call_command("dumpdata", stdout=said)
    return said.getvalue()


@pytest.fixture
def staff(ann: User) -> Client:
    """The browser of a superuser."""
    staff = Client(raise_request_exception=False)
    staff.force_login(ann)
    return staff


@pytest.fixture
def api(ann: User) -> APIClient:
    """A superuser's client of the API."""
    api = APIClient(raise_request_exception=False)
    api.force_login(ann)
    return api


PAGES = (
    "/admin/",
    "/admin/platforms/platform/",
    "/admin/modules/platformmodule/",
    "/admin/modules/change/",
    "/admin/modules/module/billing/change/",
    PAGE,
    f"{PAGE}history/",
    f"{PAGE}reset/",
    f"{PAGE}switch-off/",
)
RESOURCES = (
    API,
    f"{API}history/",
    "/api/v1/admin/module-config/kestrel/",
    "/api/v1/admin/module-config/",
    "/api/v1/admin/platforms/kestrel/changes/",
    "/api/v1/admin/platforms/kestrel/changes/1/",
    "/api/v1/admin/platforms/kestrel/",
    "/api/v1/admin/modules/billing/",
    "/api/v1/schema/",
)


def look_everywhere(staff: Client, api: APIClient, platform: Platform) -> None:
    """See that neither people, clients nor whoever holds a copy of the database find the secret."""
    assert gate.config_of(platform, registry["billing"].config).api_key.get_secret_value() == PLANTED
    assert decrypt(row_of(platform, "billing").secrets["api_key"]["token"]) == PLANTED
    pages = [*PAGES, reverse("admin:platforms_platform_change", args=[platform.pk])]
    pages += [reverse("admin:modules_change_change", args=[change.pk]) for change in Change.objects.all()]
    for page in pages:
        answer = staff.get(page)
        assert answer.status_code == 200, page
        assert_absent(page, answer.content)
    for resource in RESOURCES:
        answer = api.get(resource)
        assert answer.status_code == 200, resource
        assert_absent(resource, answer.content + repr(answer.headers).encode())
    assert_absent("the database", every_row())
    assert_absent("dumpdata", dumped())
    for session in Session.objects.all():
        assert_absent("a session", repr(session.get_decoded()))
    for arguments in (["show_modules", "kestrel"], ["show_modules", "kestrel", "--json"], ["verify_audit", "--json"]):
        said = io.StringIO()
        call_command(*arguments, stdout=said)
        assert_absent(" ".join(arguments), said.getvalue())


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Everything that is logged, at the finest level, every statement to the database with its parameters too."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="django")
    monkeypatch.setattr(connections["default"], "force_debug_cursor", True)
    return caplog


def test_planted_secret__typed_into_the_admin__is_found_nowhere(
    platform: Platform, staff: Client, api: APIClient, logs: pytest.LogCaptureFixture
) -> None:
    seen = [
        save(staff, {"config.api_key": PLANTED, "config.default_trial_days": "4000"}),
        save(staff, {"is_enabled": "on", "config.api_key": PLANTED, "reason": "x" * 501}),
        asked := save(staff, {"is_enabled": "on", "config.api_key": PLANTED}),
        send(staff, asked, "plan_form", {}, "Back"),
        send(staff, asked, "plan_form", {"reason": "x" * 501}, "Confirm"),
        done := send(staff, asked, "plan_form", {}, "Confirm"),
        save(staff, {"config.api_key": PLANTED}),
    ]
    assert done.status_code == 302
    for number, answer in enumerate(seen):
        assert_absent(f"answer {number}", answer.content + repr(answer.headers).encode())
        assert_absent(f"the messages of answer {number}", repr(list(answer.wsgi_request._messages)))
    look_everywhere(staff, api, platform)
    assert_absent("the logs", logs.text)


def test_planted_secret__sent_to_the_api__is_found_nowhere(
    platform: Platform, staff: Client, api: APIClient, logs: pytest.LogCaptureFixture
) -> None:
    config, tag = {"api_key": PLANTED}, {"If-Match": "*"}
    seen = [
        api.patch(API, {"config": {**config, "default_trial_days": 4000}}, headers=tag),
        api.patch(API, {"config": {**config, "api_keys": PLANTED}}, headers=tag),
        api.patch(API, {"config": {"api_key": [PLANTED]}}, headers=tag),
        api.put(f"{API}?dry_run=true", {"config": config}, headers=tag),
        api.post(f"{API}enable/", {"config": config, "digest": "0" * 64}),
        api.post(f"{API}enable/", f'{{"config": {{"api_key": "{PLANTED}"}}', content_type="application/json"),
        done := api.post(f"{API}enable/", {"config": config}),
        api.patch(API, {"config": config}, headers={"If-Match": '"99"'}),
    ]
    assert [answer.status_code for answer in seen] == [400, 400, 400, 200, 409, 400, 200, 412]
    assert done.json()["change"] == 1
    for number, answer in enumerate(seen):
        assert_absent(f"answer {number}", answer.content + repr(answer.headers).encode())
    look_everywhere(staff, api, platform)
    assert_absent("the logs", logs.text)


def test_planted_secret__brought_by_commands__is_found_nowhere(
    staff: Client, api: APIClient, logs: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    settings = {"enabled_modules": ["billing"], "module_config": {"billing": {"api_key": PLANTED}}}
    line = {"code": "kestrel", "name": "Kestrel", "kind": "b2b", "currency": "EUR", "settings": settings}
    dump, report = tmp_path / "dump.jsonl", tmp_path / "report.json"
    dump.write_text(json.dumps(line))
    said = io.StringIO()
    call_command("import_platforms", str(dump), stdout=said)
    logs.clear()  # what the old system had in the open is in the statement that brings it here
    call_command("migrate_enabled_modules", "--dry-run", stdout=said)
    call_command("migrate_enabled_modules", "--report", str(report), stdout=said)
    call_command("rotate_config_keys", stdout=said)
    assert_absent("what the commands say", said.getvalue() + report.read_text())
    look_everywhere(staff, api, Platform.objects.get())
    assert_absent("the logs", logs.text)


# --- when something breaks while the secret is in hand ---------------------------------------------------------------


class Fragile(ModuleConfig):
    api_key: SecretStr | None = None

    @field_validator("api_key")
    @classmethod
    def _breaks(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            opened = value.get_secret_value()
            raise RuntimeError(f"Nobody foresaw {len(opened)} characters.")
        return value


@pytest.fixture
def fragile(platform: Platform, install: Install) -> str:
    """The code of a module that breaks as soon as its secret is set, with the secret in a variable."""
    install(definition("fragile", config=Fragile))
    return "fragile"


@pytest.mark.parametrize("debug", [True, False])
def test_planted_secret__error_page_and_mail__show_names_only(
    fragile: str, staff: Client, api: APIClient, settings: Settings, logs: pytest.LogCaptureFixture, debug: bool
) -> None:
    settings.DEBUG = debug
    settings.ADMINS = [("Ann", "ann@example.com")]
    answers = [
        save(staff, {"config.api_key": PLANTED}, module=fragile),
        api.patch(
            f"/api/v1/admin/module-config/kestrel/{fragile}/",
            {"config": {"api_key": PLANTED}},
            headers={"If-Match": "*"},
        ),
    ]
    for number, answer in enumerate(answers):
        assert answer.status_code == 500, number
        assert_absent(f"report {number}", answer.content)
    if debug:
        # The report is there, and it is of use: the place, the names, and what kind of thing each was.
        report = answers[0].content.decode()
        for useful in ("RuntimeError", "Nobody foresaw 15 characters.", "opened", "&lt;str&gt;", "config.api_key"):
            assert useful in report
    else:
        assert len(mail.outbox) == 2
        assert all("RuntimeError" in message.body for message in mail.outbox)
    for message in mail.outbox:
        assert_absent("a mail", f"{message.subject} {message.body} {getattr(message, 'alternatives', '')}")
    assert_absent("the logs", logs.text)
    assert_absent("the database", every_row())


def test_planted_secret__command_breaks__says_nothing_of_it(
    fragile: str, platform: Platform, logs: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    Platform.objects.update(settings={"module_config": {"fragile": {"api_key": PLANTED}}})
    logs.clear()
    with pytest.raises((RuntimeError, CommandError)) as broken:
        call_command("migrate_enabled_modules")
    assert_absent("the error", str(broken.value))
    assert_absent("the logs", logs.text + "".join(capsys.readouterr()))


def test_planted_secret__looked_for__would_be_found() -> None:
    for shift in range(3):
        with pytest.raises(AssertionError, match="the planted secret is in a text"):
            assert_absent("a text", b64encode(b"x" * shift + PLANTED.encode() + b"y"))


def test_planted_secret__every_table__is_looked_through(platform: Platform) -> None:
    Platform.objects.update(name=PLANTED)
    tables = {model._meta.db_table for model in apps.get_models()}
    with connection.cursor() as cursor:
        assert tables <= set(connection.introspection.table_names(cursor))
    with pytest.raises(AssertionError, match="in the database"):
        assert_absent("the database", every_row())
