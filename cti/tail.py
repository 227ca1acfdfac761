"""A file that grows line by line and is put aside now and then: what was written since we last looked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BACK = 65536  # bytes looked at first for what is young


@dataclass(frozen=True)
class Place:
    """Up to where a file was read."""

    inode: int
    offset: int


def end(path: Path) -> Place | None:
    """The end of the file as it is now; None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return Place(status.st_ino, status.st_size)


def read(path: Path, place: Place | None) -> tuple[list[str], Place | None]:
    """The whole lines behind the place, and the place behind them; a last line without its end is left for next time.

    A file that was put aside under a name that begins like its own is read to its end first. From the beginning
    where the place is None, where the file it meant is gone, and where it has been cut shorter. OSError if it
    cannot be read.
    """
    lines: list[str] = []
    here = end(path)
    if place is not None and (here is None or here.inode != place.inode):
        files = _family(path)
        inodes = [one.stat().st_ino for one in files]
        if place.inode in inodes:
            first = inodes.index(place.inode)
            lines += _from(files[first], place.offset)[0]
            for one, inode in list(zip(files, inodes, strict=True))[first + 1 :]:
                lines += _from(one, 0)[0] if here is None or inode != here.inode else []
        place = None
    if here is None:
        return lines, None
    offset = place.offset if place is not None and place.offset <= here.offset else 0
    more, offset = _from(path, offset)
    return lines + more, Place(here.inode, offset)


def back(path: Path, place: Place, young: Callable[[str], bool]) -> Place:
    """The place before the last lines of the file that are young; of a file put aside none are looked at."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_ino != place.inode:
            return place
        length = min(BACK, place.offset)
        while True:
            file.seek(place.offset - length)
            text = file.read(length)
            start = 0 if length == place.offset else text.find(b"\n") + 1  # behind a line that is only partly here
            offset = place.offset
            lines = text[start:].split(b"\n")[:-1]
            for line in reversed(lines):
                if not young(line.decode(errors="replace")):
                    return Place(place.inode, offset)
                offset -= len(line) + 1
            if length == place.offset:
                return Place(place.inode, offset)
            length = min(length * 4, place.offset)


def whole(path: Path) -> list[str]:
    """Every line of the file and of those put aside, the oldest first."""
    return [line for one in _family(path) for line in _from(one, 0)[0]]


def _family(path: Path) -> list[Path]:
    """The file and those put aside, the oldest first."""
    files = [one for one in (*path.parent.glob(f"{path.name}.*"), path) if one.is_file()]
    return sorted(files, key=lambda one: (one == path, one.stat().st_mtime))


def _from(path: Path, offset: int) -> tuple[list[str], int]:
    with path.open("rb") as file:
        file.seek(offset)
        text = file.read()
    cut = text.rfind(b"\n") + 1
    return text[:cut].decode(errors="replace").split("\n")[:-1], offset + cut  # not splitlines: names may hold U+2028
