"""Which shared libraries a program asks for, read from its ELF header; no binutils needed."""

from __future__ import annotations

import struct
from pathlib import Path

_DYNAMIC = 2  # p_type of the segment that lists them
_NEEDED, _STRTAB = 1, 5
_LOAD = 1


def needed(path: Path) -> list[str]:
    """The sonames of the DT_NEEDED entries, in order; empty if this is no ELF file or it is linked statically."""
    image = path.read_bytes()
    if image[:4] != b"\x7fELF":
        return []
    wide = image[4] == 2
    order = "<" if image[5] == 1 else ">"
    start, size, count = _program_headers(image, order, wide)
    segments = [_segment(image, start + index * size, order, wide) for index in range(count)]
    entry = struct.Struct(order + ("qQ" if wide else "iI"))
    tags = [
        pair
        for kind, offset, _, length in segments
        if kind == _DYNAMIC
        for pair in entry.iter_unpack(image[offset : offset + length - length % entry.size])
    ]
    table = next((value for tag, value in tags if tag == _STRTAB), None)
    if table is None:
        return []
    names = _file_offset(table, segments)
    return [_text(image, names + value) for tag, value in tags if tag == _NEEDED]


def _program_headers(image: bytes, order: str, wide: bool) -> tuple[int, int, int]:
    offset = struct.unpack_from(order + ("Q" if wide else "I"), image, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", image, 54 if wide else 42)
    return offset, size, count


def _segment(image: bytes, at: int, order: str, wide: bool) -> tuple[int, int, int, int]:
    """Kind, offset in the file, address in memory, length in the file."""
    if wide:
        kind, _, offset, address, _, length = struct.unpack_from(order + "IIQQQQ", image, at)
    else:
        kind, offset, address, _, length = struct.unpack_from(order + "IIIII", image, at)
    return kind, offset, address, length


def _file_offset(address: int, segments: list[tuple[int, int, int, int]]) -> int:
    for kind, offset, start, length in segments:
        if kind == _LOAD and start <= address < start + length:
            return offset + address - start
    return address


def _text(image: bytes, at: int) -> str:
    return image[at : image.index(b"\0", at)].decode()
