"""What the API says of itself: valid OpenAPI 3.1, and true."""

from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from customers.models import BrokenRow
from modules.api.docs import _document
from modules.registry import registry
from tests.factories import (
    AddressFactory,
    ConsentFactory,
    CustomerFactory,
    DuplicatePairFactory,
    ImportRunFactory,
    MembershipFactory,
    MergeFactory,
    NoteFactory,
    PaymentFactory,
    PlanFactory,
    PlatformFactory,
    PrivacyRequestFactory,
    SegmentFactory,
    TagFactory,
    VendorFactory,
)
from tests.modules.building import definition, enable

ADMIN = "/api/v1/admin/"
BILLING = "platforms/{platform}/billing/"
CUSTOMERS = "platforms/{platform}/customers/"
LISTS = {
    f"{CUSTOMERS}customers/",
    f"{CUSTOMERS}duplicates/",
    f"{CUSTOMERS}merges/",
    f"{CUSTOMERS}addresses/",
    f"{CUSTOMERS}tags/",
    f"{CUSTOMERS}notes/",
    f"{CUSTOMERS}consents/",
    f"{CUSTOMERS}privacy-requests/",
    f"{CUSTOMERS}timeline/",
    f"{CUSTOMERS}imports/",
    f"{CUSTOMERS}imports/{{id}}/errors/",
    f"{CUSTOMERS}segments/",
    f"{CUSTOMERS}segments/fields/",
    f"{CUSTOMERS}segments/{{id}}/members/",
    f"{BILLING}plans/",
    f"{BILLING}invoices/",
    f"{BILLING}payments/",
    "modules/",
    "platforms/",
    "platforms/{platform}/vendors/",
    "platforms/{platform}/members/",
    "platforms/{platform}/tokens/",
    "platforms/{platform}/changes/",
    "module-config/",
    "module-config/{platform}/",
    "module-config/{platform}/{module}/history/",
}


@pytest.fixture
def document(db) -> dict[str, Any]:
    return Client().get("/api/v1/schema/?format=json").json()


def keys(value):
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


def answer_schema(document, path):
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}


def is_list(document, schema):
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:  # a plain list, or with `?compare=` what differs
        return any(one.get("type") == "array" for one in schema["oneOf"])
    return schema["type"] == "array" or "results" in schema["properties"]


def test_schema__no_word_of_an_older_openapi__is_left(document):
    Draft202012Validator.check_schema({"$defs": document["components"]["schemas"]})
    assert "nullable" not in keys(document)


def test_schema__pages__always_have_both_links(document):
    pages = {name: page for name, page in document["components"]["schemas"].items() if name.startswith("Paginated")}
    assert pages
    for page in pages.values():
        assert page["required"] == ["next", "previous", "results"]
        assert [page["properties"][link]["type"] for link in ("next", "previous")] == [["string", "null"]] * 2


def test_schema__every_answer_to_a_reader__is_as_described(
    document, kestrel_on, brindle, ann, vic, token_of, as_operator
):
    enable(kestrel_on, "cms")
    enable(PlatformFactory(code="quarry"), "cms")
    vendor = VendorFactory(platform=kestrel_on)
    tokens = [token_of("read"), token_of("write")]
    member = MembershipFactory(platform=kestrel_on, vendor=vendor)
    payments = PaymentFactory.create_batch(2, invoice__vendor=brindle)
    ids = {"members": member.pk, "tokens": tokens[0].pk, "payments": payments[0].pk}
    ids |= {"invoices": payments[0].invoice.pk, "plans": PlanFactory.create_batch(2, platform=kestrel_on)[0].pk}
    customer = CustomerFactory(platform=kestrel_on)
    ids |= {"customers": customer.pk, "timeline": customer.events.get().pk}
    ids |= {"tags": TagFactory(platform=kestrel_on).pk, "addresses": AddressFactory(customer=customer).pk}
    ids |= {"notes": NoteFactory(customer=customer).pk, "consents": ConsentFactory(customer=customer).pk}
    ids |= {"duplicates": DuplicatePairFactory.create_batch(2, platform=kestrel_on)[0].pk}
    ids |= {"merges": MergeFactory.create_batch(2, platform=kestrel_on)[0].pk}
    ids |= {"privacy-requests": PrivacyRequestFactory(customer=customer).pk}
    broken = ImportRunFactory(platform=kestrel_on)
    BrokenRow.objects.create(run=broken, line=3, values={}, errors=[])
    ids |= {"imports": broken.pk}
    ids |= {"segments": SegmentFactory(platform=kestrel_on).pk}
    seen = set()
    for path, operations in document["paths"].items():
        if not path.startswith(ADMIN) or "get" not in operations:
            continue
        resource = path.partition("/{id}")[0].rpartition("/")[2]
        of = {"platform": "kestrel", "module": "cms", "vendor": brindle.code, "number": 1, "id": ids.get(resource)}
        url = path.format(**of)
        if "application/json" not in (files := operations["get"]["responses"]["200"]["content"]):
            assert as_operator.get(url)["Content-Type"] in files
            continue
        schema = answer_schema(document, path)
        listed = is_list(document, schema)
        has_pages = "page_size" in {one["name"] for one in operations["get"]["parameters"]}
        for answer in as_operator.get(url), as_operator.get(url, {"page_size": 1} if has_pages else {}):
            assert answer.status_code == 200
            Draft202012Validator(schema).validate(answer.json())
            assert not listed or answer.json()
        if listed:
            seen.add(path.removeprefix(ADMIN))
            page = answer.json()
            while isinstance(page, dict) and page["next"]:
                page = as_operator.get(page["next"]).json()
                Draft202012Validator(schema).validate(page)
                assert len(page["results"]) == 1
    assert seen == LISTS


def test_schema__deletions__say_what_their_body_may_say(document):
    delete = document["paths"][f"{ADMIN}platforms/{{platform}}/"]["delete"]
    schema = delete["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert set(document["components"]["schemas"][schema]["properties"]) == {"reason"}
    assert "required" not in delete["requestBody"]
    assert "requestBody" not in document["paths"][f"{ADMIN}platforms/{{platform}}/vendors/{{vendor}}/"]["delete"]


@pytest.mark.parametrize("query", ["", "?format=json", "?format=json&version=%0A&lang=%0A", "?lang=" + "x" * 600])
def test_schema__is_served(db, query):
    response = Client().get(f"/api/v1/schema/{query}")
    assert response.status_code == 200
    assert b"3.1.0" in response.content
    assert b"/api/v1/admin/platforms/{platform}/vendors/{vendor}/" in response.content


def test_schema__asked_for_again__is_made_once_and_not_sent_again(db):
    first, again = (Client().get("/api/v1/schema/?format=json") for _ in range(2))
    made = _document.cache_info().misses
    unchanged = Client().get("/api/v1/schema/?format=json", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.content, again["ETag"]) == (first.content, first["ETag"])
    assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", first["ETag"])
    assert _document.cache_info().misses == made
    yaml = Client().get("/api/v1/schema/", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (yaml.status_code, yaml.content[:8]) == (200, b"openapi:")


def test_schema__module_registered_since__is_made_anew(db):
    before = Client().get("/api/v1/schema/?format=json")["ETag"]
    made = _document.cache_info().misses
    with registry.register_temporarily(definition("cards")):
        assert Client().get("/api/v1/schema/?format=json")["ETag"] == before  # it has no routes
    assert _document.cache_info().misses == made + 1


def test_schema__says_the_conventions_on_every_operation(db):
    paths = Client().get("/api/v1/schema/?format=json").json()["paths"]
    operations = [(path, method, found) for path, methods in paths.items() for method, found in methods.items()]
    assert len({operation["operationId"] for *_, operation in operations}) == len(operations)
    for path, method, operation in operations:
        needs_if_match = method in ("put", "patch") or path.endswith("/revert/")
        parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
        assert {"X-Request-ID"} < set(parameters)
        assert {"500"} < set(operation["responses"])
        # Whom nobody asks who they are is not refused for it.
        assert ({"401", "403"} < set(operation["responses"])) is not path.startswith("/api/v1/public/")
        assert ("dry_run" in parameters) is (method != "get")
        assert ("If-None-Match" in parameters) is (method == "get")
        assert parameters.get("If-Match", {}).get("required", False) is needs_if_match
        assert ("428" in operation["responses"]) is needs_if_match
        assert ("409" in operation["responses"]) is (method != "get")


def test_docs__page__has_nothing_inline_and_nothing_from_elsewhere(db):
    page = Client().get("/api/v1/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "<style" not in text
    assert "style=" not in text
    assert "<script>" not in text
    assert "http://" not in text.replace("http://testserver", "")
    assert "https://" not in text
    assert "unsafe" not in page["Content-Security-Policy"]
    script = Client().get("/api/v1/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert b"/api/v1/schema/" in script.content


# --- Of one platform -------------------------------------------------------------------------------------------------


def modules_in(answer):
    assert answer.status_code == 200
    paths = answer.json()["paths"]
    assert f"{ADMIN}platforms/{{platform}}/vendors/" in paths
    components = " ".join(answer.json()["components"]["schemas"])
    assert any("/billing/" in path for path in paths) is ("Invoice" in components)
    return any("/billing/" in path for path in paths)


def test_schema__of_a_platform__has_what_is_on_there(as_viewer, kestrel):
    url = "/api/v1/schema/?format=json"
    assert modules_in(as_viewer.get(url))
    assert not modules_in(as_viewer.get(f"{url}&platform=kestrel"))
    enable(kestrel, "billing")
    assert modules_in(as_viewer.get(f"{url}&platform=kestrel"))


@pytest.mark.parametrize(
    ("who", "platform", "status"),
    [("stranger", "kestrel", 404), ("viewer", "nowhere", 404), ("vendor", "kestrel", 403), ("nobody", "kestrel", 401)],
)
def test_schema__of_a_platform_that_is_not_theirs__refused(
    who, platform, status, as_stranger, as_viewer, as_vendor, client
):
    asking = {"stranger": as_stranger, "viewer": as_viewer, "vendor": as_vendor, "nobody": client}[who]
    answer = asking.get(f"/api/v1/schema/?format=json&platform={platform}")
    assert answer.status_code == status
    assert b"Invoice" not in answer.content
