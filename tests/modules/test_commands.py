import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import DataError, IntegrityError, OperationalError, connection, transaction

from modules import gate, services
from modules.models import Change, Module, PlatformModule
from modules.registry import registry
from platforms.management.base import OperatorCommand, Progress
from platforms.models import Platform, User
from tests.factories import MembershipFactory, PlatformFactory, UserFactory
from tests.modules.building import definition, enable, everything_written, origin
from tests.modules.legacy_accounts import settings_environment

Run = Callable[..., str]


@pytest.fixture
def run() -> Run:
    """Run a command and return its stdout."""

    def call(*arguments: str, **options: Any) -> str:
        out = StringIO()
        call_command(*arguments, stdout=out, **options)
        return out.getvalue()

    return call


@pytest.fixture
def refused(db: None) -> Callable[..., str]:
    """Run a command that refuses, and return its one line; nothing was written."""

    def call(*arguments: str, **options: Any) -> str:
        before, out = everything_written(), StringIO()
        with pytest.raises(CommandError) as raised:
            call_command(*arguments, stdout=out, **options)
        assert raised.value.returncode == 1
        assert everything_written() == before
        assert out.getvalue() == ""
        assert len(str(raised.value).splitlines()) == 1
        return str(raised.value)

    return call


# --- enable_module and disable_module ------------------------------------------------------------------------------


def test_enable__module_that_needs_others__says_what_comes_along_and_why(run: Run, platform: Platform) -> None:
    assert run("enable_module", "kestrel", "subscriptions", reason="Wanted by sales") == (
        "enable   customers      required by subscriptions\n"
        "enable   messaging      required by subscriptions\n"
        "enable   billing        required by subscriptions\n"
        "enable   subscriptions  requested\n"
        "Change 1 of kestrel.\n"
    )
    change = Change.objects.get()
    assert (change.source, change.actor_label, change.actor_id, change.reason) == (
        "command",
        "manage.py enable_module",
        None,
        "Wanted by sales",
    )
    platform.refresh_from_db()
    assert gate.state_of(platform).enabled >= {"customers", "billing", "messaging", "subscriptions"}


def test_enable__module_that_is_on__has_nothing_to_do(run: Run, platform: Platform) -> None:
    enable(platform, "cms")
    before = everything_written()
    assert run("enable_module", "kestrel", "cms") == "Nothing to do: kestrel is so already.\n"
    assert run("enable_module", "kestrel", "monitoring") == "Nothing to do: kestrel is so already.\n"
    assert run("disable_module", "kestrel", "analytics") == "Nothing to do: kestrel is so already.\n"
    assert everything_written() == before


@pytest.mark.parametrize("command", ["enable_module", "disable_module"])
def test_switch__dry_run__says_the_steps_and_writes_nothing(run: Run, platform: Platform, command: str) -> None:
    enable(platform, "cms")
    before = everything_written()
    module, action = {"enable_module": ("analytics", "enable "), "disable_module": ("cms", "disable")}[command]
    assert run(command, "kestrel", module, dry_run=True) == (
        f"{action}  {module}  requested\nDry run: nothing was written.\n"
    )
    assert everything_written() == before


def test_enable__with_user__is_their_change(run: Run, platform: Platform) -> None:
    user = MembershipFactory(user__username="bea", platform=platform).user
    run("enable_module", "kestrel", "cms", user="bea")
    assert Change.objects.values_list("actor_id", "actor_label").get() == (user.pk, "bea (manage.py enable_module)")
    assert PlatformModule.objects.get().enabled_by == user


def test_enable__restricted_module__is_the_operators_and_superusers(
    run: Run, refused: Callable[..., str], platform: Platform, ann: User
) -> None:
    UserFactory(username="bea")
    message = refused("enable_module", "kestrel", "dev_tools", user="bea")
    assert message == "Only superusers may switch or configure dev_tools."
    assert run("enable_module", "kestrel", "dev_tools", user="ann").endswith("Change 1 of kestrel.\n")
    assert run("disable_module", "kestrel", "dev_tools").endswith("Change 2 of kestrel.\n")


def test_disable__module_that_others_need__names_every_obstacle(
    refused: Callable[..., str], platform: Platform
) -> None:
    enable(platform, "subscriptions")
    assert refused("disable_module", "kestrel", "customers") == (
        "Subscriptions is on and needs Customers. Billing is on and needs Customers."
    )


def test_disable__with_cascade__takes_them_along_in_order(run: Run, platform: Platform) -> None:
    enable(platform, "subscriptions")
    assert run("disable_module", "kestrel", "customers", cascade=True) == (
        "disable  subscriptions  requires customers\n"
        "disable  billing        requires customers\n"
        "disable  customers      requested\n"
        "Change 2 of kestrel.\n"
    )


def test_disable__core_module__is_refused(refused: Callable[..., str], platform: Platform) -> None:
    message = refused("disable_module", "kestrel", "monitoring", cascade=True)
    assert message == "Monitoring is a core module: it is always on."


def test_switch__module_that_is_not_installed_any_more__is_refused(
    refused: Callable[..., str], platform: Platform, gone_module: Module
) -> None:
    assert refused("enable_module", "kestrel", "gone") == "gone is not installed."
    assert refused("disable_module", "kestrel", "gone") == "gone is not installed."


@pytest.mark.django_db(transaction=True)
def test_enable__what_the_rows_would_point_at_has_gone__is_one_line(
    refused: Callable[..., str], platform: Platform
) -> None:
    # Registered, but not in the table of modules: the row's foreign key fails when the change is committed.
    with registry.register_temporarily(definition("unmirrored")):
        message = refused("enable_module", "kestrel", "unmirrored")
    assert message.startswith("Something that this change points at is missing: ")


@pytest.mark.parametrize("command", ["enable_module", "disable_module"])
@pytest.mark.parametrize(
    ("platform_code", "module", "options", "message"),
    [
        ("kestrell", "cms", {}, "There is no platform kestrell. Did you mean kestrel?"),
        ("Nowhere At All", "cms", {}, "There is no platform Nowhere At All."),
        ("a\nb\0\udcff", "cms", {}, "There is no platform a b \ufffd."),
        ("", "cms", {}, "There is no platform ."),
        ("kestrel", "dev-tools", {}, "There is no module dev-tools. Did you mean dev_tools?"),
        ("kestrel", "CMS", {}, "There is no module CMS."),
        ("kestrel", "c\0ms", {}, "There is no module c ms. Did you mean cms?"),
        ("kestrel", "cms", {"user": "nobody"}, "There is no user nobody."),
        ("kestrel", "cms", {"user": "no\0body"}, "There is no user no body."),
        ("kestrel", "cms", {"user": "gone"}, "gone is not active."),
        ("kestrel", "cms", {"user": ""}, "There is no user ."),
        ("kestrel", "c" * 9000, {}, f"There is no module {'c' * 60}…."),
        ("kestrel", "cms", {"reason": "x" * 501}, "--reason: A reason has at most 500 characters."),
        ("kestrel", "cms", {"reason": "a\0b"}, "--reason: No control characters but line feeds here."),
        ("kestrel", "cms", {"reason": "a\udc80b"}, "--reason: No control characters but line feeds here."),
    ],
)
def test_switch__what_is_not_there_or_too_long__is_one_line(
    refused: Callable[..., str],
    platform: Platform,
    command: str,
    platform_code: str,
    module: str,
    options: dict[str, str],
    message: str,
) -> None:
    UserFactory(username="gone", is_active=False)
    assert refused(command, platform_code, module, **options) == message


# --- show_modules --------------------------------------------------------------------------------------------------


def test_show__catalogue__is_a_table(run: Run, db: None) -> None:
    lines = run("show_modules").splitlines()
    assert lines[0].split() == ["MODULE", "NAME", "VERSION", "KIND", "REQUIRES", "REQUIRED", "BY"]
    assert lines[-1].split() == ["subscriptions", "Subscriptions", "1.3", "billing,", "messaging"]
    assert [line.split()[0] for line in lines[1:7]] == [
        "customers",
        "cms",
        "analytics",
        "messaging",
        "monitoring",
        "dev_tools",
    ]


def test_show__catalogue_as_json__has_the_words_of_the_api(run: Run, gone_module: Module) -> None:
    entries = {entry["code"]: entry for entry in json.loads(run("show_modules", json=True))}
    assert entries["billing"]["requires"] == ["customers"]
    assert entries["billing"]["required_by"] == ["subscriptions"]
    assert entries["customers"]["config_defaults"]["privacy_due_days"] == 30
    assert (entries["monitoring"]["is_core"], entries["dev_tools"]["is_restricted"]) == (True, True)
    assert entries["gone"]["is_installed"] is False


def test_show__platform__says_what_is_on_since_when_and_by_whom(run: Run, platform: Platform, ann: User) -> None:
    run("enable_module", "kestrel", "cms", user="ann")
    row = PlatformModule.objects.get()
    lines = run("show_modules", "kestrel").splitlines()
    assert lines[0] == "Kestrel (kestrel), revision 1"
    cells = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert cells["cms"] == ["on", *f"{row.enabled_at:%Y-%m-%d %H:%M}".split(), "ann"]
    assert cells["monitoring"] == ["on", "(core)"]
    assert cells["analytics"] == ["off"]


def test_show__platform_as_json__hides_secrets(run: Run, platform: Platform) -> None:
    PlatformFactory(code="other")
    enable(platform, "messaging")
    services.configure(
        platform=platform, module="messaging", config={"smtp_password": "hush-hush", "from_name": "K"}, origin=origin()
    )
    text = run("show_modules", "kestrel", json=True)
    states = {state["module"]: state for state in json.loads(text)}
    assert "hush" not in text
    assert "hush" not in run("show_modules", "kestrel")
    assert (states["messaging"]["is_enabled"], states["messaging"]["config"]) == (True, {"from_name": "K"})
    assert states["messaging"]["secrets"]["smtp_password"]["is_set"] is True
    assert states["messaging"]["enabled_at"].endswith("Z")
    assert states["cms"]["is_enabled"] is False
    assert {state["platform"] for state in states.values()} == {"kestrel"}


def test_show__module_that_is_gone__is_unknown(run: Run, platform: Platform, gone_module: Module) -> None:
    [line] = [line for line in run("show_modules", "kestrel").splitlines() if line.startswith("gone")]
    assert line.split()[1] == "unknown"


def test_show__unknown_platform__is_one_line(refused: Callable[..., str]) -> None:
    assert refused("show_modules", "nowhere") == "There is no platform nowhere."


# --- migrate_enabled_modules ---------------------------------------------------------------------------------------

LEGACY = {
    "theme": 1,
    "enabled_modules": ["cms", "Customers", "inventory"],
    "module_config": {"cms": {"keep_revisions": 9}},
}


@pytest.fixture
def legacy_platform(db: None) -> Platform:
    PlatformFactory(code="other", settings={"enabled_modules": ["analytics"]})
    return PlatformFactory(code="larkspur", settings=LEGACY)


def test_migrate__report__is_json_with_every_finding(run: Run, legacy_platform: Platform, tmp_path: Path) -> None:
    PlatformFactory(code="empty", settings={"enabled_modules": []})
    path = tmp_path / "report.json"
    out = run("migrate_enabled_modules", report=str(path))
    assert json.loads(path.read_text()) == {
        "findings": [
            {
                "platform": "larkspur",
                "kind": "unknown_module",
                "path": "enabled_modules.2",
                "value": "inventory",
                "reason": "No installed module has this code.",
                "taken": False,
            },
            {
                "platform": "larkspur",
                "kind": "normalised",
                "path": "enabled_modules.1",
                "value": "Customers",
                "reason": "Read as customers.",
                "taken": True,
            },
        ],
        "summary": {
            "dry_run": False,
            "platforms": 3,
            "changed": 2,
            "tidied": 1,
            "modules_switched_on": 3,
            "configs_taken": 1,
            "entries_kept": 1,
            "findings": {"normalised": 1, "unknown_module": 1},
        },
    }
    assert out == (
        "other: enable analytics\n"
        "larkspur: enable customers, enable cms, configure cms\n"
        '  kept unknown_module enabled_modules.2 = "inventory": No installed module has this code.\n'
        '  taken normalised enabled_modules.1 = "Customers": Read as customers.\n'
        "empty: no step\n"
        "3 platforms looked at: 2 changed, 1 only tidied. "
        "3 modules switched on, 1 configs taken, 1 entries kept.\n"
        "  normalised: 1\n"
        "  unknown_module: 1\n"
    )
    assert list(tmp_path.iterdir()) == [path]


def test_migrate__dry_run__reports_the_same_and_writes_nothing(
    run: Run, legacy_platform: Platform, tmp_path: Path
) -> None:
    before = everything_written()
    foreseen = run("migrate_enabled_modules", dry_run=True, report=str(tmp_path / "dry.json")).splitlines()
    assert everything_written() == before
    legacy_platform.refresh_from_db()
    assert legacy_platform.settings == LEGACY
    done = run("migrate_enabled_modules", report=str(tmp_path / "done.json")).splitlines()
    foreseen.remove("Dry run: nothing was written. This is what would be done.")
    assert foreseen == done
    reports = [json.loads((tmp_path / name).read_text()) for name in ("dry.json", "done.json")]
    assert reports[0]["findings"] == reports[1]["findings"]


@pytest.mark.django_db
def test_migrate__lone_surrogate_in_old_settings__is_reported_as_json_has_it(run: Run, tmp_path: Path) -> None:
    settings = {"enabled_modules": ["a\ud800"]}
    if connection.vendor == "postgresql":
        # Here no settings can hold one.
        with pytest.raises(DataError), transaction.atomic():
            PlatformFactory(settings=settings)
        return
    PlatformFactory(settings=settings)
    path = tmp_path / "report.json"
    assert 'kept unknown_module enabled_modules.0 = "a\ufffd": ' in run("migrate_enabled_modules", report=str(path))
    assert json.loads(path.read_text())["findings"][0]["value"] == "a\ud800"


def test_migrate__one_platform__leaves_the_others(run: Run, legacy_platform: Platform) -> None:
    run("migrate_enabled_modules", platform="other")
    legacy_platform.refresh_from_db()
    assert (legacy_platform.settings, legacy_platform.revision) == (LEGACY, 0)
    assert Change.objects.values_list("platform_code", "source", "actor_label").get() == (
        "other",
        "migration",
        "manage.py migrate_enabled_modules",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"platform": "nowhere"}, "There is no platform nowhere."),
        ({"batch_size": "0"}, "--batch-size takes a number from 1 to 10000, not 0."),
        ({"batch_size": "many"}, "--batch-size takes a number from 1 to 10000, not many."),
    ],
)
def test_migrate__wrong_options__are_one_line(
    refused: Callable[..., str], legacy_platform: Platform, options: dict[str, str], message: str
) -> None:
    assert refused("migrate_enabled_modules", **options) == message


def test_migrate__report_that_cannot_be_written__migrates_nothing(
    refused: Callable[..., str], legacy_platform: Platform, tmp_path: Path
) -> None:
    message = refused("migrate_enabled_modules", report=str(tmp_path / "nowhere" / "report.json"))
    assert message.endswith("No such file or directory")
    for directory in (str(tmp_path), "", "/", ".."):
        message = refused("migrate_enabled_modules", report=directory)
        assert message.startswith("--report takes a file, and ")
        assert message.endswith(" is a directory.")


@pytest.mark.django_db
def test_migrate__secret_in_a_wrong_place__is_neither_printed_nor_reported(run: Run, tmp_path: Path) -> None:
    for number, config in enumerate(
        ("sk_live_top", {"billing": "sk_live_123"}, {"billing": {"address": {"api_key": "sk_live_deep"}}})
    ):
        PlatformFactory(code=f"p-{number}", settings={"module_config": config})
    path = tmp_path / "report.json"
    out = run("migrate_enabled_modules", report=str(path))
    assert out.count("  kept ") == len(json.loads(path.read_text())["findings"]) == 3
    assert "sk_live" not in out + path.read_text()


# --- What all of them share ----------------------------------------------------------------------------------------

OURS = ("demo", "show_modules", "enable_module", "disable_module", "import_platforms", "migrate_enabled_modules")


@pytest.mark.parametrize("name", OURS)
def test_command__help__explains_it_and_every_argument(name: str) -> None:
    command = load_command_class(get_commands()[name], name)
    parser = command.create_parser("manage.py", name)
    assert len(command.help) > 80
    assert all(action.help for action in parser._actions)


def manage(*arguments: str | bytes, **environment: str) -> tuple[int, str, str]:
    """Run manage.py as a shell does, on the database of the tests; return status, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **settings_environment(), **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("enable_module", "nowhere", "cms"), "CommandError: There is no platform nowhere."),
        (
            ("enable_module", "kestrel"),
            "enable_module: the following arguments are required: MODULE; see --help",
        ),
        (
            ("disable_module", "kestrel", "cms", "--bogus"),
            "disable_module: unrecognized arguments: --bogus; see --help",
        ),
        (
            ("disable_module", "kestrel", "cms", "--force"),
            "disable_module: unrecognized arguments: --force; see --help",
        ),
        (
            ("show_modules", "--traceback", "--verbosity", "many"),
            "show_modules: argument -v/--verbosity: invalid int value: 'many'; see --help",
        ),
        (("migrate_enabled_modules", "--report"), "migrate_enabled_modules: argument --report: expected one argument;"),
        (("issue_token", "ann", "--name", b"\xff"), "CommandError: --name: No control characters here."),
    ],
)
def test_command__from_the_shell__fails_with_one_line_and_status_1(
    platform: Platform, ann: User, arguments: tuple[str | bytes, ...], line: str
) -> None:
    status, out, err = manage(*arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(line)


@pytest.mark.django_db(transaction=True)
def test_command__terminal_that_cannot_show_it__is_told_in_one_line(platform: Platform) -> None:
    Platform.objects.update(name="Café")
    assert manage("show_modules", "kestrel", PYTHONIOENCODING="ascii") == (
        1,
        "",
        "CommandError: Something here cannot be written or read as ascii.\n",
    )


ARGUMENTS = [
    ("show_modules", "?"),
    ("enable_module", "?", "cms"),
    ("enable_module", "kestrel", "?"),
    ("enable_module", "kestrel", "cms", "--reason", "?"),
    ("enable_module", "kestrel", "cms", "--user", "?"),
    ("disable_module", "?", "cms"),
    ("import_platforms", "?"),
    ("migrate_enabled_modules", "--platform", "?"),
    ("migrate_enabled_modules", "--batch-size", "?"),
    ("issue_token", "?"),
    *(("issue_token", "ann", f"--{name}", "?") for name in ("platform", "scopes", "days", "name")),
    ("issue_token", "ann", "--platform", "kestrel", "--vendor", "?"),
    *((name, "?") for name in ("demo", "migrate_enabled_modules")),
]


# What a shell makes of bytes that are no UTF-8; a terminal's control characters; what is too long to be said again.
@pytest.mark.parametrize("value", ["\udcff", "a\r\x1b[2Jb", "x" * 5000], ids=["bytes", "control", "long"])
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
@pytest.mark.django_db(transaction=True)
def test_command__any_argument_that_is_no_text__is_one_line(
    platform: Platform, ann: User, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], value: str
) -> None:
    before = everything_written()
    command = load_command_class(get_commands()[arguments[0]], arguments[0])
    with pytest.raises(SystemExit) as raised:
        command.run_from_argv(["manage.py", *(value if part == "?" else part for part in arguments)])
    out, err = capsys.readouterr()
    assert (raised.value.code, out) == (1, "")
    assert err.endswith("\n")
    assert err.removesuffix("\n").isprintable()
    assert everything_written() == before


class _Failing(OperatorCommand):
    error: BaseException

    def handle(self, *args: Any, **options: Any) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "message", "status"),
    [
        (OperationalError("no such table: x"), "The database refuses: no such table: x", 1),
        (
            IntegrityError("violates x\nDETAIL:  Failing row contains (sk_live_123)."),
            "The database refuses: violates x",
            1,
        ),
        (
            UnicodeEncodeError("ascii", "•", 0, 1, "ordinal not in range(128)"),
            "Something here cannot be written or read as ascii.",
            1,
        ),
        (OSError(28, "No space left on device", "/x"), "/x: No space left on device", 1),
        (KeyboardInterrupt(), "Interrupted.", 130),
    ],
)
def test_command__that_breaks__says_so_in_one_line(error: BaseException, message: str, status: int) -> None:
    command = _Failing()
    command.error = error
    with pytest.raises(CommandError) as raised:
        call_command(command, skip_checks=True)
    assert (str(raised.value), raised.value.returncode) == (message, status)


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def _seconds(*moments: float) -> Callable[[], float]:
    ticks: Iterator[float] = iter(moments)
    return lambda: next(ticks)


def test_progress__on_a_terminal__appears_after_a_second_and_is_gone_in_the_end() -> None:
    terminal = _Terminal()
    with Progress(terminal, 4, clock=_seconds(0.0, 0.9, 1.0, 1.0, 1.05, 2.0, 2.0)) as progress:
        progress.show(1)
        assert terminal.getvalue() == ""
        progress.show(2)
        progress.show(3)
        assert terminal.getvalue() == f"\r[{'#' * 15}{'.' * 15}]  50%"
        progress.show(4)
    shown = f"\r[{'#' * 30}] 100%"
    assert terminal.getvalue().endswith(f"{shown}\r{' ' * (len(shown) - 1)}\r")


def test_progress__elsewhere__writes_nothing() -> None:
    stream = StringIO()
    with Progress(stream, 4, clock=lambda: 100.0) as progress:
        progress.show(4)
    assert stream.getvalue() == ""
