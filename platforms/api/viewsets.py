"""What every viewset of the API does alike: who may, in which transaction, against which state."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, ClassVar, NoReturn, TypeVar

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers, status, viewsets
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from platforms import access
from platforms.access import Actor, Right
from platforms.api.conditional import ConditionalMixin, digest_tag
from platforms.api.errors import Refused
from platforms.api.idempotency import IdempotentMixin
from platforms.api.parameters import refuse_unknown
from platforms.api.serializers import EmptySerializer
from platforms.models import Platform, Vendor

M = TypeVar("M", bound=Model)
S = TypeVar("S", bound=serializers.BaseSerializer)


class BaseViewSet(IdempotentMixin, ConditionalMixin, viewsets.GenericViewSet):
    """The conventions of `/api/v1/`: rights, dry run, one transaction per write, ETags, Idempotency-Key.

    A view says `read_right` and `write_right`, and in `rights` which of its actions need another one.
    """

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    metadata_class = None
    read_right: ClassVar[Right] = Right.VIEW
    write_right: ClassVar[Right] = Right.CHANGE
    rights: ClassVar[Mapping[str, Right]] = {}
    # Of the query, by action: what it takes beside filters, pages and `dry_run`. What is not known is refused.
    parameters: ClassVar[Mapping[str, tuple[OpenApiParameter, ...]]] = {}
    # Of a body, where a view takes files: as `platforms.sizes` asks for it.
    max_upload_bytes: ClassVar[int] = 0
    # An answer that is kept for its Idempotency-Key is written around what the action writes: one question for both.
    _has_asked_again = False
    # The order of the pages of a list; its first field is what the cursor goes by.
    ordering: ClassVar[tuple[str, ...]] = ("pk",)

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Return DRF's request. The API speaks UTF-8, whatever charset the client names."""
        request.encoding = "utf-8"
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Read what a request brings before anything else is done: a body or a flag that is wrong changes nothing."""
        super().initial(request, *args, **kwargs)
        if self.action is None:
            return
        refuse_unknown(self)
        if self.is_write:
            if self.max_upload_bytes:
                # A large body is read of those alone who may send one.
                self.ask_right()
            self._refuse_other_media_types(request)
            _ = request.data, self.dry_run

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        """Refuse, and count it: DRF asks the throttles only once somebody is let in. Raises what DRF raises."""
        self.check_throttles(request)
        super().permission_denied(request, message, code)

    def _refuse_other_media_types(self, request: Request) -> None:
        # DRF takes a form for an empty body once the CSRF check has read it.
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length != "0" and self.get_content_negotiator().select_parser(request, self.get_parsers()) is None:
            raise UnsupportedMediaType(request.content_type)

    @property
    def is_write(self) -> bool:
        """Whether this request means to change something."""
        return self.request.method not in SAFE_METHODS

    @cached_property
    def dry_run(self) -> bool:
        """Whether a write is only tried: `?dry_run=true`. Raises ValidationError for anything but one true or false."""
        values = self.request.query_params.getlist("dry_run") or ["false"]
        if len(values) > 1 or values[0] not in ("true", "false"):
            raise ValidationError({"dry_run": "Say true or false, once."}, code="invalid")
        return values[0] == "true"

    @cached_property
    def actor(self) -> Actor:
        """Who asks."""
        return Actor.of(self.request)

    @property
    def right(self) -> Right:
        """What this action needs."""
        return self.rights.get(self.action or "", self.write_right if self.is_write else self.read_right)

    @cached_property
    def platform(self) -> Platform:
        """The platform that the address names.

        Raises Platform.DoesNotExist where it is foreign or missing, PermissionDenied without the right on it.
        """
        return access.get(self.actor, Platform.objects.all(), self.right, code=self.kwargs["platform"])

    def in_scope(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """Narrow rows of any tenant's model to those that may be acted on, named or filtered by here."""
        return access.scope(self.actor, queryset, self.right)

    def ask_right(self) -> None:
        """Raise what the action raises for somebody without the right, before it has done anything."""
        if "platform" in self.kwargs:
            _ = self.platform

    def ask_again(self) -> None:
        """Ask under the platform's lock what was asked before: it may have changed while the request was served.

        Raises Platform.DoesNotExist where it is gone, PermissionDenied without the right.
        """
        rows = Platform.objects.select_for_update(no_key=True).filter(pk=self.platform.pk)
        self.platform.revision = rows.values_list("revision", flat=True).get()
        if not self.still_may():
            raise PermissionDenied

    def still_may(self) -> bool:
        """Whether who asks has the right on the platform of the address as the database says now."""
        return access.still_may(self.actor, self.right, self.platform)

    def read_body(self, serializer_class: type[S]) -> S:
        """Return what the body says, validated; raise ValidationError. An action takes no body that nobody reads."""
        said = serializer_class(data=self.request.data, context=self.get_serializer_context())
        said.is_valid(raise_exception=True)
        return said

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, rolled back in a dry run; a row that collides with another's, made meanwhile, is a 409."""
        try:
            with transaction.atomic():
                if "platform" in self.kwargs and not self._has_asked_again:
                    self._has_asked_again = True
                    self.ask_again()
                yield
                if self.dry_run:
                    transaction.set_rollback(True)
        except IntegrityError as error:
            raise Refused from error


class ResourceViewSet(BaseViewSet):
    """List, create, retrieve, change and delete rows of one model; which of them is said in the URLs.

    `lookup_field` is the model's field, `lookup_url_kwarg` the word in the address. Nested under
    `platforms/{platform}/` unless `is_nested` says otherwise.
    """

    is_nested: ClassVar[bool] = True
    # What the body of a DELETE may say.
    delete_serializer_class: ClassVar[type[serializers.Serializer]] = EmptySerializer

    @property
    def tenant(self) -> dict[str, Any]:
        """Whose rows the address speaks of: `{"platform": …}`; nobody's in particular where it is not nested."""
        return {"platform": self.platform} if self.is_nested else {}

    def of_tenant(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """Narrow rows of any tenant's model to those of whom the address speaks."""
        return access.of_tenant(queryset, **self.tenant) if self.tenant else queryset

    def in_scope(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """Narrow rows of any tenant's model to those that may be acted on, named or filtered by here."""
        return super().in_scope(self.of_tenant(queryset))

    def get_queryset(self) -> QuerySet[Any]:
        """Return the rows that may be acted on here."""
        queryset = super().get_queryset()
        return queryset.none() if getattr(self, "swagger_fake_view", False) else self.in_scope(queryset)

    def get_serializer_context(self) -> dict[str, Any]:
        """Return DRF's context with whose rows these are, which no body ever names."""
        context = dict(super().get_serializer_context())
        return context if getattr(self, "swagger_fake_view", False) else context | {"tenant": self.tenant}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Read one."""
        return Response(self.represent(self.find(**self.address)))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make one."""
        with self.writing():
            self.check_may_create()
            if "If-Match" in request.headers:
                self.check_if_match(digest_tag(self.list(request).data))
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            row = self.find(pk=self.perform_create(serializer).pk)
            answer = self.represent_created(row)
            if not self.dry_run:
                self.etag = digest_tag(self.represent(row))
        return Response(answer, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change one: what is left out stays as it is."""
        with self.writing():
            row = self.find_locked()
            self.etag = digest_tag(self.represent(row))
            self.check_if_match(self.etag)
            serializer = self.get_serializer(row, data=request.data, partial=True)
            serializer.is_valid(raise_exception=True)
            serializer.save()
            answer = self.represent(self.find(pk=row.pk))
            if not self.dry_run:
                self.etag = digest_tag(answer)
        return Response(answer)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete one."""
        with self.writing():
            row = self.find_locked()
            self.check_if_match(digest_tag(self.represent(row)))
            self.perform_destroy(row, self.read_body(self.delete_serializer_class).validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @property
    def address(self) -> dict[str, Any]:
        """The lookup that the address names."""
        return {self.lookup_field: self.kwargs[self.lookup_url_kwarg or self.lookup_field]}

    def find(self, **lookup: Any) -> Any:
        """Return one row in scope, as it is now; raises as `access.get` does."""
        return self.get_in_scope(super().get_queryset(), **lookup)

    def find_locked(self) -> Any:
        """Return the row of the address, locked until the transaction ends; raises as `access.get` does."""
        return self.get_in_scope(super().get_queryset().select_for_update(no_key=True, of=("self",)), **self.address)

    def get_in_scope(self, queryset: QuerySet[M], **lookup: Any) -> M:
        """Return the one row of these that the lookup names and that may be acted on here; raises as `access.get`."""
        return access.get(self.actor, self.of_tenant(queryset), self.right, **lookup)

    def ask_right(self) -> None:
        """Raise what the action raises for somebody without the right; to make a row may need more than an address."""
        super().ask_right()
        if self.action == "create":
            self.check_may_create()

    def check_may_create(self) -> None:
        """Raise PermissionDenied, or the platform's DoesNotExist, where the actor may not make a row here."""
        if not self.tenant and not access.may(self.actor, self.right):
            raise PermissionDenied

    def represent(self, row: Model) -> Mapping[str, Any]:
        """Return the row as a reader sees it: what its ETag is made of."""
        return self.get_serializer(row).data

    def represent_created(self, row: Model) -> Mapping[str, Any]:
        """Return the row as its maker sees it once."""
        return self.represent(row)

    def perform_create(self, serializer: serializers.BaseSerializer) -> Model:
        """Save what was validated, and return it."""
        return serializer.save(**access.owners(super().get_queryset().model, self.tenant))

    def perform_destroy(self, row: Any, said: Mapping[str, Any]) -> None:
        """Delete the row. said: what the body said, as `delete_serializer_class` has it."""
        row.delete()


class VendorSideMixin:
    """What stands below `vendor/{platform}/{vendor}/`: of one vendor, for those who act for it, or look after it."""

    read_right: ClassVar[Right] = Right.VENDOR_VIEW
    write_right: ClassVar[Right] = Right.VENDOR_MANAGE

    @cached_property
    def vendor(self) -> Vendor:
        """The vendor that the address names.

        Raises Vendor.DoesNotExist where it is foreign, missing or inactive, or its platform is; PermissionDenied
        without the right.
        """
        vendors = Vendor.objects.select_related("platform").filter(is_active=True, platform__is_active=True)
        address = {"platform__code": self.kwargs["platform"], "code": self.kwargs["vendor"]}  # type: ignore[attr-defined]
        return self.get_vendor(vendors, **address)

    def get_vendor(self, vendors: QuerySet[Vendor], **address: str) -> Vendor:
        """Return the vendor of the address; raises as `access.get` does."""
        return access.get(self.actor, vendors, self.right, **address)  # type: ignore[attr-defined]

    @cached_property
    def platform(self) -> Platform:
        """The vendor's platform."""
        return self.vendor.platform

    def still_may(self) -> bool:
        """Whether who asks has the right on the vendor as the database says now."""
        actor: Actor = self.actor  # type: ignore[attr-defined]
        return access.still_may_for(actor, self.right, self.vendor)  # type: ignore[attr-defined]

    @property
    def tenant(self) -> dict[str, Any]:
        """Whose rows the address speaks of."""
        return {"platform": self.platform, "vendor": self.vendor}
