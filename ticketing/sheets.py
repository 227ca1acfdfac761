"""Spreadsheets in and out: CSV in whatever encoding it comes, and Excel. Every cell is text; numbers stay as typed.

A cell that a spreadsheet would take for a formula goes out with an apostrophe before it, and comes in without.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import InvalidFileException

from callcenter.errors import CallCenterError
from ticketing.text import line

LARGEST = 20 * 1024 * 1024
"""Bytes of a file."""
_LARGEST_UNPACKED = 200 * 1024 * 1024
MOST_ROWS = 100_000
_MOST_COLUMNS = 200
_LONGEST_CELL = 20_000
_ENCODINGS = ("utf-8-sig", "gb18030")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_E_NUMBER = re.compile(r"\d+(?:\.\d+)?[eE]\+\d{1,3}")
_SHOWN_DIGITS = 6
_BROKEN = (zipfile.BadZipFile, InvalidFileException, KeyError, IndexError, ValueError, TypeError, SyntaxError)
"""What openpyxl raises where a workbook is none; broken XML is a SyntaxError."""
_OTHERS = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x7fELF", b"MZ")
"""How files of other kinds begin."""


class UnreadableSheet(CallCenterError):
    """This file cannot be read as a spreadsheet; nothing was changed."""

    status = 422


class SheetTooLarge(CallCenterError):
    """This file is larger than can be imported at once; divide it. Nothing was changed."""

    status = 413


@dataclass(frozen=True)
class Sheet:
    """The first line as headings, and every other line that is not empty with the number it has in the file."""

    headings: tuple[str, ...]
    rows: list[tuple[int, tuple[str, ...]]]
    encoding: str = ""  # of a CSV file


def read(content: bytes) -> Sheet:
    """A CSV file or an Excel workbook, told apart by what is in it."""
    if len(content) > LARGEST:
        raise SheetTooLarge("%(megabytes)s MB at most", megabytes=LARGEST // 1024 // 1024)
    if content.startswith(b"PK\x03\x04"):
        return _sheet(_excel(content))
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableSheet("an old Excel file (.xls): save it as .xlsx or CSV")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _csv(content, "utf-16")
    if b"\x00" in content[:4096] or content.startswith(_OTHERS):
        raise UnreadableSheet("neither CSV nor Excel")
    for encoding in _ENCODINGS:
        try:
            return _csv(content, encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableSheet("its characters are neither UTF-8 nor GBK")


def _csv(content: bytes, encoding: str) -> Sheet:
    text = content.decode(encoding)
    first = text[:20_000]
    head = first.splitlines()[0] if first.splitlines() else ""
    delimiter = max(",;\t|", key=head.count)
    try:
        rows = _numbered(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        return _sheet(rows, encoding={"utf-8-sig": "UTF-8", "gb18030": "GBK", "utf-16": "UTF-16"}[encoding])
    except csv.Error as fault:
        raise UnreadableSheet(str(fault)[:200]) from fault


def _numbered(reader: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    """With the number of the line each row ends on, which an editor shows."""
    for row in reader:
        yield reader.line_num, row


def _excel(content: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(one.file_size for one in packed.infolist()) > _LARGEST_UNPACKED:
                raise SheetTooLarge("%(megabytes)s MB at most, unpacked", megabytes=_LARGEST_UNPACKED // 1024 // 1024)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        page = book.worksheets[0]
        page.reset_dimensions()  # some programs write a wrong one
        yield from enumerate(page.iter_rows(values_only=True, max_col=_MOST_COLUMNS), start=1)
        book.close()
    except _BROKEN as fault:
        raise UnreadableSheet("no sheet of Excel: %(why)s", why=str(fault)[:100]) from fault


def _sheet(rows: Iterable[tuple[int, Sequence[Any]]], encoding: str = "") -> Sheet:
    headings: tuple[str, ...] = ()
    kept: list[tuple[int, tuple[str, ...]]] = []
    for number, row in rows:
        cells = [_cell(value) for value in row[:_MOST_COLUMNS]]
        if not any(cells):
            continue
        if not headings:
            headings = tuple(line(text) for text in cells[: max(at for at, text in enumerate(cells, 1) if text)])
            continue
        if len(kept) == MOST_ROWS:
            raise SheetTooLarge("%(rows)s rows at most", rows=MOST_ROWS)
        cells += [""] * (len(headings) - len(cells))
        kept.append((number, tuple(cells[: len(headings)])))
    if not any(headings):
        raise UnreadableSheet("it is empty")
    return Sheet(headings, kept, encoding)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    text = str(value).strip()[:_LONGEST_CELL]
    return text[1:] if text.startswith("'") and text[1:2] in ("'", *_FORMULA) else text


def whole(text: str) -> str | None:
    """A number as it was before a spreadsheet wrote it as 1.3800138E+10; None where its digits are lost.

    Spreadsheets show six digits at most: one with more has all of them, and 1.38001E+10 may be any number near it.
    """
    if not _E_NUMBER.fullmatch(text):
        return text
    number = Decimal(text)
    exponent, digits = number.adjusted(), len(number.as_tuple().digits)
    if exponent > 40 or number != number.to_integral_value() or digits <= min(exponent, _SHOWN_DIGITS):
        return None
    return str(int(number))


# --- out ---------------------------------------------------------------------------------------------------------


def defused(text: str) -> str:
    """What a spreadsheet would take for a formula, as text; ``read`` takes the apostrophe off again."""
    return f"'{text}" if text.startswith(("'", *_FORMULA)) else text


def write_csv(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """UTF-8 with a mark by which Excel knows it."""
    yield b"\xef\xbb\xbf"
    for row in _chain(headings, rows):
        out = io.StringIO()
        csv.writer(out).writerow([defused(cell) for cell in row])
        yield out.getvalue().encode()


def _chain(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    yield headings
    yield from rows


def write_excel(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Every cell as text, so that a long number keeps its digits and a formula is none."""
    book = Workbook(write_only=True)
    page = book.create_sheet()
    for row in _chain(headings, rows):
        page.append([_excel_text(page, cell) for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _excel_text(page: Any, text: str) -> Any:
    cell = WriteOnlyCell(page, value="")
    cell.value = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", text)
    cell.data_type = "s"
    cell.number_format = "@"
    return cell
