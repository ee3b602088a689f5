"""One of several processes that switch and configure the same modules: `python -m tests.faults.racing DATABASE …`.

It says `ready`, waits for a line, makes its calls one after the other through every door there is, and prints what
became of them as JSON.
"""

import argparse
import io
import json
import logging
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.test.utils import setup_test_environment

MODULES = ("customers", "billing", "subscriptions", "messaging", "analytics", "cms")
ACTIONS = ("enable", "disable", "cascade", "configure")
# A config of each module that says something else for every number.
CONFIGS: dict[str, Callable[[int], dict[str, Any]]] = {
    "customers": lambda n: {"import_max_rows": 1000 + n},
    "billing": lambda n: {"default_trial_days": n % 90, "api_key": f"secret-{n % 3}-of-many"},
    "subscriptions": lambda n: {"grace_days": n % 30},
    "messaging": lambda n: {"max_attempts": 1 + n % 9},
    "cms": lambda n: {"keep_revisions": 1 + n % 50},
}
# How many of a hundred calls come through each door: a page costs ten times what a service costs.
DOORS = {"services": 80, "api": 12, "command": 6, "admin": 2}


class Racer:
    """Makes calls, and counts what comes of them: `done`, `nothing`, `refused`, or what nobody should ever see."""

    def __init__(self, platforms: list[str], seed: int) -> None:
        from django.test import Client

        from platforms.models import User
        from tests.modules.building import origin

        self.random = random.Random(seed)
        self.codes = platforms
        self.origin = origin()
        self.client = Client()
        self.client.force_login(User.objects.get(username="ann"))
        self.counts: Counter[str] = Counter()
        self.unexpected: list[str] = []

    def call(self) -> None:
        """Make one call through one door."""
        [door] = self.random.choices(list(DOORS), weights=list(DOORS.values()))
        code, module = self.random.choice(self.codes), self.random.choice(MODULES)
        action = self.random.choice(ACTIONS if module in CONFIGS else ACTIONS[:-1])
        try:
            outcome = getattr(self, f"_{door}")(code, module, action)
        except Exception:
            outcome = "unexpected"
            self.unexpected.append(traceback.format_exc(limit=-3))
        self.counts[f"{door}: {outcome}"] += 1

    def _services(self, code: str, module: str, action: str) -> str:
        from modules import services
        from platforms.models import Platform

        platform = Platform.objects.get(code=code)
        known: dict[str, Any] = {"platform": platform, "module": module, "origin": self.origin}
        try:
            if action == "configure":
                outcome = services.configure(**known, config=self._config(module))
            elif action == "enable":
                outcome = services.enable(**known)
            else:
                outcome = services.disable(**known, cascade=action == "cascade")
        except services.Blocked:
            return "refused"
        return "done" if outcome.change else "nothing"

    def _api(self, code: str, module: str, action: str) -> str:
        path = f"/api/v1/admin/module-config/{code}/{module}/"
        options: dict[str, Any] = {"content_type": "application/json", "headers": {"If-Match": "*"}}
        if action == "configure":
            answer = self.client.patch(path, {"config": self._config(module)}, **options)
        elif action == "enable":
            answer = self.client.post(f"{path}enable/", {}, **options)
        else:
            answer = self.client.post(f"{path}disable/", {"cascade": action == "cascade"}, **options)
        if answer.status_code == 409:
            return "refused"
        assert answer.status_code == 200, answer.content
        return "done" if answer.json()["change"] else "nothing"

    def _command(self, code: str, module: str, action: str) -> str:
        from django.core.management import CommandError, call_command

        said = io.StringIO()
        name = "enable_module" if action in ("enable", "configure") else "disable_module"
        options = {"cascade": True} if action == "cascade" else {}
        try:
            call_command(name, code, module, stdout=said, **options)
        except CommandError as error:
            if " and needs " not in str(error):
                raise
            return "refused"
        return "nothing" if said.getvalue().startswith("Nothing to do") else "done"

    def _admin(self, code: str, module: str, action: str) -> str:
        """Show a plan for one platform in bulk, and apply it: others may have changed it in between."""
        from platforms.models import Platform
        from tests.admin.pages import form_on

        is_on = action in ("enable", "configure")
        number = Platform.objects.values_list("pk", flat=True).get(code=code)
        sent = {"pick": f"{number}:{module}", "action": "on" if is_on else "off"}
        if action == "cascade":
            sent["cascade"] = "on"
        page = self.client.post("/admin/modules/platformmodule/bulk/", sent)
        assert page.status_code == 200, page.content
        form = form_on(page, "bulk_form")
        answer = self.client.post("/admin/modules/platformmodule/bulk/", {**form.data, "apply": "1"})
        assert answer.status_code == 200, answer.content
        counted = {name: answer.context[name] for name in ("done", "nothing", "refused")}
        return next(name for name, count in counted.items() if count)

    def _config(self, module: str) -> dict[str, Any]:
        return CONFIGS[module](self.random.randrange(1000))


def main() -> None:
    """Get ready, wait, race, and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--platforms", nargs="+", required=True)
    options = parser.parse_args()
    settings.DATABASES["default"]["NAME"] = options.database
    django.setup()
    setup_test_environment()
    logging.disable(logging.CRITICAL)
    racer = Racer(options.platforms, options.seed)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(options.calls):
        racer.call()
    print(json.dumps({"counts": racer.counts, "unexpected": racer.unexpected}), flush=True)


if __name__ == "__main__":
    main()
