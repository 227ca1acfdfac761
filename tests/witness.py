"""A plain AMI client that keeps all it is told: an independent witness of what the switch says."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable

from tests.waiting import wait_until

Message = dict[str, str]


class Witness:
    """Logged in when made. ``events`` grows as the switch speaks."""

    def __init__(self, host: str, port: int, user: str, secret: str) -> None:
        self.events: list[Message] = []
        self._answers: dict[str, Message] = {}
        self._numbers = itertools.count(1)
        self._socket = socket.create_connection((host, port), timeout=10)
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        answer = self.ask("Login", Username=user, Secret=secret)
        assert answer["Response"] == "Success", answer

    def ask(self, action: str, **fields: str) -> Message:
        """The answer to one action; events that follow it are in ``events``."""
        number = self.say(action, **fields)
        wait_until(lambda: number in self._answers, 10, f"the switch answers {action}")
        return self._answers.pop(number)

    def say(self, action: str, **fields: str) -> str:
        """Ask for one action without waiting for its answer; the number of it."""
        number = f"w{next(self._numbers)}"
        lines = [f"{name}: {value}" for name, value in ({"Action": action, "ActionID": number} | fields).items()]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return number

    def heard(self, event: str, **fields: str) -> list[Message]:
        """Events of this name with these fields."""
        return [
            m for m in list(self.events) if m.get("Event") == event and all(m.get(f) == v for f, v in fields.items())
        ]

    def wait_for(
        self, event: str, seconds: float = 15, where: Callable[[Message], bool] = bool, **fields: str
    ) -> Message:
        def met() -> Message | None:
            return next((message for message in self.heard(event, **fields) if where(message)), None)

        return wait_until(met, seconds, f"{event} {fields}; heard {[m.get('Event') for m in self.events]}") or {}

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(5)
        self._socket.close()

    def _read(self) -> None:
        waiting = b""
        while True:
            try:
                read = self._socket.recv(65536)
            except OSError:
                return
            if not read:
                return
            *whole, waiting = (waiting + read).split(b"\r\n\r\n")
            for text in whole:
                message: Message = {}
                for line in text.decode(errors="replace").split("\r\n"):
                    name, colon, value = line.partition(": ")
                    if colon:
                        message[name] = value
                if "Event" in message:
                    self.events.append(message)
                elif "ActionID" in message:
                    self._answers[message["ActionID"]] = message
