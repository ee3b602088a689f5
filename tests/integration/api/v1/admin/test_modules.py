"""`/api/v1/admin/modules/`: the catalogue."""

import pytest

from modules import configs
from modules.definition import Feature, MenuItem, Permission
from modules.models import Module
from modules.registry import registry
from tests.factories import ApiTokenFactory
from tests.modules.building import definition

LIST = "/api/v1/admin/modules/"
KEYS = {
    "code",
    "name",
    "description",
    "version",
    "is_core",
    "is_restricted",
    "is_installed",
    "requires",
    "required_by",
    "features",
    "permissions",
    "menu",
    "config_schema",
    "config_defaults",
}


def by_code(response):
    assert response.status_code == 200
    return {row["code"]: row for row in response.json()}


def test_list__everything_installed__is_there_with_what_it_declares(as_viewer):
    rows = by_code(as_viewer.get(LIST))
    assert list(rows) == [one.code for one in registry]
    for one in registry:
        row = rows[one.code]
        assert set(row) == KEYS
        assert (row["name"], row["description"], row["version"]) == (one.name, one.description, one.version)
        assert (row["is_core"], row["is_restricted"], row["is_installed"]) == (one.is_core, one.is_restricted, True)
        assert row["config_schema"] == configs.json_schema(one.config)
        assert row["config_defaults"] == configs.defaults(one.config)
    assert rows["billing"]["requires"] == ["customers"]
    assert rows["billing"]["required_by"] == ["subscriptions"]
    assert rows["customers"]["required_by"] == ["billing"]
    assert rows["subscriptions"]["requires"] == ["billing", "messaging"]


def test_list__order__has_what_is_needed_before_what_needs_it(as_viewer):
    codes = list(by_code(as_viewer.get(LIST)))
    assert codes.index("customers") < codes.index("billing") < codes.index("subscriptions")


def test_retrieve__each_module__is_as_in_the_list(as_viewer):
    for code, row in by_code(as_viewer.get(LIST)).items():
        assert as_viewer.get(f"{LIST}{code}/").json() == row


def test_retrieve__secret_of_a_config__is_write_only_in_the_schema_and_no_default(as_viewer):
    row = as_viewer.get(f"{LIST}billing/").json()
    [secret] = [part for part in row["config_schema"]["properties"]["api_key"]["anyOf"] if part["type"] == "string"]
    assert secret["writeOnly"] is True
    assert row["config_defaults"] == {
        "stripe_mode": "test",
        "default_trial_days": 14,
        "support_email": None,
        "allowed_currencies": ["EUR"],
        "address": {"street": "", "postal_code": "", "city": "", "country": ""},
    }


def test_retrieve__features_permissions_menu__are_listed(install, as_viewer):
    install(
        definition(
            "loyalty_cards",
            features=(Feature(code="stamps", name="Stamps", requires=("cms",)),),
            permissions=(Permission(code="export", name="Export"),),
            menu=(MenuItem(key="loyalty_cards.cards", label="Cards"),),
        )
    )
    row = as_viewer.get(f"{LIST}loyalty_cards/").json()
    assert row["features"] == [{"code": "stamps", "name": "Stamps", "switch": None, "requires": ["cms"]}]
    assert row["permissions"] == [{"code": "export", "name": "Export"}]
    assert row["menu"] == [{"key": "loyalty_cards.cards", "label": "Cards", "permission": "view"}]


def test_catalogue__module_that_is_gone__is_shown_as_not_installed(as_viewer, left_behind):
    row = as_viewer.get(f"{LIST}{left_behind}/").json()
    assert row == {
        "code": left_behind,
        "name": "Loyalty cards",
        "description": "",
        "version": "1.0",
        "is_core": False,
        "is_restricted": False,
        "is_installed": False,
        "requires": [],
        "required_by": [],
        "features": [],
        "permissions": [],
        "menu": [],
        "config_schema": {},
        "config_defaults": {},
    }
    assert list(by_code(as_viewer.get(LIST)))[-1] == left_behind


@pytest.mark.parametrize("code", ["nothing", "Billing", "billing-2", "-", "a" * 300, "é"])
def test_retrieve__unknown_or_junk__is_404(as_viewer, code):
    response = as_viewer.get(f"{LIST}{code}/")
    assert response.status_code == 404
    assert response.json()["errors"] == [{"code": "not_found", "detail": "Not found.", "attr": None}]


def test_catalogue__who_may_see_modules_somewhere__reads_it(
    as_operator, as_admin, as_viewer, as_vendor, as_stranger, client_of, token_of, brindle, ann
):
    vendor_token = ApiTokenFactory(user=ann, platform=brindle.platform, vendor=brindle)
    for path in (LIST, f"{LIST}billing/"):
        for client in (as_operator, as_admin, as_viewer, client_of(token_of("read"))):
            assert client.get(path).status_code == 200
        for client in (as_vendor, as_stranger, client_of(vendor_token)):
            assert client.get(path).status_code == 403
        assert client_of(None).get(path).status_code == 401


def test_catalogue__operator_before_any_platform__reads_it(as_operator):
    assert as_operator.get(LIST).status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_catalogue__writing__is_not_offered(as_operator, method):
    before = list(Module.objects.values())
    for path in (LIST, f"{LIST}billing/"):
        assert getattr(as_operator, method)(path, {}).status_code == 405
    assert list(Module.objects.values()) == before


def test_catalogue__etag__answers_304_until_something_else_is_installed(as_viewer, install):
    for path in (LIST, f"{LIST}customers/"):
        first = as_viewer.get(path)
        assert as_viewer.get(path, headers={"If-None-Match": first["ETag"]}).status_code == 304
    install(definition("loyalty_cards", "customers"))
    again = as_viewer.get(path, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 200
    assert again.json()["required_by"] == ["billing", "loyalty_cards"]


def test_list__any_number_of_modules__takes_as_many_queries(client_of, token_of, chain, django_assert_num_queries):
    client = client_of(token_of("read"))
    with django_assert_num_queries(3):  # token, right, rows of modules that are gone
        assert len(client.get(LIST).json()) == len(registry)
    with django_assert_num_queries(2):
        client.get(f"{LIST}{chain[-1]}/")
