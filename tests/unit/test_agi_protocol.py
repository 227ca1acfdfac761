"""FastAGI as a conversation of bytes: no socket, and a clock that goes when it is told."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ivr.agi import (
    Agi,
    AgiFactory,
    Answer,
    AnswerLate,
    CallerGone,
    CommandRefused,
    Limits,
    OutOfTurn,
    SoundMissing,
    Unspeakable,
    quote,
)

HEADER = b"agi_network: yes\nagi_network_script: service\nagi_uniqueid: tel-1.1\nagi_callerid: 13800138000\n\n"
LIMITS = Limits(header_s=5, idle_s=30, session_s=600, sessions=3, greeting=2)


class Line:
    """One connection: what we said on it, and a caller's session that does what a test tells it to."""

    def __init__(self, factory: AgiFactory) -> None:
        protocol = factory.buildProtocol(None)
        self.agi: Agi = protocol
        self.transport = StringTransport()
        self.agi.makeConnection(self.transport)

    def says(self, data: bytes) -> None:
        self.agi.dataReceived(data)

    def heard(self) -> bytes:
        said: bytes = self.transport.value()
        self.transport.clear()
        return said

    def hangs_up(self) -> None:
        self.agi.connectionLost(Failure(ConnectionDone()))

    @property
    def closed(self) -> bool:
        return self.transport.disconnecting


class House:
    """A factory whose sessions are awaited commands; ``ended`` is how each session ended."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.clock = Clock()
        self.ended: list[Any] = []
        self.story: Any = None
        self.factory = AgiFactory(self._session, {"service"}, self.clock, limits)

    async def _session(self, agi: Agi) -> None:
        try:
            self.ended.append(await self.story(agi))
        except Exception as fault:
            self.ended.append(fault)
            raise

    def call(self, story: Any, header: bytes = HEADER) -> Line:
        self.story = story
        line = Line(self.factory)
        line.says(header)
        return line

    def ended_with(self, kind: type) -> bool:
        return isinstance(self.ended[-1], kind)


@pytest.fixture
def house() -> House:
    return House()


async def asks_status(agi: Agi) -> Answer:
    return await agi.ask("CHANNEL STATUS")


async def asks_twice(agi: Agi) -> tuple[Answer, Answer]:
    return await agi.ask("NOOP", "1"), await agi.ask("NOOP", "2")


# --- saying things ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("cc/menu", '"cc/menu"'),
        ("", '""'),
        ('the "best" one', r'"the \"best\" one"'),
        ("a\\b", r'"a\\b"'),
        ("王小明", '"王小明"'),
        ('\\"', r'"\\\""'),
    ],
)
def test_a_value_is_one_argument_whatever_is_in_it(value, said):
    assert quote(value) == said


@pytest.mark.parametrize("bad", ["a\nSET VARIABLE X 1", "a\r", "\0", "\n"])
def test_a_value_that_would_end_the_line_is_refused_and_nothing_is_sent(house, bad):
    line = house.call(lambda agi: agi.put("X", bad))
    assert house.ended_with(Unspeakable)
    assert line.heard() == b""


@given(st.text())
def test_whatever_is_quoted_the_switch_reads_one_argument_with_the_same_text(value):
    if set(value) & set("\r\n\0"):
        with pytest.raises(Unspeakable):
            quote(value)
    else:
        assert read_as_the_switch_does(f"SET VARIABLE {quote('X')} {quote(value)}") == ["SET", "VARIABLE", "X", value]


def read_as_the_switch_does(line: str) -> list[str]:
    """parse_args of Asterisk's res_agi.c: quotes group, a backslash takes the next character as it is."""
    words: list[str] = []
    quoted = escaped = False
    blank = True
    for char in line:
        if escaped:
            escaped = False
        elif char == '"':
            if quoted is False and blank:
                words.append("")
                blank = False
            quoted = not quoted
            continue
        elif char in " \t" and not quoted:
            blank = True
            continue
        elif char == "\\":
            escaped = True
            continue
        if blank:
            words.append("")
            blank = False
        words[-1] += char
    return words


def test_a_second_command_while_one_is_under_way_is_not_sent(house):
    async def both(agi):
        first = agi.ask("NOOP", "1")
        with pytest.raises(OutOfTurn):
            agi.ask("NOOP", "2")
        return await first

    line = house.call(both)
    line.says(b"200 result=0\n")
    assert line.heard() == b'NOOP "1"\n'
    assert house.ended == [Answer("0")]


# --- hearing answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"200 result=1\n", Answer("1")),
        (b"200 result=1\r\n", Answer("1")),
        (b"200 result=51 endpos=12480\n", Answer("51")),
        (b"200 result=123 (timeout)\n", Answer("123", "timeout")),
        (b"200 result= (timeout)\n", Answer("", "timeout")),
        (b"200 result=\n", Answer("")),
        (b"200 result=1 (a (b) c)\n", Answer("1", "a (b) c")),
        ("200 result=1 (王小明)\n".encode(), Answer("1", "王小明")),
        (b"200 result=*12\n", Answer("*12")),
        (b"100 result=0 Trying...\n200 result=0\n", Answer("0")),
    ],
)
def test_an_answer_is_understood(house, said, answer):
    line = house.call(asks_status)
    line.says(said)
    assert house.ended == [answer]


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"510 Invalid or unknown command\n", CommandRefused),
        (b"511 Command Not Permitted on a dead channel or intercept routine\n", CallerGone),
        (b"520 Invalid command syntax.  Proper usage not available.\n", CommandRefused),
        (
            b"520-Invalid command syntax.  Proper usage follows:\n Usage: NOOP\n\tDoes nothing\n520 End.\n",
            CommandRefused,
        ),
        (b"503 result=-2 Memory allocation failure\n", CommandRefused),
        (b"200 what is this\n", CommandRefused),
        (b"nonsense\n", CommandRefused),
        (b"\xff\xfe\x00\n", CommandRefused),
        (b"HANGUP\n", CallerGone),
        (b"HANGUP\n200 result=-1\n", CallerGone),
    ],
)
def test_an_answer_that_is_none_ends_the_session_and_not_the_server(house, said, fault):
    line = house.call(asks_status)
    line.says(said)
    assert house.ended_with(fault)
    assert line.closed


def test_the_answer_after_a_refusal_belongs_to_the_next_command(house):
    async def tries_again(agi):
        with pytest.raises(CommandRefused, match="Usage: NOOP"):
            await agi.ask("NOOP")
        return await agi.ask("NOOP", "2")

    line = house.call(tries_again)
    line.says(
        b"520-Invalid command syntax.  Proper usage follows:\nUsage: NOOP\n520 End of proper usage.\n200 result=7\n"
    )
    assert house.ended == [Answer("7")]


def test_a_hang_up_between_two_commands_is_met_at_the_next(house):
    async def goes_on(agi):
        await agi.ask("NOOP", "1")
        return await agi.ask("NOOP", "2")

    line = house.call(goes_on)
    line.says(b"HANGUP\n200 result=0\n")
    assert house.ended_with(CallerGone)
    assert b'"2"' not in line.heard()


def test_a_hang_up_is_told_once_and_its_late_answer_is_nobodys(house):
    line = house.call(asks_status)
    line.says(b"HANGUP\n")
    line.says(b"200 result=-1\n")
    assert house.ended_with(CallerGone)
    assert len(house.ended) == 1


@given(st.lists(st.integers(min_value=1, max_value=40), max_size=60))
def test_however_the_bytes_are_cut_the_same_is_heard(cuts):
    house = House()
    house.story = asks_twice
    line = Line(house.factory)
    stream = HEADER + "100 Trying\n200 result=3 (王小明)\n520-Usage:\r\n 用法\n520 End.\n".encode()
    for size in [*cuts, len(stream)]:
        line.says(stream[:size])
        stream = stream[size:]
    assert line.agi.headers["agi_callerid"] == "13800138000"
    assert line.heard() == b'NOOP "1"\nNOOP "2"\n'
    assert house.ended_with(CommandRefused)


@given(st.binary(max_size=3000))
def test_no_bytes_at_all_make_it_raise_or_write_more_than_one_command(noise):
    house = House()
    line = house.call(asks_status)
    line.says(noise)
    line.hangs_up()
    assert line.heard() == b"CHANNEL STATUS\n"
    assert len(house.ended) == 1
    assert not house.clock.getDelayedCalls()


# --- verbs ------------------------------------------------------------------------------------------------------


def test_a_key_ends_a_sound(house):
    line = house.call(lambda agi: agi.stream("cc/menu", 60))
    line.says(b"200 result=51 endpos=8000\n")
    assert line.heard() == b'STREAM FILE "cc/menu" "0123456789*#"\n'
    assert house.ended == ["3"]


@pytest.mark.parametrize(
    ("said", "heard"), [(b"200 result=3\n", "3"), (b"200 result= (timeout)\n", None), (b"200 result=\n", "")]
)
def test_keys_silence_and_the_pound_key_alone_are_three_things(house, said, heard):
    line = house.call(lambda agi: agi.listen("cc/menu", 4, 1, 60))
    line.says(said)
    assert line.heard() == b'GET DATA "cc/menu" "4000" "1"\n'
    assert house.ended == [heard]


def test_a_missing_sound_is_not_taken_for_a_hang_up(house):
    line = house.call(lambda agi: agi.listen("cc/menu", 4, 1, 60))
    line.says(b"200 result=-1\n")
    line.says(b"200 result=6\n")  # the channel is up
    assert line.heard().endswith(b"CHANNEL STATUS\n")
    assert house.ended_with(SoundMissing)


def test_a_hang_up_during_a_sound_is_one(house):
    line = house.call(lambda agi: agi.stream("cc/menu", 60))
    line.says(b"200 result=-1 endpos=400\n")
    line.says(b"200 result=-1\n")
    assert house.ended_with(CallerGone)


# --- limits -----------------------------------------------------------------------------------------------------


def test_a_flow_we_do_not_have_is_let_go_at_once(house, caplog):
    line = house.call(asks_status, HEADER.replace(b"service", b"../../etc/passwd"))
    assert line.closed
    assert line.heard() == b""
    assert "a flow we do not have" in caplog.text


def test_what_a_carrier_wrote_cannot_steer_a_terminal(house):
    name = "agi_calleridname: 王\x1b[2J\u202e小明 \x07\n"
    line = house.call(asks_status, name.encode() + HEADER)
    assert line.agi.headers["agi_calleridname"] == "王[2J小明 "


def test_a_header_that_does_not_end_in_time_is_closed(house):
    line = house.call(asks_status, HEADER[:-1])
    house.clock.advance(4.9)
    line.says(b"agi_x: y\n")  # dripping on does not help
    assert not line.closed
    house.clock.advance(0.2)
    assert line.closed


@pytest.mark.parametrize(
    "noise", [b"agi_x: y\n" * 100_000, b"x" * 10_000_000, b"\r" * 20_000], ids=["lines", "line", "cr"]
)
def test_a_header_without_end_is_closed(house, noise):
    line = house.call(asks_status, noise)
    assert line.closed
    line.hangs_up()
    assert not house.clock.getDelayedCalls()
    assert not house.factory.greeting


def test_a_switch_that_does_not_answer_is_given_up(house):
    line = house.call(lambda agi: agi.ask("NOOP", within_s=5))
    house.clock.advance(5.1)
    assert house.ended_with(AnswerLate)
    assert line.closed


def test_dripping_bytes_do_not_put_off_the_deadline(house):
    line = house.call(lambda agi: agi.ask("NOOP", within_s=5))
    for _ in range(10):
        line.says(b"2")
        house.clock.advance(0.6)
    assert house.ended_with(AnswerLate)


def test_a_session_that_stands_still_is_closed(house):
    async def thinks_for_ever(_agi):
        await Deferred()

    line = house.call(thinks_for_ever)
    house.clock.advance(30.1)
    assert line.closed


def test_a_session_has_a_longest_time(house):
    async def for_ever(agi):
        while True:
            await agi.ask("NOOP")

    line = house.call(for_ever)
    for _ in range(599):
        house.clock.advance(1)
        line.says(b"200 result=0\n")
    assert not line.closed
    house.clock.advance(1)
    assert line.closed
    assert house.ended_with(CallerGone)


def test_an_answer_nobody_asked_for_closes_the_line(house):
    async def waits(agi):
        await agi.ask("NOOP")

    line = house.call(waits)
    line.says(b"200 result=0\n")
    assert line.closed
    other = house.call(asks_status)
    other.says(b"200 result=0\n200 result=1\n200 result=2\n")
    assert house.ended[-1] == Answer("0")


def test_one_caller_too_many_goes_to_his_queue_at_once(house):
    lines = [house.call(asks_status) for _ in range(4)]
    assert [line.closed for line in lines] == [False, False, False, True]
    lines[0].hangs_up()
    assert not house.call(asks_status).closed


def test_silent_connections_make_room_for_those_that_come_after(house):
    silent = []
    for _ in range(10):
        silent.append(Line(house.factory))
        house.clock.advance(0.4)
    assert [line.closed for line in silent] == [True] * 8 + [False] * 2
    speaks = house.call(asks_status)
    speaks.says(b"200 result=6\n")
    assert house.ended == [Answer("6")]


def test_of_many_that_come_at_once_none_is_closed_before_it_could_speak(house):
    house.story = asks_status
    lines = [Line(house.factory) for _ in range(10)]
    for line in lines[:3]:
        line.says(HEADER)
        assert line.heard() == b"CHANNEL STATUS\n"


def test_a_peer_that_does_not_let_go_is_let_go_of(house):
    aborted = []
    line = house.call(asks_status)
    line.transport.abortConnection = lambda: aborted.append(True)
    line.says(b"200 result=6\n")
    assert line.closed
    assert not aborted
    house.clock.advance(5.1)
    assert aborted


def test_a_fault_of_one_session_is_logged_with_its_call_and_stays_its_own(house, caplog):
    async def breaks(_agi):
        raise KeyError("a fault of ours")

    with caplog.at_level(logging.ERROR):
        broken = house.call(breaks)
    assert broken.closed
    assert "tel-1.1" in caplog.text
    line = house.call(asks_status)
    line.says(b"200 result=6\n")
    assert house.ended[-1] == Answer("6")


def test_closing_the_house_lets_every_caller_go(house):
    lines = [house.call(asks_status), Line(house.factory)]
    house.factory.close()
    assert all(line.closed for line in lines)


def test_reading_the_module_does_not_choose_a_reactor():
    code = "import sys, ivr.agi, ivr.session; sys.exit('twisted.internet.reactor' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
