"""What the switch sends is the same messages, however it is cut and whatever is odd about it."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from cti.wire import END, Frames, Message, clean, event_name, parse

ODD = (
    b"Asterisk Call Manager/11.0.0\r\n"
    b"Response: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n"
    b"Event: AGIExecEnd\r\nResultCode: 200\r\n\r\n"
    b"\r\n"  # a stray line end behind AGIExecEnd
    b"Event: Newchannel\r\nCallerIDName: " + "王小明".encode() + b"\r\nUniqueid: tel-1795310468.1\r\n\r\n"
    b"Event: CoreShowChannelMapComplete\r\nEventList: Complete\r\n\n"  # one line end too few
    b"Event: Hangup\r\nUniqueid: tel-1795310468.1\r\nCause-txt: Normal Clearing\r\n\r\n"
    b"Event: TestEvent\r\nState: one\r\nState: two\r\nState: three\r\nno colon here\r\nEmpty:\r\n\r\n"
)


def messages(*pieces: bytes) -> list[Message]:
    frames = Frames()
    clean_frames = [clean(frame) for piece in pieces for frame in frames.feed(piece)]
    return [parse(frame) for frame in clean_frames if frame]


def test_odd_streams_lose_nothing():
    assert messages(ODD) == [
        {"Response": "Success", "ActionID": "1", "Message": "Authentication accepted"},
        {"Event": "AGIExecEnd", "ResultCode": "200"},
        {"Event": "Newchannel", "CallerIDName": "王小明", "Uniqueid": "tel-1795310468.1"},
        {"Event": "CoreShowChannelMapComplete", "EventList": "Complete"},
        {"Event": "Hangup", "Uniqueid": "tel-1795310468.1", "Cause-txt": "Normal Clearing"},
        {"Event": "TestEvent", "State": ["one", "two", "three"], "Empty": ""},
    ]


def test_a_stream_cut_anywhere_is_the_same():
    for cut in range(len(ODD)):
        assert messages(ODD[:cut], ODD[cut:]) == messages(ODD)


def test_a_stream_told_byte_by_byte_is_the_same():
    assert messages(*(ODD[at : at + 1] for at in range(len(ODD)))) == messages(ODD)


def cut_up(stream: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    return [stream[start:end] for start, end in itertools.pairwise(marks)]


LINES = some.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b"Event: Hangup",
        b"Response: Success",
        b"Asterisk Call Manager/11.0.0",
        b"X: \xe7\x8e",
        b":",
    ]
)


@given(some.lists(LINES | some.binary(max_size=12), max_size=40).map(b"".join), some.lists(some.integers(0, 2000)))
@example(b"\r\n\r\n\n\r\n\n\n", [1, 2, 3, 4, 5])
@settings(deadline=None, max_examples=300)
def test_the_result_does_not_depend_on_the_pieces(stream, cuts):
    assert messages(*cut_up(stream, cuts)) == messages(stream)


@given(
    some.dictionaries(
        some.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,15}", fullmatch=True),
        some.text(some.characters(exclude_characters="\r\n\\", exclude_categories=["Cs"]), max_size=40),
        min_size=1,
    )
)
def test_headers_come_out_as_they_went_in(headers):
    frame = "\r\n".join(f"{name}: {value}" for name, value in headers.items()).encode()
    assert messages(frame + END) == [headers]


@pytest.mark.parametrize(
    ("header", "written", "meant"),
    [
        ("CallerIDName", r"O\'Brien", "O'Brien"),
        ("DestConnectedLineName", r"\"Li\" \\ Co \?", '"Li" \\ Co ?'),
        ("CallerIDName", r"a\r\nAction: Command", "a\r\nAction: Command"),  # a line break, never a line
        ("CallerIDName", r"once \\n only", r"once \n only"),
        ("AppData", r"C:\new", r"C:\new"),  # the switch does not escape this one
    ],
)
def test_escapes_of_the_switch_are_undone_once(header, written, meant):
    assert messages(f"Event: Newchannel\r\n{header}: {written}".encode() + END)[0][header] == meant


def test_values_of_variables_are_unescaped():
    frame = rb"Event: VarSet" + b"\r\n" + rb"Variable: X" + b"\r\n" + rb"Value: it\'s" + END
    assert messages(frame)[0]["Value"] == "it's"


def test_a_repeated_event_or_id_cannot_replace_the_first():
    said = messages(
        b"Event: Hangup\r\nUniqueid: a.1\r\nEvent: Shutdown\r\nUniqueid: b.2\r\nActionID: 1\r\nActionID: 2" + END
    )
    assert said == [{"Event": "Hangup", "Uniqueid": "a.1", "ActionID": "1"}]


def test_bytes_that_are_no_utf8_do_not_hide_the_rest():
    assert messages(b"Event: Hangup\r\nCallerIDName: \xff\xfe\r\nUniqueid: a.1" + END)[0]["Uniqueid"] == "a.1"


def test_the_name_is_known_before_the_rest_is_read():
    assert event_name(b"Event: Hangup\r\nUniqueid: a.1") == b"Hangup"
    assert event_name(b"Event: Hangup") == b"Hangup"
    assert event_name(b"Response: Success") is None


def test_a_megabyte_in_one_value_is_one_message():
    assert len(messages(b"Event: UserEvent\r\nText: " + b"x" * (1 << 20) + END)[0]["Text"]) == 1 << 20


def test_an_endless_frame_is_skipped_and_counted_and_the_next_is_read():
    frames = Frames(limit=1000)
    for _ in range(50):
        assert frames.feed(b"Event: UserEvent\r\nText: " + b"x" * 100) == []
    assert frames.feed(END + b"Event: Hangup" + END) == [b"Event: Hangup"]
    assert frames.skipped == 1


def test_reading_takes_time_in_proportion_to_length():
    def cpu_s(pieces: int) -> float:
        frames = Frames()
        began = time.process_time()
        for _ in range(pieces):
            frames.feed(b"x" * 1400)
        return time.process_time() - began

    cpu_s(300)
    short, long = min(cpu_s(300) for _ in range(3)), min(cpu_s(2400) for _ in range(3))
    assert long < 8 * short * 4, f"{short:.5f} s for 420 kB, {long:.5f} s for 3.4 MB"
