"""A small AMI server on a real socket: it greets, lets in, answers what it was taught, and misbehaves when told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
BOOTED = "Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 119\r\nLastReload: 119\r\nStatus: Fully Booted\r\n\r\n"

Action = dict[str, str]
Answer = str | bytes | None


class FakeAmi:
    """Speaks to one door at a time, as Asterisk 22 does; ``answers[action]`` is a function of the action."""

    def __init__(self, secret: str = "geheim") -> None:
        self.secret = secret
        self.port = 0
        self.logins = 0  # tries, good and bad
        self.heard: list[Action] = []
        self.frozen = False  # reads and says nothing, the connection stays: a half-open link
        self.boots = True  # says FullyBooted after a log-in
        self.answers: dict[str, Callable[[Action], Answer]] = {
            "Ping": lambda _: ok(f"Ping: Pong\r\nTimestamp: {time.time():.6f}"),
            "CoreStatus": lambda _: self.core_status(),
        }
        self._began = datetime.now(UTC)
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._listening: list[asyncio.StreamWriter] = []  # logged in
        self._talks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()

    def core_status(self, later_s: float = 0) -> str:
        """Started 119 s before the test, as a switch in China says it; or so much later."""
        began = self._began + timedelta(hours=8, seconds=later_s - 119)
        return ok(f"CoreStartupDate: {began:%Y-%m-%d}\r\nCoreStartupTime: {began:%H:%M:%S}\r\nCoreCurrentCalls: 0")

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", port, backlog=10)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.cut()
            await self._server.wait_closed()
            await asyncio.gather(*self._talks)
            self._server = None

    def cut(self) -> None:
        """End every connection at once, without a word."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._listening.clear()

    async def say(self, *pieces: str | bytes) -> None:
        """To whoever is logged in; each piece is a segment of its own."""
        for piece in pieces:
            for writer in self._listening:
                writer.write(piece.encode() if isinstance(piece, str) else piece)
                await writer.drain()
            if len(pieces) > 1:
                await asyncio.sleep(0.002)  # the peer must read this piece alone

    async def heard_action(self, name: str, times: int = 1) -> Action:
        """Wait until this action was heard so often; the last one."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: len(self.actions(name)) >= times), 10)
        return self.actions(name)[-1]

    def actions(self, name: str) -> list[Action]:
        return [action for action in self.heard if action["Action"] == name]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)
        writer.write(BANNER)
        try:
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                action = dict(line.split(": ", 1) for line in raw.decode().split("\r\n") if line)
                self.heard.append(action)
                async with self._changed:
                    self._changed.notify_all()
                if not self.frozen:
                    for answer in self._answers(action):
                        writer.write(answer)
                    if action["Action"] == "Login" and action["Secret"] == self.secret:
                        self._listening.append(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            for writers in (self._writers, self._listening):
                if writer in writers:
                    writers.remove(writer)

    def _answers(self, action: Action) -> Iterable[bytes]:
        if action["Action"] == "Login":
            self.logins += 1
            if action["Secret"] != self.secret:
                yield with_id(error("Authentication failed"), action)
                return
            yield with_id(ok("Message: Authentication accepted"), action)
            if self.boots:
                yield BOOTED.encode()
            return
        teach = self.answers.get(action["Action"], lambda _: error("Invalid/unknown command"))
        answer = teach(action)
        if answer is not None:
            yield with_id(answer, action)


def ok(headers: str = "") -> str:
    return "Response: Success\r\n" + (headers + "\r\n" if headers else "") + "\r\n"


def error(message: str) -> str:
    return f"Response: Error\r\nMessage: {message}\r\n\r\n"


def listed(items: Iterable[str], complete: str) -> str:
    """A list as Asterisk 22 tells it: start, items, the end that counts them."""
    items = list(items)
    start = ok("EventList: start\r\nMessage: will follow")
    end = f"Event: {complete}\r\nEventList: Complete\r\nListItems: {len(items)}\r\n\r\n"
    return start + "".join(items) + end


def event(name: str, **headers: str) -> str:
    return f"Event: {name}\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers.items()) + "\r\n"


def with_id(answer: Answer, action: Action) -> bytes:
    """The action's id in every message of the answer, behind its first line."""
    raw = answer.encode() if isinstance(answer, str) else answer or b""
    name = action.get("ActionID", "").encode()
    frames = [frame for frame in raw.split(b"\r\n\r\n") if frame]
    return b"".join(
        head + b"\r\nActionID: " + name + (b"\r\n" + rest if rest else b"") + b"\r\n\r\n"
        for head, _, rest in (frame.partition(b"\r\n") for frame in frames)
    )


@asynccontextmanager
async def fake_ami(secret: str = "geheim"):
    server = FakeAmi(secret)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
