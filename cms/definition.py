from typing import Annotated

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from modules.definition import ModuleConfig, ModuleDefinition
from modules.registry import registry
from platforms.validators import LOCALE_PATTERN

Locale = Annotated[str, StringConstraints(pattern=f"^{LOCALE_PATTERN}$")]


class CmsConfig(ModuleConfig):
    """How a platform publishes its pages."""

    locales: tuple[Locale, ...] = Field(
        ("en",), min_length=1, title="Locales", description="Languages that pages are written in, e.g. en or de-AT."
    )
    default_locale: Locale = Field(
        "en", title="Default locale", description="Shown where a page is missing in the visitor's language."
    )
    vendor_overrides: bool = Field(
        True, title="Vendors may override pages", description="Field by field, over the platform's default."
    )
    override_slugs: tuple[str, ...] = Field(
        ("*",), title="Pages open to overrides", description="Slugs; * stands for any text."
    )
    max_upload_mb: int = Field(10, ge=1, le=50, title="Largest upload (MB)")
    max_megapixels: int = Field(40, ge=1, le=100, title="Largest image (megapixels)")
    rendition_widths: tuple[Annotated[int, Field(ge=16, le=4096)], ...] = Field(
        (320, 800, 1600), title="Image widths (pixels)", description="Every image is offered in these widths."
    )
    keep_revisions: int = Field(50, ge=1, le=500, title="Revisions kept per page")
    vendor_needs_approval: bool = Field(
        False, title="Approve vendors' pages", description="A vendor's page goes live after the platform approved it."
    )

    @field_validator("default_locale")
    @classmethod
    def _is_one_of_the_locales(cls, value: str, info: ValidationInfo) -> str:
        if "locales" in info.data and value not in info.data["locales"]:
            raise ValueError(f"Not among the locales: {value}")
        return value


registry.register(
    ModuleDefinition(
        code="cms",
        name="Content",
        description="Pages that a platform writes once and vendors adapt: media, menus, redirects, locales.",
        version="1.0",
        config=CmsConfig,
    )
)
