"""The demo story's duplicates: found by the same scan that runs at night."""

from customers import duplicates
from customers.models import Customer, DuplicatePair
from modules import gate
from platforms.demo import Story


def load(story: Story) -> None:
    """Look through each platform that has customers, and of whose customers no pair was found yet."""
    found = DuplicatePair.objects.values("platform")
    for platform in gate.platforms_with("customers").exclude(pk__in=found).order_by("pk"):
        if Customer.objects.filter(platform=platform).exists():
            duplicates.find(platform=platform)
