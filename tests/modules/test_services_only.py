"""Every way past the services is closed."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, transaction

from modules import services
from modules.models import Module, PlatformModule, WriteRefused
from platforms.models import Platform
from tests.factories import PlatformFactory
from tests.modules.building import enable, everything_written, origin, row_of

pytestmark = pytest.mark.django_db

History = PlatformModule.history.model
AT = datetime(2026, 3, 16, 9, tzinfo=UTC)


WRITES: dict[str, Callable[[Platform], Any]] = {
    "update": lambda p: PlatformModule.objects.update(is_enabled=False),
    "update of a filter": lambda p: PlatformModule.objects.filter(module="cms").update(is_enabled=False),
    "update through the platform": lambda p: p.platform_modules.update(is_enabled=False),
    "delete": lambda p: PlatformModule.objects.all().delete(),
    "delete of the enabled": lambda p: PlatformModule.objects.enabled().delete(),
    "bulk_create": lambda p: PlatformModule.objects.bulk_create([PlatformModule(platform=p, module_id="billing")]),
    "bulk_update": lambda p: PlatformModule.objects.bulk_update(list(PlatformModule.objects.all()), ["is_enabled"]),
    "create": lambda p: PlatformModule.objects.create(platform=p, module_id="billing"),
    "create through the platform": lambda p: p.platform_modules.create(module_id="billing"),
    "get_or_create": lambda p: PlatformModule.objects.get_or_create(platform=p, module_id="billing"),
    "update_or_create": lambda p: PlatformModule.objects.update_or_create(
        platform=p, module_id="cms", defaults={"is_enabled": False}
    ),
    "save": lambda p: row_of(p, "cms").save(),
    "save of a field": lambda p: row_of(p, "cms").save(update_fields=["is_enabled"]),
    "delete of a row": lambda p: row_of(p, "cms").delete(),
    "modules.add": lambda p: p.modules.add("billing"),
    "modules.remove": lambda p: p.modules.remove("cms"),
    "modules.set": lambda p: p.modules.set([]),
    "modules.clear": lambda p: p.modules.clear(),
    "platforms.add": lambda p: Module.objects.get(pk="billing").platforms.add(p.pk),
    "platforms.clear": lambda p: Module.objects.get(pk="cms").platforms.clear(),
    "the base manager": lambda p: PlatformModule._base_manager.filter(platform=p).update(is_enabled=False),
    "aupdate": lambda p: async_to_sync(PlatformModule.objects.all().aupdate)(is_enabled=False),
    "adelete": lambda p: async_to_sync(PlatformModule.objects.all().adelete)(),
    "acreate": lambda p: async_to_sync(PlatformModule.objects.all().acreate)(platform=p, module_id="billing"),
    "abulk_create": lambda p: async_to_sync(PlatformModule.objects.all().abulk_create)(
        [PlatformModule(platform=p, module_id="billing")]
    ),
    "abulk_update": lambda p: async_to_sync(PlatformModule.objects.all().abulk_update)(
        [row_of(p, "cms")], ["is_enabled"]
    ),
    "aupdate_or_create": lambda p: async_to_sync(PlatformModule.objects.all().aupdate_or_create)(
        platform=p, module_id="cms", defaults={"is_enabled": False}
    ),
    "aget_or_create": lambda p: async_to_sync(PlatformModule.objects.all().aget_or_create)(
        platform=p, module_id="billing"
    ),
    "asave": lambda p: async_to_sync(row_of(p, "cms").asave)(),
    "adelete of a row": lambda p: async_to_sync(row_of(p, "cms").adelete)(),
    "modules.aset": lambda p: async_to_sync(p.modules.aset)([]),
    "modules.create": lambda p: p.modules.create(code="new", name="New", version="1"),
    "platform_modules.add": lambda p: PlatformFactory().platform_modules.add(row_of(p, "cms")),
    "platform_modules.set": lambda p: PlatformFactory().platform_modules.set([row_of(p, "cms")]),
}


@pytest.mark.parametrize("way", WRITES)
def test_platform_module__written_past_the_services__is_refused(platform: Platform, way: str) -> None:
    enable(platform, "cms")
    before = everything_written()
    with pytest.raises(WriteRefused, match=r"Call modules\.services"), transaction.atomic():
        WRITES[way](platform)
    after = everything_written()
    assert {name: after[name] for name in ("rows", "history", "changes")} == {
        name: before[name] for name in ("rows", "history", "changes")
    }


def test_platform_module__rows_and_their_module__are_read_as_ever(platform: Platform) -> None:
    enable(platform, "billing")
    services.disable(platform=platform, module="billing", origin=origin())
    assert set(platform.modules.values_list("code", flat=True)) == {"customers", "billing"}
    assert [row.module_id for row in platform.platform_modules.enabled()] == ["customers"]
    row = row_of(platform, "billing")
    assert repr(row) == f"<PlatformModule(platform_id={platform.pk}, module='billing', disabled)>"
    assert str(row) == f"billing on platform {platform.pk}: off"
    assert repr(row_of(platform, "customers")).endswith("module='customers', enabled)>")


def test_platform_module__same_module_twice__is_refused_by_the_database(platform: Platform) -> None:
    enable(platform, "cms")
    row = row_of(platform, "cms")
    row.pk = None
    with pytest.raises(IntegrityError, match=r"(?i)unique"), transaction.atomic():
        super(PlatformModule, row).save()


@pytest.mark.parametrize(
    "delete", [lambda p: p.delete(), lambda p: Platform.objects.filter(pk=p.pk).delete()], ids=["row", "queryset"]
)
def test_platform__deleted_past_the_service__is_refused_while_it_has_modules(
    platform: Platform, delete: Callable[[Platform], Any]
) -> None:
    enable(platform, "cms")
    before = everything_written()
    with pytest.raises(WriteRefused, match="delete_platform"), transaction.atomic():
        delete(platform)
    assert everything_written() == before
