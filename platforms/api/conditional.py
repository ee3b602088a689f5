"""ETag, If-Match and If-None-Match (RFC 9110, section 13): nobody overwrites what they have not seen."""

from hashlib import sha256
from typing import Any

from django.utils.http import parse_etags
from rest_framework import status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from platforms.api.errors import PreconditionFailed, PreconditionRequired


def digest_tag(representation: Any) -> str:
    """Return the entity tag of what this representation says."""
    return f'"{sha256(JSONRenderer().render(representation)).hexdigest()[:32]}"'


def revision_tag(revision: int) -> str:
    """Return the entity tag of what concerns a platform's modules: `"8"`."""
    return f'"{revision}"'


class ConditionalMixin:
    """Gives a view's answers an ETag, and its writes their precondition.

    A view sets `self.etag` where it knows the tag; other reads get a digest of what they answer. A write calls
    `check_if_match()` in its transaction, once the row is locked.
    """

    etag: str | None = None
    # Actions, beside every PUT and PATCH, that need If-Match.
    if_match_required: frozenset[str] = frozenset()

    def require_if_match(self) -> None:
        """Raise PreconditionRequired where the write must say what it saw, and does not."""
        if "If-Match" not in self.request.headers and self.if_match_is_required():  # type: ignore[attr-defined]
            raise PreconditionRequired

    def check_if_match(self, current: str) -> None:
        """Refuse a write whose If-Match does not name the current tag.

        Raises PreconditionFailed, or PreconditionRequired for a PUT or PATCH without it (and for any other action that
        the view names in `if_match_required`). Weak tags never match: the comparison is the strong one.
        """
        self.require_if_match()
        request: Request = self.request  # type: ignore[attr-defined]
        header = request.headers.get("If-Match")
        if header is None:
            return
        tags = parse_etags(header)
        if "*" not in tags and current not in tags:
            raise PreconditionFailed

    def if_match_is_required(self) -> bool:
        """Return whether this request must say what it saw."""
        action = getattr(self, "action", None)
        return self.request.method in ("PUT", "PATCH") or action in self.if_match_required  # type: ignore[attr-defined]

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Put the tag on the answer; answer 304 to a reader who has it already."""
        if isinstance(response, Response) and not response.exception:
            reads = request.method in ("GET", "HEAD")
            if reads and response.status_code == status.HTTP_200_OK:
                self.etag = self.etag or digest_tag(response.data)
                known = {tag.removeprefix("W/") for tag in parse_etags(request.headers.get("If-None-Match", ""))}
                if "*" in known or self.etag in known:
                    response = Response(status=status.HTTP_304_NOT_MODIFIED)
            if self.etag is not None:
                response["ETag"] = self.etag
            # Nobody else's cache keeps it, and one's own asks again: that is what the tag is for.
            response.headers.setdefault("Cache-Control", "private, no-cache")
        return super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
