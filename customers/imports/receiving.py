"""A file that arrives: read once, in constant memory, into chunks that wait on disk for their transaction."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO

from django.core.exceptions import ValidationError

from customers import files
from customers.definition import CustomersConfig
from customers.models import ImportRun, Match
from customers.upserts import MAX_ROWS, Row
from modules import gate
from platforms.models import Platform

# Of the request that brings the file.
MAX_UPLOAD_BYTES = 64 * 1024 * 1024
# What the rows of a chunk may say together, in characters, unless it is one row alone.
_CHUNK_CHARACTERS = 1_000_000


@dataclass(slots=True)
class Received:
    """A file that was read: what the run will say of it, and its chunks, on disk."""

    format: ImportRun.Format
    columns: list[str]
    total: int
    chunks: IO[str]


@contextmanager
def received(*, platform: Platform, file: BinaryIO, match: Match) -> Iterator[Received]:
    """Read an uploaded file before any transaction, in constant memory; what comes of it lives as long as the block.

    Raises ValidationError of `file` for what is no file of customers, or has more rows than the platform takes.
    """
    most = gate.config_of(platform, CustomersConfig).import_max_rows
    with tempfile.TemporaryFile("w+", encoding="utf-8", prefix="switchyard-import-") as chunks:
        try:
            opened = files.open_file(file)
            if match != Match.NONE and match.value not in opened.columns:
                detail = f"Rows are matched by {match.value}: the file has no such column."
                raise files.BadFile(detail, code="missing_column")
            total = 0
            for chunk in _chunks(opened.rows(most)):
                total += len(chunk)
                chunks.write(json.dumps([row.as_json() for row in chunk]) + "\n")
            if not total:
                raise files.BadFile("The file has no rows.", code="empty_file")
        except files.BadFile as error:
            raise ValidationError({"file": ValidationError(str(error), code=error.code)}) from None
        chunks.seek(0)
        yield Received(opened.format, opened.columns, total, chunks)


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    characters = 0
    for row in rows:
        size = sum(map(len, row.values.values()))
        if chunk and (len(chunk) == MAX_ROWS or characters + size > _CHUNK_CHARACTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(row)
        characters += size
    if chunk:
        yield chunk
