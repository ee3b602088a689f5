"""The table of modules says what the registry says."""

from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.models import ProtectedError
from pytest_django import DjangoAssertNumQueries

from modules import services
from modules.mirror import mirror, mirror_after_migrate
from modules.models import Change, Module, PlatformModule
from modules.plans import Obstacle
from modules.registry import registry
from platforms.models import Platform
from tests.modules.building import definition, enable, everything_written, origin

pytestmark = pytest.mark.django_db


def table() -> dict[str, tuple[Any, ...]]:
    fields = ("code", "name", "description", "version", "is_core", "is_installed")
    return {row[0]: row[1:] for row in Module.objects.values_list(*fields)}


def of_the_registry() -> dict[str, tuple[Any, ...]]:
    return {one.code: (one.name, one.description, one.version, one.is_core, True) for one in registry}


def test_mirror__after_migrate__says_what_the_registry_says() -> None:
    assert table() == of_the_registry()
    assert len(table()) >= 8


def test_mirror__run_again__writes_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        mirror(apps)


def test_mirror__module_arrives_and_goes_and_comes_back__its_row_stays() -> None:
    with registry.register_temporarily(definition("guest", version="1.0")):
        mirror(apps)
        assert table() == of_the_registry()
        assert table()["guest"] == ("Guest", "", "1.0", False, True)
    mirror(apps)
    assert table() == of_the_registry() | {"guest": ("Guest", "", "1.0", False, False)}
    with registry.register_temporarily(definition("guest", name="Guest house", version="2.0")):
        mirror(apps)
        assert table()["guest"] == ("Guest house", "", "2.0", False, True)


def test_mirror__row_that_somebody_altered__is_put_right() -> None:
    Module.objects.filter(pk="cms").update(name="Other", is_core=True, is_installed=False)
    mirror(apps)
    assert table() == of_the_registry()


def test_mirror__migrate__runs_it() -> None:
    Module.objects.filter(pk="cms").update(name="Other")
    call_command("migrate", verbosity=0)
    assert table() == of_the_registry()


def test_mirror_after_migrate__before_there_is_such_a_table__does_nothing() -> None:
    class NoModels:
        @staticmethod
        def get_model(app: str, model: str) -> Any:
            raise LookupError

    before = table()
    mirror_after_migrate(apps=NoModels(), using="default")  # type: ignore[arg-type]
    assert table() == before


def test_module_that_is_gone__its_rows__stay_and_are_off(platform: Platform, gone_module: Module) -> None:
    assert gone_module.is_installed is False
    assert PlatformModule.objects.get(platform=platform, module="gone").is_enabled is True
    assert not PlatformModule.objects.enabled().exists()
    before = everything_written()
    with pytest.raises(services.Blocked) as refused:
        services.disable(platform=platform, module="gone", origin=origin())
    assert [blocker.code for blocker in refused.value.blockers] == [Obstacle.NOT_INSTALLED]
    assert everything_written() == before
    assert Change.objects.count() == 1


def test_module__with_rows__cannot_be_deleted(platform: Platform) -> None:
    enable(platform, "cms")
    with pytest.raises(ProtectedError):
        Module.objects.get(pk="cms").delete()
    assert "cms" in table()


def test_module__as_text__is_its_name() -> None:
    assert str(Module.objects.get(pk="dev_tools")) == "Developer tools"
