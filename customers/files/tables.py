"""What both formats of files come to: lines of cells."""

from collections.abc import Iterator
from dataclasses import dataclass

from customers.cells import MAX_CELL

# Far more than there are columns: what has more cells is no file of customers.
MAX_CELLS = 200
# What a file says in all: no CSV file of ours is longer, and in an XLSX file the same text may stand again and again.
MAX_CHARACTERS = 64 * 1024 * 1024
# In place of what could not be read as text, before what is none, and before what is a guess; nobody's name holds them.
UNREADABLE, NOT_COMPUTED, A_DATE, NOT_UTF8 = "\ufffd", "\ufdd0", "\ufdd1", "\ufdd2"
# What each of them is as a fault of its row: code and detail.
MARKS = {
    UNREADABLE: ("encoding", "This is not UTF-8: save the file as “CSV UTF-8”."),
    NOT_COMPUTED: ("formula", "This is a formula whose value the file does not hold: put the value in the cell."),
    NOT_UTF8: ("encoding", "This is not UTF-8; read as Windows-1252: check the letters and send it again."),
    A_DATE: ("date", "This is a date, and the column takes text: have the spreadsheet format the cell as text."),
}


class BadFile(Exception):
    """The file cannot be read, or is none of customers. The text says why, and where it is known, on which line."""

    def __init__(self, detail: str, *, code: str = "invalid_file") -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Line:
    """One line of cells; `number` is where it stands in the file, from 1."""

    number: int
    cells: list[str]


Lines = Iterator[Line]


def check_size(number: int, cells: list[str]) -> None:
    """Refuse a line that no file of customers has. Raises BadFile."""
    if len(cells) > MAX_CELLS:
        raise BadFile(f"Line {number} has more than {MAX_CELLS} cells.", code="too_many_cells")
    if any(len(cell) > MAX_CELL for cell in cells):
        detail = f"Line {number} has a cell of more than {MAX_CELL} characters: perhaps a quotation mark is missing."
        raise BadFile(detail, code="cell_too_long")
