"""What imports keep of people: for how long, and less where somebody is to be forgotten."""

from datetime import timedelta

import pytest
from django.utils import timezone

from customers import imports, privacy
from customers.models import BrokenRow, Customer, ImportChunk, ImportRun, Match
from customers.tasks import expire_imports
from modules import services as module_services
from modules import worker
from platforms.access import Actor
from platforms.models import Platform, User
from tests.customers.conftest import Untouched
from tests.customers.importing import begin, counts, people, table, worked
from tests.factories import CustomerFactory, ImportRunFactory
from tests.modules.building import origin

pytestmark = pytest.mark.django_db


@pytest.fixture
def checked(shop: Platform, ann: User) -> ImportRun:
    """An import of 735 rows, 35 of them with errors, that was checked."""
    return worked(begin(shop, ann, table(people())))


def test_expire__after_some_weeks__rows_are_gone_and_what_nobody_started(shop: Platform, tidewater: Platform) -> None:
    def aged(platform: Platform, days: int, status: str) -> ImportRun:
        at = timezone.now() - timedelta(days=days)
        finished = None if status in ImportRun.OPEN else at
        return ImportRunFactory(
            platform=platform,
            status=status,
            heartbeat_at=at,
            finished_at=finished,
            file_name="Maëlle.xlsx",
            format="xlsx",
        )

    old, young = aged(shop, 31, "done"), aged(shop, 29, "failed")
    idle, fresh = aged(tidewater, 8, "checked"), aged(tidewater, 6, "checked")
    stuck = [aged(tidewater, 8, status) for status in ImportRun.AT_WORK]
    for run in stuck:
        ImportChunk.objects.get_or_create(run=run, number=0, defaults={"rows": []})
    module_services.disable(platform=tidewater, module="customers", origin=origin(), cascade=True)

    worker.run_schedule("customers.expire_imports", "2026-03-16")
    worker.sweep()

    assert set(BrokenRow.objects.values_list("run", flat=True)) == {
        young.pk,
        idle.pk,
        fresh.pk,
        *(run.pk for run in stuck),
    }
    assert list(ImportChunk.objects.filter(run__in=[idle, *stuck])) == []
    found = dict(ImportRun.objects.values_list("pk", "status"))
    assert {found[run.pk] for run in (idle, *stuck)} == {"cancelled"}
    assert (found[old.pk], found[young.pk], found[fresh.pk]) == ("done", "failed", "checked")
    names = dict(ImportRun.objects.values_list("pk", "file_name"))
    assert (names[old.pk], names[young.pk], names[idle.pk]) == ("customers.xlsx", "Maëlle.xlsx", "Maëlle.xlsx")
    assert expire_imports.is_duty


@pytest.mark.parametrize(
    "wanted",
    [{"emails": ["C20@example.COM"]}, {"phones": ["+49 30 23125020"], "names": ["maelle dubois"]}, {"refs": ["C-20"]}],
    ids=["email", "phone", "ref"],
)
def test_forget__somebody_in_waiting_and_finished_imports__nothing_is_left_of_them(
    wanted: dict[str, list[str]], shop: Platform, tidewater: Platform, ann: User
) -> None:
    said = {"external_ref": "C-20", "email": "c20@example.com", "phone": "0049 (30) 231250-20", "locale": "norsk"}
    said |= {"first_name": "MAËLLE", "last_name": "Dubois"}
    other = {"external_ref": "C-21", "email": "c21@example.com", "phone": "+493023125021", "locale": "norsk"}
    good = {**said, "phone": "+49 30 231250-20", "locale": "de"}
    finished = worked(begin(shop, ann, table([said, other]), checks_first=False))
    waiting = worked(begin(shop, ann, table([good, {**other, "locale": "de"}])))
    foreign = worked(begin(tidewater, ann, table([said]), checks_first=False))

    assert imports.forget(platform=shop, sought=imports.Sought.by(**wanted)) == 2

    assert [row.values.get("external_ref") for row in finished.broken_rows.all()] == [None, "C-21"]
    assert finished.broken_rows.first().errors[0]["code"] == "forgotten"
    assert "c20" not in str([chunk.rows for chunk in waiting.chunks.all()]).lower()
    assert foreign.broken_rows.get().values["external_ref"] == "C-20"
    imports.start(run=waiting, by=Actor(ann))
    assert counts(worked(waiting)) == ("done", 2, 1, 0, 0, 1)
    assert not Customer.objects.filter(external_ref="C-20").exists()


def test_forget__number_as_it_is_at_home__is_found_by_the_country_of_the_address(shop: Platform, ann: User) -> None:
    said = {"email": "nobody", "phone": "030 / 231250-20"}
    rows = [{**said, "last_name": country, "address_country": country} for country in ("de", "FR", "XX")]
    run = worked(begin(shop, ann, table(rows), checks_first=False, match=Match.EMAIL))
    assert imports.forget(platform=shop, sought=imports.Sought.by(phones=["+493023125020"])) == 1
    assert [row.values.get("last_name", "") for row in run.broken_rows.all()] == ["", "FR", "XX"]


def test_forget__number_that_others_have_too__their_rows_stay_and_are_told_to_nobody(shop: Platform, ann: User) -> None:
    alice = CustomerFactory(
        platform=shop, email="alice@example.com", phone="+493023125020", first_name="Alice", last_name="Martin"
    )
    rows = [
        {"external_ref": "C-1", "email": "bob@example.com", "first_name": "Bob", "last_name": "Martin"},
        {"external_ref": "C-2", "email": "", "first_name": "Carol", "last_name": ""},
        {"external_ref": "C-3", "email": "alice@old.example", "first_name": "ALICE", "last_name": "Martin"},
        {"external_ref": "", "email": "alice@@example", "first_name": "Al", "last_name": ""},
    ]
    waiting = worked(begin(shop, ann, table([{**row, "phone": "+49 30 23125020"} for row in rows]), match=Match.EMAIL))
    export = privacy.fetch_now(customer=alice)
    assert "Bob" not in str(export)
    assert "alice@old.example" in str(export)
    privacy.erase_now(customer=alice)
    imports.start(run=waiting, by=Actor(ann))
    worked(waiting)
    assert {row.first_name for row in Customer.objects.filter(platform=shop, status="active")} >= {"Bob"}
    assert "alice" not in str([row.values for row in waiting.broken_rows.all()]).lower()


@pytest.mark.parametrize("name", ["Export of C20@EXAMPLE.com.csv", "0049 30 231250-20.xlsx"])
def test_forget__file_that_is_called_by_them__is_called_so_no_more(
    name: str, shop: Platform, tidewater: Platform
) -> None:
    named, other, foreign = (
        ImportRunFactory(platform=platform, file_name=said)
        for platform, said in ((shop, name), (shop, "2026-03-16.csv"), (tidewater, name))
    )
    sought = imports.Sought.by(emails=["c20@example.com"], phones=["+493023125020"], refs=["1"])
    assert imports.forget(platform=shop, sought=sought) == 0
    for run in (named, other, foreign):
        run.refresh_from_db()
    assert [run.file_name for run in (named, other, foreign)] == ["customers.csv", "2026-03-16.csv", name]


def test_told_and_forgotten__of_files_and_rows__is_the_same_and_nothing_of_others(
    shop: Platform, tidewater: Platform, ann: User
) -> None:
    theirs, others = ({"email": f"c{number}@@example.com", "last_name": f"C-{number}"} for number in (20, 21))
    rows = [{**theirs, "address_line2": "c20@example.com"}, others]
    options = {"checks_first": False, "match": Match.EMAIL}
    broken = worked(begin(shop, ann, table(rows), file_name="Mae and Bo.csv", **options))
    without = worked(begin(shop, ann, table([others]), file_name="Bo.csv", **options))
    named = worked(begin(shop, ann, table([others]), file_name="C20@example.com.xlsx.csv", **options))
    foreign = worked(begin(tidewater, ann, table(rows), file_name="Mae.csv", **options))
    sought = imports.Sought.by(emails=["c20@example.com"])
    kept = broken.broken_rows.first()
    assert kept is not None
    assert kept.errors
    assert imports.told(platform=shop, sought=sought) == [
        {"file_name": "Mae and Bo.csv", "values": kept.values, "errors": kept.errors},
        {"file_name": "C20@example.com.xlsx.csv"},
    ]
    assert imports.forget(platform=shop, sought=sought) == 1
    names = [ImportRun.objects.get(pk=run.pk).file_name for run in (broken, without, named, foreign)]
    assert names == ["customers.csv", "Bo.csv", "customers.csv", "Mae.csv"]
    assert imports.told(platform=shop, sought=sought) == []


def test_forget__file_whose_waiting_row_is_theirs__is_called_so_no_more(shop: Platform, ann: User) -> None:
    run = worked(begin(shop, ann, table(people(3)), file_name="Mae.csv"))
    sought = imports.Sought.by(refs=["C-2"])
    [said] = imports.told(platform=shop, sought=sought)
    assert (said["file_name"], [row["values"]["external_ref"] for row in said["rows"]]) == ("Mae.csv", ["C-2"])
    assert imports.forget(platform=shop, sought=sought) == 1
    run.refresh_from_db()
    assert run.file_name == "customers.csv"


def test_forget__nobody__does_nothing(checked: ImportRun, untouched: Untouched) -> None:
    with untouched():
        assert imports.forget(platform=checked.platform, sought=imports.Sought.by()) == 0
        assert imports.forget(platform=checked.platform, sought=imports.Sought.by([""], [""], [""])) == 0
