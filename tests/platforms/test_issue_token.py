"""`manage.py issue_token`."""

import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from knox.crypto import hash_token

from platforms.models import ApiToken
from tests.factories import UserFactory, VendorFactory


def issue(*args, **options):
    out, err = StringIO(), StringIO()
    call_command("issue_token", *args, stdout=out, stderr=err, **options)
    assert err.getvalue() == ""
    return out.getvalue()


def test_issue_token__platform_scopes_days__prints_the_token_and_nothing_else(kestrel, ann):
    printed = issue("ann", "--platform", "kestrel", "--scopes", "read,write,admin", "--days", "7", "--name", "export")
    token = ApiToken.objects.get()
    assert printed.startswith("swy_")
    assert printed.endswith("\n")
    assert printed.count("\n") == 1
    assert token.digest == hash_token(printed.strip())
    assert (token.user, token.platform, token.vendor, token.scopes, token.name) == (
        ann,
        kestrel,
        None,
        ["read", "write", "admin"],
        "export",
    )
    assert abs(token.expiry - timezone.now() - timedelta(days=7)) < timedelta(minutes=1)


def test_issue_token__nothing_but_a_name__reads_for_90_days_as_far_as_the_user(operator):
    issue("root")
    token = ApiToken.objects.get()
    assert (token.user, token.platform, token.vendor, token.scopes) == (operator, None, None, ["read"])
    assert abs(token.expiry - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)


def test_issue_token__vendor__is_kept(brindle, bea):
    issue("bea", "--platform", "kestrel", "--vendor", "brindle", "--scopes", " read, write ")
    token = ApiToken.objects.get()
    assert (token.vendor, token.scopes) == (brindle, ["read", "write"])


def test_issue_token__vendor_that_the_user_does_not_belong_to__is_refused(brindle, bea):
    VendorFactory(platform=brindle.platform, code="other", name="Other")
    with pytest.raises(CommandError, match="bea does not belong to Other"):
        issue("bea", "--platform", "kestrel", "--vendor", "other")
    assert not ApiToken.objects.exists()


def test_issue_token__vendor_that_is_inactive__is_refused(brindle, bea):
    brindle.is_active = False
    brindle.save()
    with pytest.raises(CommandError, match="Brindle Coffee is not active"):
        issue("bea", "--platform", "kestrel", "--vendor", "brindle")
    assert not ApiToken.objects.exists()


def test_issue_token__called_from_code_with_a_number__is_taken(operator):
    issue("root", days=3)
    assert abs(ApiToken.objects.get().expiry - timezone.now() - timedelta(days=3)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "There is no user nobody."),
        (["gone"], "gone is not active."),
        (["ann", "--platform", "nowhere"], "There is no platform nowhere."),
        (["ann", "--platform", "tidewater"], "ann does not belong to Tidewater Market."),
        (["ann", "--vendor", "brindle"], "A vendor is named together with its platform: add --platform."),
        (["ann", "--platform", "kestrel", "--vendor", "saltmarsh"], "There is no vendor saltmarsh on kestrel."),
        (["ann", "--scopes", "read,root"], "--scopes: Name one or more of read, write, admin, each once."),
        (["ann", "--scopes", "read,read"], "--scopes: Name one or more of read, write, admin, each once."),
        (["ann", "--scopes", ""], "--scopes: Name one or more of read, write, admin, each once."),
        (["ann", "--days", "0"], "--days: A token lives from 1 to 3650 days."),
        (["ann", "--days", "9" * 400], "--days: A token lives from 1 to 3650 days."),
        (["ann", "--days", "soon"], "--days takes a number, not soon."),
        (["ann", "--name", "n" * 101], "--name: Ensure this value has at most 100 characters (it has 101)."),
        (["ann", "--name", ""], "--name: This field cannot be blank."),
        (["ann", "--name", "\udcff"], "--name: No control characters here."),
        (["ann", "--name", "a\x1b[2Jb"], "--name: No control characters here."),
        (["ann", "--platform", ""], "There is no platform ."),
        (["ann", "--platform", "kestrel", "--vendor", ""], "There is no vendor  on kestrel."),
        (["ann", "--days", "\udcff\n" + "9" * 99], f"--days takes a number, not \ufffd {'9' * 58}…."),
    ],
)
def test_issue_token__mistake__is_one_clear_line(brindle, tidewater, ann, arguments, message):
    UserFactory(username="gone", is_active=False)
    VendorFactory(platform=tidewater, code="saltmarsh")
    with pytest.raises(CommandError) as refused:
        issue(*arguments)
    assert str(refused.value) == message
    assert refused.value.returncode == 1
    assert not ApiToken.objects.exists()


def test_issue_token__help__explains():
    manage = Path(__file__).parents[2] / "manage.py"
    shown = subprocess.run(
        [sys.executable, manage, "issue_token", "--help"], capture_output=True, text=True, check=True
    )
    for word in ("--platform", "--vendor", "--scopes", "--days", "--name", "shown this once"):
        assert word in " ".join(shown.stdout.split())
