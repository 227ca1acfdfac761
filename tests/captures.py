"""AMI streams of a real Asterisk 22, kept in tests/data/ami."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "data" / "ami"
STEP_S = 0.1  # between two events of a capture made without stamps


def captured(name: str) -> list[str]:
    """The events after the log-in, as the switch says them: with a stamp each.

    answered and abandoned were captured without stamps; theirs are counted on from the second of the first channel.
    """
    text = (FOLDER / f"{name}.txt").read_bytes().decode().replace("\r\n", "\n")
    blocks = [block for block in re.split(r"\n\n+", text) if block.startswith("Event: ") and "FullyBooted" not in block]
    born = re.search(r"Uniqueid: \w+-(\d+)\.", text)
    assert born
    events = []
    for number, block in enumerate(blocks):
        if "\nTimestamp: " not in block:
            block = block.replace("\n", f"\nTimestamp: {int(born[1]) + number * STEP_S:.6f}\n", 1)
        events.append(block.replace("\n", "\r\n") + "\r\n\r\n")
    return events
