"""How modules, their states, changes and history look in the API, and what a write may say."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import BigIntegerField
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, NotFound, ValidationError

from modules import selectors
from modules.api.fields import AnyField, ConfigField, DigestField
from modules.differences import Difference
from modules.models import Change
from modules.plans import Action, Wish
from platforms.api.fields import ReasonField, StrictBooleanField
from platforms.api.serializers import StrictSerializerMixin

MAX_MODULES = 500
CONFIG = 'As the module\'s `config_schema` in the catalogue says. A secret is written here and never read; "" keeps it.'


class FeatureSerializer(serializers.Serializer):
    """A part of a module that its config can switch."""

    code = serializers.CharField()
    name = serializers.CharField()
    switch = serializers.CharField(allow_null=True, help_text="The field of the config that turns it on; null: none.")
    requires = serializers.ListField(child=serializers.CharField())


class PermissionSerializer(serializers.Serializer):
    """Something that a person may be allowed to do in a module."""

    code = serializers.CharField()
    name = serializers.CharField()


class MenuItemSerializer(serializers.Serializer):
    """A line that a module adds to the menus."""

    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # shadows what DRF uses in forms only
    permission = serializers.CharField(help_text="What a person needs to see it.")


class CatalogueEntrySerializer(serializers.Serializer):
    """A module: what it is called, what it needs, what can be configured."""

    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    version = serializers.CharField()
    is_core = serializers.BooleanField(help_text="On everywhere; cannot be switched off.")
    is_restricted = serializers.BooleanField(help_text="Switched by superusers only.")
    is_installed = serializers.BooleanField()
    requires = serializers.ListField(child=serializers.CharField())
    required_by = serializers.ListField(child=serializers.CharField())
    features = FeatureSerializer(many=True)
    permissions = PermissionSerializer(many=True)
    menu = MenuItemSerializer(many=True)
    config_schema = ConfigField(help_text="JSON Schema.")
    config_defaults = ConfigField()


class SecretStateSerializer(serializers.Serializer):
    """What may be known of a secret."""

    is_set = serializers.BooleanField()
    fingerprint = serializers.CharField(allow_null=True, help_text="Tells two secrets apart and nobody what they are.")
    changed_at = serializers.DateTimeField(allow_null=True)


class ModuleStateSerializer(serializers.Serializer):
    """How a module stands on a platform."""

    platform = serializers.CharField()
    module = serializers.CharField()
    name = serializers.CharField()
    is_core = serializers.BooleanField()
    is_installed = serializers.BooleanField()
    is_enabled = serializers.BooleanField()
    enabled_at = serializers.DateTimeField(allow_null=True)
    enabled_by = serializers.CharField(allow_null=True)
    disabled_at = serializers.DateTimeField(allow_null=True)
    disabled_by = serializers.CharField(allow_null=True)
    config = ConfigField(help_text="What somebody set.")
    effective_config = ConfigField(help_text="That over the defaults.")
    secrets = serializers.DictField(child=SecretStateSerializer())
    requires = serializers.ListField(child=serializers.CharField())
    required_by = serializers.ListField(child=serializers.CharField())
    revision = serializers.IntegerField()


class StepSerializer(serializers.Serializer):
    """One thing that a plan does."""

    module = serializers.CharField()
    action = serializers.ChoiceField(choices=[str(action) for action in Action])
    cause = serializers.CharField()


class OutcomeSerializer(serializers.Serializer):
    """What every write answers: what was done, or in a dry run would be."""

    platform = serializers.CharField(source="platform.code")
    revision = serializers.IntegerField(source="platform.revision")
    change = serializers.IntegerField(
        source="change.number", allow_null=True, help_text="Null where nothing was written."
    )
    dry_run = serializers.BooleanField()
    digest = serializers.CharField(source="plan.digest")
    steps = StepSerializer(source="plan.steps", many=True)


class ChangeSerializer(serializers.ModelSerializer):
    """One applied plan: who, when, why, from where."""

    actor = serializers.CharField(source="actor_label")
    steps = StepSerializer(many=True)
    undoes = serializers.IntegerField(
        allow_null=True,
        help_text="Of a revert: the oldest change whose effect it took back, with all after it. Null: it is none.",
    )

    class Meta:
        model = Change
        fields = ["number", "at", "actor", "source", "reason", "request_id", "steps", "undoes"]
        read_only_fields = fields


class KeySerializer(serializers.Serializer):
    """One key that two states differ in; of a secret `{"fingerprint": "…"}`, which is all that history has."""

    sides: ClassVar[tuple[str, str]]
    key = serializers.CharField(help_text="`is_enabled` or `config.<path>`; `config.<name>` for a secret too.")

    def to_representation(self, instance: Difference) -> dict[str, Any]:
        """Return the difference; a secret stands among the config, which is where it is written."""
        shown = super().to_representation(instance)
        kind, _, name = shown["key"].partition(".")
        if kind == "secrets":
            shown["key"] = f"config.{name}"
            for side in self.sides:
                shown[side] = None if shown[side] is None else {"fingerprint": shown[side]}
        return shown


class DifferenceSerializer(KeySerializer):
    """One key that a version changed; of a secret `{"fingerprint": "…"}`, which is all that history has."""

    sides = ("old", "new")
    old = AnyField(help_text="Null where it was not set.")
    new = AnyField(help_text="Null where it is no longer set.")


class DifferenceOfSidesSerializer(KeySerializer):
    """One key that two sides differ in; of a secret `{"fingerprint": "…"}`, which is all that history has."""

    sides = ("left", "right")
    left = AnyField(source="old", help_text="Null where it is not set.")
    right = AnyField(source="new", help_text="Null where it is not set.")


class ModuleDifferencesSerializer(serializers.Serializer):
    """A module that the two sides differ in."""

    module = serializers.CharField()
    name = serializers.CharField()
    differences = DifferenceOfSidesSerializer(many=True)


class StandingSerializer(serializers.Serializer):
    """One side of a comparison: a platform at a time."""

    platform = serializers.CharField(source="platform.code")
    as_of = serializers.DateTimeField(source="moment.at", default=None, allow_null=True, help_text="Null: now.")
    revision = serializers.IntegerField(help_text="Of then.")


class ComparisonSerializer(serializers.Serializer):
    """What differs between the platform of the address and what it is compared with."""

    left = StandingSerializer(help_text="The platform of the address, at `as_of`.")
    right = StandingSerializer(help_text="What `compare` names.")
    modules = ModuleDifferencesSerializer(many=True, help_text="Those that differ.")


class HistoryEntrySerializer(serializers.Serializer):
    """One version of a platform's module."""

    change = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    source = serializers.ChoiceField(choices=Change.Source.choices)  # type: ignore[assignment]  # not DRF's source
    reason = serializers.CharField()
    is_enabled = serializers.BooleanField()
    config = ConfigField()
    diff = DifferenceSerializer(many=True)


class WriteSerializer(StrictSerializerMixin, serializers.Serializer):
    """What every write may say."""

    reason = ReasonField()
    digest = DigestField()


class EnableSerializer(WriteSerializer):
    """Switch a module on, and configure it at the same time if you like."""

    config = ConfigField(
        required=False, default=None, help_text=f"{CONFIG} Goes over what is stored; null removes a key."
    )


class DisableSerializer(WriteSerializer):
    """Switch a module off."""

    cascade = StrictBooleanField(required=False, default=False, help_text="Take along the modules that need it.")


class ResetSerializer(WriteSerializer):
    """Bring a module's config back to its defaults."""


class RevertSerializer(WriteSerializer):
    """Go back to how things stood after a change."""

    to = serializers.IntegerField(min_value=1, max_value=BigIntegerField.MAX_BIGINT, help_text="A change's number.")
    cascade = StrictBooleanField(required=False, default=False, help_text="Take along what needs what goes off.")
    keep_secrets = StrictBooleanField(
        required=False,
        default=False,
        help_text="Leave secrets as they are now. Without it, one that is not as it was then refuses the revert "
        "(`secret_changed`), because history keeps none.",
    )


class ConfigureSerializer(WriteSerializer):
    """Configure a module."""

    config = ConfigField(help_text=CONFIG)


class WantedModuleSerializer(StrictSerializerMixin, serializers.Serializer):
    """What is wanted of one module; what is left out stays as it is."""

    is_enabled = StrictBooleanField(required=False, default=None)
    config = ConfigField(
        required=False, default=None, help_text=f"{CONFIG} Takes the place of what is stored, but for secrets."
    )


class WantedModulesField(serializers.DictField):
    """What is wanted of each module, by its code.

    A module that there is not is a 404, as it is in an address.
    """

    child = WantedModuleSerializer()

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the wishes; raise NotFound with an error for every code that names no module."""
        if isinstance(data, Mapping):
            if len(data) > MAX_MODULES:
                raise ValidationError(f"At most {MAX_MODULES} modules at once.", code="too_many")
            if unknown := selectors.unknown_among(data):
                error = ErrorDetail("There is no module of this code.", code=NotFound.default_code)
                raise NotFound({f"{self.field_name}.{code}": [error] for code in unknown})
        return super().to_internal_value(data)


class WantedStateSerializer(WriteSerializer):
    """The state that is wanted of a platform; modules left out stay as they are."""

    modules = WantedModulesField()
    cascade = StrictBooleanField(required=False, default=False, help_text="Take along what needs what goes off.")

    def wishes(self) -> list[Wish]:
        """Return what was validated as the services take it."""
        return [
            Wish(module=code, is_enabled=wanted["is_enabled"], config=wanted["config"], replaces=True)
            for code, wanted in self.validated_data["modules"].items()
        ]
