"""One client of the replay per process: ``python -m benchmarks.clients KIND PORT``; one line of JSON at the end.

CPU is the process's own, from Go to the last event; events are counted by each client by its own means.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
import time
from datetime import UTC, datetime
from typing import Any

import panoramisk  # the peer, as it comes

from config.settings import Switch
from cti.ami import Door
from cti.translate import WANTED, translate

SECRET = "geheim"


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def go(port: int) -> socket.socket:
    """Let the stream begin; the answer keeps the connection, which must not be closed before the end."""
    control = socket.create_connection(("127.0.0.1", port))
    control.sendall(b"Action: Go\r\nActionID: go\r\n\r\n")
    return control


def bare(port: int) -> dict[str, Any]:
    """What nobody can beat: read the bytes and count the blank lines."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(f"Action: Login\r\nActionID: 1\r\nUsername: x\r\nSecret: {SECRET}\r\n\r\n".encode())
        while not link.recv(1 << 16).endswith(b"Booted\r\n\r\n"):
            pass
        with go(port):
            began, cpu = time.perf_counter(), cpu_s()
            events, tail = 0, b""
            while b"ReplayOver" not in tail:
                data = tail + link.recv(1 << 18)
                tail = data[-60:]
                events += data.count(b"\r\n\r\n") - tail.count(b"\r\n\r\n")
            events += tail.count(b"\r\n\r\n")
            return {"events": events, "cpu_s": cpu_s() - cpu, "wall_s": time.perf_counter() - began}


async def stock(port: int) -> dict[str, Any]:
    """panoramisk's Manager with a callback that does nothing but count."""
    events = 0
    over = asyncio.Event()
    ready = asyncio.Event()

    def count(_manager: Any, event: Any) -> None:
        nonlocal events
        events += 1
        if event.userevent == "ReplayOver":
            over.set()
        elif event.event == "FullyBooted":
            ready.set()
            events = 0

    manager = panoramisk.Manager(
        loop=asyncio.get_running_loop(), host="127.0.0.1", port=port, username="x", secret=SECRET
    )
    manager.register_event("*", count)
    manager.connect()
    await ready.wait()
    with go(port):
        began, cpu = time.perf_counter(), cpu_s()
        await over.wait()
        result = {"events": events, "cpu_s": cpu_s() - cpu, "wall_s": time.perf_counter() - began}
    manager.close()
    return result


async def ours(port: int) -> dict[str, Any]:
    """The door and the translation, as intake uses them."""
    door = Door(Switch(ami_port=port, inbox_size=1_000_000, heartbeat_s=600), SECRET, {*WANTED, "UserEvent"})
    await door.connect()
    with go(port):
        before, began, cpu = door.heard, time.perf_counter(), cpu_s()
        facts, over = 0, False
        while not over:
            messages = await door.inbox.take(500)
            received_at = datetime.fromtimestamp(messages[-1].received_at, UTC)
            for message in messages:
                if message.get("UserEvent") == "ReplayOver":
                    over = True
                else:
                    facts += translate(message, "tel", received_at) is not None
        result = {"events": door.heard - before, "cpu_s": cpu_s() - cpu, "wall_s": time.perf_counter() - began}
    await door.close()
    return result | {"facts": facts}


if __name__ == "__main__":
    kind, port = sys.argv[1], int(sys.argv[2])
    answer = bare(port) if kind == "bare" else asyncio.run({"stock": stock, "ours": ours}[kind](port))
    sys.stdout.write(json.dumps(answer) + "\n")
