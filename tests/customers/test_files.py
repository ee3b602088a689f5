"""Files of customers: whatever writes them, read row by row; what is none of customers is refused in words."""

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest

from customers.cells import COLUMNS, escape, join_names, split_names, unescape
from customers.files import BadFile, csv_file, open_file, xlsx_file

MOST = 1000
PLAIN = "email,first_name\r\na@example.com,Maëlle\r\n\r\nb@example.com,Şükran\r\n"


def read(data: bytes, most: int = MOST) -> list[tuple[int, dict[str, str]]]:
    return [(row.line, dict(row.values)) for row in open_file(io.BytesIO(data)).rows(most)]


def refused(data: bytes, most: int = MOST) -> tuple[str, str]:
    with pytest.raises(BadFile) as error:
        read(data, most)
    return error.value.code, str(error.value)


# --- CSV -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le with mark", "utf-16-be with mark"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv__each_encoding_and_delimiter__reads_the_same(encoding: str, delimiter: str) -> None:
    text = PLAIN.replace(",", delimiter)
    name = encoding.partition(" ")[0]
    data = text.encode(name)
    if "mark" in encoding:
        data = "\ufeff".encode(name) + data
    assert read(data) == [
        (2, {"email": "a@example.com", "first_name": "Maëlle"}),
        (4, {"email": "b@example.com", "first_name": "Şükran"}),
    ]


def test_csv__header_as_people_write_it__is_known() -> None:
    assert read(b"E-Mail,First Name, LAST-NAME ,External ref,,\nA,B,C,D\n".replace(b"E-Mail", b"Email")) == [
        (2, {"email": "A", "first_name": "B", "last_name": "C", "external_ref": "D"})
    ]


def test_csv__cells_over_several_lines__line_is_where_the_row_begins() -> None:
    assert [line for line, _ in read(b'email,tags\n"a\nb",x\nc,d\n')] == [2, 4]


def test_csv__some_rows_in_an_old_encoding__are_errors_of_those_rows_and_say_what_was_meant() -> None:
    data = "email,first_name\na,Müller\n".encode() + "b,\xa0Çağ “Œ” Müller €\n".replace("ğ", "g").encode("cp1252")
    first, second = open_file(io.BytesIO(data)).rows(MOST)
    assert (first.values["first_name"], first.faults) == ("Müller", ())
    assert second.values == {"email": "b", "first_name": "Çag “Œ” Müller €"}
    assert [(fault.attr, fault.code, fault.detail) for fault in second.faults] == [
        ("first_name", "encoding", "This is not UTF-8; read as Windows-1252: check the letters and send it again.")
    ]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (b"M\xfcller \xc3\xa9t\xc3\xa9", "Müller été"),
        (b"\xe2\x82", "â‚"),
        (b"\x81", "\ufffd"),
        (b"", ""),
    ],
    ids=["both", "cut_off", "no_letter", "none"],
)
def test_csv__bytes_that_are_not_utf8__are_read_one_by_one_as_the_other(cell: bytes, said: str) -> None:
    [row] = open_file(io.BytesIO(b"email,first_name\na," + cell)).rows(MOST)
    assert row.values.get("first_name", "") == said
    assert [fault.code for fault in row.faults] == (["encoding"] if cell else [])


def test_csv__utf16_that_breaks_off__is_an_error_of_the_row() -> None:
    [row] = open_file(io.BytesIO(PLAIN.split("\r\n\r\n")[0].encode("utf-16")[:-1])).rows(MOST)
    assert [(fault.attr, fault.code) for fault in row.faults] == [("first_name", "encoding")]


def test_csv__utf16_without_its_mark__is_refused_in_words() -> None:
    assert refused(PLAIN.encode("utf-16-le")) == ("invalid_file", "This is neither XLSX nor CSV in UTF-8 or UTF-16.")


def test_csv__nul_in_a_cell__is_an_error_of_the_row() -> None:
    [row] = open_file(io.BytesIO(b"email\na\x00b\n")).rows(MOST)
    assert [(fault.attr, fault.code) for fault in row.faults] == [("email", "encoding")]


def test_csv__more_cells_than_the_header__is_an_error_of_the_row() -> None:
    first, second = open_file(io.BytesIO(b"email\na,,\nb,c,, '=d ,\n")).rows(MOST)
    assert (first.values, first.faults) == ({"email": "a"}, ())
    assert second.values == {"email": "b", "extra_1": "c", "extra_2": "", "extra_3": "=d"}
    assert [(fault.attr, fault.code) for fault in second.faults] == [(None, "too_many_cells")]


def test_csv__key_twice__second_is_marked_with_the_line_of_the_first() -> None:
    first, second = open_file(io.BytesIO(b"email\na@example.com\nA@EXAMPLE.com\n")).rows(MOST)
    assert first.faults == ()
    assert [(fault.code, fault.detail) for fault in second.faults] == [
        ("duplicate", "The same stands on line 2 already.")
    ]


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (b"", "empty_file", "empty"),
        (b"\n\n", "empty_file", "empty"),
        (b"\xff\xfe", "empty_file", "empty"),
        (b"email,colour\nx,y\n", "unknown_column", "colour"),
        (b"email,Email\nx,y\n", "duplicate_column", "email"),
        (b"email\n" + b"x\n" * 6, "too_many_rows", "5 rows"),
        (b'email\n"' + b"x" * 40_000 + b'"\n', "cell_too_long", "Line 2"),
        (b'email\n"' + b"x," * 100_000, "invalid_file", "Line 2"),
        (b"email\n" + b"," * 300, "too_many_cells", "Line 2"),
        # Before a record is built of it that is larger than any.
        (b"email\n" + b"," * 1_100_000, "row_too_long", "Line 2"),
        (b"email\nx\n" + b'"x\n",' * 300_000, "row_too_long", "Line 3"),
        (b"\x00" * 100, "invalid_file", "neither"),
        (b"%PDF-1.7\n", "unknown_column", "PDF"),
    ],
)
def test_csv__no_file_of_customers__refused_in_words(data: bytes, code: str, says: str) -> None:
    found, detail = refused(data, most=5)
    assert found == code
    assert says in detail


# --- cells ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "'=", "''@"])
def test_cell__that_a_spreadsheet_would_compute__is_escaped_and_comes_back(start: str) -> None:
    text = f"{start}1+1"
    assert escape(text) == f"'{text}"
    assert unescape(escape(text)) == text


@pytest.mark.parametrize("text", ["", "a", "'s-Hertogenbosch", "a=b", "'", "''"])
def test_cell__harmless__stays_as_it_is(text: str) -> None:
    assert escape(text) == text
    assert unescape(text) == text


def test_names__with_separators_in_them__come_back() -> None:
    names = ["Gold", "Paris, Texas", 'The "best"', "a;b"]
    assert split_names(join_names(names)) == names
    assert split_names(" Gold ;Silver,, Gold;") == ["Gold", "Silver"]


# --- XLSX ----------------------------------------------------------------------------------------------------------

SAID = [
    ["email", "first_name", "external_ref", "locale"],
    ["a@example.com", "Maëlle <&> _x0041_", "C-1", ""],
    ["", "田中", "C-2", "ja"],
]
WANTED = [
    (2, {"email": "a@example.com", "first_name": "Maëlle <&> _x0041_", "external_ref": "C-1"}),
    (3, {"first_name": "田中", "external_ref": "C-2", "locale": "ja"}),
]


def by_openpyxl(rows: Sequence[Sequence[object]]) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def test_xlsx__of_another_program__reads_the_same_as_ours() -> None:
    assert read(b"".join(xlsx_file(SAID))) == WANTED
    # openpyxl does not escape what looks escaped.
    plain = [[str(cell).replace("_x0041_", "") for cell in row] for row in SAID]
    assert [row["external_ref"] for _, row in read(by_openpyxl(plain))] == ["C-1", "C-2"]


def test_xlsx__of_ours__is_read_by_another_program() -> None:
    # openpyxl leaves what is escaped in a text of a cell's own as it is; Excel does not.
    book = openpyxl.load_workbook(io.BytesIO(b"".join(xlsx_file(SAID))))
    assert [[cell or "" for cell in row] for row in book.active.iter_rows(values_only=True)] == [
        [cell.replace("_x0041_", "_x005F_x0041_") for cell in row] for row in SAID
    ]


def test_xlsx__numbers_and_truths__are_as_people_typed_them() -> None:
    data = by_openpyxl(
        [["external_ref", "phone", "first_name", "locale"], [42, 4930901820123, True, 1.5], [1e20, -3, "x", None]]
    )
    assert [row for _, row in read(data)] == [
        {"external_ref": "42", "phone": "4930901820123", "first_name": "TRUE", "locale": "1.5"},
        {"external_ref": "1e+20", "phone": "-3", "first_name": "x"},
    ]


def test_xlsx__dates_and_formulas_without_a_value__are_errors_of_their_rows() -> None:
    """A date is a number of days in the file: nobody is called 46024."""
    data = by_openpyxl(
        [
            ["external_ref", "first_name"],
            ["C-1", date(2026, 1, 2)],
            ["C-2", datetime(2026, 1, 2, 9, 30)],  # noqa: DTZ001 - a spreadsheet knows of no zones
            ["C-3", '=CONCATENATE("a","b")'],
            ["C-4", 46024],
        ]
    )
    rows = list(open_file(io.BytesIO(data)).rows(MOST))
    assert [(row.values.get("first_name"), [(one.attr, one.code) for one in row.faults]) for row in rows] == [
        ("2026-01-02", [("first_name", "date")]),
        ("2026-01-02", [("first_name", "date")]),
        ("", [("first_name", "formula")]),
        ("46024", []),
    ]


def test_xlsx__numbers_in_a_format_of_their_own__are_no_dates() -> None:
    book, file = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for place, (name, pattern) in enumerate([("phone", '"days" 0'), ("external_ref", "[Red]0"), ("city", "d/m/yy")]):
        sheet.cell(1, place + 1, f"address_{name}" if name == "city" else name)
        sheet.cell(2, place + 1, 46024).number_format = pattern
    book.save(file)
    [row] = open_file(file).rows(MOST)
    assert row.values == {"phone": "46024", "external_ref": "46024", "address_city": "2026-01-02"}
    assert [(one.attr, one.code) for one in row.faults] == [("address_city", "date")]


def test_xlsx__numbers_that_show_zeros_before_them__keep_these() -> None:
    """A postal code of Dresden is 1067 in the file, in the format 00000."""
    book, file = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for place, (name, value, pattern) in enumerate(
        [("address_postal_code", 1067, "00000"), ("external_ref", 123456, "000"), ("phone", 7, "0")]
    ):
        sheet.cell(1, place + 1, name)
        sheet.cell(2, place + 1, value).number_format = pattern
    book.save(file)
    assert read(file.getvalue()) == [(2, {"address_postal_code": "01067", "external_ref": "123456", "phone": "7"})]


@pytest.mark.parametrize(
    ("written", "said"), [("M_xD83D__xDE00_", "M😀"), ("M_xD83D_", "M\ufffd"), ("M_xDE00__x0000_", "M\ufffd\ufffd")]
)
@pytest.mark.parametrize("is_shared", [True, False])
def test_xlsx__escaped_halves_of_a_letter__are_one_or_an_error_of_the_row(
    is_shared: bool, written: str, said: str
) -> None:
    shared = f"<sst><si><t>{written}</t></si></sst>"
    cell = '<c t="s"><v>0</v></c>' if is_shared else f'<c t="inlineStr"><is><t>{written}</t></is></c>'
    [row] = open_file(io.BytesIO(packed(sharedStrings=shared, sheet1=sheet(f"<row>{cell}</row>")))).rows(MOST)
    assert row.values == {"email": said}
    assert [fault.code for fault in row.faults] == (["encoding"] if "\ufffd" in said else [])


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "prénom,e-mail\n".encode("latin-1")])
def test_open__neither_format__says_so(data: bytes) -> None:
    assert refused(data) == ("invalid_file", "This is neither XLSX nor CSV in UTF-8 or UTF-16.")


def test_files__written_twice__are_the_same_bytes() -> None:
    for write in (csv_file, xlsx_file):
        assert b"".join(write(SAID)) == b"".join(write(SAID))


def packed(**parts: str) -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(b"".join(xlsx_file(SAID)))) as good,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bad,
    ):
        for name in good.namelist():
            if name.rpartition("/")[2].partition(".")[0] not in parts:
                bad.writestr(name, good.read(name))
        for name, content in parts.items():
            folder = {"sheet1": "xl/worksheets/", "sharedStrings": "xl/", "workbook": "xl/"}[name]
            bad.writestr(f"{folder}{name}.xml", content)
    return file.getvalue()


HEADER = '<c t="inlineStr"><is><t>email</t></is></c>'


def sheet(inner: str, before: str = "") -> str:
    return f"{before}<worksheet><sheetData><row>{HEADER}</row>{inner}</sheetData></worksheet>"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04 and no more", "invalid_file"),
        (b"".join(xlsx_file(SAID))[:-40], "invalid_file"),
        (packed(workbook="<workbook/>"), "invalid_file"),
        (packed(workbook="<workbook>"), "invalid_file"),
        (packed(sheet1=sheet("<row><c t='s'><v>7</v></c></row>")), "invalid_file"),
        (packed(sheet1=sheet("<row r='9'><c/></row><row r='3'><c/></row>")), "invalid_file"),
        (packed(sheet1=sheet("<row r='99999999999'><c/></row>")), None),
        (packed(sheet1=sheet("<row r='9999999'><c/></row>")), "invalid_file"),
        (packed(sheet1=sheet("<row>" + "<c/>" * 1_000_000 + "</row>")), "too_many_cells"),
        (packed(sheet1=sheet("<row><c r='ZZZ1'><v>1</v></c></row>")), "too_many_cells"),
        (packed(sheet1=sheet(f"<row><c t='inlineStr'><is><t>{'x' * 40_000}</t></is></c></row>")), "cell_too_long"),
        (packed(sheet1=sheet("", before="<!DOCTYPE x [<!ENTITY a 'aaaa'>]>")), "invalid_file"),
        (packed(sheet1=sheet(f"<row><c x='{'x' * 300_000}'/></row><row><c><v>1</v></c></row>")), "invalid_file"),
        (packed(sheet1=sheet("", before=f"<!--{'x' * 300_000}-->")), "invalid_file"),
        (packed(sharedStrings="x" * (129 * 1024 * 1024)), "file_too_large"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),
)
def test_xlsx__broken_or_meant_to_harm__refused_in_words(data: bytes, code: str | None) -> None:
    if code is None:
        assert read(data) == []
    else:
        assert refused(data)[0] == code


def test_xlsx__shared_and_rich_texts__are_read_without_what_is_said_aloud() -> None:
    shared = "<sst><si><t>email</t></si><si><r><t>a@exa</t></r><r><t>mple.com</t></r><rPh><t>aloud</t></rPh></si></sst>"
    rows = '<row><c t="s"><v>0</v></c></row><row><c r="A5" t="s"><f>1+1</f><v>1</v></c></row>'
    data = packed(sharedStrings=shared, sheet1=f"<worksheet><sheetData>{rows}</sheetData></worksheet>")
    assert read(data) == [(2, {"email": "a@example.com"})]


def test_columns__each_once__have_a_letter() -> None:
    assert len(set(COLUMNS)) == len(COLUMNS) <= 26


def test_xlsx__few_bytes_that_say_gigabytes__refused_before_they_are_said() -> None:
    shared = f"<sst><si><t>{'x' * 32_000}</t></si></sst>"
    # Most of it in columns that nobody reads.
    row = "<row>" + '<c t="s"><v>0</v></c>' * 21 + "</row>"
    data = packed(sharedStrings=shared, sheet1=sheet(row * 5000))
    assert len(data) < 20_000
    assert refused(data, most=5000) == ("file_too_large", "The file says more than 67108864 characters.")


@pytest.mark.parametrize("write", [csv_file, xlsx_file])
def test_cell__longer_than_any_column_takes__is_cut_and_an_error_of_its_row(write: Any) -> None:
    data = b"".join(write([["email", "first_name"], ["a@example.com", "x" * 10_401], ["b@example.com", "x" * 10_400]]))
    cut, whole = open_file(io.BytesIO(data)).rows(MOST)
    assert [len(row.values["first_name"]) for row in (cut, whole)] == [10_400, 10_400]
    assert [(fault.attr, fault.code) for fault in cut.faults] == [("first_name", "max_length")]
    assert whole.faults == ()
