"""Pages as a browser without JavaScript has them: what a form would send, where it would send it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.urls import reverse

from modules import services
from modules.models import PlatformModule
from platforms.models import Platform, User
from tests.modules.building import origin

# What Django's test client answers: a response with `context` and `wsgi_request` beside it.
Answer = Any


@dataclass
class SentForm:
    """A form of a page: its address, and what it would send if nobody typed anything."""

    action: str = ""
    data: dict[str, list[str]] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, SentForm] = {}
        self.form: SentForm | None = None
        self.select = ""
        self.textarea = ""

    def _add(self, name: str, value: str) -> None:
        if self.form is not None and name:
            self.form.data.setdefault(name, []).append(value)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        name, value = known.get("name", ""), known.get("value", "")
        if tag == "form":
            self.form = self.forms[known.get("id", "")] = SentForm(action=known.get("action", ""))
        elif tag == "input" and known.get("type") in ("submit", "button"):
            if self.form is not None:
                self.form.buttons[value] = name
        elif tag == "input" and known.get("type") in ("checkbox", "radio"):
            if "checked" in known:
                self._add(name, known.get("value", "on"))
        elif tag == "input":
            self._add(name, value)
        elif tag == "select":
            self.select = name
        elif tag == "option" and "selected" in known:
            self._add(self.select, value)
        elif tag == "textarea" and self.form is not None:
            self.textarea = name
            self.form.data[name] = [""]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None
        elif tag == "textarea" and self.form is not None:
            # HTML drops the first line break of a textarea.
            text = self.form.data[self.textarea][0].replace("\r\n", "\n").removeprefix("\n")
            self.form.data[self.textarea] = [text.replace("\n", "\r\n")]
            self.textarea = ""

    def handle_data(self, data: str) -> None:
        if self.textarea and self.form is not None:
            self.form.data[self.textarea][0] += data


def form_on(answer: Answer, form_id: str) -> SentForm:
    """Return the form with this id."""
    reader = _Reader()
    reader.feed(answer.content.decode())
    return reader.forms[form_id]


def send(client: Client, answer: Answer, form_id: str, typed: dict[str, Any] | None = None, button: str = "") -> Answer:
    """Send a page's form after typing: a text or a list of texts for a field, None to untick it or leave it out."""
    form = form_on(answer, form_id)
    data: dict[str, Any] = {**form.data}
    for name, value in (typed or {}).items():
        if value is None:
            data.pop(name, None)
        else:
            data[name] = value
    if button:
        data[form.buttons[button]] = button
    return client.post(form.action or answer.wsgi_request.get_full_path(), data)


def address(page: str, platform: str = "kestrel", module: str = "billing") -> str:
    """Return the address of one of a module's pages."""
    return reverse(f"admin:modules_platformmodule_{page}", args=[platform, module])


def save(client: Client, typed: dict[str, Any], module: str = "billing") -> Answer:
    """Open a module's page of kestrel, type, and save."""
    page = client.get(address("configure", module=module))
    return send(client, page, "platformmodule_form", typed, "Save")


def text_of(answer: Answer) -> str:
    """Return the page's HTML with white space folded."""
    return " ".join(answer.content.decode().split())


def messages_of(answer: Answer) -> list[str]:
    """Return what the next page would tell: the messages that this answer left."""
    return [str(message) for message in answer.wsgi_request._messages]


def configure(platform: Platform, config: dict[str, Any], module: str = "billing", **fields: Any) -> None:
    """Configure as somebody else."""
    services.configure(platform=platform, module=module, config=config, origin=origin(**fields))


def row_of(platform: Platform, module: str = "billing") -> PlatformModule:
    """Return the row as it is stored now."""
    return PlatformModule.objects.get(platform=platform, module=module)


def logged_in(user: User) -> Client:
    """Return a browser in which this user is logged in."""
    client = Client()
    client.force_login(user)
    return client


def listed(client: Client, address: str, **query: Any) -> list[Any]:
    """Return the rows that a list shows."""
    return list(client.get(address, query).context["cl"].result_list)
