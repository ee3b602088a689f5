"""Finding rows by how a text starts, in any script, with an index that PostgreSQL and SQLite both use.

A model keeps a key beside what people typed: `fold()` of a name, say. `key__begins_with` compares keys code point by
code point, whatever the database's collation, and `prefix_index()` is the index that answers it.
"""

import unicodedata
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Index, Lookup

# How far rows are counted for people to read: beyond that nobody turns pages.
MOST_COUNTED = 10_000
# The marks that Latin, Greek and Cyrillic letters carry. Those of other scripts are letters of their own.
_FIRST_MARK, _LAST_MARK = "\u0300", "\u036f"
# No text of ours holds it: beyond all that starts with the same characters.
_BEYOND = "\U0010ffff"


def fold(text: str) -> str:
    """Return what two ways of writing the same name have in common: no case, accents, widths or runs of white space.

    `Maëlle  DUBOIS` and `maelle dubois` are the same; so are ﾀﾅｶ and タナカ. For keys only: it cannot be undone.
    """
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(character for character in apart if not _FIRST_MARK <= character <= _LAST_MARK)
    return " ".join(unicodedata.normalize("NFKC", bare.casefold()).split())


@CharField.register_lookup
class BeginsWith(Lookup):
    """`key__begins_with="dub"`: in the order of the code points, whatever the collation, and by `prefix_index()`."""

    lookup_name = "begins_with"
    # The start of a telephone number is none: it is compared as it is.
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """Return a range: SQLite's LIKE knows no case, and so goes by no index."""
        key, key_params = self.process_lhs(compiler, connection)
        start, [prefix] = self.process_rhs(compiler, connection)
        sql = f"({key} >= {start} AND {key} < {start})"
        return sql, (*key_params, prefix, *key_params, f"{prefix}{_BEYOND}")

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """Return a LIKE: of that alone PostgreSQL estimates well how many rows it finds, and so how to find them."""
        key, key_params = self.process_lhs(compiler, connection)
        start, [prefix] = self.process_rhs(compiler, connection)
        return f"{key} LIKE {start}", (*key_params, f"{connection.ops.prep_for_like_query(str(prefix))}%")


def prefix_index(owner: str, key: str, *, name: str) -> Index:
    """Return the index that finds an owner's rows by how their key starts; `owner` is a relation to a number."""
    return Index(fields=[owner, key], name=name, opclasses=["int8_ops", "varchar_pattern_ops"])
