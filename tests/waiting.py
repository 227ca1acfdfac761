"""Waiting for something to become true, never for time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(holds: Callable[[], T], seconds: float = 10, what: str = "") -> T:
    """What ``holds`` answers once it is true; AssertionError with what was awaited after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s: {what or getattr(holds, '__name__', holds)}"
        time.sleep(0.02)
