"""Secrets: encrypted at rest, kept by a blank, and nowhere in the open."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from modules import gate, services
from modules.configs import InvalidConfig
from modules.models import PlatformModule
from modules.registry import registry
from modules.secrets import SecretUnreadable, decrypt
from platforms.models import Platform
from tests.modules.building import everything_written, origin, row_of

pytestmark = pytest.mark.django_db

History = PlatformModule.history.model
AT = datetime(2026, 3, 16, 9, tzinfo=UTC)


SECRET = "hunter22-§§"


@pytest.fixture
def sealed(platform: Platform) -> Platform:
    """A platform whose billing has a secret."""
    services.enable(platform=platform, module="billing", config={"api_key": SECRET}, origin=origin(at=AT))
    return platform


def test_secret__set__is_encrypted_at_rest_and_nowhere_else(sealed: Platform, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    row = row_of(sealed, "billing")
    assert row.config == {}
    assert row.secrets.keys() == {"api_key"}
    kept = row.secrets["api_key"]
    assert kept.keys() == {"token", "fingerprint", "changed_at"}
    assert datetime.fromisoformat(kept["changed_at"]) == AT
    assert decrypt(kept["token"]) == SECRET
    assert SECRET not in repr(everything_written()) + caplog.text + repr(gate.state_of(sealed))
    outcome = services.configure(platform=sealed, module="billing", config={"api_key": SECRET + "!"}, origin=origin())
    assert outcome.plan.steps[0].action == "configure"
    assert SECRET not in repr(outcome) + repr(everything_written()) + caplog.text


def test_secret__history__says_by_fingerprint_that_it_changed(sealed: Platform) -> None:
    services.configure(platform=sealed, module="billing", config={"api_key": "another one"}, origin=origin())
    services.configure(platform=sealed, module="billing", config={"api_key": None}, origin=origin())
    marks = [row.secret_fingerprints for row in History.objects.filter(module="billing").order_by("change_number")]
    assert [list(mark) for mark in marks] == [["api_key"], ["api_key"], []]
    assert marks[0] != marks[1]
    assert "secrets" not in {field.name for field in History._meta.get_fields()}


@pytest.mark.parametrize("kept_by", [{}, {"api_key": ""}, {"default_trial_days": 30}])
@pytest.mark.parametrize("replaces", [False, True])
def test_secret__blank_or_not_named__is_kept(sealed: Platform, kept_by: dict[str, Any], replaces: bool) -> None:
    before = row_of(sealed, "billing").secrets
    services.configure(platform=sealed, module="billing", config=kept_by, replaces=replaces, origin=origin())
    assert row_of(sealed, "billing").secrets == before


def test_secret__null__removes_it(sealed: Platform) -> None:
    services.configure(platform=sealed, module="billing", config={"api_key": None}, origin=origin())
    assert row_of(sealed, "billing").secrets == {}


def test_secret__reset__removes_it(sealed: Platform) -> None:
    services.reset(platform=sealed, module="billing", origin=origin())
    assert row_of(sealed, "billing").secrets == {}


def test_secret__module_switched_off_and_on__is_kept(sealed: Platform) -> None:
    before = row_of(sealed, "billing").secrets
    services.disable(platform=sealed, module="billing", origin=origin())
    services.enable(platform=sealed, module="billing", origin=origin())
    assert row_of(sealed, "billing").secrets == before


def test_secret__invalid__is_in_no_message(sealed: Platform) -> None:
    before = everything_written()
    with pytest.raises(InvalidConfig) as refused:
        services.configure(platform=sealed, module="billing", config={"api_key": "§§"}, origin=origin())
    assert [error.code for error in refused.value.errors] == ["too_short"]
    assert "§" not in str(refused.value) + repr(refused.value.errors)
    assert everything_written() == before


def test_secret__key_lost__is_unreadable_and_never_empty(sealed: Platform, settings: Settings) -> None:
    settings.MODULE_CONFIG_KEYS = [Fernet.generate_key().decode()]
    schema = registry["billing"].config
    with pytest.raises(SecretUnreadable):
        gate.config_of(sealed, schema)
    # What does not touch the secret still works, and leaves it as it is.
    before = row_of(sealed, "billing").secrets
    services.configure(platform=sealed, module="billing", config={"default_trial_days": 3}, origin=origin())
    assert row_of(sealed, "billing").secrets == before


def test_secret__no_key_configured__is_refused_and_nothing_is_written(platform: Platform, settings: Settings) -> None:
    settings.MODULE_CONFIG_KEYS = []
    before = everything_written()
    with pytest.raises(ImproperlyConfigured):
        services.enable(platform=platform, module="billing", config={"api_key": SECRET}, origin=origin())
    assert everything_written() == before
