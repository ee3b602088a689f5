"""Who subscribed to what."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from platforms.models import Platform


class Subscription(models.Model):
    """Something that somebody gets again and again: a customer, whom it knows by id, or just a mailbox."""

    class What(models.TextChoices):
        COFFEE = "coffee", "Coffee"
        NEWS = "news", "News"
        TEA = "tea", "Tea"

    tenant_path: ClassVar[str] = "platform"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.ForeignKey(Platform, on_delete=models.CASCADE, related_name="+")
    customer = models.UUIDField(null=True, blank=True)
    email = models.EmailField("e-mail", blank=True)
    what = models.CharField(max_length=10, choices=What.choices)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["since"]

    def __str__(self) -> str:
        return self.get_what_display()
