"""The captured calls again and again, each time as other calls of another caller, served as the switch would.

``python -m benchmarks.replay REPETITIONS [filtered]`` is the server: it writes its port, lets one client log in, and
sends the stream as fast as it is read once a second connection says ``Action: Go``. Filtered, the stream is without
the events that our switch keeps to itself.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from config.switch import UNNEEDED_EVENTS
from cti.wire import event_name
from tests.fake_ami import FakeAmi, ok

CAPTURES = Path(__file__).parents[1] / "tests" / "data" / "ami"
NAMES = ("answered.txt", "abandoned.txt", "ring_no_answer.txt")
BEGIN_S = 1795310400.0  # the day of the captures
APART_S = 120.0  # one repetition is over before the next begins
LAST = b"Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: ReplayOver\r\n\r\n"

_UNNEEDED = {name.encode() for name in UNNEEDED_EVENTS}
_ID = re.compile(rb"tel-(\d+)\.(\d+)")
_CALLER = b"+15559001"
_STAMP = re.compile(rb"Timestamp: \d+\.\d+\r\n")


def captured(filtered: bool = False) -> list[bytes]:
    """The events of the captures, in order, without the log-in's own."""
    whole = b"".join((CAPTURES / name).read_bytes() for name in NAMES)
    frames = [frame.lstrip(b"\r\n") for frame in whole.split(b"\r\n\r\n")]
    ours = (b"Event: FullyBooted", b"Event: SuccessfulAuth")
    events = [frame for frame in frames if frame.startswith(b"Event: ") and not frame.startswith(ours)]
    return [frame for frame in events if not (filtered and event_name(frame) in _UNNEEDED)]


def repeated(times: int, filtered: bool = False) -> Iterator[bytes]:
    """The stream, one repetition after the other. Every event carries a stamp, as our switch's do."""
    frames = captured(filtered)
    step_s = APART_S / (len(frames) + 1)
    parts: list[tuple[bytes, bytes, float]] = []
    for number, frame in enumerate(frames):
        head, _, rest = _STAMP.sub(b"", frame + b"\r\n").partition(b"\r\n")
        parts.append((head, rest, BEGIN_S + number * step_s))
    for repetition in range(times):
        later_s = repetition * APART_S
        text = b"".join(b"%b\r\nTimestamp: %.6f\r\n%b\r\n" % (head, at_s + later_s, rest) for head, rest, at_s in parts)
        caller = b"1380013%04d" % (repetition % 10_000)
        yield _ID.sub(b"tel-\\1.%d\\2" % (repetition + 1), text).replace(_CALLER, caller)


def chunks(times: int, filtered: bool, size: int = 1 << 16) -> list[bytes]:
    """The stream in pieces that end with an event, so that answers can stand between them."""
    found: list[bytes] = []
    held = b""
    for text in [*repeated(times, filtered), LAST]:
        held += text
        if len(held) >= size:
            found.append(held)
            held = b""
    return [*found, held]


async def serve(times: int, filtered: bool) -> None:
    stream = chunks(times, filtered)
    ami = FakeAmi()
    ami.answers["Go"] = lambda _: ok()
    for name in ("CoreShowChannels", "QueueStatus", "BridgeList", "DeviceStateList", "PJSIPShowContacts"):
        ami.answers[name] = lambda _: ok()  # an empty list: nothing goes on
    await ami.start()
    sys.stdout.write(f"{ami.port}\n")
    sys.stdout.flush()
    served = 0
    while True:
        while len(ami.actions("Go")) <= served:
            await asyncio.sleep(0.01)
        served += 1
        for piece in stream:
            await ami.say(piece)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), filtered="filtered" in sys.argv))
