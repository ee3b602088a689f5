"""Writes files of customers, piece by piece: the same rows are the same bytes, whoever writes them and when."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_PIECE = 65_536
# What the format takes for a character that XML has no place for: the underscore before it is written so itself.
_TAKEN_FOR_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
# The mark says to spreadsheets that it is UTF-8: they would take it for something older.
_BYTE_ORDER_MARK = "\ufeff"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_SHEETS}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="Customers" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}


def csv_file(rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """Yield the pieces of a CSV file in UTF-8 with its mark, cells separated by commas."""
    text = io.StringIO(newline="")
    text.write(_BYTE_ORDER_MARK)
    writer = csv.writer(text)
    for row in rows:
        writer.writerow(row)
        if text.tell() > _PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


class _Pipe(io.RawIOBase):
    """Takes what a ZipFile writes, for somebody to take it out again."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self._bytes += piece
        return len(piece)

    def take(self) -> bytes:
        """Return what was written since it was last taken."""
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken


def xlsx_file(rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """Yield the pieces of an XLSX file with one sheet, every cell of it a text."""
    pipe = _Pipe()
    with ZipFile(pipe, "w", ZIP_DEFLATED) as archive:
        for name, content in _PARTS.items():
            archive.writestr(_part(name), _HEAD + content)
        with archive.open(_part("xl/worksheets/sheet1.xml"), "w") as sheet:
            sheet.write(f'{_HEAD}<worksheet xmlns="{_SHEETS}"><sheetData>'.encode())
            for number, row in enumerate(rows, 1):
                sheet.write(_line(number, row).encode())
                if piece := pipe.take():
                    yield piece
            sheet.write(b"</sheetData></worksheet>")
    yield pipe.take()


def _part(name: str) -> ZipInfo:
    # Without a time of its own: the same rows are to be the same bytes.
    part = ZipInfo(name)
    part.compress_type = ZIP_DEFLATED
    return part


def _line(number: int, row: Sequence[str]) -> str:
    cells = "".join(
        f'<c r="{_letter(place)}{number}" t="inlineStr"><is><t xml:space="preserve">{_escaped(text)}</t></is></c>'
        for place, text in enumerate(row)
        if text
    )
    return f'<row r="{number}">{cells}</row>'


def _escaped(text: str) -> str:
    return escape(_TAKEN_FOR_ESCAPED.sub("_x005F_", text))


def _letter(place: int) -> str:
    # There are fewer columns than letters.
    return chr(ord("A") + place)
