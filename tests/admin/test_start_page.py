"""The start page: the newest changes of the platforms that somebody may look at, and of no other."""

from django.test import Client
from django.urls import reverse

from platforms.models import Platform, User
from tests.modules.building import enable


def test_start_page__changes_here_and_elsewhere__shows_own_newest_first(
    ann: User, kestrel: Platform, tidewater: Platform
) -> None:
    for module in ("cms", "customers"):
        enable(kestrel, module)
    enable(tidewater, "analytics")
    client = Client()
    client.force_login(ann)

    page = client.get(reverse("admin:index"))

    assert [(line["change"].platform_code, line["number"]) for line in page.context["panels"][0]["changes"]] == [
        ("kestrel", 2),
        ("kestrel", 1),
    ]
    assert "tidewater" not in page.content.decode()
