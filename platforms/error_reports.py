"""What the report of an error may show: to a developer's browser, in a mail to the admins, anywhere."""

import re
from types import FrameType
from typing import Any

from django.http import HttpRequest, QueryDict
from django.views.debug import SafeExceptionReporterFilter
from typing_extensions import override


class _Kind:
    """Stands for a value of which only its type is told."""

    def __init__(self, value: object) -> None:
        self.name = type(value).__qualname__

    def __repr__(self) -> str:
        return f"<{self.name}>"


class DiscreetFilter(SafeExceptionReporterFilter):
    """Tells which names a frame or a form had, never what they held.

    A secret passes through forms, parsers and validators under whatever name these give it, so no list of names is
    safe; and DEBUG, in which Django shows everything, runs on copies of real data too.
    """

    # A password stands in that address; Django's own server has the environment among the request's headers.
    hidden_settings = re.compile(f"{SafeExceptionReporterFilter.hidden_settings.pattern}|DATABASE_URL", re.IGNORECASE)

    @override
    def is_active(self, request: HttpRequest | None) -> bool:
        """Always, in DEBUG too."""
        return True

    @override
    def get_post_parameters(self, request: HttpRequest | None) -> Any:
        """Return the names that were sent."""
        sent = QueryDict(mutable=True)
        for name in request.POST if request is not None else ():
            sent[name] = self.cleansed_substitute
        return sent

    @override
    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> Any:
        """Return the frame's names, each with the type of what it held."""
        return [(name, _Kind(value)) for name, value in tb_frame.f_locals.items()]
