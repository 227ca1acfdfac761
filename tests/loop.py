"""Stories told in an event loop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any


def in_loop(story: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in a loop of its own, at most a minute."""

    @functools.wraps(story)
    def test(*args: Any, **fixtures: Any) -> None:
        asyncio.run(asyncio.wait_for(story(*args, **fixtures), 60))

    return test


async def until(holds: Callable[[], object], seconds: float = 10, what: str = "") -> None:
    """Wait until it holds; AssertionError with what was awaited after so many seconds."""
    end = asyncio.get_running_loop().time() + seconds
    while not holds():
        assert asyncio.get_running_loop().time() < end, f"not within {seconds} s: {what or holds}"
        await asyncio.sleep(0.005)
