"""What a customer is found by: keys that are made from what people typed, which itself stays as they typed it."""

import unicodedata
import uuid
from collections.abc import Iterable

from platforms.search import fold

# As long as the column; names are found by how they start, so what is cut off costs nothing.
MAX_NAME_KEY = 200


def email_key(address: str) -> str:
    """Return what makes two e-mail addresses the same mailbox here: no case, one form of each character (NFKC).

    Dots and `+tags` stay: whether they matter is for the mailbox's provider to say. Mail goes to the address as typed.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", address.strip()).casefold())


def name_key(*parts: str) -> str:
    """Return what a name is found by: its parts in this order, folded."""
    return fold(" ".join(parts))[:MAX_NAME_KEY]


def ids_of(texts: Iterable[str]) -> list[uuid.UUID]:
    """Return the texts that could be a customer's id, as ids; the others are nobody's."""
    found = []
    for text in texts:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found
