"""Which modules there are, which are on where, and every change: the tables behind the services and the gate."""

from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone
from simple_history.models import HistoricalRecords

from modules.guards import WHAT_TO_CALL, AppendOnly, Recorded
from modules.indexes import LongNameIndex
from modules.registry import registry
from modules.work_models import Delivery, DroppedNotice, Event, TaskRun
from platforms.models import Platform
from platforms.validators import MAX_REASON, validate_reason

__all__ = [
    "Change",
    "ChangeStamp",
    "Delivery",
    "DroppedNotice",
    "Event",
    "Module",
    "PlatformModule",
    "PlatformModuleHistory",
    "PlatformModuleQuerySet",
    "TaskRun",
    "WriteRefused",
]


class Module(models.Model):
    """The registry mirrored into the database after migrate, so that rows can point at a module.

    A module whose code is no longer installed stays as a row: off, kept, shown as unknown.
    """

    code = models.CharField(max_length=50, primary_key=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    version = models.CharField(max_length=20)
    is_core = models.BooleanField("core", default=False)
    is_installed = models.BooleanField("installed", default=True)
    platforms = models.ManyToManyField(Platform, through="PlatformModule", related_name="modules")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class WriteRefused(Exception):
    """A write to PlatformModule that would have left no change behind."""


def _refuse(what: str) -> NoReturn:
    raise WriteRefused(f"{what} would change a platform's modules without a record of it. {WHAT_TO_CALL}")


class PlatformModuleQuerySet(models.QuerySet["PlatformModule"]):
    """Reads are open; writes belong to `modules.services`, which records each of them."""

    def enabled(self) -> "PlatformModuleQuerySet":
        """Return the rows of modules that are on: they say so, and all that the module needs is installed."""
        return self.filter(is_enabled=True, module__in=registry.runnable())

    def update(self, **kwargs: Any) -> int:
        """Refuse, but for what deleting a user does: empty `enabled_by` or `disabled_by`. Raises WriteRefused."""
        if kwargs in ({"enabled_by": None}, {"disabled_by": None}):
            return super().update(**kwargs)
        _refuse("update()")

    def delete(self) -> NoReturn:
        """Refuse. Raises WriteRefused."""
        _refuse("delete()")

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse. Raises WriteRefused."""
        _refuse("bulk_create()")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse. Raises WriteRefused."""
        _refuse("bulk_update()")


class ChangeStamp(models.Model):
    """What every history row says besides the row's own fields: its change, and which secrets were set."""

    change_number = models.PositiveBigIntegerField()
    secret_fingerprints = models.JSONField(default=dict)

    class Meta:
        abstract = True


class PlatformModuleHistory(HistoricalRecords):
    """History that only `modules.ledger` writes, found by platform, module and date without reading what lies between.

    simple-history's own rows, made when it hears of a save or a delete, would belong to no change.
    """

    def post_save(self, instance: models.Model, created: bool, using: str | None = None, **kwargs: Any) -> None:
        """Write nothing: a row was loaded from a fixture."""

    def pre_delete(self, instance: models.Model, **kwargs: Any) -> NoReturn:
        """Refuse a row that would go with its platform, past the services. Raises WriteRefused."""
        _refuse("Deleting the row")

    def post_delete(self, instance: models.Model, using: str | None = None, **kwargs: Any) -> None:
        """Write nothing: it does not come to this."""

    def get_meta_options(self, model: type[models.Model]) -> dict[str, Any]:
        """Add the indexes and the guard to simple-history's own options."""
        return super().get_meta_options(model) | {
            "constraints": [AppendOnly(name="gd_platform_module_history")],
            "indexes": [
                models.Index(
                    "platform",
                    "module",
                    models.F("history_date").desc(),
                    models.F("history_id").desc(),
                    name="idx_platform_module_history",
                ),
                models.Index(fields=["platform", "change_number"], name="idx_platform_module_change"),
            ],
        }


class PlatformModule(models.Model):
    """Whether a module is on for a platform, and how it is configured.

    `config` holds what somebody set, in the shape of schema version `config_version`; defaults are the schema's.
    `secrets` maps a secret's name to {"token": encrypted, "fingerprint", "changed_at"}. A row that is not there says:
    never touched, so off (or on, for a core module) and all defaults.
    """

    tenant_path: ClassVar[str] = "platform"

    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="platform_modules", db_index=False)
    module = models.ForeignKey(
        Module, on_delete=models.PROTECT, related_name="platform_modules", db_column="module_code", db_index=False
    )
    is_enabled = models.BooleanField("on", default=False)
    enabled_at = models.DateTimeField(null=True, blank=True)
    enabled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        db_column="enabled_by_user_id",
        null=True,
        blank=True,
    )
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        db_column="disabled_by_user_id",
        null=True,
        blank=True,
    )
    config = models.JSONField(default=dict, blank=True)
    config_version = models.PositiveSmallIntegerField(default=1)
    secrets = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    history = PlatformModuleHistory(
        bases=[ChangeStamp],
        excluded_fields=["secrets"],
        history_id_field=models.BigAutoField(),
        history_user_id_field=models.BigIntegerField(null=True),
        history_change_reason_field=models.CharField(max_length=MAX_REASON, null=True),
        table_name="platform_modules_history",
        no_db_index=["platform", "module", "enabled_by", "disabled_by"],
    )

    objects = PlatformModuleQuerySet.as_manager()

    class Meta:
        # Django's own writes pass through here too: adding a row to another platform's `platform_modules` is an update.
        base_manager_name = "objects"
        db_table = "platform_modules"
        ordering = ["platform", "module"]
        constraints = [
            models.UniqueConstraint(fields=["platform", "module"], name="uq_platform_module"),
            Recorded(
                name="gd_platform_module",
                fields=[
                    "id",
                    "is_enabled",
                    "enabled_at",
                    "disabled_at",
                    "config",
                    "config_version",
                    "created_at",
                    "updated_at",
                ],
            ),
        ]
        indexes = [
            LongNameIndex(fields=["platform"], name="idx_platform_module_platform_id"),
            models.Index(fields=["module"], name="idx_platform_module_code"),
            models.Index(fields=["platform", "is_enabled"], name="idx_platform_module_enabled"),
            models.Index(
                fields=["module", "platform"],
                condition=models.Q(is_enabled=True),
                name="idx_platform_module_who",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.module_id} on platform {self.platform_id}: {'on' if self.is_enabled else 'off'}"

    def __repr__(self) -> str:
        state = "enabled" if self.is_enabled else "disabled"
        return f"<PlatformModule(platform_id={self.platform_id}, module={self.module_id!r}, {state})>"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse. Raises WriteRefused."""
        _refuse("save()")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse. Raises WriteRefused."""
        _refuse("delete()")


class Change(models.Model):
    """One applied plan: who, when, why, from where; numbered per platform without gaps, chained by hash.

    Platform, actor and the token that the actor came with are kept as plain numbers with a readable snapshot beside
    them: a change outlives them all and is never written again. `steps` is what the plan did:
    [{"module", "action", "cause"}]. `content_version` says what `hash` is made of. `undoes` is the oldest change whose
    effect a revert took back, with all that came after it; so it leads back to how things stood before that one.
    """

    class Source(models.TextChoices):
        ADMIN = "admin", "Admin"
        API = "api", "API"
        COMMAND = "command", "Command"
        SCHEDULE = "schedule", "Schedule"
        MIGRATION = "migration", "Migration"

    tenant_path: ClassVar[str] = "platform"

    platform = models.ForeignKey(
        Platform, on_delete=models.DO_NOTHING, related_name="changes", db_constraint=False, db_index=False
    )
    platform_code = models.CharField(max_length=50)
    number = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, null=True
    )
    actor_label = models.CharField(max_length=300)
    actor_token = models.UUIDField(null=True, blank=True)
    source = models.CharField(max_length=10, choices=Source.choices)
    reason = models.CharField(max_length=MAX_REASON, blank=True, validators=[validate_reason])
    request_id = models.CharField(max_length=64, blank=True)
    undoes = models.PositiveBigIntegerField(null=True, blank=True)
    steps = models.JSONField(blank=True)
    content_version = models.PositiveSmallIntegerField()
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["platform", "number"], name="uq_change_number"),
            models.CheckConstraint(condition=~models.Q(actor_label=""), name="ck_change_actor_label"),
            AppendOnly(name="gd_change"),
        ]
        indexes = [
            models.Index(models.F("at").desc(), models.F("id").desc(), name="idx_change_at"),
        ]

    def __str__(self) -> str:
        return f"{self.platform_code} #{self.number}"


class PlatformMenu(models.Model):
    """What a platform hides of the lines that modules add to its menus: keys such as `cms.media`, in order.

    Not a state of a module, so no change of the platform's: its own history says who hid what, when and why.
    """

    tenant_path: ClassVar[str] = "platform"

    platform = models.OneToOneField(Platform, on_delete=models.CASCADE, primary_key=True, related_name="menu")
    hidden = models.JSONField(default=list, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    history = HistoricalRecords(
        history_id_field=models.BigAutoField(),
        history_user_id_field=models.BigIntegerField(null=True),
        history_change_reason_field=models.CharField(max_length=MAX_REASON, null=True),
        table_name="platform_menus_history",
    )

    class Meta:
        db_table = "platform_menus"

    def __str__(self) -> str:
        return f"menu of platform {self.platform_id}"
