"""`Idempotency-Key`: a POST that is sent again, because nobody knows whether it arrived, is done once.

The key is claimed in the transaction in which the write happens: what is done and that it was done are committed
together or not at all. Who sends the same key meanwhile waits for that transaction and gets its answer.
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from cryptography.fernet import Fernet
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from platforms.access import Actor
from platforms.models import IdempotentAnswer

HEADER = "Idempotency-Key"
MAX_KEY = 255
KEPT_FOR = timedelta(hours=IdempotentAnswer.HOURS_KEPT)


class KeyReused(APIException):
    """422: the key is that of another request."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = f"This {HEADER} came with another request before: make up a new one for each thing to be done."
    default_code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Key:
    """What a client calls one POST, and who the client is: a token, or a user with a session."""

    owner: str
    text: str

    @property
    def digest(self) -> str:
        """What the key is found by. Only who has the key and SECRET_KEY can compute it."""
        return self._derived("digest").hex()

    def fingerprint(self, request: Request) -> str:
        """Return what tells this request from another with the same key: address, query and body."""
        query = sorted((name, values) for name, values in request.query_params.lists())
        said = json.dumps([request.method, request.path, query, request.data], sort_keys=True, default=_digest_of_file)
        return self._derived("fingerprint", said).hex()

    def seal(self, answer: dict[str, Any]) -> str:
        """Return the answer encrypted: a new token's secret is in it, and nobody is to read that from the database."""
        return self._cipher().encrypt(json.dumps(answer).encode()).decode()

    def unseal(self, sealed: str) -> dict[str, Any]:
        """Return what `seal` was given."""
        return json.loads(self._cipher().decrypt(sealed.encode()))

    def _cipher(self) -> Fernet:
        return Fernet(urlsafe_b64encode(self._derived("cipher")))

    def _derived(self, purpose: str, said: str = "") -> bytes:
        # As JSON, so that no owner, key and text can be cut in two ways.
        value = json.dumps([self.owner, self.text, said])
        return salted_hmac(f"platforms.api.idempotency.{purpose}", value, algorithm="sha256").digest()


class IdempotentMixin:
    """Gives every POST of a view its `Idempotency-Key`.

    Whatever the handler raises takes the claim back with all else, so that the next attempt is judged anew. A dry run
    claims nothing: it may be tried as often as one likes. Without credentials there is nobody whose key it could be.

    An action whose answer is kept nowhere, not even sealed, is in `answered_anew`: its key still tells it from another
    request, and sent again it is done again.
    """

    answered_anew: ClassVar[frozenset[str]] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Put what looks for a first answer before the handler. Raises ValidationError for what is no key."""
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        if request.method != "POST" or getattr(self, "action", None) is None:
            return
        key = key_of(request)
        if key is not None and not self.dry_run:  # type: ignore[attr-defined]
            self.post = partial(self._answer_once, key, self.post)  # type: ignore[has-type]

    def _answer_once(
        self, key: Key, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        # Whoever asks may have lost the right since they were first answered.
        self.ask_right()  # type: ignore[attr-defined]
        with self.writing():  # type: ignore[attr-defined]
            claim, is_new = _claim(key, key.fingerprint(request))
            if not is_new and claim.answer:
                return self._first_answer(key.unseal(claim.answer))
            response = handler(request, *args, **kwargs)
            if self.action in self.answered_anew:  # type: ignore[attr-defined]
                return response
            claim.answer = key.seal(
                {
                    "status": response.status_code,
                    "body": JSONRenderer().render(response.data).decode(),
                    "headers": dict(response.headers),
                    "etag": self.etag,
                }
            )
            claim.save(update_fields=["answer"])
        return response

    def _first_answer(self, answer: dict[str, Any]) -> Response:
        self.etag = answer["etag"]
        body = json.loads(answer["body"]) if answer["body"] else None
        return Response(body, status=answer["status"], headers=answer["headers"])


def _digest_of_file(file: UploadedFile) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def key_of(request: Request) -> Key | None:
    """Return the request's key, None where it has none.

    Raises ValidationError for anything but 1 to 255 printable ASCII characters.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return None
    if not 1 <= len(text) <= MAX_KEY or not text.isascii() or not text.isprintable():
        message = f"{HEADER} is a text of 1 to {MAX_KEY} printable ASCII characters."
        raise ValidationError({HEADER: message}, code="invalid")
    actor = Actor.of(request)
    if actor.token is not None:
        return Key(owner=f"token:{actor.token.pk}", text=text)
    return Key(owner=f"user:{actor.user_id}", text=text) if actor.user_id is not None else None


def _claim(key: Key, fingerprint: str) -> tuple[IdempotentAnswer, bool]:
    """Return the row of the key and whether it is this request's own; raise KeyReused where it is another request's.

    Where another transaction has claimed the key, the database waits for its end: its row is there then, or it is not.
    """
    rows = IdempotentAnswer.objects.filter(digest=key.digest)
    rows.filter(created_at__lte=timezone.now() - KEPT_FOR).delete()
    row, is_new = rows.get_or_create(digest=key.digest, defaults={"fingerprint": fingerprint})
    if not is_new and row.fingerprint != fingerprint:
        raise KeyReused
    return row, is_new
