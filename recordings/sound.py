"""WAV files as the switch writes them: 8 kHz, 16 bit, one channel, and a header that is only right once closed."""

from __future__ import annotations

import hashlib
import os
import wave
from array import array
from pathlib import Path

from callcenter.errors import CallCenterError

RATE_HZ = 8000
_HEADER = 44


class StillWritten(CallCenterError):
    """The switch has not finished writing this recording yet."""


def samples(path: Path, *, closed: bool = True) -> array[int]:
    """The samples of a mono file; StillWritten if its header and its length disagree and ``closed`` is asked for."""
    data = path.read_bytes()
    told = int.from_bytes(data[40:44], "little") if len(data) >= _HEADER else 0
    if closed and told != len(data) - _HEADER:
        raise StillWritten(path.name)
    sound = array("h")
    sound.frombytes(data[_HEADER : _HEADER + (len(data) - _HEADER) // 2 * 2])
    return sound


def join(left: array[int], right: array[int], to: Path) -> None:
    """Write both as one stereo file, the shorter padded with silence; it appears whole or not at all."""
    length = max(len(left), len(right))
    both = array("h", bytes(4 * length))
    both[0 : 2 * len(left) : 2] = left
    both[1 : 2 * len(right) : 2] = right
    part = to.with_suffix(".part")
    with wave.open(str(part), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(both.tobytes())
    os.replace(part, to)


def length_ms(path: Path) -> int:
    with wave.open(str(path), "rb") as file:
        return file.getnframes() * 1000 // file.getframerate()


def fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
