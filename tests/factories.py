"""Rows for tests: each factory makes one that is valid, with what it needs around it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from billing.models import Invoice, Payment, Plan
from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, Maybe, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from customers import consents, merging, privacy, segments, services
from customers.models import (
    Address,
    BrokenRow,
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
from platforms.models import ApiToken, Membership, Platform, User, Vendor


class UserFactory(DjangoModelFactory[User]):
    """Somebody without any right. `password` is hashed; there is none unless it is named."""

    username = Sequence(lambda n: f"user-{n}")
    email = LazyAttribute(lambda user: f"{user.username}@example.com")

    class Meta:
        model = User

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(*args, **kwargs)


class PlatformFactory(DjangoModelFactory[Platform]):
    """A loyalty programme in euros."""

    code = Sequence(lambda n: f"platform-{n}")
    name = LazyAttribute(lambda platform: platform.code.replace("-", " ").title())
    kind = Platform.Kind.LOYALTY
    currency = "EUR"
    locales = LazyFunction(lambda: ["en"])

    class Meta:
        model = Platform


class VendorFactory(DjangoModelFactory[Vendor]):
    """A vendor of a platform of its own."""

    platform = SubFactory(PlatformFactory)
    code = Sequence(lambda n: f"vendor-{n}")
    name = LazyAttribute(lambda vendor: vendor.code.replace("-", " ").title())

    class Meta:
        model = Vendor


class MembershipFactory(DjangoModelFactory[Membership]):
    """A new user who is the admin of a new platform; with a `vendor`, who is that vendor."""

    user = SubFactory(UserFactory)
    vendor = None
    platform = Maybe(
        "vendor",
        yes_declaration=SelfAttribute("vendor.platform"),
        no_declaration=SubFactory(PlatformFactory),
    )
    role = LazyAttribute(lambda row: Membership.Role.VENDOR if row.vendor else Membership.Role.ADMIN)

    class Meta:
        model = Membership


class ApiTokenFactory(DjangoModelFactory[ApiToken]):
    """A read token of a platform's admin, used just now: a request with it writes nothing.

    Its plain text is in `secret`, as long as the test holds the instance.
    """

    platform = SubFactory(PlatformFactory)
    user = LazyAttribute(lambda token: MembershipFactory(platform=token.platform).user)
    name = Sequence(lambda n: f"script {n}")
    scopes = LazyFunction(lambda: ["read"])
    expiry = timedelta(days=90)
    last_used_at = LazyFunction(timezone.now)

    class Meta:
        model = ApiToken

    @classmethod
    def _create(cls, model_class: type[ApiToken], *args: Any, **kwargs: Any) -> ApiToken:
        token, secret = model_class.objects.create(*args, **kwargs)
        token.secret = secret
        return token


class PlanFactory(DjangoModelFactory[Plan]):
    """A plan of a platform of its own, not in the price list."""

    platform = SubFactory(PlatformFactory)
    code = Sequence(lambda n: f"plan-{n}")
    name = LazyAttribute(lambda plan: plan.code.replace("-", " ").title())
    price = Decimal("29.00")

    class Meta:
        model = Plan


class InvoiceFactory(DjangoModelFactory[Invoice]):
    """An open invoice of a vendor of its own."""

    vendor = SubFactory(VendorFactory)
    platform = SelfAttribute("vendor.platform")
    number = Sequence(lambda n: f"R-{n:05}")
    amount = Decimal("29.00")
    status = Invoice.Status.OPEN
    issued_on = date(2026, 3, 1)

    class Meta:
        model = Invoice


class PaymentFactory(DjangoModelFactory[Payment]):
    """A payment of an invoice of its own."""

    invoice = SubFactory(InvoiceFactory)
    amount = Decimal("29.00")
    received_on = date(2026, 3, 15)

    class Meta:
        model = Payment


class TagFactory(DjangoModelFactory[Tag]):
    """A tag of a platform of its own."""

    platform = SubFactory(PlatformFactory)
    name = Sequence(lambda n: f"tag {n}")
    key = SelfAttribute("name")

    class Meta:
        model = Tag


class CustomerFactory(DjangoModelFactory[Customer]):
    """A customer of a platform of its own, made by the service; with a `vendor`, one who bought from that vendor."""

    vendor = None
    platform = Maybe(
        "vendor",
        yes_declaration=SelfAttribute("vendor.platform"),
        no_declaration=SubFactory(PlatformFactory),
    )
    email = Sequence(lambda n: f"customer-{n}@example.com")
    first_name = "Maëlle"
    last_name = Sequence(lambda n: f"Dubois {n}")

    class Meta:
        model = Customer

    @classmethod
    def _create(cls, model_class: type[Customer], *args: Any, **kwargs: Any) -> Customer:
        platform, vendor = kwargs.pop("platform"), kwargs.pop("vendor")
        vendors = {} if vendor is None else {"vendors": [vendor]}
        return services.create_customer(platform=platform, values={**kwargs, **vendors})


class AddressFactory(DjangoModelFactory[Address]):
    """An address in Brest of a customer of its own."""

    customer = SubFactory(CustomerFactory)
    platform = SelfAttribute("customer.platform")
    line1 = "12 rue de Siam"
    postal_code = "29200"
    city = "Brest"
    country = "FR"

    class Meta:
        model = Address


class NoteFactory(DjangoModelFactory[Note]):
    """A note of the staff; with a `vendor`, that vendor's, about a customer of its own."""

    vendor = None
    customer = Maybe(
        "vendor",
        yes_declaration=SubFactory(CustomerFactory, vendor=SelfAttribute("..vendor")),
        no_declaration=SubFactory(CustomerFactory),
    )
    platform = SelfAttribute("customer.platform")
    text = "Rang twice."

    class Meta:
        model = Note


class ConsentFactory(DjangoModelFactory[ConsentRecord]):
    """A consent to post, given by a customer of its own."""

    customer = SubFactory(CustomerFactory)
    channel = ConsentRecord.Channel.POST
    purpose = "marketing"
    source = "checkout"

    class Meta:
        model = ConsentRecord

    @classmethod
    def _create(cls, model_class: type[ConsentRecord], *args: Any, **kwargs: Any) -> ConsentRecord:
        return consents.give(**kwargs)


class CustomerEventFactory(DjangoModelFactory[CustomerEvent]):
    """A change of a customer of its own."""

    customer = SubFactory(CustomerFactory)
    platform = SelfAttribute("customer.platform")
    kind = CustomerEvent.Kind.UPDATED

    class Meta:
        model = CustomerEvent


class DuplicatePairFactory(DjangoModelFactory[DuplicatePair]):
    """Two customers with one phone number, on a platform of their own."""

    platform = SubFactory(PlatformFactory)
    same_phone = True
    strength = 2

    class Meta:
        model = DuplicatePair

    @classmethod
    def _create(cls, model_class: type[DuplicatePair], *args: Any, **kwargs: Any) -> DuplicatePair:
        made = CustomerFactory.create_batch(2, platform=kwargs["platform"], phone="+493023125999")
        a, b = sorted(made, key=lambda customer: customer.pk)
        return model_class.objects.create(**{"a": a, "b": b, **kwargs})


class MergeFactory(DjangoModelFactory[Merge]):
    """A merge of two customers of a platform of its own, made by the service."""

    platform = SubFactory(PlatformFactory)

    class Meta:
        model = Merge

    @classmethod
    def _create(cls, model_class: type[Merge], *args: Any, **kwargs: Any) -> Merge:
        kept, merged = CustomerFactory.create_batch(2, platform=kwargs.pop("platform"))
        return merging.merge(**{"kept": kept, "merged": merged, **kwargs})


class PrivacyRequestFactory(DjangoModelFactory[PrivacyRequest]):
    """A customer of its own who wants to be forgotten; with `kind` export, to have their data."""

    customer = SubFactory(CustomerFactory)
    kind = PrivacyRequest.Kind.ERASURE
    source = PrivacyRequest.Source.EMAIL

    class Meta:
        model = PrivacyRequest

    @classmethod
    def _create(cls, model_class: type[PrivacyRequest], *args: Any, **kwargs: Any) -> PrivacyRequest:
        is_erasure = kwargs.pop("kind") == PrivacyRequest.Kind.ERASURE
        return (privacy.request_erasure if is_erasure else privacy.request_export)(**kwargs)


class ImportRunFactory(DjangoModelFactory[ImportRun]):
    """An import of one row that was checked, on a platform of its own; that row has an error."""

    platform = SubFactory(PlatformFactory)
    status = ImportRun.Status.CHECKED
    match = "external_ref"
    error_policy = "skip_row"
    file_name = "customers.csv"
    format = "csv"
    columns = LazyFunction(lambda: ["email", "external_ref"])
    total = processed = failed = 1

    class Meta:
        model = ImportRun

    @classmethod
    def _create(cls, model_class: type[ImportRun], *args: Any, **kwargs: Any) -> ImportRun:
        run = super()._create(model_class, *args, **kwargs)
        values, errors = (
            {"email": "nobody", "external_ref": "C-1"},
            [{"code": "invalid", "attr": "email", "detail": "No."}],
        )
        BrokenRow.objects.create(run=run, line=2, values=values, errors=errors)
        run.chunks.create(number=0, rows=[{"line": 2, "values": values, "faults": []}])
        return run


class SegmentFactory(DjangoModelFactory[Segment]):
    """The active customers of a platform of its own."""

    platform = SubFactory(PlatformFactory)
    name = Sequence(lambda n: f"Segment {n}")
    rules = LazyFunction(lambda: [{"field": "status", "operator": "is", "value": ["active"]}])

    class Meta:
        model = Segment

    @classmethod
    def _create(cls, model_class: type[Segment], *args: Any, **kwargs: Any) -> Segment:
        return segments.save_segment(segment=model_class(**kwargs))
