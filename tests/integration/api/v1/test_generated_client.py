"""A client that openapi-python-client makes from the document, against a served API: not a line of it by hand."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from platforms.models import Vendor
from tests.factories import ApiTokenFactory
from tests.modules.building import module_states

pytestmark = pytest.mark.django_db(transaction=True)

PACKAGE = "switchyard_client"


@pytest.fixture
def package(live_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The generated package; no warning was made while it was generated."""
    programs = Path(sys.executable).parent
    url = f"{live_server.url}/api/v1/schema/?format=json"
    generate = ["generate", "--url", url, "--meta", "none", "--output-path", PACKAGE, "--fail-on-warning"]
    subprocess.run(
        [programs / "openapi-python-client", *generate],
        check=True,
        cwd=tmp_path,
        # It formats what it makes with ruff, which it looks for in the path.
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        timeout=120,
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module(PACKAGE)
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def call(package: ModuleType, path: str, client: Any, *words: str, **said: Any) -> Any:
    """Call an operation of the generated client, and return what its model says as JSON."""
    answer = import_module(f"{package.__name__}.api.{path}").sync_detailed(*words, client=client, **said)
    assert answer.status_code == 200, answer.content
    return answer.parsed.to_dict()


def test_generated_client__enables_a_module_and_reads_a_vendors_menu(
    package: ModuleType, live_server: LiveServer, brindle: Vendor, ann: Any
) -> None:
    staff = ApiTokenFactory(user=ann, platform=brindle.platform, scopes=["admin"])
    vendors = ApiTokenFactory(user=ann, platform=brindle.platform, vendor=brindle, scopes=["read"])
    models = import_module(f"{package.__name__}.models")
    reason = models.EnableRequest(reason="by a generated client")

    with package.AuthenticatedClient(base_url=live_server.url, token=staff.secret) as client:
        outcome = call(package, "module_config.module_config_enable", client, "kestrel", "billing", body=reason)

    assert [step["module"] for step in outcome["steps"]] == ["customers", "billing"]
    assert module_states(brindle.platform) == {"customers": True, "billing": True}
    with package.AuthenticatedClient(base_url=live_server.url, token=vendors.secret) as client:
        menu = call(package, "vendor_menu.vendor_menu_retrieve", client, "kestrel", "brindle")
    assert {"key": "billing.invoices", "label": "Invoices", "module": "billing", "path": None} in menu["items"]
