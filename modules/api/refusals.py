"""What the services refuse, in the API's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import PermissionDenied
from rest_framework import exceptions
from rest_framework.exceptions import ErrorDetail, ValidationError

from modules.services import Blocked, Collision, InvalidConfig, StalePlan
from platforms.api.errors import Refused


@contextmanager
def as_api_errors(module: str | None = None) -> Iterator[None]:
    """Turn what `modules.services` raises into errors of the API.

    module: the one that the address names; without one the body names several, and their configs stand below
    `modules.<code>`.
    """
    try:
        yield
    except Blocked as error:
        raise Refused(_by_attr((b.module, b.detail, b.code) for b in error.blockers)) from error
    except StalePlan as error:
        detail = ErrorDetail(str(error), code="stale_plan")
        raise Refused({module: [detail]} if module else detail) from error
    except Collision as error:
        raise Refused(str(error)) from error
    except InvalidConfig as error:
        found = []
        for item in error.errors:
            parents = ("config",) if module else ("modules", item.module, "config")
            found.append((".".join((*parents, *item.path)), item.detail, item.code))
        raise ValidationError(_by_attr(found)) from error
    except PermissionDenied as error:
        raise exceptions.PermissionDenied(str(error) or None) from error


def _by_attr(errors: Iterator[tuple[str, str, str]] | list[tuple[str, str, str]]) -> dict[str, list[ErrorDetail]]:
    found: dict[str, list[ErrorDetail]] = {}
    for attr, detail, code in errors:
        found.setdefault(attr, []).append(ErrorDetail(detail, code=str(code)))
    return found
