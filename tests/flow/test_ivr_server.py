"""The IVR as a process, and a crowd on its port: the callers among them notice nothing of the others."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from callcenter.database import Database
from config.queues import Did, Queue
from config.settings import Settings
from ivr import prompts
from tests.loop import in_loop, until
from tests.ports import free_port
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
HEADER = (
    b"agi_network: yes\nagi_network_script: service\nagi_request: agi://127.0.0.1/service\nagi_channel: PJSIP/trunk-1\n"
    b"agi_language: zh\nagi_uniqueid: tel-1.%d\nagi_callerid: 13800138000\nagi_extension: 4008\n\n"
)


class Server:
    """``callcenter ivr`` on a port and a home of its own."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.log = home / "output.txt"
        self._env = os.environ | {"CALLCENTER_HOME": str(home), "CALLCENTER_IVR__PORT": str(self.port)}
        database = Database(Settings(home=home).database_url)
        database.migrate()
        with database.write() as db:
            for name in ("inquiry", "complaint", "repair", "follow_up", "rescue"):
                db.add(Queue(name=name, title_zh=name, title_en=name))
            db.add(Did(number="4008", title="热线", flow="service", default_queue="inquiry"))
        database.close()
        (home / "flows").mkdir()
        (home / "flows/broken.yaml").write_text("name: broken\ntitle: {}\nsteps: {}", encoding="utf-8")
        prompts.make(Settings(home=home))
        self.process = self.start()
        wait_until(self._listens, 30, "the IVR listens")

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as out:
            command = [sys.executable, "-m", "callcenter", "ivr"]
            return subprocess.Popen(command, cwd=ROOT, env=self._env, stdout=out, stderr=out)

    def sockets(self) -> int:
        """Connections it has open now."""
        return sum(
            link.status != psutil.CONN_LISTEN for link in psutil.Process(self.process.pid).net_connections("tcp")
        )

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("ivr"))
    yield server
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(15) == 0, server.log.read_text()


class Caller:
    """The switch's end of one call: answers every command, presses the keys it is given, keeps what was set."""

    def __init__(self, port: int, *keys: str, ends_after: int | None = None, by: str = "close") -> None:
        self.variables: dict[str, str] = {}
        self.events: list[str] = []
        self.sounds: list[str] = []
        self.turnarounds_s: list[float] = []
        self._port = port
        self._keys = list(keys)
        self._ends_after = ends_after
        self._by = by

    async def call(self) -> Caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(HEADER % id(self))
            for number in range(1000):
                asked = time.perf_counter()
                line = (await asyncio.wait_for(reader.readline(), 20)).decode().strip()
                self.turnarounds_s.append(time.perf_counter() - asked)
                if not line:
                    return self
                if number == self._ends_after:
                    if self._by == "close":
                        return self
                    writer.write(b"HANGUP\n")
                    if self._by == "reset":
                        writer.transport.abort()
                        return self
                writer.write(f"200 result={self._answer(line)}\n".encode())
        finally:
            writer.close()
        raise AssertionError("a call without end")

    def _answer(self, line: str) -> str:
        command, _, rest = line.partition(' "')
        values = rest.removesuffix('"').split('" "')
        match command:
            case "SET VARIABLE":
                self.variables[values[0]] = values[1]
                return "1"
            case "EXEC":
                if values[0] == "UserEvent":
                    self.events.append(values[1])
                return "0"
            case "STREAM FILE":
                self.sounds.append(values[0])
                return "0 endpos=8000"
            case "GET DATA":
                self.sounds.append(values[0])
                return self._keys.pop(0) if self._keys else " (timeout)"
            case "GET FULL VARIABLE":
                return {"${DEFAULT_QUEUE}": "1 (inquiry)"}.get(values[0], "1 (0)")
        raise AssertionError(line)


@in_loop
async def test_a_caller_who_presses_3_leaves_with_queue_kind_and_engine_number(server):
    caller = await Caller(server.port, "3", "654321").call()
    chosen = {name: value for name, value in caller.variables.items() if name.startswith("IVR_")}
    assert chosen == {"IVR_QUEUE": "repair", "IVR_KIND": "repair", "IVR_SERIAL": "654321", "IVR_PRIORITY": "0"}
    assert list(chosen)[-1] == "IVR_QUEUE"
    assert caller.sounds == ["cc/service-greeting", "cc/service-repair-serial", "cc/service-repair"]
    assert caller.events == [
        "IvrStep,Flow: service,Step: menu,Heard: 3",
        "IvrStep,Flow: service,Step: repair_serial,Heard: 654321",
        "IvrDone,Flow: service,Queue: repair,Kind: repair,Serial: 654321",
    ]


@in_loop
async def test_a_silent_caller_hears_the_menu_again_and_goes_to_his_numbers_queue(server):
    caller = await Caller(server.port).call()
    assert caller.sounds[:4] == ["cc/service-greeting", "cc/service-menu", *["cc/service-menu-again"] * 2]
    assert caller.variables["IVR_QUEUE"] == "inquiry"


@in_loop
async def test_before_each_wait_the_lease_is_as_long_as_the_wait(server):
    caller = await Caller(server.port).call()
    menu_s = prompts.length_s(Settings(home=server.log.parent), "zh", "service-agent")
    assert menu_s is not None
    assert float(caller.variables["TIMEOUT(absolute)"]) == pytest.approx(menu_s + 3, abs=0.1)


@pytest.mark.parametrize("by", ["close", "HANGUP", "reset"])
def test_a_hang_up_at_any_command_ends_that_call_only(server, by):
    @in_loop
    async def story():
        whole = await Caller(server.port, "3", "654321").call()
        commands = len(whole.turnarounds_s)
        callers = [Caller(server.port, "3", "654321", ends_after=number, by=by) for number in range(commands)]
        await asyncio.gather(*(caller.call() for caller in callers))
        after = await Caller(server.port, "5", "").call()
        assert after.variables["IVR_QUEUE"] == "rescue"

    story()
    assert "Traceback" not in server.log.read_text()


@in_loop
async def test_a_thousand_bad_connections_do_not_touch_the_callers(server):
    crowd = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.crowd", str(server.port), cwd=ROOT)
    over = asyncio.create_task(crowd.wait())
    turnarounds_s: list[float] = []
    while not over.done():
        caller = await Caller(server.port, "3", "654321").call()
        assert caller.variables["IVR_QUEUE"] == "repair"
        turnarounds_s += caller.turnarounds_s
    assert over.result() == 0  # each was let go in time
    assert len(turnarounds_s) > 1000
    assert sorted(turnarounds_s)[len(turnarounds_s) * 99 // 100] < 0.1
    assert max(turnarounds_s) < 2
    await until(lambda: server.sockets() == 0, 10, "every socket is freed")
    assert "Traceback" not in server.log.read_text()


@in_loop
async def test_fifty_callers_at_once_are_all_led_right(server):
    async def one(number: int) -> None:
        key = "12345"[number % 5]
        caller = await Caller(server.port, key, *(["123456"] if key in "35" else [])).call()
        queue = {"1": "inquiry", "2": "complaint", "3": "repair", "4": "follow_up", "5": "rescue"}[key]
        assert caller.variables["IVR_QUEUE"] == queue

    await asyncio.gather(*(one(number) for number in range(50)))


@in_loop
async def test_the_database_may_be_gone_while_callers_are_led(server):
    for path in server.log.parent.glob("callcenter.db*"):
        path.unlink()
    caller = await Caller(server.port, "2").call()
    assert caller.variables["IVR_QUEUE"] == "complaint"


def test_a_broken_flow_of_the_operator_is_named_and_the_others_are_served(server):
    assert "broken.yaml: start: Field required" in server.log.read_text()  # it was there when the server started


def test_a_second_ivr_says_whose_the_port_is_and_ends(server):
    second = server.start()
    assert second.wait(30) != 0
    assert "Another program has a port that is needed here" in server.log.read_text()


def test_when_it_is_stopped_its_callers_go_on_in_the_dial_plan(server):
    with socket.create_connection(("127.0.0.1", server.port), 10) as call:
        call.sendall(HEADER % 1)
        assert call.recv(1000)
        server.process.send_signal(signal.SIGINT)
        call.settimeout(10)
        while call.recv(1000):
            pass
    assert server.process.wait(15) == 0, server.log.read_text()
