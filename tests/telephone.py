"""A telephone with sound and keys of its own: SIPp signals, this sends RTP, presses RFC 4733 keys and hears."""

from __future__ import annotations

import itertools
import math
import re
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.sipp import Sipp
from tests.waiting import wait_until

PACKET = 160  # samples of 20 ms
PRESS = 5  # packets a key is held
KEYS = "0123456789*#"


class Telephone:
    """Calls at once, and hangs up after ``hold_s``. ``heard`` grows by what the other side plays, raw µ-law."""

    def __init__(self, folder: Path, to: str, did: str, *, hold_s: float = 60, host: str = "127.0.0.2") -> None:
        self.heard = bytearray()
        self._sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sound.bind((host, 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
            at = (host, probe.getsockname()[1])
        values = {"did": did, "number": "13800138000", "rtp_port": self._sound.getsockname()[1]}
        self.signals = Sipp(folder, "keypad", at, to, seconds=int(hold_s) + 20, hold_ms=int(hold_s * 1000), **values)
        self._pressed: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._speak, self._listen)]
        wait_until(lambda: self._far_end is not None, 10, "the telephone is answered")
        for thread in self._threads:
            thread.start()

    def press(self, keys: str) -> None:
        """Press these keys one after the other, without waiting for it."""
        assert set(keys) <= set(KEYS), keys
        self._pressed.extend(keys)

    def hears_sound(self) -> bool:
        """Somebody speaks in the last second."""
        return loudness(bytes(self.heard[-8000:])) > 1000

    @property
    def _far_end(self) -> tuple[str, int] | None:
        answer = re.search(r"^SIP/2\.0 200.*?^c=IN IP4 (\S+).*?^m=audio (\d+)", self.signals.messages(), re.M | re.S)
        return (answer[1], int(answer[2])) if answer else None

    def _speak(self) -> None:
        """Silence every 20 ms, and keys as telephone events in its place."""
        to = self._far_end
        assert to is not None
        key, left, began = "", 0, 0
        for number in itertools.count():
            if self._over.wait(0.02):
                return
            stamp = number * PACKET
            if not left and self._pressed:
                key, left, began = self._pressed.pop(0), PRESS + 3 + PRESS, stamp
            if left > PRESS:  # PRESS packets down, then the end said three times
                held = min(PRESS, PRESS + 3 + PRESS - left + 1) * PACKET
                ends = left <= PRESS + 3
                payload = struct.pack("!BBH", KEYS.index(key), (0x80 if ends else 0) | 10, held)
                self._send(to, 101, number, began, payload, mark=left == PRESS + 3 + PRESS)
            else:
                self._send(to, 0, number, stamp, b"\xff" * PACKET)
            left = max(0, left - 1)

    def _send(
        self, to: tuple[str, int], kind: int, number: int, stamp: int, payload: bytes, mark: bool = False
    ) -> None:
        header = struct.pack("!BBHII", 0x80, kind | (0x80 if mark else 0), number & 0xFFFF, stamp & 0xFFFFFFFF, 4711)
        self._sound.sendto(header + payload, to)

    def _listen(self) -> None:
        self._sound.settimeout(0.2)
        while not self._over.is_set():
            try:
                packet = self._sound.recv(2048)
            except TimeoutError:
                continue
            if len(packet) > 12 and packet[1] & 0x7F == 0:
                self.heard += packet[12:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(5)
        self._sound.close()
        self.signals.stop()


def linear(ulaw: bytes) -> list[int]:
    """G.711 µ-law as 16-bit samples."""
    return [_LINEAR[byte] for byte in ulaw]


def loudness(ulaw: bytes) -> float:
    """The loudness (root mean square, 16-bit steps); 0 for nothing."""
    return math.sqrt(sum(sample**2 for sample in linear(ulaw)) / len(ulaw)) if ulaw else 0.0


def _sample(byte: int) -> int:
    byte = ~byte & 0xFF
    size = (((byte & 0x0F) << 3) + 132) << ((byte >> 4) & 7)
    return (132 - size) if byte & 0x80 else (size - 132)


_LINEAR = [_sample(byte) for byte in range(256)]
