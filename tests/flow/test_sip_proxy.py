"""The phone's line: a browser on one side, the switch's WebSocket on the other, both real sockets."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from websockets.sync.client import ClientConnection
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from agent_desktop.sip import LONGEST_FRAME
from config.settings import Settings
from config.switch import sip_ha1
from tests.desktop import Desk, closing_code, link, make_desk, served
from tests.ports import free_port
from tests.waiting import wait_until

REGISTER = (
    "REGISTER sip:callcenter SIP/2.0\r\nVia: SIP/2.0/WS x.invalid\r\nFrom: <sip:{0}@callcenter>;tag=1\r\n"
    "To: <sip:{0}@callcenter>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
)
UNAUTHORIZED = "SIP/2.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Asterisk:
    """A WebSocket server that answers every REGISTER as a switch would at first."""

    port: int
    server: Server | None = None
    heard: queue.Queue[str] = field(default_factory=queue.Queue)
    lines: list[ServerConnection] = field(default_factory=list)

    def talk(self, line: ServerConnection) -> None:
        assert line.subprotocol == "sip"
        self.lines.append(line)
        try:
            for frame in line:
                assert isinstance(frame, str)
                self.heard.put(frame)
                line.send(UNAUTHORIZED)
        finally:
            self.lines.remove(line)


@pytest.fixture
def asterisk() -> Iterator[Asterisk]:
    switch = Asterisk(free_port())
    with serve(switch.talk, "127.0.0.1", switch.port, subprotocols=[Subprotocol("sip")]) as server:
        switch.server = server
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield switch
        server.shutdown()
        thread.join(5)


@pytest.fixture
def centre(tmp_path, database, asterisk) -> Iterator[Desk]:
    settings = Settings.model_validate({"home": tmp_path, "switch": {"http_port": asterisk.port}})
    with served(make_desk(tmp_path, database, settings)) as desk:
        yield desk


def line(centre: Desk, login: str) -> ClientConnection:
    phone = link(centre, "/sip", login)
    assert phone.subprotocol == "sip"
    return phone


def test_what_the_phone_says_reaches_the_switch_and_its_answer_comes_back(centre, asterisk):
    with line(centre, "wangfang") as phone:
        phone.send(REGISTER.format("1001"))
        assert asterisk.heard.get(timeout=5) == REGISTER.format("1001")
        assert phone.recv(5) == UNAUTHORIZED
        asterisk.lines[0].send("INVITE sip:1001@x SIP/2.0\r\nX: 李建国\r\n\r\n")
        assert "李建国" in str(phone.recv(5))


def test_a_phone_that_speaks_as_another_is_cut_off_before_the_switch_hears_it(centre, asterisk):
    with line(centre, "wangfang") as phone:
        phone.send(REGISTER.format("1002"))
        assert closing_code(phone) == 1008
    wait_until(lambda: not asterisk.lines, what="the switch's side is closed as well")
    assert asterisk.heard.empty()


@pytest.mark.parametrize("frame", [b"\x00\x01", "REGISTER " + "x" * LONGEST_FRAME])
def test_what_is_no_sip_is_not_taken(centre, asterisk, frame):
    with line(centre, "wangfang") as phone:
        phone.send(frame)
        assert closing_code(phone) in (1008, 1009)
    assert asterisk.heard.empty()


@pytest.mark.parametrize("login", ["zhaomin", "chenjing", "sunli", "admin"])
def test_who_has_no_extension_has_no_phone(centre, asterisk, login):
    with line(centre, login) as phone:
        assert closing_code(phone) == 4403
    assert not asterisk.lines


def test_when_the_browser_goes_the_switch_knows_at_once(centre, asterisk):
    with line(centre, "wangfang"):
        wait_until(lambda: len(asterisk.lines) == 1)
    wait_until(lambda: not asterisk.lines)


def test_when_the_switch_closes_the_phone_is_told_to_come_again(centre, asterisk):
    with line(centre, "wangfang") as phone:
        wait_until(lambda: len(asterisk.lines) == 1)
        asterisk.lines[0].close()
        assert closing_code(phone) == 1012


def test_without_a_switch_the_phone_is_told_to_try_later(tmp_path, database):
    settings = Settings.model_validate({"home": tmp_path, "switch": {"http_port": free_port()}})
    with served(make_desk(tmp_path, database, settings)) as desk, line(desk, "wangfang") as phone:
        assert closing_code(phone) == 1013


def test_a_session_that_ends_takes_the_phone_along(centre, asterisk):
    with line(centre, "wangfang") as phone:
        wait_until(lambda: len(asterisk.lines) == 1)
        centre.client("admin").post(f"/admin/users/{centre.users['wangfang'].id}/active", data={"active": "false"})
        assert closing_code(phone) == 4401
    wait_until(lambda: not asterisk.lines)


def test_the_phone_is_given_what_it_signs_in_with_and_never_the_password(centre):
    answer = centre.client("wangfang").get("/desk/phone.json")
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert said == {
        "extension": "1001",
        "ha1": sip_ha1(centre.settings, "1001"),
        "realm": "asterisk",
        "path": "/sip",
    }
    assert centre.client("admin").get("/desk/phone.json").status_code == 403
