"""The settings that this app reads are sound, said when Django starts: E001 rate that is none."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from platforms.rates import parse_rate


def check_rates(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with THROTTLE_RATES."""
    return list(_wrong_rates())


def _wrong_rates() -> Iterator[CheckMessage]:
    for scope, rate in settings.THROTTLE_RATES.items():
        try:
            parse_rate(rate)
        except ImproperlyConfigured as error:
            hint = f"Set THROTTLE_{scope.upper()} in the environment to a rate, or to nothing for no limit."
            yield Error(f"THROTTLE_RATES[{scope!r}]: {error}", hint=hint, id="platforms.E001")
