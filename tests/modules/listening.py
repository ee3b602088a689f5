"""Modules that tell each other things: `shop` emits, `post` listens. What it was told is a vendor's row."""

import os
import time
import uuid
from pathlib import Path
from typing import Any

from modules.declarations import EventType, Handler
from modules.definition import ModuleDefinition
from modules.events import Envelope
from platforms.models import Platform, Vendor
from tests.modules.building import definition

HERE = "tests.modules.listening"
SOLD = "shop.sold"


class Broken(Exception):
    """What goes wrong in a handler or a task."""


# What the next calls do besides writing: raise, where a test says so.
failing: list[Exception] = []


def shop() -> ModuleDefinition:
    """Return the module that emits."""
    return definition("shop", events=(EventType(name=SOLD, version=3),))


def post(*handlers: str, **fields: Any) -> ModuleDefinition:
    """Return the module whose functions here listen to `shop.sold`."""
    told = tuple(Handler(event=SOLD, handler=f"{HERE}.{name}") for name in handlers)
    return definition("post", **{"handlers": told} | fields)


def effects() -> list[str]:
    """Return what was written by handlers and tasks, in order."""
    return list(Vendor.objects.order_by("pk").values_list("name", flat=True))


def note(platform: Platform | None, name: str) -> None:
    """Write that something was called; then fail, where a test says so."""
    assert platform is not None
    Vendor.objects.create(platform=platform, code=f"v-{uuid.uuid4()}", name=name)
    if failing:
        raise failing.pop(0)


def on_sold(event: Envelope) -> None:
    """Note what was sold."""
    note(event.platform, f"sold {event.data['order']}")


def on_sold_too(event: Envelope) -> None:
    """Note it once more."""
    note(event.platform, f"also sold {event.data['order']}")


def on_enable(event: Envelope) -> None:
    """Note that the module is on."""
    note(event.platform, f"{event.data['module']} is on")


def on_disable(event: Envelope) -> None:
    """Note that the module is off."""
    note(event.platform, f"{event.data['module']} is off")


def on_sold_held(event: Envelope) -> None:
    """Note what was sold, say which process does so, and go on when the file `hold` is gone."""
    note(event.platform, f"sold {event.data['order']}")
    wait_in(Path(os.environ["LISTENING_FOLDER"]))


def wait_in(folder: Path) -> None:
    """Leave this process's number in the folder, and stay until nothing there is called `hold`."""
    (folder / f"entered-{os.getpid()}").touch()
    while (folder / "hold").exists():
        time.sleep(0.02)
