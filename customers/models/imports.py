"""Files of customers on their way in: what came, how far it is, and the rows that could not be taken."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from customers.models.people import MAX_LABEL
from platforms.models import Platform
from platforms.validators import validate_name


class Match(models.TextChoices):
    """By what a row finds the customer that it speaks of."""

    EXTERNAL_REF = "external_ref", "Reference"
    EMAIL = "email", "E-mail"
    NONE = "none", "Nothing: every row is a new customer"


class ErrorPolicy(models.TextChoices):
    """What becomes of the others where a row has an error."""

    SKIP_ROW = "skip_row", "Leave the row out"
    IGNORE_FIELD = "ignore_field", "Leave the field out, take the rest of the row"
    ALL_OR_NOTHING = "all_or_nothing", "Take nothing at all"


class ImportRun(models.Model):
    """One file: checked first, where somebody wants to see what it would do, and then written in the background.

    Its rows wait in chunks; `next_chunk` is the first that was not taken yet, `next_line` where that starts in the
    file. What is counted is of the check until the run is started, and then of the run. `problem` says why it failed.
    """

    class Status(models.TextChoices):
        CHECKING = "checking", "Being checked"
        CHECKED = "checked", "Checked"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "XLSX"

    AT_WORK: ClassVar[tuple[str, ...]] = (Status.CHECKING, Status.RUNNING)
    OPEN: ClassVar[tuple[str, ...]] = (*AT_WORK, Status.CHECKED)
    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+", db_index=False)
    status = models.CharField(max_length=10, choices=Status.choices)
    match = models.CharField(max_length=12, choices=Match.choices)
    error_policy = models.CharField(max_length=14, choices=ErrorPolicy.choices)
    file_name = models.CharField("file", max_length=200, validators=[validate_name])
    format = models.CharField(max_length=4, choices=Format.choices)
    columns = models.JSONField(default=list)
    total = models.PositiveIntegerField(default=0)
    processed = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    next_chunk = models.PositiveIntegerField(default=0)
    next_line = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True, blank=True, db_index=False
    )
    actor_label = models.CharField("by", max_length=MAX_LABEL, blank=True)
    created_at = models.DateTimeField("uploaded", default=timezone.now)
    started_at = models.DateTimeField("started", null=True, blank=True)
    finished_at = models.DateTimeField("finished", null=True, blank=True)
    heartbeat_at = models.DateTimeField("last sign of life", default=timezone.now)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "import"
        indexes = [
            models.Index(fields=["platform", "-created_at"], name="idx_customers_import_at"),
            models.Index(
                fields=["platform", "heartbeat_at"],
                condition=Q(status__in=("checking", "checked", "running")),
                name="idx_customers_import_open",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_at_work(self) -> bool:
        """Whether a worker has something to do for it."""
        return self.status in self.AT_WORK

    @property
    def is_open(self) -> bool:
        """Whether its rows are still waiting: it has not ended."""
        return self.status in self.OPEN

    @property
    def percent(self) -> int:
        """How much of the file was gone through."""
        return 100 * self.processed // self.total if self.total else 100


class ImportChunk(models.Model):
    """Some hundred rows of a file, until they were written: a list of `{"line", "values", "faults"}`."""

    tenant_path: ClassVar[str] = "run__platform"

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    number = models.PositiveIntegerField()
    rows = models.JSONField()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="uq_customers_import_chunk")]

    def __str__(self) -> str:
        return f"Chunk {self.number} of {self.run_id}"


class BrokenRow(models.Model):
    """A row with errors, as it stood in the file: what the error file is made of. Kept for some weeks.

    `values` has its cells by column, and those beyond the header by `cells.EXTRA`.
    """

    tenant_path: ClassVar[str] = "run__platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="broken_rows", db_index=False)
    line = models.PositiveIntegerField()
    is_taken = models.BooleanField(default=False, help_text="Written without the fields that have an error.")
    values = models.JSONField()
    errors = models.JSONField()

    class Meta:
        ordering = ["line"]
        constraints = [models.UniqueConstraint(fields=["run", "line"], name="uq_customers_broken_row")]

    def __str__(self) -> str:
        return f"Line {self.line}"
