"""What a module's own permissions come to: which right on the platform, or for a vendor, each of them needs."""

from typing import Literal

from modules.registry import registry
from platforms.access import Right

Audience = Literal["staff", "vendor"]

_RIGHTS: dict[tuple[Audience, str], Right] = {
    ("staff", "view"): Right.VIEW,
    ("staff", "manage"): Right.MANAGE,
    ("vendor", "view"): Right.VENDOR_VIEW,
    ("vendor", "manage"): Right.VENDOR_MANAGE,
}


def right_for(module: str, permission: str, audience: Audience = "staff") -> Right:
    """Return the right that a permission of a module needs: on the platform for staff, on the vendor for a vendor.

    Raises KeyError for a module that is not installed, LookupError for a permission that it does not declare.
    """
    return _RIGHTS[audience, registry[module].permission(permission).needs]
