"""What the tests of the heart start from."""

import pytest
from django.apps import apps

from modules.mirror import mirror
from modules.models import Module
from modules.registry import registry
from platforms.models import Platform, User
from tests.factories import PlatformFactory, UserFactory
from tests.modules.building import definition, enable


@pytest.fixture
def platform(db: None) -> Platform:
    """A platform that nobody has touched."""
    return PlatformFactory(code="kestrel")


@pytest.fixture
def ann(db: None) -> User:
    """A superuser."""
    return UserFactory(username="ann", is_staff=True, is_superuser=True)


@pytest.fixture
def gone_module(platform: Platform) -> Module:
    """A module that the platform switched on and that is not installed any more."""
    with registry.register_temporarily(definition("gone")):
        mirror(apps)
        enable(platform, "gone")
    mirror(apps)
    return Module.objects.get(pk="gone")
