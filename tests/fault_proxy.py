"""A TCP link that can be broken in every way a network breaks one, between a client and a server on this machine."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

CHUNK = 65536
BUFFER = 65536  # of each socket: what lies on the way must not hide that somebody does not read


class FaultProxy:
    """Listens on ``port`` and speaks on with the server. What is set holds at once, for links that stand too.

    ``delay_s`` keeps every piece for so long. ``split`` sends single bytes. ``frozen`` takes nothing and gives nothing
    while the connection stays: a half-open link; a new one is accepted and is as silent. ``deaf`` drops what the
    server says, ``dumb`` what the client says.
    """

    def __init__(self, to: tuple[str, int]) -> None:
        self.delay_s = 0.0
        self.split = False
        self.frozen = False
        self.deaf = False
        self.dumb = False
        self.refusing = False
        self.connected_at = 0.0  # monotonic, of the last connection
        self.connections = 0
        self._to = to
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._over = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join(5)

    def cut(self) -> None:
        """Every link ends at once, with a reset at both ends."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def _accept(self) -> None:
        while not self._over:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(self._to, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for kind in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                    end.setsockopt(socket.SOL_SOCKET, kind, BUFFER)
            self.connected_at = time.monotonic()
            self.connections += 1
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as ready, contextlib.suppress(OSError, ValueError):
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while not self._over:
                if self.frozen:
                    time.sleep(0.01)
                    continue
                for key, _ in ready.select(0.1):
                    if self.frozen:
                        break
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    read = source.recv(CHUNK)
                    if not read:
                        raise ConnectionError
                    if (source is server and self.deaf) or (source is client and self.dumb):
                        continue
                    self._send(key.data, read)
        for end in (client, server):
            end.close()

    def _send(self, end: socket.socket, read: bytes) -> None:
        if self.delay_s:
            time.sleep(self.delay_s)
        for piece in (read[n : n + 1] for n in range(len(read))) if self.split else (read,):
            end.sendall(piece)
