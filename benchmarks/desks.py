"""Five hundred desks on one process: what each costs in memory, and how soon all of them know of a change.

The desktop runs in a process of its own, and tells when it told; the desks are five hundred WebSockets here. The peer
is one desk alone: what the way takes that nobody else is on.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.frame import Goal, Row

DESKS = 500
EVENTS = 60
PAUSE_S = 0.25
WITHIN_S = 30.0


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.desks", folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            told = json.loads(server.stdout.readline())
            return asyncio.run(_measure(server, told["origin"], told["cookies"]))
        finally:
            server.stdin.close()
            server.wait(20)


async def _measure(server: subprocess.Popen[str], origin: str, cookies: list[str]) -> list[Row]:
    alone = _Crowd(origin)
    await alone.join(cookies[:1])
    one_ms = await alone.told(server)
    before = psutil.Process(server.pid).memory_info().rss
    crowd = _Crowd(origin)
    await crowd.join(cookies[1:])
    many_ms = await crowd.told(server)
    after = psutil.Process(server.pid).memory_info().rss
    await alone.leave()
    await crowd.leave()
    p99, peer = (statistics.quantiles(ms, n=100, method="inclusive")[98] for ms in (many_ms, one_ms))
    per_desk = (after - before) / DESKS / 1024
    return [
        Row(f"a change known at {DESKS} desks p99", p99, "ms", Goal("ours", "<=", 150), peer, "one desk"),
        Row("memory per desk", per_desk, "KiB"),
    ]


class _Crowd:
    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.sockets: list[ClientConnection] = []
        self.readers: list[asyncio.Task[None]] = []
        self.heard: dict[int, list[float]] = {}

    async def join(self, cookies: list[str]) -> None:
        gate = asyncio.Semaphore(50)

        async def one(cookie: str) -> ClientConnection:
            async with gate:
                return await connect(
                    self.origin.replace("http", "ws") + "/live",
                    additional_headers={"Cookie": f"callcenter={cookie}", "Origin": self.origin},
                    max_queue=None,
                    proxy=None,
                    compression="deflate",
                )

        self.sockets = list(await asyncio.gather(*(one(cookie) for cookie in cookies)))
        self.readers = [asyncio.create_task(self._read(socket)) for socket in self.sockets]

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            at = time.monotonic()
            said = json.loads(message)
            if said["type"] == "TicketChanged":
                self.heard.setdefault(said["ticket_id"], []).append(at)

    async def told(self, server: subprocess.Popen[str]) -> list[float]:
        """Milliseconds from telling to each desk's knowing."""
        assert server.stdin is not None
        assert server.stdout is not None
        taken: list[float] = []
        for _ in range(EVENTS):
            server.stdin.write("\n")
            server.stdin.flush()
            told = json.loads(await asyncio.to_thread(server.stdout.readline))
            async with asyncio.timeout(WITHIN_S):
                while len(self.heard.get(told["ticket_id"], ())) < len(self.sockets):
                    await asyncio.sleep(0.005)
            taken += [(at - told["at"]) * 1000 for at in self.heard[told["ticket_id"]]]
            await asyncio.sleep(PAUSE_S)
        return taken

    async def leave(self) -> None:
        for reader in self.readers:
            reader.cancel()
        await asyncio.gather(*self.readers, return_exceptions=True)
        await asyncio.gather(*(socket.close() for socket in self.sockets), return_exceptions=True)


def _serve(home: Path) -> None:
    """The desktop; each line on standard input is a ticket that changes, until it closes."""
    import tests.tables  # noqa: F401
    from callcenter.database import Database, now
    from callcenter.nudges import TicketChanged
    from config import people
    from config.people import User
    from tests.desktop import make_desk, served

    database = Database(f"sqlite:///{home}/desks.db")
    database.migrate()
    desk = make_desk(home, database)
    cookies = []
    with database.write() as db:
        for n in range(DESKS + 1):
            user = User(
                login=f"desk{n}", name=f"坐席{n}", role="agent", extension=f"{3000 + n}", password_hash="-",
                language="zh", created_at=now(),
            )  # fmt: skip
            db.add(user)
            db.flush()
            cookies.append(people.start_session(db, user, now())[0])
    with served(desk):
        gc.collect()
        gc.freeze()  # as the product does when all its parts work
        sys.stdout.write(json.dumps({"origin": desk.origin, "cookies": cookies}) + "\n")
        sys.stdout.flush()
        for number, _line in enumerate(sys.stdin, 1):
            at = time.monotonic()
            desk.bus.publish(TicketChanged(ticket_id=number))
            sys.stdout.write(json.dumps({"ticket_id": number, "at": at}) + "\n")
            sys.stdout.flush()
    database.close()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
