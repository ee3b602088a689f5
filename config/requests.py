"""Requests that no header can break before there is anybody to answer."""

import codecs
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import TooManyFieldsSent
from django.core.handlers import asgi, wsgi


class _AnyCharset:
    """Takes every charset but UTF-8 as Django takes one that Python does not know: as none.

    To note a charset that is none of texts (rot13, base64), Django's own request reads the query, and what is wrong
    with that fails while the request is made: a 500 that no middleware and no error view ever sees. Here it fails, if
    it still does, where it is asked for. Others (unicode_escape, utf-7) make lone surrogates of plain letters, which
    no page, hash or table can hold; browsers send forms as UTF-8.
    """

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]
        except (LookupError, UnicodeError, TooManyFieldsSent):
            self._encoding = None
        if self._encoding is not None and codecs.lookup(self._encoding).name != "utf-8":
            self._encoding = None


class WSGIRequest(_AnyCharset, wsgi.WSGIRequest):
    """What a WSGI server makes of a request."""


class ASGIRequest(_AnyCharset, asgi.ASGIRequest):
    """What an ASGI server makes of a request."""
