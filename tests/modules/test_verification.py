"""The record proves itself: whatever is altered afterwards is found and named, by whoever had the guards away."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F, QuerySet
from django.test.utils import CaptureQueriesContext

from modules import audit, guards, services
from modules.models import Change, PlatformModule
from modules.plans import Wish
from modules.tables import Tables
from modules.verification import verify
from platforms.access import Actor
from platforms.models import Platform, User
from platforms.services import delete_platform
from tests.factories import PlatformFactory
from tests.modules.building import enable, everything_written, origin

pytestmark = pytest.mark.django_db

History = PlatformModule.history.model
AT = datetime(2026, 3, 16, 9, tzinfo=UTC)


@pytest.fixture
def story(platform: Platform, ann: User) -> Platform:
    """A platform with four changes: billing on (and customers), configured, a secret set, off."""
    for hours, wish in enumerate(
        (
            Wish(module="billing", is_enabled=True),
            Wish(module="billing", config={"default_trial_days": 3}),
            Wish(module="billing", config={"api_key": "hunter22"}),
            Wish(module="billing", is_enabled=False),
        )
    ):
        at = AT + timedelta(hours=hours)
        services.apply(platform=platform, wishes=[wish], origin=origin(ann, at=at, reason="because"))
    enable(PlatformFactory(code="tidewater"), "cms")
    return platform


def verified(*arguments: str) -> str:
    said = io.StringIO()
    call_command("verify_audit", *arguments, stdout=said)
    return said.getvalue()


def forge_chain(platform: Platform) -> None:
    """Make every hash anew, as somebody does who may write everything."""
    before = ""
    for change in Change.objects.filter(platform=platform).order_by("number"):
        change.previous_hash = before
        own = History.objects.filter(platform_id=platform.pk, change_number=change.number)
        before = change.hash = audit.change_hash(change, own)
        change.save()


def change(number: int) -> Any:
    return Change.objects.filter(platform__code="kestrel", number=number)


def history(number: int, module: str = "billing") -> Any:
    return History.objects.filter(platform__code="kestrel", change_number=number, module=module)


def row(module: str = "billing") -> Any:
    return QuerySet(PlatformModule).filter(platform__code="kestrel", module=module)


def copy(found: Any, **fields: Any) -> None:
    """Add a row that is like the one found."""
    values = found.values().get()
    key = found.model._meta.pk.attname
    QuerySet(found.model).bulk_create([found.model(**values | {key: None} | fields)])


def swap(first: int, second: int) -> None:
    """Number two changes, with their history, the other way round."""
    for rows, column in ((Change.objects, "number"), (History.objects, "change_number")):
        own = rows.filter(platform__code="kestrel")
        for old, new in ((first, 99), (second, first), (99, second)):
            own.filter(**{column: old}).update(**{column: new})


TAMPERED: dict[str, tuple[Callable[[], Any], str]] = {
    # A change.
    "a change's reason": (
        lambda: change(2).update(reason="other"),
        "change 2, billing: its history is of another time, person or reason",
    ),
    "a change's label": (
        lambda: change(2).update(actor_label="bob"),
        "change 2: it, or its history, does not say what its hash was made of",
    ),
    "a change's source": (
        lambda: change(2).update(source="api"),
        "change 2: it, or its history, does not say what its hash was made of",
    ),
    "a change's actor": (
        lambda: change(2).update(actor_id=4711),
        "change 2, billing: its history is of another time, person or reason",
    ),
    "nobody": (lambda: change(2).update(actor_label=" "), "change 2: it names nobody"),
    "a change's step": (
        lambda: change(2).update(steps=[{"module": "billing", "action": "disable", "cause": "requested"}]),
        "change 2, billing: its history is not what its step makes of the row",
    ),
    "no steps at all": (lambda: change(2).update(steps=[]), "change 2, billing: it has history and no step"),
    "steps that are none": (lambda: change(2).update(steps=7), "change 2: its steps are not a list of steps"),
    "a step too many": (
        lambda: change(2).update(steps=[*change(2).get().steps, {"module": "cms", "action": "enable", "cause": ""}]),
        "change 2, cms: it has a step and no history",
    ),
    "a change's hash": (
        lambda: change(2).update(hash="0" * 64),
        "change 2: it, or its history, does not say what its hash was made of",
    ),
    "the link of the chain": (
        lambda: change(2).update(previous_hash="0" * 64),
        "change 2: its hash does not follow the one of the change before it",
    ),
    "a version of the content": (
        lambda: change(2).update(content_version=99),
        "change 2: its content is of version 99, which is not known here",
    ),
    "a change's date": (
        lambda: change(2).update(at=AT - timedelta(days=1)),
        "change 2: it is dated before the change that it follows",
    ),
    "a change removed": (
        lambda: change(2).delete(),
        "change 2, billing: there is history of it and no such change",
    ),
    "a change and its history removed": (
        lambda: (change(2).delete(), history(2).delete()),
        "change 2: there is no such change",
    ),
    "the first change and its history removed": (
        lambda: (change(1).delete(), History.objects.filter(change_number=1, platform__code="kestrel").delete()),
        "change 1: there is no such change",
    ),
    "the newest change and its history removed": (
        lambda: (change(4).delete(), history(4).delete()),
        "the newest change is 3, and the platform's revision 4",
    ),
    "that, and the revision too": (
        lambda: (change(4).delete(), history(4).delete(), Platform.objects.filter(code="kestrel").update(revision=3)),
        "change 3, billing: its row and its newest history row differ in is_enabled",
    ),
    "a change inserted": (
        lambda: copy(change(4), number=5),
        "change 5, billing: it has a step and no history",
    ),
    "two changes reordered": (
        lambda: swap(2, 3),
        "change 2: its hash does not follow the one of the change before it",
    ),
    "the revision": (
        lambda: Platform.objects.filter(code="kestrel").update(revision=9),
        "the newest change is 4, and the platform's revision 9",
    ),
    # History.
    "a history row's state": (
        lambda: history(2).update(is_enabled=False),
        "change 2, billing: its history is not what its step makes of the row",
    ),
    "a history row's config": (
        lambda: history(2).update(config={"default_trial_days": 4}),
        "change 2: it, or its history, does not say what its hash was made of",
    ),
    "a history row's fingerprint": (
        lambda: history(3).update(secret_fingerprints={"api_key": "0123456789abcdef"}),
        "change 3: it, or its history, does not say what its hash was made of",
    ),
    "a history row's date": (
        lambda: history(2).update(history_date=F("history_date") + timedelta(seconds=1)),
        "change 2, billing: its history is of another time, person or reason",
    ),
    "a history row's kind": (
        lambda: history(2).update(history_type="+"),
        "change 2, billing: its history is not of the row that was there",
    ),
    "a history row's row": (
        lambda: history(2).update(id=4711),
        "change 2, billing: its history is not of the row that was there",
    ),
    "a history row's module": (
        lambda: history(2).update(module_id="cms"),
        "change 2, cms: it has history and no step",
    ),
    "a history row's change": (
        lambda: history(2).update(change_number=1),
        "change 1, billing: it has more than one history row",
    ),
    "a history row removed": (lambda: history(1).delete(), "change 1, billing: it has a step and no history"),
    "a history row doubled": (lambda: copy(history(2)), "change 2, billing: it has more than one history row"),
    "a history row put last": (
        lambda: (copy(history(1), history_id=10**9), history(1).order_by("history_id").first().delete()),
        "change 2, billing: its history stands before the one that it follows",
    ),
    "history of no change": (
        lambda: copy(history(4), change_number=5),
        "change 5, billing: there is history of it and no such change",
    ),
    # What is stored now.
    "a row's state": (
        lambda: row().update(is_enabled=True),
        "change 4, billing: its row and its newest history row differ in is_enabled",
    ),
    "a row's config": (
        lambda: row().update(config={}),
        "change 4, billing: its row and its newest history row differ in config",
    ),
    "a row's date": (
        lambda: row().update(disabled_at=AT),
        "change 4, billing: its row and its newest history row differ in disabled_at",
    ),
    "a row's author": (
        lambda: row().update(enabled_by=User.objects.create_user("eve")),
        "change 4, billing: its row and its newest history row differ in enabled_by_id",
    ),
    "a row's secret": (
        lambda: row().update(secrets={}),
        "change 4, billing: its row and its newest history row differ in secrets",
    ),
    "a row removed": (lambda: row()._raw_delete("default"), "billing: there is history and no row"),
    "a row added": (lambda: copy(row(), module_id="cms"), "cms: there is a row and no history"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_verify_audit__tampered_with__names_the_first_difference(story: Platform, what: str) -> None:
    tamper, said = TAMPERED[what]
    with guards.lifted():
        tamper()
    with pytest.raises(CommandError) as refused:
        verified()
    separator = ", " if said.startswith("change") or said.split(":")[0] in ("billing", "cms") else ": "
    assert str(refused.value) == f"kestrel{separator}{said}"
    assert refused.value.returncode == 1
    with pytest.raises(CommandError):
        verified("kestrel")
    verified("tidewater")


@pytest.mark.parametrize("what", ["a change's label", "a history row's config", "a history row's fingerprint"])
def test_verify_audit__whole_chain_forged__is_found_by_an_anchor_only(
    story: Platform, tmp_path: Path, what: str
) -> None:
    anchor = tmp_path / "anchor"
    anchor.write_text(verified("--anchor"))
    with guards.lifted():
        TAMPERED[what][0]()
        forge_chain(story)
    verified()
    with pytest.raises(CommandError, match=r"^kestrel, change 4: it is not the change that the anchor knows$"):
        verified("--against", str(anchor))


def test_verify_audit__against_an_older_anchor__is_whole(story: Platform, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor"
    anchor.write_text(verified("--anchor"))
    lines = [json.loads(line) for line in anchor.read_text().splitlines()]
    assert [(line["platform"], line["number"]) for line in lines] == [("kestrel", 4), ("tidewater", 1)]
    assert lines[0]["hash"] == change(4).get().hash
    enable(story, "analytics")
    assert "5 changes" not in verified("--against", str(anchor), "tidewater")
    assert verified("--against", str(anchor)).startswith("2 platforms, 6 changes")


def test_verify_audit__newest_removed_without_a_trace__is_found_by_an_anchor(story: Platform, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor"
    anchor.write_text(verified("--anchor"))
    with guards.lifted():
        change(4).delete()
        history(4).delete()
        row().update(**{name: history(3).values_list(name, flat=True).get() for name in ("is_enabled", "updated_at")})
        row().update(disabled_at=None, disabled_by=None)
        Platform.objects.filter(code="kestrel").update(revision=3)
    verified()
    with pytest.raises(CommandError, match=r"^kestrel, change 4: the anchor knows it, and there is no such change$"):
        verified("--against", str(anchor))


def test_verify_audit__platform_removed_with_all_its_record__is_found_by_an_anchor(
    story: Platform, tmp_path: Path
) -> None:
    anchor = tmp_path / "anchor"
    anchor.write_text(verified("--anchor"))
    with guards.lifted():
        row("billing")._raw_delete("default")
        row("customers")._raw_delete("default")
        Change.objects.filter(platform=story).delete()
        History.objects.filter(platform_id=story.pk).delete()
        Platform.objects.filter(pk=story.pk).delete()
    verified()
    with pytest.raises(CommandError, match=r"^kestrel, change 1: the anchor knows it, and there is no such change$"):
        verified("--against", str(anchor))


@pytest.mark.parametrize("line", ["", "{}", "[]", "null", '{"platform_id": 1}', "\x00", '"x"', "[" * 10_000])
def test_verify_audit__file_that_is_no_anchor__says_which_line(story: Platform, tmp_path: Path, line: str) -> None:
    anchor = tmp_path / "anchor"
    first = verified("--anchor").splitlines()[0]
    anchor.write_text(f"{first}\n{line}\n")
    with pytest.raises(CommandError, match="line 2 is not what verify_audit --anchor prints"):
        verified("--against", str(anchor))
    anchor.write_text(f"{first}\n{first}\n")
    with pytest.raises(CommandError, match="line 2 is not what verify_audit --anchor prints, in its order"):
        verified("--against", str(anchor))


def test_verify_audit__no_such_file__is_one_line(story: Platform) -> None:
    with pytest.raises(CommandError, match="No such file"):
        verified("--against", "/nowhere")


# --- platforms that are gone --------------------------------------------------------------------------------------


@pytest.fixture
def deleted(story: Platform, ann: User) -> str:
    """The code of a platform that was deleted, by somebody who was deleted since."""
    delete_platform(platform=story, actor=Actor(ann), source="admin")
    ann.delete()
    return "kestrel"


def test_verify_audit__platform_deleted__is_whole(deleted: str, ann: User) -> None:
    assert verified(deleted) == "1 platforms, 5 changes and 7 history rows: the record is whole.\n"
    again = PlatformFactory(code="kestrel")
    enable(again, "cms")
    assert verified(deleted) == "2 platforms, 6 changes and 8 history rows: the record is whole.\n"


def test_verify_audit__platform_without_modules_deleted__is_whole(platform: Platform, ann: User) -> None:
    delete_platform(platform=platform, actor=Actor(ann), source="admin")
    assert verified("kestrel") == "1 platforms, 1 changes and 0 history rows: the record is whole.\n"


GONE: dict[str, tuple[Callable[[], Any], str]] = {
    "the deletion removed": (
        lambda: (Change.objects.filter(platform_code="kestrel", number=5).delete(), deletions().delete()),
        "kestrel, change 4: the platform is gone, and its newest change does not say so",
    ),
    "a row's deletion removed": (
        lambda: deletions().filter(module="billing").delete(),
        "kestrel, change 5, billing: it has a step and no history",
    ),
    "a row's deletion says something else": (
        lambda: deletions().filter(module="billing").update(config={}),
        "kestrel, change 5, billing: its history is not what its step makes of the row",
    ),
    "a change after it": (
        lambda: copy(Change.objects.filter(platform_code="kestrel", number=5), number=6),
        "kestrel, change 6: it comes after the change that deleted the platform",
    ),
    "the platform is back": (
        lambda: PlatformFactory(pk=Change.objects.get(number=5).platform_id, code="back", revision=5),
        "back, change 5: it deleted the platform, which is there",
    ),
}


def deletions() -> Any:
    return History.objects.filter(history_type="-")


@pytest.mark.parametrize("what", GONE)
def test_verify_audit__deletion_tampered_with__names_the_first_difference(deleted: str, what: str) -> None:
    tamper, said = GONE[what]
    with guards.lifted():
        tamper()
    with pytest.raises(CommandError) as refused:
        verified()
    assert str(refused.value) == said


# --- what it says, and what it costs ------------------------------------------------------------------------------


def test_verify_audit__whole__says_so(story: Platform) -> None:
    before = everything_written()
    assert verified() == "2 platforms, 5 changes and 6 history rows: the record is whole.\n"
    assert verified("kestrel") == "1 platforms, 4 changes and 5 history rows: the record is whole.\n"
    assert json.loads(verified("--json")) == {"platforms": 2, "changes": 5, "history": 6, "differences": []}
    assert everything_written() == before


def test_verify_audit__empty_database__is_whole(db: None) -> None:
    assert verified() == "0 platforms, 0 changes and 0 history rows: the record is whole.\n"


def test_verify_audit__json__has_the_first_difference_of_every_platform(story: Platform) -> None:
    with guards.lifted():
        Change.objects.filter(number=1).update(actor_label="eve")
    said = io.StringIO()
    with pytest.raises(CommandError, match=r"^kestrel, change 1: it, or its history"):
        call_command("verify_audit", "--json", stdout=said)
    what = "it, or its history, does not say what its hash was made of"
    assert json.loads(said.getvalue())["differences"] == [
        {"platform": code, "change": 1, "module": None, "what": what} for code in ("kestrel", "tidewater")
    ]


def test_verify_audit__no_such_platform__says_so(story: Platform) -> None:
    for code, said in (("kestrl", r"There is no platform kestrl\. Did you mean kestrel\?"), ("\x00", "There is no")):
        with pytest.raises(CommandError, match=said):
            verified(code)


def test_verify_audit__history_of_no_platform__is_found(story: Platform) -> None:
    with guards.lifted():
        copy(history(4), platform_id=None, change_number=9)
    with pytest.raises(CommandError, match=r"^no platform: there is history that names none$"):
        verified()


def test_verify__any_number_of_platforms__costs_five_queries(story: Platform) -> None:
    for number in (1, 30):
        for other in PlatformFactory.create_batch(number):
            enable(other, "cms")
        with CaptureQueriesContext(connection) as captured:
            assert all(verdict.difference is None for verdict in verify(Tables.of(apps)))
        assert len(captured) == 5


@pytest.mark.django_db(transaction=True)
def test_verify__while_others_write__sees_one_moment() -> None:
    platforms = PlatformFactory.create_batch(3)
    for platform in platforms:
        enable(platform, "cms")
    verdicts = verify(Tables.of(apps))
    assert next(verdicts).difference is None
    verdicts.close()
    enable(platforms[2], "analytics")  # no lock is left behind
    assert verified() == "3 platforms, 4 changes and 4 history rows: the record is whole.\n"
