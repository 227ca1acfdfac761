"""AMI on the wire: bytes to messages, an action to bytes. Knows no socket.

What the switch sends is cut by ``Frames`` in time linear in its length, however it arrives; ``parse`` reads one
frame. What we send is refused here if any of its fields could be taken for something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callcenter.errors import CallCenterError

END = b"\r\n\r\n"
FRAME_LIMIT = 4 << 20  # bytes; a longer frame is skipped and counted, the link stays
LINE_LIMIT = 1000  # bytes; the switch throws away an action with a longer line (its buffer holds 1024)
HEADERS_LIMIT = 120  # the switch reads 128 headers of an action

# CoreShowChannelMap ended with one line end too few, and swallowed the event behind it.
_END = re.compile(rb"\r\n\r?\n")
_BANNER = b"Asterisk Call Manager/"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_VARIABLE = re.compile(r"[A-Za-z0-9_]+(\([A-Za-z0-9_,./-]*\))?")
_BREAKS = re.compile(r"[\r\n\0]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
# The switch writes its own headers before those a dial plan or a caller can add: the first one is true.
_FIRST_IS_TRUE = {"Event", "Response", "ActionID", "Timestamp", "Uniqueid", "Linkedid"}

Field = str | int | float | bool | Sequence[str] | Mapping[str, str | int] | None


class BadField(CallCenterError):
    """A value meant for the switch holds a line break, is too long or has an odd name; nothing was sent."""

    status = 422


class Message(dict[str, Any]):
    """Headers of one answer or event: str, or a list of str where a header was repeated."""

    __slots__ = ("received_at",)
    received_at: float  # seconds since 1970, our clock, when its last byte was read


class Frames:
    """A stream in pieces of any size, given back frame by frame."""

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self.skipped = 0  # frames longer than the limit
        self._limit = limit
        self._begun: list[bytes] = []  # of the frame that is not finished, but for its
        self._tail = b""  # last three bytes, where an end may already have begun
        self._length = 0
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The frames finished by this piece, without their blank line; some may be empty."""
        frames = _END.split(self._tail + data)
        rest = frames.pop()
        if not frames:
            self._keep(rest)
            if self._length > self._limit:
                self._begun.clear()
                self._skipping = True
            return []
        if self._begun:
            frames[0] = b"".join([*self._begun, frames[0]])
            self._begun.clear()
        self._length = 0
        self._keep(rest)
        if self._skipping:
            self._skipping = False
            self.skipped += 1
            del frames[0]
        return frames

    def _keep(self, text: bytes) -> None:
        if len(text) > 3:
            self._begun.append(text[:-3])
        self._length += len(text)
        self._tail = text[-3:]


def event_name(frame: bytes) -> bytes | None:
    """The name in a clean frame's first line; None where it begins otherwise: an answer, or something odd."""
    return frame[7:].partition(b"\r\n")[0] if frame.startswith(b"Event: ") else None


def clean(frame: bytes) -> bytes:
    """The frame without stray line ends before it and without the switch's greeting."""
    frame = frame.lstrip(b"\r\n")
    if frame.startswith(_BANNER):
        frame = frame.partition(b"\n")[2].lstrip(b"\r\n")
    return frame


def parse(frame: bytes) -> Message:
    """The headers of one clean frame, as they arrived but for the escapes in names and values of variables."""
    text = frame.decode("utf-8", "replace")
    lines = text.split("\r\n")
    message = Message()
    for line in lines:
        name, colon, message[name] = line.partition(": ")
        if not colon:
            break
    if not colon or len(message) != len(lines):  # a line that is not "Name: value", or a header that came twice
        message = _parse_odd(lines)
    if "\\" in text:
        _unescape(message)
    return message


def _parse_odd(lines: Sequence[str]) -> Message:
    message = Message()
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            continue
        value = value.removeprefix(" ")
        if name not in message:
            message[name] = value
        elif name not in _FIRST_IS_TRUE:
            before = message[name]
            if isinstance(before, list):
                before.append(value)
            else:
                message[name] = [before, value]
    return message


def _unescape(message: Message) -> None:
    """The switch escapes names of people, as C does, and values of variables; nothing else."""
    for name, value in message.items():
        if (
            name.endswith(("CallerIDName", "ConnectedLineName"))
            or (name == "Value" and message.get("Event") == "VarSet")
        ) and isinstance(value, str):
            message[name] = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), value)


def compose(fields: Mapping[str, Field]) -> bytes:
    """The action's bytes; BadField if a name or value could be read as another line.

    A list is one header per value; a mapping (``Variable``) one ``name=value`` header per variable, its value
    escaped so that a comma cannot begin another variable. None is left out.
    """
    lines = [_line(name, value) for name, values in fields.items() for value in _values(name, values)]
    if len(lines) > HEADERS_LIMIT:
        raise BadField("%(lines)s headers", lines=len(lines))
    return b"".join(lines) + b"\r\n"


def _values(name: str, value: Field) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, str | int | float):
        yield str(value)
    elif isinstance(value, Mapping):
        for variable, held in value.items():
            if not _VARIABLE.fullmatch(variable):
                raise BadField(f"{name} {variable!r}")
            yield f"{variable}=" + re.sub(r'([\\,"])', r"\\\1", str(held))
    else:
        yield from value


def _line(name: str, value: str) -> bytes:
    if not _NAME.fullmatch(name):
        raise BadField("header %(name)s", name=repr(name))
    if _BREAKS.search(value):
        raise BadField(f"{name}: {value[:40]!r}")
    try:
        line = f"{name}: {value}\r\n".encode()
    except UnicodeEncodeError as fault:
        raise BadField(f"{name}: {value[:40]!r}") from fault
    if len(line) > LINE_LIMIT:
        raise BadField("%(name)s: %(line)s bytes, at most %(limit)s", name=name, line=len(line), limit=LINE_LIMIT)
    return line
