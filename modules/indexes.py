"""Index types of the module tables."""

from django.db import models


class LongNameIndex(models.Index):
    """An index whose name may be as long as SQLite and PostgreSQL take it; Django stops at 30 for Oracle's sake."""

    max_name_length = 63
