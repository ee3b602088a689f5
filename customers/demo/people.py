"""The demo story's customers: who they are, where they bought, what they agreed to. The same ones every time."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from customers.consents import put_in_force
from customers.models import (
    Address,
    ConsentRecord,
    Customer,
    CustomerEvent,
    CustomerVendor,
    Note,
    Tag,
)
from modules import gate
from platforms.demo import Story
from platforms.models import Platform, Vendor

_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """What people of a country are called, and where they live. The numbers are kept free for stories like this one."""

    code: str
    locale: str
    phone: str
    first_names: Sequence[str]
    last_names: Sequence[str]
    streets: Sequence[str]
    cities: Sequence[tuple[str, str]]


_COUNTRIES = {
    "FR": Country(
        code="FR",
        locale="fr",
        phone="+3319900{:04}",
        first_names=("Maëlle", "Yann", "Élise", "Gwenaël", "Noémie", "Loïc", "Anaïs", "Théo", "Zoé", "Gaël"),
        last_names=("Dubois", "Le Goff", "Kerbrat", "Lefèvre", "Moreau", "Çelik", "Garçon", "Bénard"),
        streets=("rue de Siam", "quai de la Fosse", "rue des Tanneurs", "place du Marché"),
        cities=(("29200", "Brest"), ("44000", "Nantes"), ("35000", "Rennes"), ("75011", "Paris")),
    ),
    "DE": Country(
        code="DE",
        locale="de",
        phone="+493023125{:03}",
        first_names=("Jürgen", "Anke", "Şükran", "Björn", "Käthe", "Matthias", "Ilse", "Władysław", "Søren", "Heike"),
        last_names=("Müller", "Groß", "Yıldız", "Petersen", "Öztürk", "Brandt", "Kowalska", "Lüdemann"),
        streets=("Torstraße", "Große Elbstraße", "Am Sandtorkai", "Weidenweg"),
        cities=(("10119", "Berlin"), ("22767", "Hamburg"), ("24103", "Kiel"), ("28195", "Bremen")),
    ),
    "GB": Country(
        code="GB",
        locale="en",
        phone="+442079460{:03}",
        first_names=("Harriet", "Owen", "Siobhán", "Callum", "Priya", "Niamh", "Idris", "Agnes", "美咲", "Дмитрий"),
        last_names=("Fairweather", "O’Rourke", "MacLeod", "Penhaligon", "Patel", "Ashdown", "田中", "Соколов"),
        streets=("Harbour Lane", "Quarry Road", "Mill Street", "Chapel Row"),
        cities=(("PL1 3RP", "Plymouth"), ("EH6 6LX", "Edinburgh"), ("CF10 5BT", "Cardiff"), ("YO1 7HH", "York")),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The customers of one platform: how many, where from, and what they are tagged with."""

    count: int
    countries: Sequence[str]
    tags: Sequence[str]


_CROWDS = {
    "kestrel": Crowd(count=240, countries=("GB", "DE", "FR"), tags=("Gold", "Silver", "Newsletter", "Complained")),
    "tidewater": Crowd(count=180, countries=("FR", "GB"), tags=("Wholesale", "Newsletter", "Complained")),
    "quarry": Crowd(count=60, countries=("GB",), tags=("Trade account", "On stop")),
}


@dataclass(slots=True)
class _Rows:
    """What is written for one platform, table by table."""

    customers: list[Customer] = field(default_factory=list)
    links: list[CustomerVendor] = field(default_factory=list)
    tagged: list[Customer.tags.through] = field(default_factory=list)  # type: ignore[name-defined]
    addresses: list[Address] = field(default_factory=list)
    consents: list[ConsentRecord] = field(default_factory=list)
    agreed: list[ConsentRecord] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    events: list[CustomerEvent] = field(default_factory=list)


def load(story: Story) -> None:
    """Give each platform of the story that has the module on, and no customer yet, its customers."""
    for platform in Platform.objects.filter(code__in=_CROWDS).order_by("pk"):
        if gate.is_enabled(platform, "customers") and not Customer.objects.filter(platform=platform).exists():
            _Telling(platform, story.start, _CROWDS[platform.code]).write()


class _Telling:
    """Makes one platform's customers: rows in memory, then a statement for every 500 of a table."""

    def __init__(self, platform: Platform, start: datetime, crowd: Crowd) -> None:
        self.platform, self.start, self.crowd = platform, start, crowd
        self.random = random.Random(f"customers of {platform.code}")  # noqa: S311 - a story, the same every time
        self.vendors = list(Vendor.objects.filter(platform=platform).order_by("code"))
        self.tags = [Tag(id=self._id(), platform=platform, name=name) for name in crowd.tags]
        self.rows = _Rows()

    def write(self) -> None:
        """Write them all."""
        for tag in self.tags:
            tag.clean()
        Tag.objects.bulk_create(self.tags)
        for number in range(self.crowd.count):
            self._tell(number)
        self._plant_duplicate()
        rows = self.rows
        for model, made in (
            (Customer, rows.customers),
            (CustomerVendor, rows.links),
            (Customer.tags.through, rows.tagged),
            (Address, rows.addresses),
            (ConsentRecord, rows.consents),
            (Note, rows.notes),
            (CustomerEvent, rows.events),
        ):
            model._default_manager.bulk_create(made, batch_size=_BATCH)  # type: ignore[arg-type]
        put_in_force(rows.agreed)

    def _id(self) -> uuid.UUID:
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def _tell(self, number: int) -> None:
        """Make one customer, with all that hangs on them."""
        chance = self.random
        country = _COUNTRIES[chance.choice(self.crowd.countries)]
        since = self.start - timedelta(minutes=chance.randrange(1, 400 * 24 * 60))
        customer = Customer(
            id=self._id(),
            platform=self.platform,
            email=f"customer-{number + 1}@{self.platform.code}.example" if chance.random() < 0.92 else "",
            # Nobody shares one: who may be the same person twice is planted below.
            phone=country.phone.format(number) if chance.random() < 0.6 else "",
            first_name=chance.choice(country.first_names),
            last_name=chance.choice(country.last_names),
            locale=country.locale,
            external_ref=f"C-{10_000 + number}",
            status=Customer.Status.BLOCKED if chance.random() < 0.03 else Customer.Status.ACTIVE,
            created_at=since,
            updated_at=since,
        )
        customer.make_keys()
        rows = self.rows
        rows.customers.append(customer)
        rows.events.append(self._event(customer, CustomerEvent.Kind.CREATED, since))
        for vendor in chance.sample(self.vendors, k=min(len(self.vendors), chance.choice((1, 1, 1, 2, 2, 3)))):
            rows.links.append(CustomerVendor(id=self._id(), customer=customer, vendor=vendor, created_at=since))
        for tag in chance.sample(self.tags, k=chance.choice((0, 0, 1, 1, 2))):
            rows.tagged.append(Customer.tags.through(customer=customer, tag=tag))
        if chance.random() < 0.8:
            self._house(customer, country)
        if customer.email and chance.random() < 0.55:
            self._ask(customer)
        if chance.random() < 0.08:
            text = chance.choice(
                ("Prefers to be rung after five.", "Collects in person.", "Asked for a paper invoice.")
            )
            rows.notes.append(
                Note(
                    id=self._id(),
                    platform=self.platform,
                    customer=customer,
                    text=text,
                    author="admin",
                    created_at=since + timedelta(hours=2),
                )
            )

    def _house(self, customer: Customer, country: Country) -> None:
        postal_code, city = self.random.choice(country.cities)
        self.rows.addresses.append(
            Address(
                id=self._id(),
                platform=self.platform,
                customer=customer,
                kind=Address.Kind.SHIPPING,
                is_default=True,
                line1=f"{self.random.randrange(1, 90)} {self.random.choice(country.streets)}",
                postal_code=postal_code,
                city=city,
                country=country.code,
                created_at=customer.created_at,
            )
        )

    def _ask(self, customer: Customer) -> None:
        """Have the customer agree to marketing by e-mail; most confirmed it, some took it back since."""
        at, action = customer.created_at + timedelta(minutes=1), ConsentRecord.Action
        steps = self.random.choice(
            (
                (action.GIVEN, action.CONFIRMED),
                (action.GIVEN, action.CONFIRMED),
                (action.GIVEN,),
                (action.GIVEN, action.CONFIRMED, action.WITHDRAWN),
            )
        )
        for place, step in enumerate(steps):
            when = at + timedelta(hours=7 * place)
            line = ConsentRecord(
                id=self._id(),
                platform=self.platform,
                customer=customer,
                channel=ConsentRecord.Channel.EMAIL,
                purpose="marketing",
                action=step,
                needs_confirmation=step == action.GIVEN,
                source="mailbox" if step == action.CONFIRMED else "checkout",
                document_version="2025-06",
                at=when,
            )
            self.rows.consents.append(line)
            said = {"channel": "email", "purpose": "marketing", "action": str(step)}
            self.rows.events.append(self._event(customer, CustomerEvent.Kind.CONSENT, when, **said))
        if line.counts:
            self.rows.agreed.append(line)

    def _event(self, customer: Customer, kind: CustomerEvent.Kind, at: datetime, **data: str) -> CustomerEvent:
        return CustomerEvent(id=self._id(), platform=self.platform, customer=customer, kind=kind, at=at, data=data)

    def _plant_duplicate(self) -> None:
        """Have the first two of Kestrel be one person who signed up twice."""
        if self.platform.code != "kestrel":
            return
        for customer, email in zip(
            self.rows.customers, ("maelle.dubois@kestrel.example", "m.dubois@kestrel.example"), strict=False
        ):
            customer.first_name, customer.last_name, customer.locale = "Maëlle", "Dubois", "fr"
            customer.email, customer.phone, customer.status = email, "+33199004242", Customer.Status.ACTIVE
            customer.make_keys()
