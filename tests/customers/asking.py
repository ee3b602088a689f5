"""Privacy requests as tests make them."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from customers.models import Customer, PrivacyRequest
from platforms.conflicts import Conflict
from tests.factories import PrivacyRequestFactory

DAY = timedelta(days=1)


def later(days: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(days=days), tick=False)


def erasure(customer: Customer, **fields: Any) -> PrivacyRequest:
    return PrivacyRequestFactory(customer=customer, **fields)


def export(customer: Customer) -> PrivacyRequest:
    return PrivacyRequestFactory(customer=customer, kind="export")


def refused(code: str) -> Any:
    return pytest.raises(Conflict, check=lambda error: error.code == code)  # type: ignore[call-overload]
