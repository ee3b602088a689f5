"""Fields that take JSON at its word: DRF's own read the number 5 as text and the text "yes" as true."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from platforms.validators import MAX_REASON, validate_reason


class StrictBooleanField(serializers.BooleanField):
    """`true` or `false`, and nothing that looks like it."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the value; raise ValidationError for anything but a JSON boolean."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictCharField(serializers.CharField):
    """A JSON string, and nothing that could be written as one."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text; raise ValidationError for anything but a JSON string."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "maxLength": MAX_REASON, "description": "Kept with the change."})
class ReasonField(StrictCharField):
    """Why something is changed; kept with the change."""

    def __init__(self, **kwargs: Any) -> None:
        defaults: dict[str, Any] = {"required": False, "default": "", "allow_blank": True}
        super().__init__(**defaults | kwargs)
        self.validators.append(validate_reason)
