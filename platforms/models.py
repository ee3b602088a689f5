"""Who there is: users, platforms, their vendors, who belongs to them, the tokens of API clients; and counters."""

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from knox.models import AbstractAuthToken, AuthTokenManager

from platforms.validators import validate_code, validate_currency, validate_locales, validate_name


class User(AbstractUser):
    """A person who logs in. Our own from the first migration, so that it can grow."""


def default_locales() -> list[str]:
    """Return what a new platform speaks until somebody says otherwise."""
    return ["en"]


class Platform(models.Model):
    """A tenant: a loyalty programme, a marketplace, a trade shop.

    `revision` is the number of the platform's newest change; only `modules.services` moves it. `settings` is what the
    old system kept, as it came; `modules.legacy` takes out of it what it understands.
    """

    class Kind(models.TextChoices):
        LOYALTY = "loyalty", "Loyalty programme"
        MARKETPLACE = "marketplace", "Marketplace"
        B2B = "b2b", "B2B trade shop"

    tenant_path: ClassVar[str] = "pk"

    code = models.CharField(
        max_length=50,
        unique=True,
        validators=[validate_code],
        help_text="Names the platform in addresses and in the API. Fixed once made.",
    )
    name = models.CharField(max_length=200, validators=[validate_name])
    kind = models.CharField(max_length=20, choices=Kind.choices)
    currency = models.CharField(max_length=3, validators=[validate_currency], help_text="ISO 4217, e.g. EUR.")
    locales = models.JSONField(default=default_locales, validators=[validate_locales])
    is_active = models.BooleanField("active", default=True)
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    settings = models.JSONField(null=True, blank=True, default=dict, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class Vendor(models.Model):
    """A merchant on one platform; a merchant on two platforms is two vendors."""

    tenant_path: ClassVar[str] = "platform"
    vendor_path: ClassVar[str] = "pk"

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="vendors")
    code = models.CharField(
        max_length=50,
        validators=[validate_code],
        help_text="Names the vendor in addresses and in the API. Fixed once made.",
    )
    name = models.CharField(max_length=200, validators=[validate_name])
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["platform", "code"]
        constraints = [models.UniqueConstraint(fields=["platform", "code"], name="uq_vendor_code")]

    def __str__(self) -> str:
        return self.name


def validate_vendor_of_platform(vendor: Vendor | None, platform_id: int | None) -> None:
    """Refuse a vendor of another platform: said once for all rows that name both."""
    if vendor is not None and vendor.platform_id != platform_id:
        raise ValidationError({"vendor": ValidationError("This vendor is on another platform.", code="foreign_vendor")})


class Membership(models.Model):
    """What a user is on a platform: its admin, a viewer, or one of its vendors."""

    class Role(models.TextChoices):
        ADMIN = "admin", "Admin"
        VIEWER = "viewer", "Viewer"
        VENDOR = "vendor", "Vendor"

    tenant_path: ClassVar[str] = "platform"
    vendor_path: ClassVar[str] = "vendor"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="memberships")
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="memberships", null=True, blank=True)
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["platform", "user"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "platform"],
                condition=Q(vendor__isnull=True),
                name="uq_membership_platform",
                violation_error_code="unique",
                violation_error_message="This user already has a role on this platform.",
            ),
            models.UniqueConstraint(
                fields=["user", "vendor"],
                condition=Q(vendor__isnull=False),
                name="uq_membership_vendor",
                violation_error_code="unique",
                violation_error_message="This user already belongs to this vendor.",
            ),
            models.CheckConstraint(
                condition=Q(role="vendor", vendor__isnull=False) | (~Q(role="vendor") & Q(vendor__isnull=True)),
                name="ck_membership_vendor_role",
                violation_error_message="The role vendor names a vendor; the other roles name none.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display().lower()} of {self.vendor or self.platform}"

    def clean(self) -> None:
        """Refuse a vendor of another platform, and a role and vendor that do not go together."""
        validate_vendor_of_platform(self.vendor, self.platform_id)
        # The table's constraint says the same; here it is said at the field.
        if self.role == self.Role.VENDOR and self.vendor is None:
            raise ValidationError({"vendor": ValidationError("Name the vendor.", code="required")})
        if self.role != self.Role.VENDOR and self.vendor is not None:
            message = "Only the role vendor names a vendor."
            raise ValidationError({"vendor": ValidationError(message, code="vendor_not_allowed")})


def validate_scopes(value: object) -> None:
    """Accept a list of at least one distinct token scope; raise ValidationError otherwise."""
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(scope, str) and scope in ApiToken.Scope for scope in value)
        or len(set(value)) != len(value)
    ):
        raise ValidationError(
            f"Name one or more of {', '.join(ApiToken.Scope.values)}, each once.", code="invalid_scopes"
        )


class ApiToken(AbstractAuthToken):
    """A client's key to the API: acts within its scopes on its platform, and never beyond the user who made it.

    Only a digest is kept (knox); `token_key`, the first characters, is what people see as its prefix. Without a
    platform it reaches as far as its user does; only an operator issues such a token, from the command line.
    """

    class Scope(models.TextChoices):
        READ = "read", "Read"
        WRITE = "write", "Write"
        ADMIN = "admin", "Admin"

    tenant_path: ClassVar[str] = "platform"
    vendor_path: ClassVar[str] = "vendor"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    digest = models.CharField(max_length=128, unique=True, editable=False)
    name = models.CharField(
        max_length=100, validators=[validate_name], help_text="What uses this token, e.g. nightly stock export."
    )
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="tokens", null=True, blank=True)
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="tokens", null=True, blank=True)
    scopes = models.JSONField(validators=[validate_scopes])
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = AuthTokenManager()

    class Meta:
        ordering = ["-created"]
        verbose_name = "API token"
        constraints = [
            models.CheckConstraint(
                condition=Q(vendor__isnull=True) | Q(platform__isnull=False), name="ck_api_token_vendor_platform"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.token_key}…)"

    def clean(self) -> None:
        """Refuse a vendor of another platform."""
        validate_vendor_of_platform(self.vendor, self.platform_id)

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expiry is not None and self.expiry <= timezone.now()


class IdempotentAnswer(models.Model):
    """What a POST with an `Idempotency-Key` was answered, for the same POST sent again.

    Nobody reads it from the table: `digest` says whose key it is only to who has the key, and `answer` is encrypted
    with it, or blank where the view keeps none. It counts for 24 hours; `services.purge_idempotent_answers()` deletes
    it then.
    """

    HOURS_KEPT: ClassVar[int] = 24

    digest = models.CharField(max_length=64, unique=True)
    fingerprint = models.CharField(max_length=64)
    answer = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.digest[:8]}… of {self.created_at:%Y-%m-%d %H:%M}"


class RequestCount(models.Model):
    """How often somebody asked within one window of time: `platforms.counters` writes and reads it.

    key: the scope, who, and the window. ends_at: when the window is over, in seconds since 1970;
    `services.purge_request_counts()` deletes it then.
    """

    key = models.CharField(max_length=200, primary_key=True)
    hits = models.PositiveBigIntegerField()
    ends_at = models.PositiveBigIntegerField(db_index=True)

    def __str__(self) -> str:
        return f"{self.key}: {self.hits}"


class CacheEntry(models.Model):
    """A row of Django's database cache, in which log-in attempts are counted for every process at once.

    Only the cache itself reads and writes it. It is a model so that `migrate` alone makes its table.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "cache"
        default_permissions = ()

    def __str__(self) -> str:
        return self.cache_key
