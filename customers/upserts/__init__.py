"""Many customers at once: rows of plain values are judged by the models' own rules and written set by set."""

from customers.upserts.engine import MAX_ROWS, upsert
from customers.upserts.rows import Author, Fault, Outcome, Result, Row
from customers.upserts.seen import Seen

__all__ = ["MAX_ROWS", "Author", "Fault", "Outcome", "Result", "Row", "Seen", "upsert"]
