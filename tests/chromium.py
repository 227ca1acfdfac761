"""The system's Chromium, headless, with a tone for a microphone."""

from __future__ import annotations

import math
import os
import shutil
import statistics
import wave
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


def tone(path: Path, hz: float, seconds: float = 10, rate_hz: int = 8000, loud: float = 0.3) -> Path:
    """A mono 16-bit WAV of one steady tone."""
    samples = array(
        "h", (int(32767 * loud * math.sin(math.tau * hz * n / rate_hz)) for n in range(int(rate_hz * seconds)))
    )
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(samples.tobytes())
    return path


def loudness_db(samples: array[int], hz: float, rate_hz: int = 8000) -> float:
    """How loud one frequency is, in dB below a full-scale sine; -120 for silence.

    Goertzel over tenths of a second, the median of them: a band some 10 Hz wide, as a sound card's clock needs.
    """
    size = rate_hz // 10
    tenths = [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]
    return statistics.median(_goertzel_db(tenth, hz, rate_hz) for tenth in tenths) if tenths else -120.0


def _goertzel_db(samples: array[int], hz: float, rate_hz: int) -> float:
    turn = 2 * math.cos(math.tau * hz / rate_hz)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample / 32768 + turn * last - before
    power = before * before + last * last - turn * before * last
    return max(-120.0, 10 * math.log10(max(power, 1e-12) * 4 / len(samples) ** 2))


def channels(path: Path) -> list[array[int]]:
    """The channels of a 16-bit WAV, left first."""
    with wave.open(str(path), "rb") as file:
        count = file.getnchannels()
        both = array("h", file.readframes(file.getnframes()))
    return [both[n::count] for n in range(count)]


@contextmanager
def browser(playwright: Playwright, microphone: Path | None = None) -> Iterator[Browser]:
    """One browser process; its microphone plays this 48 kHz WAV over and over."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert program, "chromium is missing: apt-get install chromium"
    spoken = (f"--use-file-for-fake-audio-capture={microphone}",) if microphone else ()
    started = playwright.chromium.launch(executable_path=program, headless=True, args=[*FLAGS, *spoken])
    try:
        yield started
    finally:
        started.close()
