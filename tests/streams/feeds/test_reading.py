"""What a source said is read exactly or refused in words; nothing else is raised, whatever the bytes."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import FeedError
from streams.feeds.contract import Parsed
from streams.feeds.reading import (
    csv_rows,
    decimal_text,
    each,
    integer,
    iso_us,
    json_of,
    number,
    obj,
    rows,
    text,
    unzipped,
)


def zipped(*files: tuple[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", packing) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return found.getvalue()


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (lambda: json_of(b""), "not JSON but empty"),
    "a page": (lambda: json_of(b"\n<!DOCTYPE html>"), "an HTML page"),
    "XML": (lambda: json_of(b"<OASISReport/>"), "an XML document"),
    "cut off JSON": (lambda: json_of(b'{"a":1'), "not JSON: "),
    "no number": (lambda: json_of(b'{"a":NaN}'), "not JSON: "),
    "infinity": (lambda: json_of(b"[1e999]"), "not JSON: "),
    "deep JSON": (lambda: json_of(b"[" * 5_000 + b"]" * 5_000), "depth limit"),
    "half a pair of surrogates": (lambda: json_of(b'"\\ud800"'), "not JSON: "),
    "a list for an object": (lambda: obj([], "the payload"), "the payload is [], not an object"),
    "an object for a list": (lambda: rows({}, "data"), "data is {}, not a list"),
    "too many rows": (lambda: rows([1, 2, 3], "data", most=2), "data has 3 rows, over 2"),
    "a number for text": (lambda: text({"a": 1}, "a"), "a is 1, not text"),
    "no key": (lambda: text({}, "a"), "a is missing"),
    "null": (lambda: number({"a": None}, "a"), "a has no value"),
    "empty text": (lambda: number({"a": ""}, "a"), "a has no value"),
    "true": (lambda: number({"a": True}, "a"), "a is True, not a number"),
    "infinite": (lambda: number({"a": float("inf")}, "a"), "a is inf, not a number"),
    "an exponent in text": (lambda: number({"a": "1e5"}, "a"), "not a plain decimal number"),
    "thousands": (lambda: number({"a": "1,000"}, "a"), "not a plain decimal number"),
    "underscores": (lambda: number({"a": "1_000"}, "a"), "not a plain decimal number"),
    "spaces": (lambda: number({"a": " 1"}, "a"), "not a plain decimal number"),
    "a line end": (lambda: number({"a": "1\n"}, "a"), "not a plain decimal number"),
    "digits of another script": (lambda: number({"a": "١٢"}, "a"), "not a plain decimal number"),
    "a point alone": (lambda: number({"a": "."}, "a"), "not a plain decimal number"),
    "no number in words": (lambda: number({"a": "nan"}, "a"), "not a plain decimal number"),
    "digits without end": (lambda: number({"a": "9" * 65}, "a"), "not a plain decimal number"),
    "a fraction for a whole number": (lambda: integer({"a": 1.5}, "a"), "a is 1.5, not a whole number"),
    "digits without end for a whole number": (lambda: integer({"a": "9" * 5_000}, "a"), "not a whole number"),
    "true for a whole number": (lambda: integer({"a": True}, "a"), "not a whole number"),
    "no offset": (lambda: iso_us("2026-04-07T14:30:10"), "names no offset"),
    "no such day": (lambda: iso_us("2026-02-30T14:30:10Z"), "not a moment"),
    "no such hour": (lambda: iso_us("2026-02-03T25:30:10Z"), "not a moment"),
    "no such offset": (lambda: iso_us("2026-02-03T05:30:10+20:00"), "impossible offset"),
    "the year 0": (lambda: iso_us("0000-02-03T05:30:10Z"), "not a moment"),
    "words after the moment": (lambda: iso_us("2026-02-03T05:30:10Z and"), "not a moment"),
    "ten digits of a second": (lambda: iso_us("2026-02-03T05:30:10.0123456789Z"), "not a moment"),
    "no zip": (lambda: unzipped(b"<html>"), "not a whole zip but an HTML page"),
    "nothing for a zip": (lambda: unzipped(b""), "not a whole zip but empty"),
    "a zip cut off": (lambda: unzipped(zipped(("a", b"abc"))[:-8]), "not a whole zip"),
    "a zip bomb": (lambda: unzipped(zipped(("a", bytes(5_000_000))), most_bytes=1_000_000), "more than 1000000"),
    "a zip of many": (lambda: unzipped(zipped(*((str(n), b"") for n in range(17)))), "holds 17 files, over 16"),
    "a zip packed otherwise": (lambda: unzipped(zipped(("a", b"x"), packing=zipfile.ZIP_LZMA)), "not read"),
    "a CSV of nothing": (lambda: list(csv_rows(b"\r\n\r\n", ["a"])), "the CSV is empty"),
    "a CSV without a column": (lambda: list(csv_rows(b"a,b\n1,2", ["a", "c"])), "header lacks c"),
    "a CSV with a column twice": (lambda: list(csv_rows(b"a,a\n1,2", ["a"])), "header lacks a (or has it twice)"),
    "a page for a CSV": (lambda: list(csv_rows(b"<html>\n", ["a"])), "it is an HTML page"),
    "an open quote": (lambda: list(csv_rows(b'a,b\n1,"2', ["a"])), "broken at line 2"),
    "a CSV that is no text": (lambda: list(csv_rows(b"a,b\n\xff", ["a"])), "not UTF-8"),
    "a ragged row": (
        lambda: [number(row, "a") for _, row in csv_rows(b"a,b\n1,2\n3\n", ["a"])],
        "line 3 has 1 columns, not 2",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_words(case: str) -> None:
    read, said = REFUSED[case]
    with pytest.raises(FeedError) as caught:
        read()
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("written", "value"), [("0", 0.0), ("-0.01", -0.01), (".5", 0.5), ("5.", 5.0), ("65000.10", 65000.1), ("007", 7.0)]
)
def test_plain_decimal_text_is_its_number(written: str, value: float) -> None:
    assert decimal_text(written, "x") == value


@pytest.mark.parametrize(
    ("written", "moment_us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2023-02-09T20:30:37.167359596Z", 1_675_974_637_167_359),
        ("2023-02-09 20:30:37.1 +00:00", 1_675_974_637_100_000),
        ("2023-02-09t15:30:37,167359-0500", 1_675_974_637_167_359),
        ("2023-02-10T02:00+05:30", 1_675_974_600_000_000),
        ("2023-02-09T22:30:37+02", 1_675_974_637_000_000),
    ],
)
def test_a_moment_is_its_microseconds(written: str, moment_us: int) -> None:
    assert iso_us(written) == moment_us


def test_a_moment_without_offset_is_utc_where_the_source_says_so() -> None:
    assert iso_us("2023-02-09T20:30:37", assume_utc=True) == 1_675_974_637_000_000
    assert iso_us("2023-02-09T20:30:37+01:00", assume_utc=True) == 1_675_971_037_000_000


def test_whole_numbers_beyond_53_bits_are_exact() -> None:
    assert integer({"a": 2**53 + 1}, "a") == 2**53 + 1
    assert integer({"a": str(2**64 + 1)}, "a") == 2**64 + 1


def test_the_files_of_a_zip_come_out_as_they_went_in() -> None:
    files = (("a.csv", b"x" * 100), ("b/c.csv", bytes(range(256))))
    assert unzipped(zipped(*files)) == list(files)
    assert unzipped(zipped(*files, packing=zipfile.ZIP_STORED)) == list(files)


def test_a_zip_with_one_bit_turned_is_refused_or_the_same() -> None:
    whole = zipped(("a.csv", b"DeliveryDate,Price\n" + b"07/30/2025,19.27\n" * 50))
    chance = random.Random(7)
    for _ in range(300):
        broken = bytearray(whole)
        broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        try:
            found = unzipped(bytes(broken))
        except FeedError:
            continue
        assert [content for _, content in found] == [unzipped(whole)[0][1]]


def test_a_zip_that_lies_about_its_size_is_refused() -> None:
    whole = bytearray(zipped(("a", bytes(100_000))))
    directory = whole.index(b"PK\x01\x02")
    struct.pack_into("<I", whole, directory + 24, 10)
    with pytest.raises(FeedError):
        unzipped(bytes(whole))


def test_a_csv_is_read_with_quotes_marks_and_empty_lines() -> None:
    body = b'\xef\xbb\xbf"Node Name", LMP\r\n\r\n"HUB, SOUTH",1.5 \r\n ,\r\nX,2\r\n'
    assert list(csv_rows(body, ["Node Name", "LMP"])) == [
        (3, {"Node Name": "HUB, SOUTH", "LMP": "1.5"}),
        (5, {"Node Name": "X", "LMP": "2"}),
    ]


def test_a_wrong_row_costs_only_itself_and_a_bug_of_ours_goes_on() -> None:
    parsed = Parsed()
    for line, row in csv_rows(b"a,b\n1,2\nx,4\n5\n6,7\n", ["a"]):
        with each(parsed, f"line {line}"):
            number(row, "a")
    assert parsed.faults == [
        "line 3: a is 'x', not a plain decimal number",
        "line 4: line 4 has 1 columns, not 2",
    ]
    with pytest.raises(KeyError), each(parsed, "line 9"):
        raise KeyError("ours")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    for read in (json_of, unzipped, lambda body: list(csv_rows(body, ["a"]))):
        with contextlib.suppress(FeedError):
            read(payload)


@given(st.text(max_size=40))
def test_any_text_is_a_moment_and_a_number_or_refused(written: str) -> None:
    for read in (iso_us, lambda value: decimal_text(value, "x"), lambda value: integer({"x": value}, "x")):
        with contextlib.suppress(FeedError):
            read(written)
