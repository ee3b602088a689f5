"""The one answer: exact, and without a query once warm."""

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from pydantic import SecretStr
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from modules import gate, services
from modules.configs import InvalidConfig
from modules.definition import Feature, ModuleConfig
from modules.mirror import mirror
from modules.models import PlatformModule
from modules.plans import Wish
from modules.registry import registry
from platforms.models import Platform
from tests.factories import PlatformFactory
from tests.modules.building import definition, enable, origin

# Committed for good: what the gate remembers it remembers once it is committed.
pytestmark = pytest.mark.django_db(transaction=True)


class Inner(ModuleConfig):
    city: str = ""


class ParcelConfig(ModuleConfig):
    days: int = 3
    zones: tuple[str, ...] = ()
    sizes: dict[str, list[int]] = {}
    address: Inner = Inner()
    export: bool = False
    key: SecretStr | None = None


@pytest.fixture
def kestrel(transactional_db: None) -> Platform:
    """A platform that nobody has touched."""
    return PlatformFactory(code="kestrel")


def fresh(platform: Platform) -> Platform:
    """Return the platform as the next request reads it."""
    return Platform.objects.get(pk=platform.pk)


def in_another_process(do: Callable[[], Any]) -> None:
    """Do it on a connection of its own, with a cache that is not ours."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            do()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert failed == []


# --- Queries --------------------------------------------------------------------------------------------------------


def test_state_of__cold_and_warm__is_one_query_and_none(
    kestrel: Platform, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    enable(kestrel, "billing", "cms")
    with django_assert_num_queries(1):
        state = gate.state_of(kestrel)
    read_again = fresh(kestrel)
    with django_assert_num_queries(0):
        assert gate.state_of(read_again) is state
        assert gate.is_enabled(read_again, "billing") is True
        assert gate.is_enabled(read_again, "messaging") is False
        assert gate.config_of(read_again, registry["billing"].config).default_trial_days == 14  # type: ignore[attr-defined]
        assert state.features("billing") == frozenset()


def test_state_of__platform_without_rows__is_remembered_too(
    kestrel: Platform, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert gate.state_of(kestrel).enabled == {"monitoring"}
    with django_assert_num_queries(0):
        assert gate.state_of(fresh_copy := Platform(pk=kestrel.pk)).revision == fresh_copy.revision == 0


def test_state_of__platform_that_is_gone__is_core_only(kestrel: Platform) -> None:
    assert gate.state_of(Platform(pk=kestrel.pk + 1, revision=7)).enabled == {"monitoring"}


def test_state_of__several_platforms__are_kept_apart(kestrel: Platform) -> None:
    other = PlatformFactory()
    enable(kestrel, "cms")
    enable(other, "analytics")
    assert gate.state_of(kestrel).enabled == {"monitoring", "cms"}
    assert gate.state_of(other).enabled == {"monitoring", "analytics"}


# --- Exactness ------------------------------------------------------------------------------------------------------


def test_state_of__changed_here__is_the_new_one(kestrel: Platform) -> None:
    assert gate.is_enabled(kestrel, "cms") is False
    enable(kestrel, "cms")
    assert gate.is_enabled(kestrel, "cms") is True
    services.disable(platform=kestrel, module="cms", origin=origin())
    assert gate.is_enabled(kestrel, "cms") is False


def test_state_of__changed_by_another_process__is_seen_with_the_next_read(kestrel: Platform) -> None:
    assert gate.is_enabled(kestrel, "cms") is False
    in_another_process(lambda: enable(fresh(kestrel), "cms"))
    # The request that is under way goes on with what it read.
    assert gate.is_enabled(kestrel, "cms") is False
    assert gate.is_enabled(fresh(kestrel), "cms") is True


def test_state_of__platform_older_than_the_database__is_the_newer_state_under_its_own_revision(
    kestrel: Platform,
) -> None:
    stale = fresh(kestrel)
    enable(kestrel, "cms")
    state = gate.state_of(stale)
    assert (state.revision, state.is_enabled("cms")) == (1, True)
    assert gate.state_of(kestrel) is state


def test_state_of__read_in_a_transaction_that_is_rolled_back__is_never_remembered(kestrel: Platform) -> None:
    with transaction.atomic():
        enable(kestrel, "cms")
        assert gate.state_of(kestrel).enabled == {"monitoring", "cms"}
        transaction.set_rollback(True)
    enable(fresh(kestrel), "analytics")
    now = fresh(kestrel)
    assert now.revision == 1
    assert gate.state_of(now).enabled == {"monitoring", "analytics"}


def test_state_of__asked_with_a_revision_that_was_rolled_back__is_never_remembered_under_it(kestrel: Platform) -> None:
    with transaction.atomic():
        enable(kestrel, "cms")
        transaction.set_rollback(True)
    # The row in memory still says 1; there is no such change.
    assert kestrel.revision == 1
    state = gate.state_of(kestrel)
    assert (state.revision, state.enabled) == (0, {"monitoring"})
    enable(fresh(kestrel), "analytics")
    assert gate.state_of(fresh(kestrel)).enabled == {"monitoring", "analytics"}
    assert gate.state_of(kestrel).enabled == {"monitoring", "analytics"}


def test_state_of__savepoint_rolled_back__is_never_remembered(kestrel: Platform) -> None:
    with transaction.atomic():
        with transaction.atomic():
            enable(kestrel, "cms")
            assert gate.is_enabled(kestrel, "cms") is True
            transaction.set_rollback(True)
        enable(fresh(kestrel), "analytics")
    assert gate.state_of(fresh(kestrel)).enabled == {"monitoring", "analytics"}


def test_state_of__refused_change__is_as_before(kestrel: Platform) -> None:
    enable(kestrel, "billing")
    before = gate.state_of(kestrel)
    with pytest.raises(services.Blocked):
        services.disable(platform=kestrel, module="customers", origin=origin())
    assert gate.state_of(fresh(kestrel)) is before


# --- What is on -----------------------------------------------------------------------------------------------------


def test_state_of__core_without_a_row__is_on(kestrel: Platform) -> None:
    assert not PlatformModule.objects.exists()
    assert gate.is_enabled(kestrel, "monitoring") is True


def test_state_of__module_that_never_was__is_off(kestrel: Platform) -> None:
    assert gate.is_enabled(kestrel, "never_was") is False


def test_state_of__module_installed_for_a_while__is_on_only_meanwhile(kestrel: Platform) -> None:
    with registry.register_temporarily(definition("guest"), definition("pulse", is_core=True)):
        mirror(apps)
        enable(kestrel, "guest")
        assert gate.state_of(kestrel).enabled == {"monitoring", "guest", "pulse"}
    assert gate.state_of(kestrel).enabled == {"monitoring"}
    assert PlatformModule.objects.get(module="guest").is_enabled is True
    with registry.register_temporarily(definition("guest")):
        assert gate.state_of(kestrel).enabled == {"monitoring", "guest"}


def test_state_of__cache_full__forgets_the_older_half(kestrel: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_CAPACITY", 4)
    platforms = [kestrel, *PlatformFactory.create_batch(5)]
    states = [gate.state_of(one) for one in platforms]
    assert len(gate._states) == 4
    assert gate.state_of(platforms[-1]) is states[-1]
    assert gate.state_of(platforms[0]) == states[0]


# --- Config and features --------------------------------------------------------------------------------------------


@pytest.fixture
def parcels(kestrel: Platform) -> Any:
    """A platform with a module of every kind of config and of feature."""
    features = (
        Feature(code="labels", name="Labels"),
        Feature(code="export", name="Export", switch="export"),
        Feature(code="mail", name="Mail", requires=("messaging",)),
        Feature(code="report", name="Report", switch="export", requires=("messaging", "cms")),
    )
    with registry.register_temporarily(definition("parcels", config=ParcelConfig, features=features)):
        mirror(apps)
        yield kestrel


def test_config_of__stored_values_and_secret__is_the_typed_object(parcels: Platform) -> None:
    given = {"days": 5, "zones": ["n"], "sizes": {"s": [1, 2]}, "address": {"city": "Kiel"}, "key": "hunter22"}
    services.enable(platform=parcels, module="parcels", config=given, origin=origin())
    config = gate.config_of(parcels, ParcelConfig)
    assert type(config) is ParcelConfig
    assert config == ParcelConfig(
        days=5, zones=("n",), sizes={"s": [1, 2]}, address=Inner(city="Kiel"), key=SecretStr("hunter22")
    )
    assert gate.config_of(fresh(parcels), ParcelConfig) is config


def test_config_of__nobody_configured_it__is_all_defaults(parcels: Platform) -> None:
    assert gate.config_of(parcels, ParcelConfig) == ParcelConfig()


def test_config_of__schema_of_no_module__raises_lookup_error(parcels: Platform) -> None:
    with pytest.raises(LookupError):
        gate.config_of(parcels, Inner)


def test_config_of__stored_config_that_no_longer_fits__raises(parcels: Platform) -> None:
    services.enable(platform=parcels, module="parcels", config={"days": 5}, origin=origin())

    class Stricter(ModuleConfig):
        days: bool = False

    with registry.register_temporarily():
        registry._definitions["parcels"] = definition("parcels", config=Stricter)
        with pytest.raises(InvalidConfig):
            gate.config_of(parcels, Stricter)
        assert gate.is_enabled(parcels, "parcels") is True


def test_features__switches_and_requirements__decide(parcels: Platform) -> None:
    def on() -> frozenset[str]:
        return gate.state_of(parcels).features("parcels")

    assert on() == frozenset()
    enable(parcels, "parcels")
    assert on() == {"labels"}
    services.configure(platform=parcels, module="parcels", config={"export": True}, origin=origin())
    assert on() == {"labels", "export"}
    enable(parcels, "messaging")
    assert on() == {"labels", "export", "mail"}
    enable(parcels, "cms")
    assert on() == {"labels", "export", "mail", "report"}
    services.disable(platform=parcels, module="parcels", origin=origin())
    assert on() == frozenset()


# --- Frozen ---------------------------------------------------------------------------------------------------------


def test_state__whatever_somebody_tries__does_not_change(parcels: Platform) -> None:
    given = {"sizes": {"s": [1, 2]}, "address": {"city": "Kiel"}, "key": "hunter22"}
    services.enable(platform=parcels, module="parcels", config=given, origin=origin())
    state: Any = gate.state_of(parcels)
    attempts: list[tuple[type[Exception], Callable[[], Any]]] = [
        (dataclasses.FrozenInstanceError, lambda: setattr(state, "revision", 9)),
        (AttributeError, lambda: state.enabled.add("cms")),
        (TypeError, lambda: state.configs.__setitem__("cms", {})),
        (TypeError, lambda: state.configs["parcels"].__setitem__("days", 9)),
        (TypeError, lambda: state.configs["parcels"]["address"].__setitem__("city", "Rom")),
        (AttributeError, lambda: state.configs["parcels"]["sizes"]["s"].append(3)),
        (TypeError, lambda: state.sealed_secrets["parcels"].__setitem__("key", "")),
        (ValueError, lambda: setattr(gate.config_of(parcels, ParcelConfig), "days", 9)),
    ]
    for error, attempt in attempts:
        with pytest.raises((error, AttributeError)):
            attempt()
    assert gate.config_of(parcels, ParcelConfig).sizes == {"s": [1, 2]}
    assert gate.state_of(fresh(parcels)).configs == {"parcels": {"sizes": {"s": (1, 2)}, "address": {"city": "Kiel"}}}


def test_state__repr__shows_no_config_and_no_secret(parcels: Platform, settings: Settings) -> None:
    services.enable(platform=parcels, module="parcels", config={"zones": ["north"], "key": "hunter22"}, origin=origin())
    state = gate.state_of(parcels)
    assert repr(state) == (f"ModuleState(platform_id={parcels.pk}, revision=1, enabled={state.enabled!r})")
    assert "hunter22" not in repr(gate.config_of(parcels, ParcelConfig))


def test_change__two_at_once__are_one_after_the_other(kestrel: Platform) -> None:
    codes = ["cms", "analytics", "messaging", "customers"]
    barrier = threading.Barrier(len(codes))
    failed: list[BaseException] = []

    def work(code: str) -> None:
        try:
            one = fresh(kestrel)
            barrier.wait(10)
            services.apply(platform=one, wishes=[Wish(module=code, is_enabled=True)], origin=origin())
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    now = fresh(kestrel)
    assert now.revision == 4
    assert sorted(now.changes.values_list("number", flat=True)) == [1, 2, 3, 4]
    assert gate.state_of(now).enabled == {"monitoring", *codes}


def test_state_of__what_a_module_needs_was_uninstalled__it_is_off_until_that_is_back(kestrel: Platform) -> None:
    with registry.register_temporarily(definition("parcels"), definition("tracking", "parcels")):
        mirror(apps)
        enable(kestrel, "tracking")
        assert gate.is_enabled(fresh(kestrel), "tracking")
    with registry.register_temporarily(definition("tracking", "parcels")):
        assert not gate.is_enabled(fresh(kestrel), "tracking")
        assert PlatformModule.objects.enabled().filter(module="tracking").count() == 0
    with registry.register_temporarily(definition("parcels"), definition("tracking", "parcels")):
        assert gate.is_enabled(fresh(kestrel), "tracking")
