"""How often is too often, as the settings write it: `600/min`, or nothing for no limit."""

import re
from functools import lru_cache

from django.core.exceptions import ImproperlyConfigured

_SECONDS = {"sec": 1, "min": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(rf"([1-9][0-9]{{0,8}})/({'|'.join(_SECONDS)})")


@lru_cache
def parse_rate(rate: str) -> tuple[int, int] | None:
    """Return how many in how many seconds a rate such as `600/min` allows; None, no limit, for an empty one.

    Raises ImproperlyConfigured for anything but a count per sec, min, hour or day.
    """
    if not rate:
        return None
    found = _RATE.fullmatch(rate)
    if found is None:
        raise ImproperlyConfigured(f"{rate!r} is no rate: write 600/min, or so many per {', '.join(_SECONDS)}.")
    return int(found[1]), _SECONDS[found[2]]
