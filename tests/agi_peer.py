"""An IVR of two lines for tests: takes one call over FastAGI, says what it was told to say, and leaves."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self


class AgiPeer:
    """``answers`` holds the switch's answer to each command once the call was here."""

    def __init__(self, port: int, *commands: str) -> None:
        self.headers: dict[str, str] = {}
        self.answers: list[str] = []
        self._commands = commands
        self._listener = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        try:
            call, _ = self._listener.accept()
        except OSError:
            return
        with call, call.makefile("rw", encoding="utf-8", newline="\n") as lines:
            while line := lines.readline().strip():
                name, _, value = line.partition(": ")
                self.headers[name] = value
            for command in self._commands:
                lines.write(f"{command}\n")
                lines.flush()
                self.answers.append(lines.readline().strip())
