"""What `?as_of=` and `?compare=` ask for."""

import re
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from modules import timeline
from modules.timeline import Moment, Standing
from platforms import access
from platforms.access import Actor, Right
from platforms.models import Platform
from platforms.validators import CODE_PATTERN

AS_OF = OpenApiParameter(
    "as_of",
    {"type": "string", "format": "date-time"},
    description="How it stood at this time, in UTC where it names no offset; no secret, but its fingerprint. What is "
    "installed is today's. A time that has not come is refused.",
)
COMPARE = OpenApiParameter(
    "compare",
    str,
    description="What differs from another platform, by its code, or from this one at another time, written with a "
    "`T`. With `as_of` both sides are of the past: two times of one platform, or two platforms at one time.",
)
_CODE = re.compile(CODE_PATTERN)


def moment_asked(request: Request) -> Moment | None:
    """Return the moment that `?as_of=` names; None where it is left out. Raises ValidationError."""
    text = _said(request, AS_OF.name)
    return None if text is None else _moment(AS_OF.name, text)


def standing_to_compare(request: Request, platform: Platform, as_of: Moment | None) -> Standing | None:
    """Return what `?compare=` names, None where it is left out: a platform at the same moment, or this one at another.

    A platform that the asker may not see is refused like one that is not there. Raises ValidationError.
    """
    text = _said(request, COMPARE.name)
    if text is None:
        return None
    if _CODE.fullmatch(text) is None:
        return timeline.standing(platform, _moment(COMPARE.name, text))
    visible = access.scope(Actor.of(request), Platform.objects.all(), Right.VIEW)
    other = visible.filter(code=text).first()
    if other is None:
        raise ValidationError(
            {COMPARE.name: "There is no platform of this code. (A time has a T in it.)"}, code="invalid_choice"
        )
    return timeline.standing(other, as_of)


def _said(request: Request, name: str) -> str | None:
    values: list[Any] = request.query_params.getlist(name)
    if len(values) > 1:
        raise ValidationError({name: "Say it once."}, code="invalid")
    return values[0] if values else None


def _moment(name: str, text: str) -> Moment:
    try:
        return timeline.moment_of(text)
    except DjangoValidationError as error:
        raise ValidationError({name: error.messages}, code=error.code) from error
