import re

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from modules import secrets

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.parametrize("value", ["hunter22", "", "pä$$wörd ✓", "x" * 10_000, "a\nb"])
def test_encrypt__any_text__comes_back_and_does_not_show(value: str) -> None:
    token = secrets.encrypt(value)
    assert secrets.decrypt(token) == value
    assert token != secrets.encrypt(value)
    assert not value or value not in token


def test_encrypt__several_keys__uses_the_first(settings: Settings) -> None:
    settings.MODULE_CONFIG_KEYS = [NEW, OLD]
    token = secrets.encrypt("hunter22")
    settings.MODULE_CONFIG_KEYS = [NEW]
    assert secrets.decrypt(token) == "hunter22"


def test_decrypt__older_key_kept__still_opens(settings: Settings) -> None:
    settings.MODULE_CONFIG_KEYS = [OLD]
    token = secrets.encrypt("hunter22")
    settings.MODULE_CONFIG_KEYS = [NEW, OLD]
    assert secrets.decrypt(token) == "hunter22"


def test_decrypt__key_lost__raises_and_tells_nothing(settings: Settings) -> None:
    settings.MODULE_CONFIG_KEYS = [OLD]
    token = secrets.encrypt("hunter22")
    settings.MODULE_CONFIG_KEYS = [NEW]
    with pytest.raises(secrets.SecretUnreadable) as refused:
        secrets.decrypt(token)
    assert str(refused.value) == "None of the keys in MODULE_CONFIG_KEYS opens this value."


@pytest.mark.parametrize("token", ["", "hunter22", "é", "gAAAAA=="])
def test_decrypt__not_a_token__raises(token: str) -> None:
    with pytest.raises(secrets.SecretUnreadable):
        secrets.decrypt(token)


def test_decrypt__tampered__raises() -> None:
    token = secrets.encrypt("hunter22")
    with pytest.raises(secrets.SecretUnreadable):
        secrets.decrypt(token[:-6] + ("AAAA" if token[-6:-2] != "AAAA" else "BBBB") + token[-2:])


def test_decrypt__older_than_allowed__raises() -> None:
    with time_machine.travel("2026-03-16T09:00:00Z", tick=False) as clock:
        token = secrets.encrypt("hunter22")
        clock.shift(60)
        assert secrets.decrypt(token, max_age=60) == "hunter22"
        clock.shift(1)
        with pytest.raises(secrets.SecretUnreadable):
            secrets.decrypt(token, max_age=60)
        assert secrets.decrypt(token) == "hunter22"


@pytest.mark.parametrize("keys", [[], ["short"], [""], None, [NEW, "short"], "plain text"])
def test_cipher__no_usable_key__is_improperly_configured(settings: Settings, keys: object) -> None:
    settings.MODULE_CONFIG_KEYS = keys
    for use in (lambda: secrets.encrypt("hunter22"), lambda: secrets.decrypt("gAAAAA==")):
        with pytest.raises(ImproperlyConfigured, match="MODULE_CONFIG_KEYS must name at least one Fernet key"):
            use()


def test_fingerprint__secret__is_short_keyed_and_tells_apart(settings: Settings) -> None:
    mark = secrets.fingerprint("hunter22")
    assert re.fullmatch("[0-9a-f]{16}", mark)
    assert secrets.fingerprint("hunter22") == mark
    assert secrets.fingerprint("hunter23") != mark
    settings.SECRET_KEY = "another"
    assert secrets.fingerprint("hunter22") != mark
