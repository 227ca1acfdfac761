"""What a trial call understands before it dials."""

from __future__ import annotations

import array
import asyncio
import itertools
import math
import os
import socket
import wave
from pathlib import Path

import pytest

from callcenter.errors import BadInput
from config.settings import Settings, Switch
from cti import telephone, trial


def sound(file: Path, rate: int, channels: int = 1, seconds: float = 1.0, width: int = 2) -> Path:
    """440 Hz on the first channel, silence on the others."""
    frames = array.array("h")
    for index in range(int(rate * seconds)):
        frames.append(round(16000 * math.sin(2 * math.pi * 440 * index / rate)))
        frames.extend([0] * (channels - 1))
    with wave.open(str(file), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(frames.tobytes())
    return file


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 1), (44100, 2), (48000, 2), (6000, 1)])
def test_any_wav_file_fits_the_line(tmp_path, rate, channels):
    line = array.array("h", telephone.on_the_line(sound(tmp_path / "a.wav", rate, channels)))
    assert len(line) == pytest.approx(8000, abs=2)
    crossings = sum(1 for before, after in itertools.pairwise(line) if before < 0 <= after)
    assert crossings == pytest.approx(440, abs=3)


def test_a_file_that_is_no_sound_is_refused(tmp_path):
    (tmp_path / "letter.wav").write_text("尊敬的客户")
    with pytest.raises(BadInput, match=r"letter\.wav"):
        telephone.on_the_line(tmp_path / "letter.wav")
    with pytest.raises(BadInput, match="16 bits"):
        telephone.on_the_line(sound(tmp_path / "old.wav", 8000, width=1))


@pytest.mark.parametrize("keys", [["three"], ["3@"], ["3@soon"], [""], ["3\r\nAction: Logoff"]])
def test_keys_that_no_telephone_has_are_refused_before_dialling(keys):
    with pytest.raises(BadInput, match="keys are"):
        asyncio.run(trial.place(Settings(), "4008", keys=keys))


@pytest.mark.parametrize("did", ["", "4008@elsewhere", "4008;x", "sip:1001"])
def test_only_a_number_is_dialled(did):
    with pytest.raises(BadInput, match="not a number"):
        asyncio.run(trial.place(Settings(), did))


def test_a_centre_that_is_not_running_is_said_at_once():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folders = set(Path("/tmp").glob(f"cc-call-{os.getpid()}-*"))
    with pytest.raises(trial.SwitchDeaf, match=f"127.0.0.1:{port}"):
        asyncio.run(trial.place(Settings(switch=Switch(sip_port=port)), "4008"))
    assert set(Path("/tmp").glob(f"cc-call-{os.getpid()}-*")) <= folders


def test_without_a_place_to_call_from_it_says_what_to_set():
    switch = Switch(trunk_hosts=("192.0.2.9",), trunk_contact="sip:192.0.2.9:5060")
    with pytest.raises(telephone.NoPlaceToCallFrom, match=r"192\.0\.2\.9"):
        telephone.place(switch)


def test_the_call_comes_from_where_the_carrier_is():
    host, port = telephone.place(Switch(trunk_hosts=("127.0.0.0/30",), trunk_contact="sip:127.0.0.2:15080"))
    assert host == "127.0.0.2"
    assert port > 1023


def test_a_carrier_far_away_does_not_keep_us_from_calling():
    switch = Switch(trunk_hosts=("192.0.2.9", "127.0.0.2"), trunk_contact="sip:192.0.2.9:5060")
    assert telephone.place(switch)[0] == "127.0.0.2"
