"""The demo story's import: the nightly file of the tills, most of whose rows are known, and four that are broken."""

import random
import uuid
from datetime import timedelta

from customers.models import BrokenRow, Customer, ErrorPolicy, ImportRun, Match
from customers.models.fields import PHONE_WANTED
from modules import gate
from platforms.demo import Story
from platforms.models import Platform, User

_PLATFORM = "kestrel"
_ROWS = 50
# Line, row, and what is wrong with it.
_BROKEN: tuple[tuple[int, dict[str, str], dict[str, str]], ...] = (
    (
        9,
        {"external_ref": "C-20107", "email": "loic.bernard@kestrel", "first_name": "Loïc", "last_name": "Bénard"},
        {"attr": "email", "code": "invalid", "detail": "Enter a valid email address."},
    ),
    (
        23,
        {"external_ref": "C-20121", "phone": "0172 555", "first_name": "Anke", "last_name": "Petersen"},
        {"attr": "phone", "code": "invalid", "detail": PHONE_WANTED},
    ),
    (
        24,
        {"external_ref": "C-20121", "email": "anke@kestrel.example", "first_name": "Anke", "last_name": "Petersen"},
        {"attr": "external_ref", "code": "duplicate", "detail": "The same stands on line 23 already."},
    ),
    (
        41,
        {"external_ref": "C-20139", "first_name": "Siobhán", "last_name": "O’Rourke", "vendors": "fernhill"},
        {"attr": "vendors", "code": "does_not_exist", "detail": "There is no vendor fernhill here."},
    ),
)


def load(story: Story) -> None:
    """Tell of one import on the story's first platform, unless there was one already: nobody is changed by it."""
    platform = Platform.objects.filter(code=_PLATFORM).first()
    if platform is None or not gate.is_enabled(platform, "customers"):
        return
    if ImportRun.objects.filter(platform=platform).exists() or not Customer.objects.filter(platform=platform).exists():
        return
    by = User.objects.filter(username="ann").first()
    chance = random.Random(f"imports of {_PLATFORM}")  # noqa: S311 - a story, the same every time
    at = story.start - timedelta(hours=7)
    run = ImportRun.objects.create(
        id=_id(chance),
        platform=platform,
        status=ImportRun.Status.DONE,
        match=Match.EXTERNAL_REF,
        error_policy=ErrorPolicy.SKIP_ROW,
        file_name="till-customers-2026-03-15.csv",
        format=ImportRun.Format.CSV,
        columns=["external_ref", "email", "phone", "first_name", "last_name", "vendors"],
        total=_ROWS,
        processed=_ROWS,
        unchanged=_ROWS - len(_BROKEN),
        failed=len(_BROKEN),
        next_chunk=1,
        next_line=_ROWS + 2,
        actor=by,
        actor_label=by.username if by else "",
        created_at=at,
        started_at=at + timedelta(minutes=2),
        finished_at=at + timedelta(minutes=2, seconds=1),
        heartbeat_at=at + timedelta(minutes=2, seconds=1),
    )
    BrokenRow.objects.bulk_create(
        BrokenRow(id=_id(chance), run=run, line=line, values=values, errors=[error]) for line, values, error in _BROKEN
    )


def _id(chance: random.Random) -> uuid.UUID:
    return uuid.UUID(int=chance.getrandbits(128), version=4)
