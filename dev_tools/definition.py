from pydantic import Field

from modules.definition import ModuleConfig, ModuleDefinition
from modules.registry import registry


class DevToolsConfig(ModuleConfig):
    """What module authors see on a platform."""

    api_explorer: bool = Field(True, title="API explorer")
    gallery: bool = Field(True, title="Component gallery")
    accept_days: int = Field(
        90, ge=1, le=730, title="Accepted findings expire after (days)", description="Then they are open again."
    )
    keep_runs: int = Field(200, ge=1, le=10_000, title="Test runs kept")


registry.register(
    ModuleDefinition(
        code="dev_tools",
        name="Developer tools",
        description="What keeps the modules honest: graph, rules, findings, test runs. Only superusers switch it.",
        version="1.0",
        is_restricted=True,
        config=DevToolsConfig,
    )
)
