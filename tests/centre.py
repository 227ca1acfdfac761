"""A whole centre of one's own: ``callcenter run`` with private ports and an empty home, as a newcomer starts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from callcenter.database import Database
from tests.ports import free_port, free_udp_range
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]


class Centre:
    """Started by ``start()``; ``url`` is where its pages are, ``passwords`` by login."""

    def __init__(self, **settings: str) -> None:
        # A short path: the switch's control socket may have 107 bytes.
        self.home = Path(tempfile.mkdtemp(prefix="cc-", dir="/tmp"))
        first, last = free_udp_range(200)
        self.port = free_port()
        self.ports = {
            "CALLCENTER_DESKTOP__PORT": self.port,
            "CALLCENTER_IVR__PORT": free_port(),
            "CALLCENTER_SWITCH__AMI_PORT": free_port(),
            "CALLCENTER_SWITCH__HTTP_PORT": free_port(),
            "CALLCENTER_SWITCH__SIP_PORT": free_port(socket.SOCK_DGRAM),
            "CALLCENTER_SWITCH__TRUNK_CONTACT": f"sip:127.0.0.2:{free_port(socket.SOCK_DGRAM, '127.0.0.2')}",
            "CALLCENTER_SWITCH__RTP_START": first,
            "CALLCENTER_SWITCH__RTP_END": last,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CALLCENTER_")}
        self.env = kept | {name: str(value) for name, value in self.ports.items()} | settings
        self.env |= {"CALLCENTER_HOME": str(self.home)}
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = self.home / "output.txt"
        self.passwords: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self._commands: list[subprocess.Popen[str]] = []
        unpacked = Path(os.environ.get("CALLCENTER_HOME", ROOT / "var")) / "asterisk"
        assert (unpacked / "usr/sbin/asterisk").is_file(), f"no Asterisk in {unpacked}: run make setup"
        (self.home / "asterisk").symlink_to(unpacked)
        # The switch runs as nobody of consequence and must reach its files.
        self.home.chmod(0o755)

    def start(self, seconds: float = 240) -> None:
        """Start and wait until it says where it is."""
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "callcenter", "run"],
                cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        said_before = self.output.read_text().count(self.url)

        def says_where() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"the centre did not start:\n{self.output.read_text()}"
            return self.output.read_text().count(self.url) > said_before

        wait_until(says_where, seconds, what="the centre says where it is")
        for line in (self.home / "logins.txt").read_text().splitlines():
            login, _, password = line.partition(" ")
            self.passwords[login] = password.strip()

    def stop(self) -> None:
        """Ctrl-C, as a person stops it; nothing it started may be left."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(40)
        alive = psutil.wait_procs(family, timeout=5)[1]
        assert not alive, f"left running: {alive}"
        assert self.process.returncode == 0, self.output.read_text()
        self.process = None

    def clear(self) -> None:
        self.end_commands()
        if self.process is not None and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def callcenter(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        """Another ``callcenter`` command against this centre, in the background."""
        command = [sys.executable, "-m", "callcenter", *words]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        begun: subprocess.Popen[str] = subprocess.Popen(command, cwd=ROOT, env=self.env, text=True, **(pipes | more))
        self._commands.append(begun)
        return begun

    def end_commands(self) -> None:
        """Whoever still calls hangs up."""
        for command in self._commands:
            if command.poll() is None:
                command.terminate()
            command.communicate(timeout=20)
        self._commands.clear()

    def call(self, did: str = "4008", **options: str) -> subprocess.Popen[str]:
        """A real SIP call by ``callcenter call``; options as on its command line (``from_`` for --from)."""
        words = [part for name, value in options.items() for part in (f"--{name.strip('_')}", value)]
        return self.callcenter("call", did, "--json", *words)

    def database(self) -> Database:
        return Database(f"sqlite:///{self.home / 'callcenter.db'}")


def outcome(call: subprocess.Popen[str], seconds: float = 60) -> dict[str, Any]:
    """What the caller tells when his call is over."""
    said, complaint = call.communicate(timeout=seconds)
    assert said.strip(), complaint
    answer: dict[str, Any] = json.loads(said)
    return answer
