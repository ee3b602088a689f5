"""Browsers of those who use the admin in these tests."""

import pytest
from django.test import Client

from platforms.models import User


@pytest.fixture
def ann_in(client: Client, ann: User) -> Client:
    """The browser of kestrel's admin."""
    client.force_login(ann)
    return client


@pytest.fixture
def root_in(operator: User) -> Client:
    """The browser of a superuser."""
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def vic_in(vic: User) -> Client:
    """The browser of kestrel's viewer."""
    client = Client()
    client.force_login(vic)
    return client
