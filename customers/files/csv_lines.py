"""Lines of a CSV file: UTF-8 or UTF-16, with commas, semicolons or tabs between the cells."""

import csv
import io
from typing import BinaryIO

from customers.files.tables import UNREADABLE, BadFile, Line, Lines, check_size

_DELIMITERS = ",;\t"
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_LONGEST_HEADER = 65_536


def csv_lines(file: BinaryIO) -> Lines:
    """Yield the lines that are not blank. What is not in the file's encoding reads as UNREADABLE, so does NUL.

    Raises BadFile for what is no CSV.
    """
    file.seek(0)
    start = file.read(3)
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")
    file.seek(0)
    # Nobody can tell one old encoding from another: a row that is not UTF-8 is an error of that row, and says so.
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    try:
        yield from _lines(text)
    finally:
        # The file is the caller's to close, who may have done so.
        if not file.closed:
            text.detach()


def _lines(text: io.TextIOWrapper) -> Lines:
    header = text.readline(_LONGEST_HEADER)
    delimiter = max(_DELIMITERS, key=header.count)
    text.seek(0)
    reader, number = csv.reader(text, delimiter=delimiter), 1
    try:
        for cells in reader:
            check_size(number, cells)
            if any(cells):
                yield Line(number, [cell.replace("\x00", UNREADABLE) for cell in cells])
            number = reader.line_num + 1
    except csv.Error as error:
        raise BadFile(f"Line {number} is no CSV: {error}.") from None
