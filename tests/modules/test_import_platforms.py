import json
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from modules import legacy
from modules.models import Change
from platforms import imports
from platforms.models import Platform
from tests.factories import PlatformFactory

pytestmark = pytest.mark.django_db

DUMP = Path(__file__).parent.parent / "data" / "legacy_platforms.jsonl"
GOOD: dict[str, Any] = {"code": "good", "name": "Good", "kind": "b2b", "currency": "EUR"}

Import = Callable[..., tuple[str, str]]


def line(**fields: Any) -> bytes:
    return json.dumps(GOOD | fields).encode()


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Import these lines; return stdout and stderr. Where rows are refused, the second ends with the error."""

    def run(*lines: bytes, end: bytes = b"\n", **options: Any) -> tuple[str, str]:
        path = tmp_path / "dump.jsonl"
        path.write_bytes(b"\n".join(lines) + end)
        out, err = StringIO(), StringIO()
        try:
            call_command("import_platforms", str(path), stdout=out, stderr=err, **options)
        except CommandError as error:
            return out.getvalue(), f"{err.getvalue()}{error}"
        return out.getvalue(), err.getvalue()

    return run


def rows() -> list[dict[str, Any]]:
    return list(Platform.objects.order_by("pk").values())


def test_import__the_whole_dump__keeps_settings_as_they_are() -> None:
    out = StringIO()
    call_command("import_platforms", str(DUMP), stdout=out)
    assert out.getvalue() == "120 imported, 0 unchanged, 0 refused.\n"
    for text in DUMP.read_text().splitlines():
        fields = json.loads(text)
        platform = Platform.objects.get(code=fields["code"])
        assert {name: getattr(platform, name) for name in fields} == fields
        assert (platform.locales, platform.revision) == (["en"], 0)
    assert Change.objects.count() == 0


def test_import__second_time__changes_nothing_also_after_the_migration() -> None:
    call_command("import_platforms", str(DUMP), stdout=StringIO())
    before, out = rows(), StringIO()
    call_command("import_platforms", str(DUMP), stdout=out)
    assert rows() == before
    list(legacy.migrate(origin=legacy.origin("tests")))
    before = rows()
    call_command("import_platforms", str(DUMP), stdout=out)
    assert out.getvalue() == "0 imported, 120 unchanged, 0 refused.\n" * 2
    assert rows() == before


@pytest.mark.parametrize("settings", [None, [], "cms", 7, True, {"a": {"b": [None]}}])
def test_import__settings_of_any_shape__are_kept(imported: Import, settings: Any) -> None:
    assert imported(line(settings=settings)) == ("1 imported, 0 unchanged, 0 refused.\n", "")
    assert Platform.objects.get().settings == settings
    assert imported(line(settings=settings)) == ("0 imported, 1 unchanged, 0 refused.\n", "")


def test_import__optional_fields__take_defaults_or_what_is_said(imported: Import) -> None:
    imported(line(), line(code="full", locales=["de", "en-GB"], is_active=False))
    plain, full = Platform.objects.order_by("pk")
    assert (plain.locales, plain.is_active, plain.settings) == (["en"], True, {})
    assert (full.locales, full.is_active) == (["de", "en-GB"], False)


REFUSED = {
    "not JSON": (b"{", "Line 2: Not JSON: Expecting property name enclosed in double quotes"),
    "not UTF-8": (b'{"code": "\xff"}', "Line 2: Not UTF-8, at byte 10."),
    "NUL": (line(name="a\0b"), 'Line 2: The string at "name" holds NUL.'),
    "lone surrogate": (b'{"code": "\\ud800"}', 'Line 2: The string at "code" holds a lone surrogate.'),
    "too deep": (b'{"settings": ' + b"[" * 21 + b"]" * 21 + b"}", "Line 2: Nested deeper than 20 levels"),
    "duplicate key": (b'{"code": "a", "code": "b"}', 'Line 2: The key "code" is there twice in one object.'),
    "no object": (b"[1]", "Line 2: The line is not an object."),
    "nothing": (b"null", "Line 2: The line is not an object."),
    "unknown key": (line(code="x", slug="y"), "Line 2 (x): slug: There is no field of this name."),
    "number of a row": (line(code="x", id=1, revision=9), "Line 2 (x): id: There is no field of this name. revision:"),
    "missing": (b'{"code": "x"}', "Line 2 (x): name: It is missing. kind: It is missing. currency: It is missing."),
    "code": (line(code="No Slug"), "Line 2 (No Slug): code: Use lower-case letters"),
    "long code": (line(code="x" * 51), "code: Ensure this value has at most 50 characters (it has 51)."),
    "code of a wrong type": (line(code=7), "Line 2: code: A text is wanted."),
    "currency": (line(code="x", currency="eur"), "Line 2 (x): currency: Use a three-letter ISO 4217 code, e.g. EUR."),
    "kind": (line(code="x", kind="shop"), "Line 2 (x): kind: Value 'shop' is not a valid choice."),
    "blank name": (line(code="x", name=" "), "Line 2 (x): name: It is blank."),
    "is_active": (line(code="x", is_active="yes"), "Line 2 (x): is_active: True or false is wanted."),
    "is_active as a number": (line(code="x", is_active=1), "Line 2 (x): is_active: True or false is wanted."),
    "locales": (line(code="x", locales=["english"]), "Line 2 (x): locales: english is not a language tag"),
    "locales of a wrong type": (line(code="x", locales="en"), "Line 2 (x): locales: A list is wanted."),
    "same code": (line(), "Line 2 (good): The code stands on line 1 already."),
    "too long": (line(code="x", name="n" * imports.MAX_LINE_BYTES), "Line 2: The line is longer than 1024 KiB."),
}


@pytest.mark.parametrize(("bad", "reason"), REFUSED.values(), ids=REFUSED)
def test_import__bad_line__is_refused_with_its_reason_and_the_others_go_on(
    imported: Import, bad: bytes, reason: str
) -> None:
    out, err = imported(line(), bad, line(code="last"))
    refused, summary = err.splitlines()
    assert reason in refused
    assert (out, summary) == ("", "2 imported, 0 unchanged, 1 refused.")
    assert list(Platform.objects.order_by("pk").values_list("code", flat=True)) == ["good", "last"]


def test_import__same_code_in_another_batch__is_refused_in_a_dry_run_too() -> None:
    lines = [line(code=f"c-{number}") for number in (0, 1, 2, 3, 4, 0)]
    for dry_run in (True, False):
        done = list(imports.import_platforms(BytesIO(b"\n".join(lines)), dry_run=dry_run, batch_size=2))
        assert [row.outcome for row in done] == ["imported"] * 5 + ["refused"]
        assert done[-1].reason == "The code stands on line 1 already."
    assert Platform.objects.count() == 5


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "Else"), ("currency", "GBP"), ("settings", {"a": 1}), ("is_active", False), ("locales", ["de"])],
)
def test_import__platform_that_is_there_with_other_values__is_refused_and_not_overwritten(
    imported: Import, field: str, value: Any
) -> None:
    PlatformFactory(**GOOD)
    before = rows()
    _, err = imported(line(**{field: value}))
    assert err.splitlines() == [
        f"Line 1 (good): The platform is there already, with another {field}.",
        "0 imported, 0 unchanged, 1 refused.",
    ]
    assert rows() == before


def test_import__dry_run__says_the_same_and_writes_nothing(imported: Import) -> None:
    lines = (line(), b"nothing", line(code="b"))
    out, err = imported(*lines, dry_run=True)
    assert Platform.objects.count() == 0
    assert (out, err.splitlines()[-1]) == ("", "Dry run, nothing was written: 2 imported, 0 unchanged, 1 refused.")
    assert imported(*lines)[1].splitlines()[0] == err.splitlines()[0]


def test_import__blank_lines_mark_and_crlf__are_read_past(imported: Import) -> None:
    out, _ = imported(b"\xef\xbb\xbf" + line() + b"\r", b"", b"  ", line(code="b"), end=b"")
    assert out == "2 imported, 0 unchanged, 0 refused.\n"


def test_import__empty_file__imports_nothing(imported: Import) -> None:
    assert imported(b"", end=b"") == ("0 imported, 0 unchanged, 0 refused.\n", "")


@pytest.mark.parametrize(("name", "reason"), [("missing.jsonl", "No such file or directory"), ("", "Is a directory")])
def test_import__file_that_cannot_be_read__is_one_line(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(CommandError, match=f"{reason}$") as raised:
        call_command("import_platforms", str(tmp_path / name))
    assert "\n" not in str(raised.value)


def test_import__more_lines_in_a_batch__take_no_more_queries(imported: Import) -> None:
    counts = []
    for size in (10, 40):
        with CaptureQueriesContext(connection) as queries:
            imported(*(line(code=f"c-{size}-{number}") for number in range(size)))
        counts.append(len(queries))
    assert counts[0] == counts[1]
