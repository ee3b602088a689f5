"""The demo story's changes: what was switched and configured on which platform, when, by whom and why."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from modules import services
from modules.definition import ModuleDefinition
from modules.models import Change
from modules.origins import Origin
from modules.plans import Wish
from modules.registry import registry
from platforms.demo import Story
from platforms.models import Platform, User

_ADMIN, _API, _COMMAND = Change.Source.ADMIN, Change.Source.API, Change.Source.COMMAND


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One change of the story. `by` is who made it, `through` what they came with besides the admin."""

    after: timedelta
    by: str
    source: Change.Source
    reason: str
    wishes: Sequence[Wish]
    through: str = ""


def load(story: Story) -> None:
    """Tell the story on every platform of it on which nothing was ever changed; leave the others alone."""
    people = {user.username: user for user in User.objects.filter(username__in=_authors())}
    platforms = Platform.objects.filter(code__in=_STORIES, revision=0).order_by("pk")
    for platform in platforms:
        for act in _STORIES[platform.code]():
            wishes = [wish for wish in act.wishes if wish.module in registry]
            services.apply(platform=platform, wishes=wishes, origin=_origin(story, act, people[act.by]))


def _origin(story: Story, act: Act, user: User) -> Origin:
    label = user.get_username()
    return Origin(
        actor_id=user.pk,
        actor_label=f"{label} ({act.through})" if act.through else label,
        may_switch_restricted=user.is_superuser,
        source=act.source,
        reason=act.reason,
        at=story.start + act.after,
    )


def _authors() -> set[str]:
    return {act.by for acts in _STORIES.values() for act in acts()}


def _on(*codes: str) -> list[Wish]:
    return [Wish(module=code, is_enabled=True) for code in codes]


def _off(*codes: str) -> list[Wish]:
    return [Wish(module=code, is_enabled=False) for code in codes]


def _needs_others(definitions: Iterable[ModuleDefinition]) -> list[str]:
    """Return the modules that bring others along: switched on first, they show what a plan is for."""
    return [definition.code for definition in definitions if definition.requires]


def _kestrel() -> list[Act]:
    return [
        Act(
            after=timedelta(),
            by="admin",
            source=_ADMIN,
            reason="Kestrel goes live.",
            wishes=_on("customers", "messaging"),
        ),
        Act(
            after=timedelta(minutes=25),
            by="ann",
            source=_ADMIN,
            reason="Partners bring their members in larger files.",
            wishes=[
                Wish(
                    module="customers",
                    config={"import_max_rows": 20_000, "vendor_visible_fields": ["name", "city", "locale"]},
                )
            ],
        ),
        Act(
            after=timedelta(hours=1, minutes=10),
            by="ann",
            source=_ADMIN,
            reason="",
            wishes=[
                Wish(
                    module="messaging",
                    config={
                        "from_name": "Kestrel Rewards",
                        "from_email": "hello@kestrel.example",
                        "smtp_password": "never-a-real-password",
                    },
                )
            ],
        ),
        Act(
            after=timedelta(days=1, hours=2),
            by="ann",
            source=_ADMIN,
            reason="The pages are written, in three languages.",
            wishes=[
                Wish(module="cms", is_enabled=True, config={"locales": ["en", "de", "fr"], "default_locale": "en"}),
            ],
        ),
        Act(
            after=timedelta(days=2, hours=5, minutes=40),
            by="ann",
            source=_API,
            through="token set-up script",
            reason="",
            wishes=[Wish(module="analytics", is_enabled=True, config={"timezone": "Europe/Berlin"})],
        ),
        Act(
            after=timedelta(days=4, minutes=12),
            by="admin",
            source=_COMMAND,
            through="manage.py disable_module",
            reason="Paused until the privacy review is through.",
            wishes=_off("analytics"),
        ),
        Act(
            after=timedelta(days=8, hours=6),
            by="ann",
            source=_ADMIN,
            reason="The privacy review is through: 60 days are enough.",
            wishes=[Wish(module="analytics", is_enabled=True, config={"raw_days": 60})],
        ),
        Act(
            after=timedelta(days=9, hours=1, minutes=30),
            by="ann",
            source=_ADMIN,
            reason="Somebody should hear of it at night.",
            wishes=[
                Wish(module="monitoring", config={"status_page": True, "alert_emails": ["night@kestrel.example"]}),
            ],
        ),
    ]


def _tidewater() -> list[Act]:
    return [
        Act(
            after=timedelta(minutes=5),
            by="admin",
            source=_ADMIN,
            reason="What a marketplace begins with.",
            wishes=_on(*(_needs_others(registry) or ["customers", "messaging"])),
        ),
        Act(
            after=timedelta(hours=3),
            by="theo",
            source=_ADMIN,
            reason="",
            wishes=[
                Wish(module="customers", is_enabled=True, config={"privacy_due_days": 14}),
                *_on("cms", "analytics", "messaging"),
            ],
        ),
        Act(
            after=timedelta(days=3, hours=4),
            by="theo",
            source=_API,
            through="token nightly sync",
            reason="",
            wishes=[Wish(module="cms", config={"locales": ["en", "fr"], "vendor_needs_approval": True})],
        ),
        Act(
            after=timedelta(days=6, hours=1),
            by="admin",
            source=_COMMAND,
            through="manage.py enable_module",
            reason="The workshop's developers look at everything.",
            wishes=_on(*(definition.code for definition in registry)),
        ),
    ]


def _quarry() -> list[Act]:
    return [
        Act(
            after=timedelta(minutes=15),
            by="admin",
            source=_ADMIN,
            reason="Trade customers and their orders; no more is needed.",
            wishes=_on("customers", "messaging"),
        ),
        Act(
            after=timedelta(days=2),
            by="admin",
            source=_ADMIN,
            reason="A price list online, on trial.",
            wishes=_on("cms"),
        ),
        Act(
            after=timedelta(days=12, hours=7),
            by="admin",
            source=_ADMIN,
            reason="Nobody read it: the trial is over.",
            wishes=_off("cms"),
        ),
    ]


_STORIES: dict[str, Callable[[], list[Act]]] = {"kestrel": _kestrel, "tidewater": _tidewater, "quarry": _quarry}
