"""Who buys, where they live, and what was written down about them."""

import uuid
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import StrIndex, Substr
from django.utils import timezone

from customers.keys import MAX_NAME_KEY, email_key, name_key
from customers.models.fields import CountryField, PhoneNumberField
from platforms.models import Platform, Vendor
from platforms.search import prefix_index
from platforms.validators import validate_locale, validate_name, validate_text

MAX_EMAIL = 254
MAX_LABEL = 300
# From the @ on; an index knows it. What is quoted before it (`"a@b"@example.com`) is no address that anybody has.
EMAIL_DOMAIN = Substr("email_key", StrIndex("email_key", Value("@")))


class Tag(models.Model):
    """A word that a platform puts on customers; `key` keeps it from being there twice in another spelling."""

    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=50, validators=[validate_name])
    key = models.CharField(max_length=MAX_NAME_KEY, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "key"],
                name="uq_customers_tag",
                violation_error_code="taken",
                violation_error_message="This tag is there already, perhaps in another spelling.",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Make the key."""
        self.key = name_key(self.name)


class CustomerQuerySet(models.QuerySet["Customer"]):
    """Reads of customers."""

    def open(self) -> "CustomerQuerySet":
        """Return those who are customers still: neither merged into another nor erased."""
        return self.filter(status__in=Customer.OPEN)


class Customer(models.Model):
    """Somebody whom a platform's vendors sell to; not a login.

    `email` is written as it was typed, `email_key` is what makes it unique. `name_key` and `last_name_key` are what
    names are found by, first name first and last name first. A customer who was merged into another, or erased, stays
    as a row so that what points at it still does; nothing of it is edited any more.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        BLOCKED = "blocked", "Blocked"
        MERGED = "merged", "Merged"
        ERASED = "erased", "Erased"

    OPEN: ClassVar[tuple[str, ...]] = (Status.ACTIVE, Status.BLOCKED)
    tenant_path: ClassVar[str] = "platform"
    vendor_path: ClassVar[str] = "vendors"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+", db_index=False)
    email = models.EmailField("e-mail", max_length=MAX_EMAIL, blank=True)
    email_key = models.CharField(max_length=MAX_EMAIL, blank=True, editable=False)
    phone: Any = PhoneNumberField(blank=True, help_text="With the country's code, e.g. +49 30 901820.")
    first_name = models.CharField(max_length=100, blank=True, validators=[validate_name])
    last_name = models.CharField(max_length=100, blank=True, validators=[validate_name])
    name_key = models.CharField(max_length=MAX_NAME_KEY, blank=True, editable=False)
    last_name_key = models.CharField(max_length=MAX_NAME_KEY, blank=True, editable=False)
    locale = models.CharField(
        "language", max_length=35, blank=True, validators=[validate_locale], help_text="A language tag, e.g. de-AT."
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE, editable=False)
    external_ref = models.CharField(
        "reference",
        max_length=100,
        blank=True,
        validators=[validate_name],
        help_text="What another system calls this customer.",
    )
    merged_into = models.ForeignKey(
        "self", on_delete=models.RESTRICT, related_name="+", null=True, blank=True, editable=False
    )
    tags = models.ManyToManyField(Tag, related_name="customers", blank=True)
    vendors = models.ManyToManyField(Vendor, through="CustomerVendor", related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "email_key"],
                condition=Q(status__in=("active", "blocked")) & ~Q(email_key=""),
                name="uq_customers_email",
                violation_error_code="email_taken",
                violation_error_message="Another customer has this e-mail address.",
            ),
            models.UniqueConstraint(
                fields=["platform", "external_ref"],
                condition=Q(status__in=("active", "blocked")) & ~Q(external_ref=""),
                name="uq_customers_external_ref",
                violation_error_code="external_ref_taken",
                violation_error_message="Another customer has this reference.",
            ),
            models.CheckConstraint(
                condition=Q(status="merged", merged_into__isnull=False)
                | (~Q(status="merged") & Q(merged_into__isnull=True)),
                name="ck_customers_merged_into",
                violation_error_message="Who is merged is merged into somebody, and nobody else is.",
            ),
        ]
        indexes = [
            models.Index(fields=["platform", "status", "created_at"], name="idx_customers_status"),
            models.Index(fields=["platform", "created_at"], name="idx_customers_created"),
            models.Index(fields=["-created_at", "-id"], name="idx_customers_newest"),
            prefix_index("platform", "email_key", name="idx_customers_email"),
            prefix_index("platform", "phone", name="idx_customers_phone"),
            prefix_index("platform", "external_ref", name="idx_customers_external_ref"),
            prefix_index("platform", "name_key", name="idx_customers_name"),
            prefix_index("platform", "last_name_key", name="idx_customers_last_name"),
            prefix_index("platform", "locale", name="idx_customers_locale"),
            models.Index(F("platform"), EMAIL_DOMAIN, name="idx_customers_domain"),
        ]

    def __str__(self) -> str:
        return self.name or self.email or str(self.phone) or self.external_ref or f"Customer {self.pk}"

    @property
    def name(self) -> str:
        """First and last name, as far as they are known."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def label(self) -> str:
        """The name, with what tells people of one name apart."""
        detail = self.email or self.external_ref or str(self.phone)
        return f"{self.name} ({detail})" if self.name and detail else str(self)

    @property
    def is_open(self) -> bool:
        """Whether this is a customer still: neither merged into another nor erased."""
        return self.status in self.OPEN

    def make_keys(self) -> None:
        """Make the keys from what they are keys of."""
        self.email_key = email_key(self.email)
        self.name_key = name_key(self.first_name, self.last_name)
        self.last_name_key = name_key(self.last_name, self.first_name)

    def clean(self) -> None:
        """Make the keys. Refuse a customer of whom nothing is known, and what could not be kept as it was said."""
        self.make_keys()
        if len(self.email_key) > MAX_EMAIL:
            raise ValidationError({"email": ValidationError("This address is too long.", code="max_length")})
        if self.phone and self.phone.extension:
            raise ValidationError(
                {"phone": ValidationError("Without the extension: it is not kept.", code="extension")}
            )
        if self.is_open and not (self.email or self.phone or self.name or self.external_ref):
            raise ValidationError("Name an e-mail address, a phone number, a name or a reference.", code="nobody")


class CustomerVendor(models.Model):
    """A customer whom a vendor of the platform knows: it bought there."""

    tenant_path: ClassVar[str] = "customer__platform"
    vendor_path: ClassVar[str] = "vendor"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="vendor_links", db_index=False)
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["created_at"]
        constraints = [models.UniqueConstraint(fields=["customer", "vendor"], name="uq_customers_vendor")]

    def __str__(self) -> str:
        return f"{self.customer} of {self.vendor}"

    def clean(self) -> None:
        """Refuse a vendor of another platform."""
        if self.vendor.platform_id != self.customer.platform_id:
            raise ValidationError(
                {"vendor": ValidationError("This vendor is on another platform.", code="foreign_vendor")}
            )


class OfCustomer(models.Model):
    """What hangs on a customer. It has the platform itself, so that a platform's rows are listed by an index."""

    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+", db_index=False, editable=False)

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse a customer of another platform; without one, the row is on the customer's."""
        customer: Customer | None = getattr(self, "customer", None)
        if customer is not None and self.platform_id is None:
            self.platform_id = customer.platform_id
        if customer is not None and customer.platform_id != self.platform_id:
            message = "This customer is on another platform."
            raise ValidationError({"customer": ValidationError(message, code="foreign_customer")})


class Address(OfCustomer):
    """Where something is sent to or an invoice goes; one of each kind may be the default."""

    class Kind(models.TextChoices):
        SHIPPING = "shipping", "Shipping"
        BILLING = "billing", "Billing"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="addresses")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.SHIPPING)
    is_default = models.BooleanField("default", default=False, help_text="Takes the place of the default before it.")
    recipient = models.CharField(max_length=200, blank=True, validators=[validate_name])
    line1 = models.CharField("street", max_length=200, validators=[validate_name])
    line2 = models.CharField("more", max_length=200, blank=True, validators=[validate_name])
    postal_code = models.CharField(max_length=20, blank=True, validators=[validate_name])
    city = models.CharField(max_length=100, validators=[validate_name])
    region = models.CharField(max_length=100, blank=True, validators=[validate_name])
    country = CountryField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["kind", "-is_default", "created_at"]
        verbose_name_plural = "addresses"
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "kind"], condition=Q(is_default=True), name="uq_customers_default_address"
            )
        ]
        indexes = [
            models.Index(fields=["platform", "-created_at"], name="idx_customers_address_at"),
            models.Index(fields=["platform", "country", "customer"], name="idx_customers_country"),
            models.Index(fields=["platform", "city", "customer"], name="idx_customers_city"),
        ]

    def __str__(self) -> str:
        return ", ".join(part for part in (self.line1, self.city, str(self.country)) if part)


class Note(OfCustomer):
    """What somebody wrote down about a customer: the platform's staff, or a vendor for itself."""

    vendor_path: ClassVar[str] = "vendor"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="notes", db_index=False)
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="+", null=True, blank=True)
    text = models.TextField(max_length=5000, validators=[validate_text])
    author = models.CharField(max_length=MAX_LABEL, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["platform", "-created_at"], name="idx_customers_note_at"),
            models.Index(fields=["customer", "-created_at"], name="idx_customers_note"),
        ]

    def __str__(self) -> str:
        return f"Note of {self.created_at:%Y-%m-%d} about {self.customer}"
