"""Spreadsheets as people send them: any encoding, numbers that stay text, formulas that are none."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from ticketing import sheets
from ticketing.sheets import SheetTooLarge, UnreadableSheet

TEXT = "机号,电话\r\n4D8325K102938,013800138000\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_chinese_is_read_in_whatever_encoding_it_comes(encoding):
    sheet = sheets.read(TEXT.encode(encoding))
    assert sheet.headings == ("机号", "电话")
    assert sheet.rows == [(2, ("4D8325K102938", "013800138000"))]  # the leading nought stays


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_columns_are_told_apart_by_what_the_first_line_uses(delimiter):
    sheet = sheets.read(TEXT.replace(",", delimiter).encode())
    assert sheet.headings == ("机号", "电话")


def test_lines_keep_their_numbers_past_empty_ones_and_breaks_within_a_cell():
    sheet = sheets.read('名称,备注\n\n张伟,"两行\n备注"\n,\n李娜\n'.encode())
    assert sheet.rows == [(4, ("张伟", "两行\n备注")), (6, ("李娜", ""))]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.3800138E+10", "13800138000"),  # every digit is there
        ("1.38001E+10", None),  # shortened: it may be any number near it
        ("1.5E+10", None),
        ("1E+5", None),
        ("123E+2", None),  # as short as a spreadsheet shows it
        ("4D83E12", "4D83E12"),
        ("12E5", "12E5"),  # a serial number
        ("13800138000", "13800138000"),
    ],
)
def test_scientific_notation_is_repaired_or_refused(written, meant):
    assert sheets.whole(written) == meant


def test_excel_is_read_as_text():
    book = Workbook()
    page = book.create_sheet(index=0)
    page.append(["机号", "电话", "日期"])
    page.append(["4D8325K102938", 13800138000, None])
    out = io.BytesIO()
    book.save(out)
    assert sheets.read(out.getvalue()).rows == [(2, ("4D8325K102938", "13800138000", ""))]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"%PDF-1.4",
        b"\xd0\xcf\x11\xe0 old excel",
        b"PK\x03\x04 broken",
        b"\x89PNG\r\n",
        b"a\x00b",
        b"\x81",
        b'a,"b\n',
    ],
)
def test_what_is_no_sheet_is_refused(content):
    with pytest.raises(UnreadableSheet):
        sheets.read(content)


def test_a_bomb_and_a_giant_are_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/sheet1.xml", b"0" * (sheets._LARGEST_UNPACKED + 1))
    with pytest.raises(SheetTooLarge):
        sheets.read(out.getvalue())
    with pytest.raises(SheetTooLarge):
        sheets.read(b"a" * (sheets.LARGEST + 1))


HOSTILE = ["=cmd|' /C calc'!A0", "+8613800138000", "-1", "@SUM(A1)", "'quoted", "''=x", '普通,"引号"\n两行', "0138"]


def test_a_formula_goes_out_as_text_and_comes_back_as_it_was():
    rows = [[text, "x"] for text in HOSTILE]
    written = b"".join(sheets.write_csv(["名称", "x"], rows))
    assert not any(text.startswith(("=", "+", "-", "@")) for text in written.decode("utf-8-sig").split("\n"))
    assert [row[0] for _, row in sheets.read(written).rows] == HOSTILE
    packed = sheets.write_excel(["名称", "x"], rows)
    assert b"<f>" not in zipfile.ZipFile(io.BytesIO(packed)).read("xl/worksheets/sheet1.xml")


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20), min_size=1, max_size=5))
def test_whatever_is_written_is_read_again(cells):
    written = b"".join(sheets.write_csv(["a"] * len(cells), [cells]))
    [(_, row)] = sheets.read(written).rows
    assert list(row) == cells
