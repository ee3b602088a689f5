"""Rows of a file: the header says which column is which, and what cannot be read is a fault of its row."""

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from customers.cells import COLUMNS, ERROR_COLUMN, EXTRA, MAX_VALUE, unescape
from customers.files.csv_lines import csv_lines
from customers.files.tables import A_DATE, MARKS, MAX_CHARACTERS, NOT_COMPUTED, NOT_UTF8, UNREADABLE, BadFile, Line
from customers.files.xlsx_lines import xlsx_lines
from customers.models import ImportRun
from customers.upserts import Fault, Row, Seen
from platforms.validators import MOST_ECHOED

_ZIP = b"PK\x03\x04"
_BETWEEN_WORDS = re.compile(r"[\s-]+")
_WITHOUT_MARKS = dict.fromkeys(map(ord, (NOT_COMPUTED, A_DATE, NOT_UTF8)))


class FileReader:
    """A file that was opened: its format and columns, and its rows, to be read once."""

    def __init__(self, *, kind: ImportRun.Format, columns: Sequence[str], lines: Iterator[Line]) -> None:
        self.format = kind
        # As they stand in the file; None for what nobody reads.
        self._places = [None if column == ERROR_COLUMN else column for column in columns]
        self.columns = [column for column in self._places if column is not None]
        self._lines = lines

    def rows(self, most: int) -> Iterator[Row]:
        """Yield the rows that are not blank, marked where they repeat an earlier one.

        Raises BadFile beyond `most`, and where the file says more than any file of ours.
        """
        with Seen() as seen:
            count = characters = 0
            for line in self._lines:
                # Also what nobody reads costs time to unpack.
                characters += sum(map(len, line.cells))
                if characters > MAX_CHARACTERS:
                    detail = f"The file says more than {MAX_CHARACTERS} characters."
                    raise BadFile(detail, code="file_too_large")
                row = self._row(line)
                if not row.values and not row.faults:
                    continue
                count += 1
                if count > most:
                    raise BadFile(f"The file has more than {most} rows.", code="too_many_rows")
                yield seen.marked(row)

    def _row(self, line: Line) -> Row:
        values = {
            column: text
            for column, cell in zip(self._places, line.cells, strict=False)
            if column is not None and (text := unescape(cell))
        }
        extra = [unescape(cell) for cell in line.cells[len(self._places) :]]
        while extra and not extra[-1]:
            extra.pop()
        values |= {EXTRA(number): text for number, text in enumerate(extra, 1)}
        faults = [
            Fault(code=code, attr=column, detail=detail)
            for column, text in values.items()
            for mark, (code, detail) in MARKS.items()
            if mark in text
        ]
        for column, text in values.items():
            values[column] = text = text.translate(_WITHOUT_MARKS).strip()
            if len(text) > MAX_VALUE:
                values[column] = text[:MAX_VALUE]
                detail = f"No cell has more than {MAX_VALUE} characters: the rest of this one is left out."
                faults.append(Fault(code="max_length", attr=column, detail=detail))
        if extra:
            faults.append(Fault(code="too_many_cells", detail="This row has more cells than the header."))
        return Row(line=line.number, values=values, faults=tuple(faults))


def open_file(file: BinaryIO) -> FileReader:
    """Open a CSV or XLSX file, whichever it is, and read its header. Raises BadFile."""
    file.seek(0)
    is_xlsx = file.read(4) == _ZIP
    lines = xlsx_lines(file) if is_xlsx else csv_lines(file)
    header = next(lines, None)
    if header is None:
        raise BadFile("The file is empty.", code="empty_file")
    columns = _columns(header)
    return FileReader(kind=ImportRun.Format.XLSX if is_xlsx else ImportRun.Format.CSV, columns=columns, lines=lines)


def _columns(header: Line) -> list[str]:
    """Return the columns that the header names, in whatever case, with spaces, hyphens or underscores."""
    cells = list(header.cells)
    while cells and not cells[-1].strip():
        cells.pop()
    if any(mark in cell for cell in cells for mark in (UNREADABLE, NOT_UTF8)):
        raise BadFile("This is neither XLSX nor CSV in UTF-8 or UTF-16.")
    columns = [_BETWEEN_WORDS.sub("_", cell.strip().lower()) for cell in cells]
    for column, cell in zip(columns, cells, strict=True):
        if column not in COLUMNS and column != ERROR_COLUMN:
            detail = f"There is no column “{cell.strip()[:MOST_ECHOED]}”. Columns are: {', '.join(COLUMNS)}."
            raise BadFile(detail, code="unknown_column")
        if columns.count(column) > 1:
            raise BadFile(f"The column {column} is there twice.", code="duplicate_column")
    return columns
