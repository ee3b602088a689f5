"""Customers who have something in common, by rules that are kept."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from customers.keys import MAX_NAME_KEY, name_key
from platforms.models import Platform
from platforms.validators import validate_name, validate_text


class Segment(models.Model):
    """A platform's customers whom rules find: who they are is asked anew each time. `key` as that of a tag.

    `rules` are a list as `customers.rules` reads it.
    """

    class Match(models.TextChoices):
        ALL = "all", "All rules"
        ANY = "any", "Any rule"

    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=100, validators=[validate_name])
    key = models.CharField(max_length=MAX_NAME_KEY, editable=False)
    description = models.TextField(max_length=500, blank=True, validators=[validate_text])
    match = models.CharField(
        max_length=3, choices=Match.choices, default=Match.ALL, help_text="Whether one rule is enough."
    )
    rules = models.JSONField(default=list, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "key"],
                name="uq_customers_segment",
                violation_error_code="taken",
                violation_error_message="This segment is there already, perhaps in another spelling.",
            )
        ]
        indexes = [models.Index(fields=["platform", "name", "id"], name="idx_customers_segment_name")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Make the key."""
        self.key = name_key(self.name)
