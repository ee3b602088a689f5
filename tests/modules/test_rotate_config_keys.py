"""Keys rotate: every secret goes to the newest one, and nothing that anybody can see has changed."""

import io
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from modules import gate, services
from modules.management.commands import rotate_config_keys
from modules.registry import registry
from modules.secrets import SecretUnreadable, decrypt, encrypt
from platforms.models import Platform, User
from tests.factories import PlatformFactory
from tests.modules.building import everything_written, origin, row_of

pytestmark = pytest.mark.django_db

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def sealed(platform: Platform, settings: Settings) -> Platform:
    """A platform whose billing has a secret, sealed with the old key; and the new key is there."""
    settings.MODULE_CONFIG_KEYS = [OLD]
    services.enable(platform=platform, module="billing", config={"api_key": "hunter22"}, origin=origin())
    settings.MODULE_CONFIG_KEYS = [NEW, OLD]
    return platform


def rotated(**options: Any) -> str:
    said = io.StringIO()
    call_command("rotate_config_keys", stdout=said, **options)
    return said.getvalue()


def token_of(platform: Platform) -> str:
    return row_of(platform, "billing").secrets["api_key"]["token"]


def without_tokens() -> dict[str, list[Any]]:
    written = everything_written()
    for row in written["rows"]:
        for kept in row["secrets"].values():
            kept.pop("token")
    return written


def test_rotate__secrets_of_an_older_key__go_to_the_newest_and_say_the_same(
    sealed: Platform, settings: Settings
) -> None:
    before, token = without_tokens(), token_of(sealed)
    assert rotated() == "1 secrets sealed anew, 0 had the newest key, 0 cannot be opened.\n"
    assert token_of(sealed) != token
    assert without_tokens() == before
    connection.check_constraints()  # what waits for the commit on PostgreSQL
    call_command("verify_audit", stdout=io.StringIO())
    settings.MODULE_CONFIG_KEYS = [NEW]
    assert gate.config_of(sealed, registry["billing"].config).api_key.get_secret_value() == "hunter22"


def test_rotate__platforms_whose_codes_are_in_another_order__none_is_passed_over(
    sealed: Platform, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate_config_keys, "_BATCH_SIZE", 1)
    settings.MODULE_CONFIG_KEYS = [OLD]
    for code in ("zebra", "aardvark"):
        one = PlatformFactory(code=code)
        services.enable(platform=one, module="billing", config={"api_key": "hunter22"}, origin=origin())
    settings.MODULE_CONFIG_KEYS = [NEW, OLD]
    assert "3 secrets sealed anew" in rotated()
    assert "0 secrets sealed anew, 3 had the newest key" in rotated()


def test_rotate__run_twice__writes_nothing_more(sealed: Platform) -> None:
    rotated()
    token = token_of(sealed)
    assert rotated() == "0 secrets sealed anew, 1 had the newest key, 0 cannot be opened.\n"
    assert token_of(sealed) == token


def test_rotate__dry_run__writes_nothing(sealed: Platform) -> None:
    before = everything_written()
    said = rotated(dry_run=True)
    assert said == "1 secrets would be sealed anew, 0 had the newest key, 0 cannot be opened.\n"
    assert everything_written() == before


def test_rotate__key_lost__names_the_secret_and_goes_on(
    sealed: Platform, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    other = PlatformFactory(code="tidewater")
    services.enable(platform=other, module="billing", config={"api_key": "hunter23"}, origin=origin())
    settings.MODULE_CONFIG_KEYS = [Fernet.generate_key().decode(), NEW]
    before, token = token_of(sealed), token_of(other)
    with pytest.raises(CommandError, match=r"^1 secrets sealed anew, 0 had the newest key, 1 cannot be opened\.$"):
        rotated()
    assert capsys.readouterr().err == "The secret api_key of billing on kestrel is opened by none of the keys.\n"
    assert token_of(sealed) == before
    assert token_of(other) != token


def test_rotate__interrupted__goes_on_where_it_was(
    sealed: Platform, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MODULE_CONFIG_KEYS = [OLD]
    others = PlatformFactory.create_batch(3)
    for other in others:
        services.enable(platform=other, module="billing", config={"api_key": "hunter22"}, origin=origin())
    settings.MODULE_CONFIG_KEYS = [NEW, OLD]
    monkeypatch.setattr(rotate_config_keys, "_BATCH_SIZE", 2)
    updates = 0

    def fail_at_the_second(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal updates
        if sql.startswith('UPDATE "platform_modules"'):
            updates += 1
            if updates == 2:
                raise KeyboardInterrupt
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_at_the_second), pytest.raises(CommandError, match="Interrupted"):
        rotated()
    assert rotated() == "2 secrets sealed anew, 2 had the newest key, 0 cannot be opened.\n"


def test_rotate__no_usable_key__is_one_line(sealed: Platform, settings: Settings) -> None:
    settings.MODULE_CONFIG_KEYS = ["short"]
    before = everything_written()
    with pytest.raises(CommandError, match="MODULE_CONFIG_KEYS must name at least one Fernet key"):
        rotated()
    assert everything_written() == before


def test_rotate__any_number_of_platforms_in_a_batch__locks_them_first_and_costs_the_same(sealed: Platform) -> None:
    PlatformFactory.create_batch(3)
    with CaptureQueriesContext(connection) as captured:
        rotated()
    statements = [query["sql"] for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    # How many there are, the batch, the locks, the rows, what is written, and that there is no other batch.
    assert len(statements) == 7
    assert 'FROM "platforms_platform"' in statements[2]
    assert ("FOR NO KEY UPDATE" in statements[2]) == (connection.vendor == "postgresql")
    assert statements[4].startswith('UPDATE "platform_modules"')


def test_key_lost__is_an_error_that_names_the_secret_and_pages_still_work(
    sealed: Platform, settings: Settings, ann: User, client: Client
) -> None:
    settings.MODULE_CONFIG_KEYS = [Fernet.generate_key().decode()]
    place = f"The secret api_key of billing on platform {sealed.pk} cannot be opened"
    with pytest.raises(SecretUnreadable, match=place):
        gate.config_of(sealed, registry["billing"].config)
    with pytest.raises(SecretUnreadable):
        decrypt(token_of(sealed))
    mark = row_of(sealed, "billing").secrets["api_key"]["fingerprint"]
    api = APIClient()
    for one in (client, api):
        one.force_login(ann)
    page = "/admin/modules/platformmodule/kestrel/billing/"
    assert mark in client.get(page).content.decode()
    assert client.get(f"{page}history/").status_code == 200
    state = api.get("/api/v1/admin/module-config/kestrel/billing/").json()
    assert (state["secrets"]["api_key"]["is_set"], state["secrets"]["api_key"]["fingerprint"]) == (True, mark)
    call_command("show_modules", "kestrel", stdout=io.StringIO())
    # The secret that was lost is entered again, under the key that there is.
    services.configure(platform=sealed, module="billing", config={"api_key": "hunter24"}, origin=origin())
    assert gate.config_of(sealed, registry["billing"].config).api_key.get_secret_value() == "hunter24"


# --- second factors --------------------------------------------------------------------------------------------------


@pytest.fixture
def enrolled(settings: Settings, operator: User) -> list[Authenticator]:
    """An authenticator app and recovery codes, sealed with the old key, and a passkey, which has no secret."""
    settings.MODULE_CONFIG_KEYS = [OLD]
    made = [
        Authenticator.objects.create(user=operator, type=kind, data=data)
        for kind, data in (
            (Authenticator.Type.TOTP, {"secret": encrypt("seed of the app")}),
            (Authenticator.Type.RECOVERY_CODES, {"seed": encrypt("seed of the codes"), "used_mask": 3}),
            (Authenticator.Type.WEBAUTHN, {"name": "key", "credential": {}}),
        )
    ]
    settings.MODULE_CONFIG_KEYS = [NEW, OLD]
    return made


def test_rotate__second_factors__go_to_the_newest_key_and_say_the_same(
    enrolled: list[Authenticator], settings: Settings
) -> None:
    assert "2 secrets would be sealed anew" in rotated(dry_run=True)
    assert "2 secrets sealed anew" in rotated()
    settings.MODULE_CONFIG_KEYS = [NEW]
    app, codes, passkey = Authenticator.objects.order_by("pk")
    assert decrypt(app.data["secret"]) == "seed of the app"
    assert decrypt(codes.data["seed"]) == "seed of the codes"
    assert (codes.data["used_mask"], passkey.data) == (3, enrolled[2].data)
    assert "0 secrets sealed anew, 2 had the newest key" in rotated()


def test_rotate__second_factor_of_a_lost_key__names_its_user_and_leaves_it(
    enrolled: list[Authenticator], settings: Settings
) -> None:
    settings.MODULE_CONFIG_KEYS = [NEW]
    said = io.StringIO()
    with pytest.raises(CommandError, match="2 cannot be opened"):
        rotated(stderr=said)
    assert said.getvalue().splitlines() == ["A second factor of root is opened by none of the keys."] * 2
    assert [row.data for row in Authenticator.objects.order_by("pk")] == [row.data for row in enrolled]
