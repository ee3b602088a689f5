"""What people hold in their hands: an authenticator app, and somebody who logs in with it."""

import base64
import hashlib
import hmac
import struct
import time
from typing import Any

from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from platforms import cipher
from platforms.models import User
from tests.admin.pages import Answer

PASSWORD = "a long phrase that nobody guesses"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
STEP_SECONDS = 30


def code_of(secret: str = SECRET, *, steps: int = 0) -> str:
    """Return what an app shows now, or some half minutes from now (RFC 6238: SHA-1, six digits)."""
    counter = struct.pack(">Q", int(time.time()) // STEP_SECONDS + steps)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    start = digest[-1] & 15
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06}"


def wrong_code(secret: str = SECRET) -> str:
    """Return six digits that no app shows at this time."""
    shown = {code_of(secret, steps=steps) for steps in range(-2, 3)}
    return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in shown)


def enrol(user: User, secret: str = SECRET) -> Authenticator:
    """Have the user's app known, as if they had set it up."""
    return Authenticator.objects.create(
        user=user, type=Authenticator.Type.TOTP, data={"secret": cipher.encrypt(secret)}
    )


def add_passkey(user: User, name: str) -> Authenticator:
    """Have the user hold a passkey that no authenticator made: enough to be listed, renamed and removed."""
    return Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={"name": name})


def log_in(client: Client, username: str, password: str = PASSWORD, **extra: Any) -> Answer:
    """Send the login form."""
    return client.post(reverse("admin:login"), {"username": username, "password": password}, **extra)


def send_code(client: Client, code: str, **extra: Any) -> Answer:
    """Send the form of the second step."""
    return client.post(reverse("mfa_authenticate"), {"code": code}, **extra)


def is_in(client: Client) -> bool:
    """Whether this browser is let into the admin."""
    return client.get(reverse("admin:index")).status_code == 200
