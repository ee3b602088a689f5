"""The demo story's people and platforms. What is on where is told by `modules.demo`, the rest by the modules' own."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from platforms.models import Membership, Platform, User, Vendor


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What every part of the story shares: when it begins, and the one password of everybody in it."""

    start: datetime = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)
    password: str = "harbour-and-vale"  # noqa: S105 - not a secret: `manage.py demo` prints it


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can log in. `place` is the platform, or platform and vendor, that the role is on."""

    username: str
    first_name: str
    last_name: str
    does: str
    role: str = ""
    place: tuple[str, ...] = ()
    is_staff: bool = True
    is_superuser: bool = False


PEOPLE = (
    Person(
        username="admin", first_name="Ada", last_name="Vale", does="runs Harbour & Vale: everything", is_superuser=True
    ),
    Person(
        username="ann",
        first_name="Ann",
        last_name="Harper",
        does="admin of Kestrel Rewards",
        role=Membership.Role.ADMIN,
        place=("kestrel",),
    ),
    Person(
        username="vic",
        first_name="Victor",
        last_name="Lindqvist",
        does="viewer of Kestrel Rewards",
        role=Membership.Role.VIEWER,
        place=("kestrel",),
    ),
    Person(
        username="bea",
        first_name="Beatrice",
        last_name="Brindle",
        does="vendor Brindle Coffee on Kestrel Rewards (API only)",
        is_staff=False,
        role=Membership.Role.VENDOR,
        place=("kestrel", "brindle-coffee"),
    ),
    Person(
        username="theo",
        first_name="Théo",
        last_name="Marchand",
        does="admin of Tidewater Market",
        role=Membership.Role.ADMIN,
        place=("tidewater",),
    ),
)

_PLATFORMS: tuple[dict[str, Any], ...] = (
    {
        "code": "kestrel",
        "name": "Kestrel Rewards",
        "kind": Platform.Kind.LOYALTY,
        "currency": "EUR",
        "locales": ["en", "de", "fr"],
    },
    {
        "code": "tidewater",
        "name": "Tidewater Market",
        "kind": Platform.Kind.MARKETPLACE,
        "currency": "EUR",
        "locales": ["en", "fr"],
    },
    {
        "code": "quarry",
        "name": "Quarry Trade",
        "kind": Platform.Kind.B2B,
        "currency": "GBP",
        "locales": ["en"],
    },
    # Came from the old system and was never migrated: `migrate_enabled_modules --dry-run` has something to say of it.
    {
        "code": "larkspur",
        "name": "Larkspur Club",
        "kind": Platform.Kind.LOYALTY,
        "currency": "CHF",
        "locales": ["de", "en"],
        "settings": {
            "theme": {"primary": "#5b4b8a"},
            "enabled_modules": ["customers", "CMS", "messaging", "customers", "loyalty_cards", "dev-tools"],
            "module_config": {
                "customers": {"privacy_due_days": "soon"},
                "cms": {"locales": ["de", "en"], "default_locale": "de"},
            },
        },
    },
)

_VENDORS: dict[str, tuple[tuple[str, str], ...]] = {
    "kestrel": (
        ("brindle-coffee", "Brindle Coffee"),
        ("fernhill-books", "Fernhill Books"),
        ("oak-and-anvil", "Oak & Anvil"),
    ),
    "tidewater": (
        ("saltmarsh-ceramics", "Saltmarsh Ceramics"),
        ("nordlys-outdoor", "Nordlys Outdoor"),
        ("petit-verger", "Petit Verger"),
        ("brindle-coffee", "Brindle Coffee"),
    ),
    "quarry": (("carrick-fasteners", "Carrick Fasteners"), ("loam-and-lime", "Loam & Lime")),
}


def load(story: Story) -> None:
    """Make the people and platforms that are not there.

    What is there stays as somebody may have left it: vendors come with their platform, roles with person or platform.
    """
    new_platforms = {code for fields in _PLATFORMS if (code := _make_platform(story, fields))}
    for person in PEOPLE:
        is_new = _make_user(story, person)
        if person.place and (is_new or person.place[0] in new_platforms):
            _give_role(person)


def _make_platform(story: Story, fields: dict[str, Any]) -> str | None:
    """Make a platform with its vendors; return its code if it was not there."""
    platform, is_new = Platform.objects.get_or_create(
        code=fields["code"], defaults={**fields, "created_at": story.start}
    )
    if not is_new:
        return None
    for code, name in _VENDORS.get(platform.code, ()):
        Vendor.objects.create(platform=platform, code=code, name=name, created_at=story.start)
    return platform.code


def _make_user(story: Story, person: Person) -> bool:
    """Make the person if they are not there; return whether they were not."""
    if User.objects.filter(username=person.username).exists():
        return False
    User.objects.create_user(
        username=person.username,
        email=f"{person.username}@harbour-vale.example",
        password=story.password,
        first_name=person.first_name,
        last_name=person.last_name,
        is_staff=person.is_staff,
        is_superuser=person.is_superuser,
        date_joined=story.start,
    )
    return True


def _give_role(person: Person) -> None:
    """Give the person their role, unless the vendor it is on has gone, or they have another one there by now."""
    platform = Platform.objects.get(code=person.place[0])
    vendor = None
    if len(person.place) > 1:
        vendor = platform.vendors.filter(code=person.place[1]).first()
        if vendor is None:
            return
    Membership.objects.get_or_create(
        user=User.objects.get(username=person.username),
        platform=platform,
        vendor=vendor,
        defaults={"role": person.role},
    )
