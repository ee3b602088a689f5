"""Lines of a CSV file: UTF-8 or UTF-16, with commas, semicolons or tabs between the cells."""

import codecs
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from customers.files.tables import NOT_UTF8, UNREADABLE, BadFile, Line, Lines, check_size

_DELIMITERS = ",;\t"
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_GUESSING = "switchyard.windows-1252"
_LONGEST_HEADER = 65_536
# Of a record, over however many lines: far more than the columns take, far less than a file may have without a break.
_LONGEST_RECORD = 1024 * 1024


def csv_lines(file: BinaryIO) -> Lines:
    """Yield the lines that are not blank. What is not UTF-8 reads as Windows-1252, with NOT_UTF8 before each letter.

    What is no letter there either, or not in the file's UTF-16, reads as UNREADABLE, so does NUL. Raises BadFile for
    what is no CSV.
    """
    file.seek(0)
    start = file.read(3)
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")
    file.seek(0)
    errors = "replace" if encoding == "utf-16" else _GUESSING
    text = io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
    try:
        yield from _lines(text)
    finally:
        # The file is the caller's to close, who may have done so.
        if not file.closed:
            text.detach()


def _guess(error: UnicodeError) -> tuple[str, int]:
    """Read what is not UTF-8 as what spreadsheets of the west write instead.

    Nobody can tell one old encoding from another, so the mark makes it an error of its row: somebody has to look at it.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    letters = error.object[error.start : error.end].decode("cp1252", errors="replace")
    return "".join(letter if letter == UNREADABLE else NOT_UTF8 + letter for letter in letters), error.end


codecs.register_error(_GUESSING, _guess)


class _Bounded:
    """The physical lines of a text, for a reader that keeps a record whole before anybody can look at it."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self._length = text, 0
        self.record = 1

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(_LONGEST_RECORD + 1):
            self._length += len(line)
            if self._length > _LONGEST_RECORD:
                detail = f"Line {self.record} goes on for more than {_LONGEST_RECORD} characters."
                raise BadFile(detail, code="row_too_long")
            yield line

    def begin(self, number: int) -> None:
        """Count anew: a record begins on this line."""
        self.record, self._length = number, 0


def _lines(text: io.TextIOWrapper) -> Lines:
    header = text.readline(_LONGEST_HEADER)
    delimiter = max(_DELIMITERS, key=header.count)
    text.seek(0)
    bounded = _Bounded(text)
    reader, number = csv.reader(bounded, delimiter=delimiter), 1
    try:
        for cells in reader:
            check_size(number, cells)
            if any(cells):
                yield Line(number, [cell.replace("\x00", UNREADABLE) for cell in cells])
            number = reader.line_num + 1
            bounded.begin(number)
    except csv.Error as error:
        raise BadFile(f"Line {number} is no CSV: {error}.") from None
