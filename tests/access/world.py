"""Two platforms alike, and everybody who could ask for something on one of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from billing.models import Invoice, Payment, Plan
from django.apps import apps
from django.db import connection
from django.db.models import Model
from factory.django import DjangoModelFactory
from rest_framework.test import APIClient

from customers.models import (
    Address,
    ConsentRecord,
    Customer,
    CustomerEvent,
    DuplicatePair,
    ImportRun,
    Merge,
    Note,
    PrivacyRequest,
    Segment,
    Tag,
)
from modules import services
from modules.models import Delivery, Event, TaskRun
from modules.registry import registry
from platforms.models import ApiToken, Membership, Platform, User, Vendor
from tests.factories import (
    AddressFactory,
    ApiTokenFactory,
    ConsentFactory,
    CustomerEventFactory,
    CustomerFactory,
    DuplicatePairFactory,
    ImportRunFactory,
    InvoiceFactory,
    MembershipFactory,
    MergeFactory,
    NoteFactory,
    PaymentFactory,
    PlanFactory,
    PlatformFactory,
    PrivacyRequestFactory,
    SegmentFactory,
    TagFactory,
    UserFactory,
    VendorFactory,
)
from tests.modules.building import enable, origin

# How a row of each model that a route serves is made for a vendor of a platform. A new model stands here, or the
# matrix says that it misses it.
ROWS: Mapping[type[Model], tuple[type[DjangoModelFactory[Any]], Mapping[str, str]]] = {
    Plan: (PlanFactory, {"platform": "platform"}),
    Invoice: (InvoiceFactory, {"vendor": "vendor"}),
    Payment: (PaymentFactory, {"invoice__vendor": "vendor"}),
    Customer: (CustomerFactory, {"vendor": "vendor"}),
    Tag: (TagFactory, {"platform": "platform"}),
    Address: (AddressFactory, {"customer__vendor": "vendor"}),
    Note: (NoteFactory, {"vendor": "vendor"}),
    ConsentRecord: (ConsentFactory, {"customer__vendor": "vendor"}),
    CustomerEvent: (CustomerEventFactory, {"customer__vendor": "vendor"}),
    DuplicatePair: (DuplicatePairFactory, {"platform": "platform"}),
    Merge: (MergeFactory, {"platform": "platform"}),
    PrivacyRequest: (PrivacyRequestFactory, {"customer__vendor": "vendor"}),
    ImportRun: (ImportRunFactory, {"platform": "platform"}),
    Segment: (SegmentFactory, {"platform": "platform"}),
    Membership: (MembershipFactory, {"vendor": "vendor"}),
    ApiToken: (ApiTokenFactory, {"platform": "platform"}),
}

EVERYBODY = (
    "anonymous",
    "superuser",
    "admin",
    "viewer",
    "vendor",
    "stranger",
    "foreign admin",
    "disabled admin",
    "token read",
    "token write",
    "token admin",
    "token of the vendor",
    "token of a viewer",
    "expired token",
)
# Who is nobody, as far as the API knows.
UNKNOWN = frozenset({"anonymous", "disabled admin", "expired token"})
# To whom the platform does not exist.
STRANGERS = frozenset({"stranger", "foreign admin"})


@dataclass
class Place:
    """A platform with a vendor and a row of every kind; `marks` are texts that stand on it and nowhere else."""

    platform: Platform
    vendor: Vendor
    rows: dict[type[Model], Any] = field(default_factory=dict)

    @property
    def marks(self) -> list[str]:
        """Texts by which something of this place is known wherever it turns up."""
        codes = [self.platform.code, self.platform.name, self.vendor.code, self.vendor.name]
        return codes + [str(row.pk) for row in self.rows.values()]

    def words(self, model: type[Model] | None, module: str = "cms") -> dict[str, object]:
        """Return what fills an address that speaks of this place. Raises KeyError for a model that ROWS lacks."""
        words = {"platform": self.platform.code, "vendor": self.vendor.code, "module": module, "number": 1}
        if model in self.rows:
            row = self.rows[model]
            words |= {"id": row.pk, "object_id": row.pk, "code": getattr(row, "code", "")}
        return words


@dataclass
class World:
    """Who asks, and where: their own platform, a foreign one just like it, and a second vendor beside theirs."""

    own: Place
    foreign: Place
    beside: Place
    people: dict[str, User | ApiToken | None]

    def client(self, who: str) -> APIClient:
        """Return the client of one of EVERYBODY."""
        client, person = APIClient(), self.people[who]
        if isinstance(person, User):
            client.force_login(person)
            if who == "disabled admin":
                person.is_active = False
                person.save()
        elif person is not None:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {person.secret}")
        return client


def place(platform: Platform, vendor: str) -> Place:
    """Make a vendor with a row of every kind on a platform."""
    made = Place(platform=platform, vendor=VendorFactory(platform=platform, code=vendor, name=vendor.upper()))
    for model, (factory, owners) in ROWS.items():
        fields = {name: getattr(made, owner) for name, owner in owners.items()}
        if model is Plan:
            fields |= {"code": f"plan-of-{vendor}", "name": f"Plan of {vendor}", "is_public": True}
        made.rows[model] = factory(**fields)
    return made


def leave_work(platform: Platform) -> None:
    """Leave a task run and a delivery of an event for the workers."""
    event = Event.objects.filter(platform=platform).latest("at")
    Delivery.objects.create(event=event, module="billing", handler="billing.handlers.on_something")
    TaskRun.objects.create(task="billing.check_key", platform=platform)


def build() -> World:
    """Make the world: every module is on on both platforms."""
    kestrel, tidewater = (
        PlatformFactory(code=code, name=f"{code.title()} Rewards") for code in ("kestrel", "tidewater")
    )
    for platform in (kestrel, tidewater):
        enable(platform, *(definition.code for definition in registry if not definition.is_core))
        leave_work(platform)
    own, foreign = place(kestrel, "brindle"), place(tidewater, "saltmarsh")
    beside = place(kestrel, "fernhill")
    admin, viewer = (
        MembershipFactory(platform=kestrel, role=role, user__username=f"the-{role}", user__is_staff=True).user
        for role in ("admin", "viewer")
    )

    def token(user: User, *scopes: str, **fields: Any) -> ApiToken:
        return ApiTokenFactory(user=user, platform=kestrel, scopes=list(scopes), **fields)

    everything = ("read", "write", "admin")
    people: dict[str, User | ApiToken | None] = {
        "anonymous": None,
        "superuser": UserFactory(username="the-operator", is_superuser=True, is_staff=True),
        "admin": admin,
        "viewer": viewer,
        "vendor": MembershipFactory(vendor=own.vendor, user__username="the-vendor", user__is_staff=True).user,
        "stranger": UserFactory(username="the-stranger", is_staff=True),
        "foreign admin": MembershipFactory(platform=tidewater, user__username="theo", user__is_staff=True).user,
        "disabled admin": MembershipFactory(platform=kestrel, user__username="gone", user__is_staff=True).user,
        "token read": token(admin, "read"),
        "token write": token(admin, "write"),
        "token admin": token(admin, "admin"),
        "token of the vendor": token(admin, *everything, vendor=own.vendor),
        "token of a viewer": token(viewer, *everything),
        "expired token": token(admin, *everything, expiry=timedelta(days=-1)),
    }
    return World(own=own, foreign=foreign, beside=beside, people=people)


def switch_everything_off(platform: Platform) -> None:
    """Have nothing on but what is always on."""
    for definition in registry:
        if not definition.is_core:
            services.disable(platform=platform, module=definition.code, origin=origin(), cascade=True)


class Snapshots:
    """Every row of every table of ours, read anew only where a statement that may write was sent since.

    An execute wrapper: in a test that compares after each of a hundred pages, reading is what takes the time.
    """

    _READING = ("SELECT", "SAVEPOINT", "RELEASE")

    def __init__(self) -> None:
        self._rows: dict[str, list[dict[str, Any]]] | None = None

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Send the statement, and forget what was read where it may write."""
        if not sql.startswith(self._READING):
            self._rows = None
        return execute(sql, params, many, context)

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows as they are now."""
        if self._rows is None:
            self._rows = _read()
        return self._rows


def everything() -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table of ours, so that two moments can be compared."""
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, Snapshots):
            return wrapper.rows()
    return _read()


def _read() -> dict[str, list[dict[str, Any]]]:
    # But when a token was last used: that is kept of refused requests, too, once in five minutes.
    ours = {"platforms", "modules", *(definition.code for definition in registry)}
    return {
        model._meta.label: [
            {name: value for name, value in row.items() if name != "last_used_at"}
            for row in model._base_manager.order_by("pk").values()
        ]
        for model in apps.get_models()
        if model._meta.app_label in ours
    }
