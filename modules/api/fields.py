"""Fields that only modules have: configs, the digest of a plan, values of any kind."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from platforms.api.fields import StrictCharField


class DigestField(StrictCharField):
    """The digest of the plan that somebody was shown."""

    def __init__(self, **kwargs: Any) -> None:
        help_text = "Of the plan you looked at (a dry run's answer): 409 stale_plan if it would be another one now."
        defaults: dict[str, Any] = {"required": False, "default": None, "max_length": 64, "help_text": help_text}
        super().__init__(**defaults | kwargs)


@extend_schema_field({"type": "object", "additionalProperties": True})
class ConfigField(serializers.DictField):
    """A module's config, or its JSON Schema. What it may hold is for the module's own schema to say."""


@extend_schema_field(OpenApiTypes.ANY)
class AnyField(serializers.Field):
    """Any JSON value, as it is."""

    def to_representation(self, value: Any) -> Any:
        """Return the value."""
        return value
