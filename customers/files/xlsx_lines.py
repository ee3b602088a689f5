"""Lines of the first sheet of an XLSX file (ECMA-376), read as a stream, within bounds whatever somebody packed.

Written for what a table of texts needs: openpyxl builds a whole row and all shared strings in memory before one can say
no, so that a file of some kilobytes can fill gigabytes (docs/adr/0017-imports.md).
"""

import re
import zlib
from array import array
from collections.abc import Container, Iterator, Mapping
from datetime import date, timedelta
from typing import IO, BinaryIO
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from customers.cells import MAX_CELL
from customers.files.tables import A_DATE, MAX_CELLS, NOT_COMPUTED, UNREADABLE, BadFile, Line, Lines, check_size

# Unpacked: of the sheet, and of the texts that it shares.
_MOST_BYTES = 512 * 1024 * 1024
_MOST_SHARED = 128 * 1024 * 1024
_MOST_PARTS = 1000
_LAST_LINE = 1_048_576
# Read at a time: small, as each few bytes of it may stand for the longest of the texts that are shared.
_PIECE = 8_192
# What makes one thing of the markup: the parser looks at it from its beginning again with each piece.
_LONGEST_TOKEN = 256 * 1024
_COLUMN = re.compile(r"\A([A-Z]{1,3})[0-9]{1,7}\Z")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_INTEGER = re.compile(r"\A-?[0-9]+(?:\.0+)?\Z")
# Formats of days and times that every file has, and what makes one of a format of the file's own.
_DATES = frozenset(map(str, (*range(14, 23), *range(45, 48))))
_OF_A_DATE = re.compile(r"[ymdhs]", re.IGNORECASE)
# As a postal code has: 00000.
_ZEROS = re.compile(r"0{2,20}")
_QUOTED = re.compile(r"\"[^\"]*\"|\\.|\[[^\]]*\]")
_NO_XLSX = "This is no XLSX file."


class _Shared:
    """The texts that cells share, one after the other in one piece of memory."""

    def __init__(self) -> None:
        self._bytes, self._ends = bytearray(), array("Q", [0])

    def add(self, text: str) -> None:
        self._bytes += text.encode()
        self._ends.append(len(self._bytes))

    def __getitem__(self, place: int) -> str:
        if not 0 <= place < len(self._ends) - 1:
            raise BadFile(_NO_XLSX)
        return self._bytes[self._ends[place] : self._ends[place + 1]].decode()


class _Parser:
    """Reads a part of the file piece by piece; what it has found meanwhile waits in `found`."""

    def __init__(self) -> None:
        self.found: list[Line] = []
        self._text: list[str] = []
        self._length = 0
        self._is_text = self._is_phonetic = False
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        # Neither entities nor anything else that a document type would bring.
        self._parser.StartDoctypeDeclHandler = self._refuse

    def pieces(self, stream: IO[bytes]) -> Iterator[None]:
        """Read the stream, and let the caller look at what was found after each piece of it.

        Raises BadFile for one piece of markup that goes on and on, an attribute say.
        """
        place, waiting = -1, 0
        while piece := stream.read(_PIECE):
            self._parser.Parse(piece, False)
            place, before = self._parser.CurrentByteIndex, place
            waiting = waiting + len(piece) if place == before else 0
            if waiting > _LONGEST_TOKEN:
                raise BadFile(_NO_XLSX)
            yield
        self._parser.Parse(b"", True)
        yield

    def begins(self, tag: str, attributes: dict[str, str]) -> None:
        """Meet the beginning of an element; for the subclass."""

    def ends(self, tag: str) -> None:
        """Meet its end; for the subclass."""

    def text(self) -> str:
        """Return the text that was met since it was last asked for, as people see it."""
        text, self._text, self._length = "".join(self._text), [], 0
        if "_x" not in text:
            return text
        # What is escaped are units of UTF-16: two may be one letter, and one alone none.
        letters = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        return letters.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(" ")[2]
        if tag in ("t", "v"):
            self._is_text = not self._is_phonetic
        elif tag == "rPh":
            self._is_phonetic = True
        self.begins(tag, attributes)

    def _end(self, name: str) -> None:
        tag = name.rpartition(" ")[2]
        if tag in ("t", "v"):
            self._is_text = False
        elif tag == "rPh":
            self._is_phonetic = False
        self.ends(tag)

    def _characters(self, data: str) -> None:
        if self._is_text:
            self._length += len(data)
            if self._length > MAX_CELL:
                raise BadFile(f"A cell has more than {MAX_CELL} characters.", code="cell_too_long")
            self._text.append(data)

    def _refuse(self, *declared: object) -> None:
        raise BadFile(_NO_XLSX)


class _SharedParser(_Parser):
    """Reads the texts that cells share."""

    def __init__(self, shared: _Shared) -> None:
        super().__init__()
        self._shared = shared

    def ends(self, tag: str) -> None:
        """Keep a text."""
        if tag == "si":
            self._shared.add(self.text())


class _SheetParser(_Parser):
    """Reads the lines of a sheet."""

    def __init__(self, shared: _Shared, dates: Container[str], digits: Mapping[str, int]) -> None:
        super().__init__()
        self._shared, self._dates, self._digits = shared, dates, digits
        self._number = self._place = 0
        self._type = self._style = ""
        self._is_formula = False
        self._cells: list[str] = []

    def begins(self, tag: str, attributes: dict[str, str]) -> None:
        """Note where a line or a cell stands."""
        if tag == "row":
            number = attributes.get("r", "")
            place = int(number) if number.isdecimal() and len(number) < 8 else self._number + 1
            if not self._number < place <= _LAST_LINE:
                raise BadFile(_NO_XLSX)
            self._number, self._cells, self._place = place, [], -1
        elif tag == "c":
            self._type, self._style = attributes.get("t", "n"), attributes.get("s", "0")
            self._is_formula = False
            named = _COLUMN.match(attributes.get("r", ""))
            self._place = _column(named[1]) if named else self._place + 1
            if not len(self._cells) <= self._place < MAX_CELLS:
                raise BadFile(f"Line {self._number} has more than {MAX_CELLS} cells.", code="too_many_cells")

    def ends(self, tag: str) -> None:
        """Keep a cell, or a line."""
        if tag == "c":
            text = self._said()
            if text:
                self._cells += [""] * (self._place - len(self._cells))
                self._cells.append(text)
        elif tag == "f":
            self.text()
            self._is_formula = True
        elif tag == "row" and any(self._cells):
            check_size(self._number, self._cells)
            self.found.append(Line(self._number, self._cells))

    def _said(self) -> str:
        text = self.text()
        if self._type == "s":
            text = self._shared[int(text) if text.isdecimal() and len(text) < 10 else -1]
        elif self._type == "n" and text:
            is_date, digits = self._style in self._dates, self._digits.get(self._style, 0)
            text = A_DATE + _date(text) if is_date else _number(text, digits)
        elif self._is_formula and not text:
            text = NOT_COMPUTED
        elif self._type == "b":
            text = "TRUE" if text == "1" else "FALSE"
        return text.replace("\x00", UNREADABLE)


def _column(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _number(text: str, digits: int) -> str:
    """Return a number as it was typed: 4930901820, which the file may say as 4.930901820E9; with so many digits."""
    if _INTEGER.match(text):
        return text.partition(".")[0].zfill(digits)
    try:
        value = float(text)
    except ValueError:
        return text
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else text


def _date(text: str) -> str:
    """Return the day that a number of days since 1899-12-30 means, as ISO 8601 has it; what means none, as it is."""
    try:
        return (date(1899, 12, 30) + timedelta(days=int(float(text)))).isoformat()
    except (ValueError, OverflowError):
        return text


class _StylesParser(_Parser):
    """Reads in which styles a number is a date, and in which it has so many digits, with zeros before them."""

    def __init__(self) -> None:
        super().__init__()
        self.dates: set[str] = set()
        self.digits: dict[str, int] = {}
        self._formats = set(_DATES)
        self._zeros: dict[str, int] = {}
        self._is_of_cells, self._count = False, 0

    def begins(self, tag: str, attributes: dict[str, str]) -> None:
        """Note a format of dates or of nothing but zeros, and the styles of cells that have one."""
        if tag == "numFmt":
            key, code = attributes.get("numFmtId", ""), attributes.get("formatCode", "")
            if _OF_A_DATE.search(_QUOTED.sub("", code)):
                self._formats.add(key)
            elif _ZEROS.fullmatch(code):
                self._zeros[key] = len(code)
        elif tag == "cellXfs":
            self._is_of_cells = True
        elif tag == "xf" and self._is_of_cells:
            key, style = attributes.get("numFmtId", ""), str(self._count)
            if key in self._formats:
                self.dates.add(style)
            elif key in self._zeros:
                self.digits[style] = self._zeros[key]
            self._count += 1

    def ends(self, tag: str) -> None:
        """Note where the styles of cells end."""
        if tag == "cellXfs":
            self._is_of_cells = False


def xlsx_lines(file: BinaryIO) -> Lines:
    """Yield the lines of the first sheet that are not blank. Raises BadFile for what is no XLSX, or too large."""
    try:
        with ZipFile(file) as archive:
            _check_bounds(archive)
            shared = _Shared()
            if (name := "xl/sharedStrings.xml") in archive.namelist():
                with archive.open(name) as stream:
                    for _ in _SharedParser(shared).pieces(stream):
                        pass
            styles = _StylesParser()
            if (name := "xl/styles.xml") in archive.namelist():
                with archive.open(name) as stream:
                    for _ in styles.pieces(stream):
                        pass
            sheet = _SheetParser(shared, styles.dates, styles.digits)
            with archive.open(_first_sheet(archive)) as stream:
                for _ in sheet.pieces(stream):
                    yield from sheet.found
                    sheet.found = []
    # What zipfile raises for what is broken, encrypted, or packed in a way that it does not know.
    except (BadZipFile, expat.ExpatError, EOFError, OSError, KeyError, ValueError, RuntimeError, zlib.error) as error:
        raise BadFile(_NO_XLSX) from error


def _check_bounds(archive: ZipFile) -> None:
    """Refuse what would unpack to more than any table of ours: zipfile itself never yields more than a part says."""
    parts = archive.infolist()
    shared = sum(part.file_size for part in parts if part.filename == "xl/sharedStrings.xml")
    is_large = sum(part.file_size for part in parts) > _MOST_BYTES or shared > _MOST_SHARED
    if is_large or len(parts) > _MOST_PARTS:
        raise BadFile("Unpacked, this file is too large.", code="file_too_large")


class _BookParser(_Parser):
    """Reads which sheet is the first, or where the sheets are."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ""
        self.targets: dict[str, str] = {}

    def begins(self, tag: str, attributes: dict[str, str]) -> None:
        """Note a sheet, or where one is."""
        if tag == "sheet" and not self.first:
            self.first = next((value for name, value in attributes.items() if name.endswith(" id")), "")
        elif tag == "Relationship":
            self.targets[attributes.get("Id", "")] = attributes.get("Target", "")


def _first_sheet(archive: ZipFile) -> str:
    """Return the name of the part that holds the first sheet. Raises KeyError where there is none."""
    book, relations = (_read(archive, name) for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"))
    target = relations.targets[book.first]
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _read(archive: ZipFile, name: str) -> _BookParser:
    parser = _BookParser()
    with archive.open(name) as stream:
        for _ in parser.pieces(stream):
            pass
    return parser
