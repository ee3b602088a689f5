"""What JSON from outside may hold, and what is said of the rest."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.json_input import JSONInputError, loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{}", {}),
        (b' {"a": [1, -2.5e3, true, false, null, "\xc3\xa9"]} ', {"a": [1, -2500.0, True, False, None, "é"]}),
        ('"é\\ud83d\\ude00"', "é😀"),
        (b"1" * 100, int("1" * 100)),
        (b"[" * 20 + b"]" * 20, eval("[" * 20 + "]" * 20)),
        (b'"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\"[["', "[" * 30 + '"[['),
        (b'"' + b"7" * 200 + b'"', "7" * 200),
        (bytearray(b"[1]"), [1]),
    ],
)
def test_loads__good_json__is_read(text, value):
    assert loads(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "Not JSON: Expecting value, at line 1 column 1."),
        (b'{"a": 1,\n "b" 2}', "Not JSON: Expecting ':' delimiter, at line 2 column 6."),
        (b"{} {}", "Not JSON: Extra data, at line 1 column 4."),
        (b'"\xff"', "Not UTF-8, at byte 1."),
        (b'"\xed\xa0\x80"', "Not UTF-8, at byte 1."),
        ("{}".encode("utf-16"), "Not UTF-8, at byte 0."),
        (b"\xef\xbb\xbf{}", "Not JSON: Unexpected UTF-8 BOM (decode using utf-8-sig), at line 1 column 1."),
        (b'{"a": 1, "b": 2, "a": 3}', 'The key "a" is there twice in one object.'),
        (b'[{"x": {"a": 1, "\\u0061": 3}}]', 'The key "a" is there twice in one object.'),
        (b'"a\\u0000"', "The text holds NUL."),
        (b'{"a": ["ok", "\\u0000"]}', 'The string at "a.1" holds NUL.'),
        (b'{"a": {"b": "\\ud800"}}', 'The string at "a.b" holds a lone surrogate.'),
        (b'{"a": "\\ude00\\ud83d"}', 'The string at "a" holds a lone surrogate.'),
        ('"\ud800"', "The text holds a lone surrogate."),
        (b'{"a\\u0000": 1}', 'The key "a\\u0000" holds NUL or a lone surrogate.'),
        (b'{"\\udfff": 1}', 'The key "\\udfff" holds NUL or a lone surrogate.'),
        (b"[NaN]", "NaN is not JSON."),
        (b"-Infinity", "-Infinity is not JSON."),
        (b"1e999", "The number 1e999 is too large."),
        (b"[-1E400]", "The number -1E400 is too large."),
        (b"[\n" + b"9" * 101 + b"]", "A number of more than 100 characters, at line 2 column 1."),
        (b"-" + b"9" * 4000, "A number of more than 100 characters, at line 1 column 1."),
        (b"0." + b"0" * 99 + b"1", "A number of more than 100 characters, at line 1 column 1."),
        (b"[" * 21 + b"]" * 21, "Nested deeper than 20 levels, at line 1 column 21."),
        (b'{"a":' * 21 + b"1" + b"}" * 21, "Nested deeper than 20 levels, at line 1 column 101."),
        (b"[" * 500_000, "Nested deeper than 20 levels, at line 1 column 21."),
        (b"]" * 1000 + b"[" * 900, "Not JSON: Expecting value, at line 1 column 1."),
        (b'"a\nb"', "Not JSON: Invalid control character at, at line 1 column 3."),
        (b"{'a': 1}", "Not JSON: Expecting property name enclosed in double quotes, at line 1 column 2."),
    ],
)
def test_loads__bad_json__is_refused_with_what_and_where(text, message):
    with pytest.raises(JSONInputError) as refused:
        loads(text)
    assert str(refused.value) == message


def test_loads__other_depth__is_kept():
    assert loads(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(JSONInputError, match="deeper than 1 levels"):
        loads(b"[[1]]", max_depth=1)


@pytest.mark.parametrize("text", [b'"\\"' * 300_000, b'"' + b"\\" * 999_999, b"[]," * 300_000, b"1" * 1_000_000])
def test_loads__a_million_hostile_bytes__are_refused_in_linear_time(text):
    started = time.perf_counter()
    with pytest.raises(JSONInputError):
        loads(text)
    assert time.perf_counter() - started < 5


@given(st.binary() | st.text())
def test_loads__anything__is_a_value_or_one_error(data):
    try:
        loads(data)
    except JSONInputError as error:
        str(error).encode()
