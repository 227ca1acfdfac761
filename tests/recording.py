"""The busy minute that tests/busy_minute.py recorded, read back: what the switch said, and what it wrote."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from callcenter.database import from_us
from callcenter.events import Fact
from callcenter.payloads import from_payload
from cti.translate import Message, translate

FOLDER = Path(__file__).parent / "data" / "busy_minute"
SWITCH = "tel"


@dataclass(frozen=True)
class Recording:
    ami: tuple[Message, ...]
    heard: tuple[Fact, ...]  # what AMI told
    ours: tuple[tuple[str, Fact], ...]  # (source, what we ourselves said meanwhile)
    queue_log: tuple[str, ...]
    cel: tuple[str, ...]


@cache
def busy_minute() -> Recording:
    messages = tuple(_messages(_text("ami.txt")))
    heard = (translate(message, SWITCH, from_us(0)) for message in messages)
    told = (json.loads(line) for line in _text("ours.jsonl").splitlines())
    return Recording(
        ami=messages,
        heard=tuple(fact for fact in heard if fact is not None),
        ours=tuple((one["source"], cast(Fact, from_payload(one["type"], one["fact"]))) for one in told),
        queue_log=tuple(_text("queue_log").splitlines()),
        cel=tuple(_text("cel.csv").splitlines()),
    )


def _text(name: str) -> str:
    return gzip.decompress((FOLDER / f"{name}.gz").read_bytes()).decode()


def _messages(text: str) -> list[Message]:
    found: list[Message] = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        pairs = (line.partition(":") for line in block.strip().splitlines())
        message = {name: value.strip() for name, colon, value in pairs if colon}
        if "Event" in message and "Timestamp" in message:
            found.append(message)
    return found
