"""The tables that a change reads and writes: today's, or those that a data migration sees."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps.registry import Apps
from django.db.models import Model, OuterRef, QuerySet, Subquery

from modules.plans import RowState


@dataclass(frozen=True, slots=True)
class Tables:
    """The models to work with. Only their fields are used: a migration's models have no methods of ours."""

    platform: type[Model]
    platform_module: type[Model]
    history: type[Model]
    change: type[Model]
    # Not there in a data migration from before they were made.
    event: type[Model] | None = None
    delivery: type[Model] | None = None

    @classmethod
    def of(cls, apps: Apps) -> "Tables":
        """Return the models of an app registry."""
        return cls(
            platform=apps.get_model("platforms", "Platform"),
            platform_module=apps.get_model("modules", "PlatformModule"),
            history=apps.get_model("modules", "HistoricalPlatformModule"),
            change=apps.get_model("modules", "Change"),
            event=apps.all_models["modules"].get("event"),
            delivery=apps.all_models["modules"].get("delivery"),
        )

    def rows_of(self, platform_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return the platform modules of these platforms: platform number → module code → row. One query.

        Each row brings the hash and the date of its platform's newest change: `newest_hash`, `newest_at`.
        """
        found: dict[int, dict[str, Any]] = {platform_id: {} for platform_id in platform_ids}
        changes: QuerySet[Any] = QuerySet(self.change)
        newest = changes.filter(platform_id=OuterRef("platform_id"), number=OuterRef("platform__revision")).order_by()
        # By the column itself: the models' own order is that of names in two other tables.
        rows: QuerySet[Any] = QuerySet(self.platform_module).order_by("module_id")
        rows = rows.annotate(newest_hash=Subquery(newest.values("hash")), newest_at=Subquery(newest.values("at")))
        for row in rows.filter(platform_id__in=list(found)):
            found[row.platform_id][row.module_id] = row
        return found


def row_state_of(row: Any) -> RowState:
    """Return what a row of PlatformModule says."""
    return RowState(
        is_enabled=row.is_enabled,
        config=row.config,
        config_version=row.config_version,
        secrets={name: kept["fingerprint"] for name, kept in row.secrets.items()},
    )
