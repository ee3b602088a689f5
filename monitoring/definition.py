from pydantic import EmailStr, Field, ValidationInfo, field_validator

from modules.definition import ModuleConfig, ModuleDefinition
from modules.registry import registry


class MonitoringConfig(ModuleConfig):
    """When something counts as broken on a platform, and who hears of it."""

    check_interval_seconds: int = Field(60, ge=10, le=86_400, title="Check every (seconds)")
    fail_n: int = Field(
        2, ge=1, le=100, title="Failures that count", description="So many of the latest checks failed …"
    )
    window_m: int = Field(3, ge=1, le=100, title="… out of", description="At least as many as the failures that count.")
    timeout_seconds: int = Field(10, ge=1, le=120, title="Time-out (seconds)")
    keep_result_days: int = Field(14, ge=1, le=365, title="Keep single results (days)")
    keep_day_months: int = Field(13, ge=1, le=60, title="Keep daily figures (months)")
    keep_log_days: int = Field(30, ge=1, le=365, title="Keep logs (days)")
    status_page: bool = Field(False, title="Public status page")
    alert_emails: tuple[EmailStr, ...] = Field((), title="Alert these addresses")
    realert_minutes: int = Field(240, ge=1, le=10_080, title="Remind after (minutes)")

    @field_validator("window_m")
    @classmethod
    def _holds_the_failures(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("fail_n", 0):
            raise ValueError(f"Cannot be less than the failures that count, {info.data['fail_n']}")
        return value


registry.register(
    ModuleDefinition(
        code="monitoring",
        name="Monitoring",
        description="Whether everything is all right, and since when not: health, incidents, alerts.",
        version="1.0",
        is_core=True,
        uses=("messaging",),
        config=MonitoringConfig,
    )
)
