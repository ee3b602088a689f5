"""Every installed module, also one from outside of this tree, keeps the contract: tested the day it arrives."""

import importlib
import json
import uuid
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.urls import resolve, reverse
from jsonschema import Draft202012Validator
from pydantic import BaseModel, SecretStr

from modules import configs, events, gate, ports, services, tasks, worker
from modules.checks import check_registry
from modules.definition import ModuleConfig, ModuleDefinition
from modules.models import Change, Delivery, Module, PlatformModule, TaskRun
from modules.ports import Erased, Finding, Person
from modules.registry import registry
from modules.secrets import fingerprint
from modules.services import Origin
from platforms.models import Platform
from tests.factories import PlatformFactory

SECRET = "a-secret-§-of-some-length"
ORIGIN = Origin(actor_id=None, actor_label="tests", may_switch_restricted=True, source="command")

every_module = pytest.mark.parametrize("module", list(registry), ids=lambda module: module.code)


def said_of(schema: type[BaseModel], path: str = "") -> list[tuple[str, str | None]]:
    """Return path and title of every field, also below the top level."""
    found = []
    for name, field in schema.model_fields.items():
        found.append((f"{path}{name}", field.title))
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += said_of(field.annotation, f"{path}{name}.")
    return found


def explicit(module: ModuleDefinition) -> dict[str, Any]:
    """Return a config in which everything is set, to what it is anyway, and every secret to something."""
    return configs.defaults(module.config) | dict.fromkeys(configs.secret_fields(module.config), SECRET)


def state(platform: Platform) -> dict[str, bool]:
    fresh = Platform.objects.get(pk=platform.pk)
    return {module.code: gate.is_enabled(fresh, module.code) for module in registry}


# --- What it declares -----------------------------------------------------------------------------------------------


def test_registry__all_modules_together__are_sound() -> None:
    assert list(check_registry(registry)) == []
    assert run_checks(tags=["modules"]) == []
    codes = [module.code for module in registry]
    for place, module in enumerate(registry):
        assert set(module.requires) <= set(codes[:place])


@every_module
def test_module__definition__says_what_it_is(module: ModuleDefinition) -> None:
    assert registry[module.code] is module
    assert module.name == module.name.strip() != ""
    assert module.description.strip().endswith(".")
    assert len(module.name) <= 200
    assert len(module.version) <= 20
    assert module.config is not ModuleConfig
    assert (module.config.__doc__ or "").strip()
    assert registry.of_config(module.config) is module


@every_module
def test_module__definition__lies_beside_its_app(module: ModuleDefinition) -> None:
    package = importlib.import_module(module.config.__module__)
    assert package.__name__ == f"{module.code}.definition"
    assert apps.get_app_config(module.code).verbose_name == module.name


@every_module
def test_module__config__has_defaults_that_are_valid_and_can_be_written_back(module: ModuleDefinition) -> None:
    assert module.config() == configs.load(module.config, {})
    defaults = configs.defaults(module.config)
    assert configs.validate(module.config, {}).config == {}
    assert configs.validate(module.config, defaults).config == defaults
    assert configs.load(module.config, defaults) == module.config()
    assert configs.effective(module.config, {}) == defaults
    assert json.loads(json.dumps(defaults)) == defaults


@every_module
def test_module__config__refuses_what_it_does_not_know(module: ModuleDefinition) -> None:
    with pytest.raises(configs.InvalidConfig) as refused:
        configs.validate(module.config, {"no_such_setting": 1})
    assert [(error.path, error.code) for error in refused.value.errors] == [(("no_such_setting",), "unknown_field")]


@every_module
def test_module__config__refuses_a_wrong_type_in_every_field_and_names_it(module: ModuleDefinition) -> None:
    class NoType:
        """Neither text nor number, flag, list nor object: as JSON, an object of one unknown key."""

    for name in module.config.model_fields:
        with pytest.raises(configs.InvalidConfig) as refused:
            configs.validate(module.config, {name: {"no such key": [NoType.__name__]}})
        assert {error.path[0] for error in refused.value.errors} == {name}


@every_module
def test_module__config__cannot_be_changed_once_made(module: ModuleDefinition) -> None:
    def assert_frozen(value: Any) -> None:
        assert not isinstance(value, (dict, list, set, bytearray))
        if isinstance(value, BaseModel):
            assert value.model_config.get("frozen") is True
            for name in type(value).model_fields:
                assert_frozen(getattr(value, name))
        elif isinstance(value, tuple):
            for inner in value:
                assert_frozen(inner)

    assert_frozen(module.config())


@every_module
def test_module__json_schema__is_valid_and_accepts_the_defaults(module: ModuleDefinition) -> None:
    schema = configs.json_schema(module.config)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(configs.defaults(module.config))] == []
    assert not validator.is_valid({"no_such_setting": 1})
    assert schema["properties"].keys() == module.config.model_fields.keys()
    assert "required" not in schema


@every_module
def test_module__json_schema__hides_secrets(module: ModuleDefinition) -> None:
    properties = configs.json_schema(module.config)["properties"]
    for name in configs.secret_fields(module.config):
        assert "writeOnly" in json.dumps(properties[name])
        assert properties[name].get("default") is None
        assert name not in configs.defaults(module.config)


@every_module
def test_module__every_field__has_a_title_in_plain_words(module: ModuleDefinition) -> None:
    for path, title in said_of(module.config):
        assert title, f"{module.code}: {path} has no title"
        assert title == title.strip()
        assert "_" not in title
        assert len(title) <= 60
    titles = [field.title for field in module.config.model_fields.values()]
    assert len(set(titles)) == len(titles)


@every_module
def test_module__descriptions__are_sentences(module: ModuleDefinition) -> None:
    for field in module.config.model_fields.values():
        if field.description is not None:
            assert field.description == field.description.strip()
            assert field.description[-1] in ".…"


@every_module
def test_module__features_and_menu__name_what_is_there(module: ModuleDefinition) -> None:
    for feature in module.features:
        assert feature.switch is None or module.config.model_fields[feature.switch].annotation is bool
        assert set(feature.requires).isdisjoint(module.requires)
    for item in module.menu:
        assert item.label == item.label.strip() != ""
        assert item.page is None or "staff" in item.audiences
        if item.page is not None:
            assert resolve(reverse(item.page)).app_names == ["admin"]


@every_module
def test_module__secret__is_in_no_repr(module: ModuleDefinition) -> None:
    secrets = dict.fromkeys(configs.secret_fields(module.config), SECRET)
    loaded = configs.load(module.config, {}, secrets)
    assert SECRET not in repr(loaded) + str(loaded) + loaded.model_dump_json() + repr(loaded.model_dump())
    assert all(getattr(loaded, name) == SecretStr(SECRET) for name in secrets)
    assert SECRET not in repr(configs.validate(module.config, secrets))
    assert SECRET not in repr(module)


# --- What it does on a platform -------------------------------------------------------------------------------------


@pytest.mark.django_db
@every_module
def test_module__on_a_fresh_platform__can_be_switched_on_and_off(module: ModuleDefinition) -> None:
    platform = PlatformFactory()
    untouched = state(platform)
    assert untouched == {one.code: one.is_core for one in registry}

    switched = services.enable(platform=platform, module=module.code, origin=ORIGIN)
    assert state(platform) == untouched | dict.fromkeys([*registry.requirements_of(module.code), module.code], True)
    moved = [step.module for step in switched.plan.steps]
    assert sorted(moved) == sorted(
        {*registry.requirements_of(module.code), module.code} - {code for code, is_on in untouched.items() if is_on}
    )
    for place, code in enumerate(moved):
        assert set(registry[code].requires) & set(moved) <= set(moved[:place])
    if module.is_core:
        with pytest.raises(services.Blocked):
            services.disable(platform=platform, module=module.code, origin=ORIGIN, cascade=True)
        assert state(platform) == untouched
        assert not Change.objects.exists()
        return

    services.disable(platform=platform, module=module.code, origin=ORIGIN)
    assert state(platform)[module.code] is False
    assert Change.objects.filter(platform=platform).count() == 2
    assert set(Module.objects.values_list("code", flat=True)) >= {module.code}


@pytest.mark.django_db
@every_module
def test_module__with_all_that_need_it_on__goes_off_with_cascade_only(module: ModuleDefinition) -> None:
    platform = PlatformFactory()
    dependents = registry.dependents_of(module.code)
    for code in (*dependents, module.code):
        services.enable(platform=platform, module=code, origin=ORIGIN)
    before = state(platform)
    if module.is_core:
        return
    if dependents:
        with pytest.raises(services.Blocked) as refused:
            services.disable(platform=platform, module=module.code, origin=ORIGIN)
        assert {blocker.by for blocker in refused.value.blockers} == set(dependents)
        assert state(platform) == before
    services.disable(platform=platform, module=module.code, origin=ORIGIN, cascade=True)
    assert state(platform) == before | dict.fromkeys((*dependents, module.code), False)


@pytest.mark.django_db
@every_module
def test_module__config__comes_back_from_the_database_as_it_was_given(module: ModuleDefinition) -> None:
    platform = PlatformFactory()
    secrets = sorted(configs.secret_fields(module.config))
    services.configure(platform=platform, module=module.code, config=explicit(module), origin=ORIGIN)
    row = PlatformModule.objects.get(platform=platform, module=module.code)
    assert row.config == {key: value for key, value in configs.defaults(module.config).items() if value is not None}
    assert sorted(row.secrets) == secrets
    assert {kept["fingerprint"] for kept in row.secrets.values()} <= {fingerprint(SECRET)}
    assert row.config_version == module.config.schema_version
    assert gate.config_of(platform, module.config) == configs.load(module.config, {}, dict.fromkeys(secrets, SECRET))
    assert SECRET not in repr(list(PlatformModule.history.model.objects.values())) + repr(list(Change.objects.values()))

    unchanged = services.configure(platform=platform, module=module.code, config=explicit(module), origin=ORIGIN)
    assert unchanged.change is None
    services.reset(platform=platform, module=module.code, origin=ORIGIN)
    row = PlatformModule.objects.get(platform=platform, module=module.code)
    assert (row.config, row.secrets, row.is_enabled) == ({}, {}, module.is_core)
    assert gate.config_of(Platform.objects.get(pk=platform.pk), module.config) == module.config()


# --- What it is to the others ---------------------------------------------------------------------------------------


def tasks_of(module: ModuleDefinition) -> list[tasks.Task]:
    return [task for task in tasks.all_tasks() if task.module == module.code]


@pytest.mark.django_db
@every_module
def test_module__hooks__are_called_when_it_is_switched_and_do_not_fail(module: ModuleDefinition) -> None:
    platform = PlatformFactory()
    services.enable(platform=platform, module=module.code, origin=ORIGIN)
    worker.sweep()
    if not module.is_core:
        services.disable(platform=platform, module=module.code, origin=ORIGIN)
        worker.sweep()
    hooks = [hook for hook in (module.on_enable, module.on_disable) if hook is not None]
    made = Delivery.objects.filter(module=module.code, handler__in=hooks)
    assert set(made.values_list("state", flat=True)) <= {"done"}
    assert module.is_core or made.count() == len(hooks)


@pytest.mark.django_db
@every_module
def test_module__off__is_told_of_nothing_and_runs_no_task_but_its_duties(module: ModuleDefinition) -> None:
    if module.is_core:
        return
    platform = PlatformFactory()
    for handler in module.handlers:
        events.emit(handler.event, platform=platform, data={"module": module.code, "keys": []})
    mine = [task for task in tasks_of(module) if not task.is_duty]
    for task in mine:
        tasks.enqueue(task, platform=platform)
    worker.sweep()
    told = Delivery.objects.filter(module=module.code)
    assert told.count() == len(module.handlers)
    assert set(told.values_list("state", flat=True)) <= {"skipped"}
    runs = TaskRun.objects.filter(task__in=[task.name for task in mine])
    assert runs.count() == len(mine)
    assert set(runs.values_list("state", flat=True)) <= {"skipped"}


@pytest.mark.django_db
@every_module
def test_module__schedules__are_for_platforms_on_which_it_is_on(module: ModuleDefinition) -> None:
    on, _ = PlatformFactory(), PlatformFactory()
    services.enable(platform=on, module=module.code, origin=ORIGIN)
    for schedule in module.schedules:
        worker.run_schedule(task=schedule.task, at="2026-03-16T09:00")
        expected = None if not schedule.each_platform else on.pk
        assert expected in TaskRun.objects.filter(task=schedule.task).values_list("platform", flat=True)
        is_everywhere = module.is_core or tasks.find(schedule.task).is_duty
        assert TaskRun.objects.filter(task=schedule.task).count() == (2 if expected and is_everywhere else 1)


@pytest.mark.django_db
@every_module
def test_module__ports__are_served_where_it_is_on_only(module: ModuleDefinition) -> None:
    single = {port.name: port for port in (ports.NOTIFY, ports.RECIPIENTS, ports.MAY_CONTACT, ports.RECORD)}
    off, on = PlatformFactory(), PlatformFactory()
    services.enable(platform=on, module=module.code, origin=ORIGIN)
    for offer in module.provides:
        if port := single.get(offer.port):
            assert port.on(on) is not port.null
            assert module.is_core or port.on(off) is port.null
    if any(offer.port == ports.HEALTH.name for offer in module.provides):
        assert all(isinstance(finding, Finding) for finding in ports.health(on)[module.code])
        assert module.is_core or module.code not in ports.health(off)


@pytest.mark.django_db
@every_module
def test_module__personal_data_of_a_stranger__is_none_and_erasing_it_twice_is_harmless(
    module: ModuleDefinition,
) -> None:
    platform, stranger = PlatformFactory(), Person(email="nobody@example.com", customer=str(uuid.uuid4()))
    if export := ports.PERSONAL_DATA_EXPORT.on(platform).get(module.code):
        assert json.loads(json.dumps(export(platform, stranger))) == {}
    if erase := ports.PERSONAL_DATA_ERASE.on(platform).get(module.code):
        assert [erase(platform, stranger) for _ in range(2)] == [Erased(), Erased()]
    offered = {offer.port for offer in module.provides}
    # What can be exported can be erased, and the other way round.
    assert ("personal_data.export" in offered) == ("personal_data.erase" in offered)
