"""Who may see and do what: the one place that knows. What is not granted here is denied.

The matrix of roles and rights stands in `ROLE_RIGHTS` and `SCOPE_RIGHTS`; `scope()` turns it into a queryset, so that a
row that somebody may not see does not exist for them. Every model of a tenant says where its platform is
(`tenant_path = "platform"`), and one whose rows may be a vendor's where that is (`vendor_path = "vendor"`, or a
many-to-many relation where a row may be several vendors').
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist, PermissionDenied
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest

from platforms.models import ApiToken, Membership, Platform, User, Vendor

M = TypeVar("M", bound=Model)


class Right(StrEnum):
    """What somebody may do on a platform, or for a vendor of it."""

    BELONG = "belong"  # know that it is there: refused with 403, where a stranger gets 404
    VIEW = "view"  # its fields, vendors, module states, configs without secrets, history, changes, its modules' data
    CHANGE = "change"  # its fields and vendors
    SWITCH = "switch"  # switch and configure its modules
    MANAGE = "manage"  # work with its modules' data
    MEMBERS = "members"  # its members and tokens
    OPERATE = "operate"  # create and delete platforms: superusers only
    VENDOR_VIEW = "vendor_view"  # what its modules keep for a vendor
    VENDOR_MANAGE = "vendor_manage"  # work with that


_VENDOR_RIGHTS = frozenset({Right.VENDOR_VIEW, Right.VENDOR_MANAGE})

# The rights of the role vendor reach no further than the rows of that vendor.
ROLE_RIGHTS: Mapping[str, frozenset[Right]] = {
    Membership.Role.ADMIN: _VENDOR_RIGHTS
    | {Right.BELONG, Right.VIEW, Right.CHANGE, Right.SWITCH, Right.MANAGE, Right.MEMBERS},
    Membership.Role.VIEWER: frozenset({Right.BELONG, Right.VIEW, Right.VENDOR_VIEW}),
    Membership.Role.VENDOR: _VENDOR_RIGHTS | {Right.BELONG},
}
_READ = frozenset({Right.BELONG, Right.VIEW, Right.VENDOR_VIEW})
SCOPE_RIGHTS: Mapping[str, frozenset[Right]] = {
    ApiToken.Scope.READ: _READ,
    ApiToken.Scope.WRITE: _READ | {Right.MANAGE, Right.VENDOR_MANAGE},
    ApiToken.Scope.ADMIN: _READ | {Right.CHANGE, Right.SWITCH, Right.OPERATE},
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a user, and the token they came with, if any."""

    user: User | AnonymousUser
    token: ApiToken | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> "Actor":
        """Return who makes this request, Django's or DRF's."""
        token = getattr(request, "auth", None)
        return cls(user=request.user, token=token if isinstance(token, ApiToken) else None)

    @property
    def user_id(self) -> int | None:
        """The user's number; None for nobody."""
        return self.user.pk

    @property
    def label(self) -> str:
        """What stays readable when user and token are gone: `ann`, or `ann (token nightly export)`."""
        name = self.user.get_username()
        return f"{name} (token {self.token.name})" if self.token else name

    @property
    def is_superuser(self) -> bool:
        """Whether no membership is needed."""
        return self.user.is_active and self.user.is_superuser

    def token_grants(self, right: Right) -> bool:
        """Whether the token leaves this right; always so without a token."""
        if self.token is None:
            return True
        if self.token.vendor_id is not None and right not in ROLE_RIGHTS[Membership.Role.VENDOR]:
            return False
        return any(right in SCOPE_RIGHTS[scope] for scope in self.token.scopes)


def is_tenant_model(model: type[Model]) -> bool:
    """Whether the model's rows belong to a platform."""
    return hasattr(model, "tenant_path")


def tenant_path(model: type[Model]) -> str:
    """Return where the model's rows have their platform. Raises ImproperlyConfigured for a model that does not say."""
    try:
        return model.tenant_path  # type: ignore[attr-defined]
    except AttributeError:
        raise ImproperlyConfigured(f"{model.__name__} declares no tenant_path, the path to its platform.") from None


def vendor_path(model: type[Model]) -> str | None:
    """Return where the model's rows have their vendor; None where they belong to the platform alone."""
    return getattr(model, "vendor_path", None)


def _held_by(model: type[Model], path: str, vendors: QuerySet[Any]) -> Q:
    """Say which rows are one of these vendors', each once: a row of several vendors would come with each of them."""
    if path == "pk" or not model._meta.get_field(path.partition("__")[0]).many_to_many:
        return Q(**{f"{path}__in": vendors})
    return Q(pk__in=model._base_manager.filter(**{f"{path}__in": vendors}).values("pk"))


def of_tenant(queryset: QuerySet[M], platform: Platform, vendor: Vendor | None = None) -> QuerySet[M]:
    """Narrow to the rows of one platform, and of one vendor of it, where the model's rows may be a vendor's."""
    lookup: dict[str, Model] = {tenant_path(queryset.model): platform}
    if vendor is not None and (path := vendor_path(queryset.model)) is not None:
        lookup[path] = vendor
    return queryset.filter(**lookup)


def platform_id_of(row: Model) -> Any:
    """Return the number of the row's platform, by its `tenant_path`; None where that leads nowhere yet."""
    *way, last = tenant_path(type(row)).split("__")
    for part in way:
        row = getattr(row, part, None)  # type: ignore[assignment]
        if row is None:
            return None
    return row.pk if last == "pk" else getattr(row, f"{last}_id", None)


def foreign_relations(row: Model) -> list[str]:
    """Return the fields by which a tenant's row points at a row of another platform: none may ever be saved.

    What somebody may see is not enough to say so: who is on two platforms sees the rows of both.
    """
    if not hasattr(type(row), "tenant_path"):
        return []
    own, found = platform_id_of(row), []
    if own is None:
        return []
    for field in row._meta.concrete_fields:
        if not field.is_relation or getattr(row, field.attname) is None:
            continue
        if hasattr(field.related_model, "tenant_path") and platform_id_of(getattr(row, field.name)) != own:
            found.append(field.name)
    return found


def owners(model: type[Model], tenant: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `{"platform": …, "vendor": …}` that are columns of the model: what a new row of it is given."""
    return {
        word: owner
        for word, owner in tenant.items()
        if word in ("platform", "vendor") and word in (tenant_path(model), vendor_path(model))
    }


def scope(actor: Actor, queryset: QuerySet[M], right: Right) -> QuerySet[M]:
    """Narrow to the rows of platforms, and of vendors, on which the actor has this right.

    A platform's role reaches all of its rows. A vendor's reaches the rows of that vendor, and is worth nothing while
    the vendor or the platform is inactive. Raises ImproperlyConfigured for a model that is no tenant's.
    """
    of_platform, of_vendor = tenant_path(queryset.model), vendor_path(queryset.model)
    if not actor.user.is_active or not actor.token_grants(right):
        return queryset.none()
    if actor.token is not None and actor.token.platform_id is not None:
        queryset = queryset.filter(**{of_platform: actor.token.platform_id})
    if actor.token is not None and actor.token.vendor_id is not None:
        if of_vendor is not None:
            queryset = queryset.filter(**{of_vendor: actor.token.vendor_id})
        elif right is not Right.BELONG:
            return queryset.none()
    if actor.is_superuser:
        return queryset
    own = Membership.objects.filter(user=actor.user_id)
    roles = [role for role, rights in ROLE_RIGHTS.items() if right in rights and role != Membership.Role.VENDOR]
    granted = Q(**{f"{of_platform}__in": own.filter(role__in=roles).values("platform")})
    if right in ROLE_RIGHTS[Membership.Role.VENDOR]:
        as_vendor = own.filter(role=Membership.Role.VENDOR)
        if of_vendor is not None:
            active = as_vendor.filter(vendor__is_active=True, platform__is_active=True)
            granted |= _held_by(queryset.model, of_vendor, active.values("vendor"))
        elif right is Right.BELONG:
            granted |= Q(**{f"{of_platform}__in": as_vendor.values("platform")})
    return queryset.filter(granted)


def may(actor: Actor, right: Right, platform: Platform | None = None) -> bool:
    """Whether the actor has this right on the whole platform, or on any platform at all where none is named."""
    if right is Right.OPERATE:
        bound_to = actor.token.platform_id if actor.token else None
        reaches = bound_to is None or (platform is not None and bound_to == platform.pk)
        return actor.is_superuser and actor.token_grants(right) and reaches
    platforms = scope(actor, Platform.objects.all(), right)
    if platform is not None:
        if actor.is_superuser and (
            actor.token is None or (actor.token.platform_id in (None, platform.pk) and actor.token.vendor_id is None)
        ):
            return actor.token_grants(right)
        platforms = platforms.filter(pk=platform.pk)
    return platforms.exists()


def still_may(actor: Actor, right: Right, platform: Platform) -> bool:
    """Whether the actor has this right on the platform as the database says now. One query.

    Asked under the platform's lock: who asks was read when the request began, and may have lost the right since.
    """
    if actor.user_id is None or not actor.token_grants(right):
        return False
    if actor.token is not None and actor.token.platform_id not in (None, platform.pk):
        return False
    reach = Q(is_superuser=True)
    if right is not Right.OPERATE:
        roles = [role for role, rights in ROLE_RIGHTS.items() if right in rights]
        reach |= Q(Exists(Membership.objects.filter(user=OuterRef("pk"), platform=platform.pk, role__in=roles)))
    users = User.objects.filter(reach, pk=actor.user_id, is_active=True)
    if actor.token is not None:
        users = users.filter(Exists(ApiToken.objects.filter(pk=actor.token.pk, user=OuterRef("pk"))))
    return users.exists()


def still_may_for(actor: Actor, right: Right, vendor: Vendor) -> bool:
    """Whether the actor has this right for the vendor as the database says now; asked as `still_may` is."""
    if actor.user_id is None:
        return False
    user = User.objects.filter(pk=actor.user_id, is_active=True).first()
    if user is None:
        return False
    token = None
    if actor.token is not None:
        token = ApiToken.objects.filter(pk=actor.token.pk).first()
        if token is None:
            return False
    return scope(Actor(user, token), Vendor.objects.filter(pk=vendor.pk), right).exists()


def may_switch_restricted(actor: Actor) -> bool:
    """Whether modules that are restricted are the actor's to switch and configure: superusers' only."""
    return actor.is_superuser and actor.token_grants(Right.SWITCH)


def get(actor: Actor, queryset: QuerySet[M], right: Right, **lookup: Any) -> M:
    """Return the one row that the lookup names, if the actor has this right on its platform.

    Raises the model's DoesNotExist where the row is missing or foreign, which is the same to the actor, and
    PermissionDenied where they belong to the platform but lack the right.
    """
    try:
        return scope(actor, queryset, right).get(**lookup)
    except ObjectDoesNotExist:
        if right is not Right.BELONG and scope(actor, queryset, Right.BELONG).filter(**lookup).exists():
            raise PermissionDenied from None
        raise
