from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, IPvAnyNetwork

from modules.definition import ModuleConfig, ModuleDefinition
from modules.registry import registry


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"Not a time zone of the IANA database, such as Europe/Berlin: {value}") from None
    return value


TimeZone = Annotated[str, AfterValidator(_known_zone)]


class AnalyticsConfig(ModuleConfig):
    """What a platform counts, and for how long it keeps it."""

    raw_days: int = Field(
        90, ge=1, le=730, title="Keep single events (days)", description="Older ones are rolled up per day."
    )
    rollup_months: int = Field(25, ge=1, le=60, title="Keep daily figures (months)")
    timezone: TimeZone = Field("UTC", title="Time zone", description="Where a day begins, e.g. Europe/Berlin.")
    respect_dnt: bool = Field(
        True, title="Honour Do Not Track", description="Visitors who ask not to be counted are not (DNT and GPC)."
    )
    excluded_cidrs: tuple[IPvAnyNetwork, ...] = Field(
        (), title="Networks not counted", description="E.g. the office: 192.0.2.0/24."
    )
    excluded_paths: tuple[str, ...] = Field(
        ("/admin*",), title="Paths not counted", description="* stands for any text."
    )
    max_props: int = Field(10, ge=0, le=30, title="Properties per event")
    events_per_minute: int = Field(
        600,
        ge=1,
        le=100_000,
        title="Events per minute",
        description="What comes on top is dropped, and counted as dropped.",
    )
    breakdown_cap: int = Field(500, ge=10, le=10_000, title="Rows per breakdown")


registry.register(
    ModuleDefinition(
        code="analytics",
        name="Analytics",
        description="What visitors do, without following anyone: visits, sources, goals, funnels.",
        version="1.0",
        config=AnalyticsConfig,
    )
)
