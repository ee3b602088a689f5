"""How platforms, vendors, members and tokens look in the API. Their rules are the models' and services' own."""

from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar, cast

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from platforms import access, services
from platforms.api.fields import ReasonField, StrictCharField
from platforms.choices import refusal
from platforms.models import ApiToken, Membership, Platform, User, Vendor
from platforms.validators import MOST_ECHOED


class StrictSerializerMixin:
    """Refuses keys that it does not know: code `unknown_field`, the key as attr.

    What cannot be written may still come back as it was read, so that a client can send a whole row with one field
    changed; with another value it is refused with the code `fixed`.
    """

    # Written when the row is made, and never again.
    fixed_fields: ClassVar[frozenset[str]] = frozenset()

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return the fields; those that are a choice, or hold some, refuse by naming what there is to choose from."""
        fields: dict[str, serializers.Field] = super().get_fields()  # type: ignore[misc]
        for field in fields.values():
            _have_named(field)
        return fields

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated fields; raise ValidationError with every unknown key and every wrong field."""
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)  # type: ignore[misc]
        writable = {name for name, field in self.fields.items() if not field.read_only}  # type: ignore[attr-defined]
        if self.instance is not None:  # type: ignore[attr-defined]
            writable -= self.fixed_fields
        errors = self._refusals({key: value for key, value in data.items() if key not in writable})
        try:
            known = {key: value for key, value in data.items() if key in writable}
            value = super().to_internal_value(known)  # type: ignore[misc]
        except ValidationError as error:
            raise ValidationError({**cast("dict[str, Any]", error.detail), **errors}) from None
        if errors:
            raise ValidationError(errors)
        return value

    def _refusals(self, others: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
        current = self.to_representation(self.instance) if others and self.instance is not None else {}  # type: ignore[attr-defined]
        errors = {}
        for key, value in others.items():
            if key not in current:
                errors[key] = [ErrorDetail("There is no such field to write.", code="unknown_field")]
            elif value != current[key]:
                errors[key] = [ErrorDetail("This cannot be changed.", code="fixed")]
        return errors


def _have_named(field: Any) -> None:
    while child := getattr(field, "child", None):
        field = child
    standard = serializers.ChoiceField.default_error_messages["invalid_choice"]
    # What a field says by itself it knows better.
    if isinstance(field, serializers.ChoiceField) and field.error_messages["invalid_choice"] == standard:
        choices = (str(value).replace("{", "{{").replace("}", "}}") for value in field.choices)
        field.error_messages["invalid_choice"] = refusal(choices) % {"value": f"{{input!s:.{MOST_ECHOED}}}"}


class OfTenantMixin:
    """A relation to another row of the tenant of whom the address speaks; anybody else's does not exist."""

    def get_queryset(self) -> QuerySet[Any]:
        """Return the rows that may be named here: none of a tenant's outside of a view, which alone knows whose."""
        queryset: QuerySet[Any] = super().get_queryset()  # type: ignore[misc]
        if not access.is_tenant_model(queryset.model):
            return queryset
        context = self.context  # type: ignore[attr-defined]
        return context["view"].in_scope(queryset) if context.get("tenant") else queryset.none()

    def to_internal_value(self, data: Any) -> Any:
        """Return the row; what could be no name of one is not there, either."""
        try:
            return super().to_internal_value(data)  # type: ignore[misc]
        except DjangoValidationError:
            value = str(data)[:MOST_ECHOED]
            self.fail("does_not_exist", slug_name=getattr(self, "slug_field", ""), value=value, pk_value=value)  # type: ignore[attr-defined]


class TenantRelatedField(OfTenantMixin, serializers.SlugRelatedField):
    """A row of the tenant, by one of its fields."""


class TenantKeyField(OfTenantMixin, serializers.PrimaryKeyRelatedField):
    """A row of the tenant, by its key."""


class StrictModelSerializer(StrictSerializerMixin, serializers.ModelSerializer):
    """A strict serializer that has the model judge: `full_clean()` holds the rules that the admin shares."""

    # What a relation is that nobody wrote a field for.
    serializer_related_field = TenantKeyField
    # The field to blame where a row is there already, and Django blames the row: its code → the field.
    field_of_code: ClassVar[Mapping[str, str]] = {}

    def get_unique_together_validators(self) -> list[Any]:
        """Return none: DRF's own take every field of a constraint for required, and the model judges them anyway."""
        return []

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Run the model's own validation on the row as it would be; raise what it raises."""
        model: type[Model] = self.Meta.model
        row = copy(self.instance) if self.instance is not None else model(**self._of_address())
        for name, value in attrs.items():
            setattr(row, name, value)
        if foreign := access.foreign_relations(row):
            error = ErrorDetail("This is not on this platform.", code="does_not_exist")
            raise ValidationError({name: [error] for name in foreign})
        try:
            row.full_clean()
        except DjangoValidationError as error:
            raise DjangoValidationError(self._by_field(error)) from None
        return attrs

    def _of_address(self) -> dict[str, Any]:
        return access.owners(self.Meta.model, self.context.get("tenant", {}))

    def _by_field(self, error: DjangoValidationError) -> dict[str, list[DjangoValidationError]]:
        errors = dict(error.error_dict)
        for found in errors.pop(NON_FIELD_ERRORS, []):
            field = self.field_of_code.get(found.code or "")
            if field is not None:
                found.code = "unique"
            errors.setdefault(field or NON_FIELD_ERRORS, []).append(found)
        return errors

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        """Save the fields that were sent, and no other: the rest of the row may be somebody else's business."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(update_fields=list(validated_data))
        return instance


class EmptySerializer(StrictSerializerMixin, serializers.Serializer):
    """What may be said where nothing has to be: nothing."""


class DeletePlatformSerializer(EmptySerializer):
    """What may be said about the deletion of a platform, which is its last change."""

    reason = ReasonField()


class PlatformSerializer(StrictModelSerializer):
    """A platform."""

    fixed_fields = frozenset({"code"})
    locales = serializers.ListField(
        child=serializers.CharField(), required=False, allow_empty=False, help_text="BCP 47, e.g. en, de-AT."
    )

    class Meta:
        model = Platform
        fields = ["code", "name", "kind", "currency", "locales", "is_active", "revision", "created_at"]
        read_only_fields = ["revision", "created_at"]


class VendorSerializer(StrictModelSerializer):
    """A vendor of the platform that the address names."""

    fixed_fields = frozenset({"code"})
    field_of_code = {"unique_together": "code"}

    class Meta:
        model = Vendor
        fields = ["code", "name", "is_active", "created_at"]
        read_only_fields = ["created_at"]


class TenantRelatedListField(serializers.ListField):
    """Other rows of the tenant, each by one of its fields: looked up in one query, in order of that field.

    Anybody else's does not exist.
    """

    child = StrictCharField()
    default_error_messages = {"does_not_exist": "There is no {name}."}

    def __init__(self, *, slug_field: str, queryset: QuerySet[Any], most: int = 100, **kwargs: Any) -> None:
        super().__init__(max_length=most, **kwargs)
        self.slug_field, self.queryset, self.most = slug_field, queryset, most

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return the rows; raise ValidationError for a name of none."""
        if isinstance(data, list) and len(data) > self.most:
            # Before they are looked up: a database takes only so many names.
            self.fail("max_length", max_length=self.most)
        names = dict.fromkeys(super().to_internal_value(data))
        rows = self.context["view"].in_scope(self.queryset.filter(**{f"{self.slug_field}__in": names}))
        found = {getattr(row, self.slug_field): row for row in rows}
        for name in names:
            if name not in found:
                self.fail("does_not_exist", name=name[:MOST_ECHOED])
        return [found[name] for name in names]

    def to_representation(self, data: Any) -> list[str]:
        """Return the names; `data` is what the relation's manager finds, prefetched if the view does so."""
        return sorted(getattr(row, self.slug_field) for row in data.all())


class VendorOfPlatformField(TenantRelatedField):
    """The code of a vendor of the platform that the address names; another platform's does not exist."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="code", queryset=Vendor.objects.all(), **kwargs)


class MembershipSerializer(StrictModelSerializer):
    """What a user is on the platform."""

    fixed_fields = frozenset({"user"})
    field_of_code = {"unique": "user"}
    user = serializers.SlugRelatedField(
        slug_field="username", queryset=User.objects.filter(is_active=True), help_text="The username."
    )
    vendor = VendorOfPlatformField(required=False, allow_null=True, help_text="For the role vendor, and only for it.")

    class Meta:
        model = Membership
        fields = ["id", "user", "role", "vendor", "created_at"]
        read_only_fields = ["created_at"]


class TokenSerializer(serializers.ModelSerializer):
    """A token as everybody sees it: by its prefix."""

    prefix = serializers.CharField(source="token_key")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=ApiToken.Scope.choices))
    vendor: serializers.SlugRelatedField[Vendor] = serializers.SlugRelatedField(
        slug_field="code", read_only=True, allow_null=True
    )
    expires_at = serializers.DateTimeField(source="expiry", allow_null=True)
    last_used_at = serializers.DateTimeField(
        allow_null=True, help_text="To within five minutes; null where it never was."
    )
    created_by: serializers.SlugRelatedField[User] = serializers.SlugRelatedField(
        slug_field="username", source="user", read_only=True
    )

    class Meta:
        model = ApiToken
        fields = ["id", "name", "prefix", "scopes", "vendor", "expires_at", "last_used_at", "created_by"]
        read_only_fields = fields


class IssuedTokenSerializer(TokenSerializer):
    """A token as its maker sees it, once."""

    token = serializers.CharField(
        read_only=True, allow_null=True, help_text="The secret itself, shown here and never again. Null in a dry run."
    )

    class Meta(TokenSerializer.Meta):
        fields = ["id", "name", "token", "prefix", "scopes", "vendor", "expires_at", "last_used_at", "created_by"]
        read_only_fields = fields


class IssueTokenSerializer(StrictSerializerMixin, serializers.Serializer):
    """What a new token is to be."""

    name = serializers.CharField(max_length=100, help_text="What uses it, e.g. nightly stock export.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=ApiToken.Scope.choices), allow_empty=False)
    vendor = VendorOfPlatformField(required=False, allow_null=True, help_text="For a token of one vendor only.")
    expires_in_days = serializers.IntegerField(
        min_value=1, max_value=services.MAX_TOKEN_DAYS, default=services.DEFAULT_TOKEN_DAYS
    )
