"""Ports nobody uses, for private servers."""

from __future__ import annotations

import os
import socket

_FIRST_UDP = 30_000 + 8_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])  # ranges are bound much later


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def free_udp_range(size: int, host: str = "127.0.0.1") -> tuple[int, int]:
    """First and last of so many neighbouring free UDP ports, beginning at an even one as RTP wants it."""
    for first in range(_FIRST_UDP, 60_000 - size, size):
        held: list[socket.socket] = []
        try:
            for port in range(first, first + size):
                probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                held.append(probe)
                probe.bind((host, port))
            return first, first + size - 1
        except OSError:
            continue
        finally:
            for probe in held:
                probe.close()
    raise OSError("no room for RTP ports on this machine")
