"""A recording is heard in parts, by those who may, and what is not there is said in words."""

from __future__ import annotations

import logging
import wave

import pytest

from callcenter.database import now
from recordings.rows import Recording
from tests.told import Caller


@pytest.fixture
def heard(desk):
    """An ended call with two seconds of stereo on disk."""
    caller = Caller(desk.database, desk.bus).rings().is_answered().hangs_up()
    folder = desk.settings.recordings
    folder.mkdir(parents=True)
    with wave.open(str(folder / f"{caller.call_id}.wav"), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(b"\x00\x01\x00\x02" * 16_000)
    put(desk, caller.call_id)
    return caller


def put(desk, call_id, state="complete", file=""):
    with desk.database.write() as db:
        row = Recording(
            call_id=call_id, file=file or f"{call_id}.wav", state=state, started_at=now(), expected_ms=2000,
            length_ms=2000 if state == "complete" else 900, bytes=64_044, registered_at=now(),
        )  # fmt: skip
        db.add(row)


def test_a_part_of_the_sound_is_answered_as_a_part(desk, heard):
    client = desk.client("wangfang")
    whole = client.get(f"/calls/{heard.call_id}/recording.wav")
    assert (whole.status_code, whole.headers["content-type"], len(whole.content)) == (200, "audio/wav", 64_044)
    part = client.get(f"/calls/{heard.call_id}/recording.wav", headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.headers["content-range"] == "bytes 100-199/64044"
    assert part.content == whole.content[100:200]
    beyond = client.get(f"/calls/{heard.call_id}/recording.wav", headers={"Range": "bytes=70000-"})
    assert beyond.status_code == 416


def test_who_listens_is_written_down_with_the_number_masked(desk, heard, caplog):
    with caplog.at_level(logging.INFO, logger="agent_desktop.call_page"):
        desk.client("wangfang").get(f"/calls/{heard.call_id}/recording.wav?download=true")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "agent_desktop.call_page"]
    assert heard.call_id in line
    assert "downloaded by wangfang" in line
    assert "8000138000" not in line


def test_a_download_is_named_for_its_time_and_call(desk, heard):
    answer = desk.client("wangfang").get(f"/calls/{heard.call_id}/recording.wav?download=true")
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    assert heard.call_id in answer.headers["content-disposition"]


@pytest.mark.parametrize(("login", "status"), [("lina", 404), ("sunli", 403), ("chenjing", 200), ("zhaomin", 200)])
def test_only_those_who_may_hear_it(desk, heard, login, status):
    assert desk.client(login).get(f"/calls/{heard.call_id}/recording.wav").status_code == status


def test_a_catalogue_row_never_leads_out_of_the_folder(desk):
    caller = Caller(desk.database, desk.bus).rings().is_answered().hangs_up()
    secret = desk.settings.home / "secret.wav"
    secret.write_bytes(b"no")
    desk.settings.recordings.mkdir(parents=True)
    put(desk, caller.call_id, file="../../../secret.wav")
    answer = desk.client("wangfang").get(f"/calls/{caller.call_id}/recording.wav")
    assert answer.status_code == 404
    assert "The recording of this call is not there" in answer.text


@pytest.mark.parametrize(
    ("state", "said"),
    [("truncated", "shorter than the call: 00:00 of 00:02"), ("missing", "began to record"), ("", "was not recorded")],
)
def test_what_is_wrong_with_a_recording_is_said_in_words(desk, state, said):
    caller = Caller(desk.database, desk.bus).rings().is_answered().hangs_up()
    if state:
        put(desk, caller.call_id, state)
    assert said in desk.client("wangfang").get(f"/calls/{caller.call_id}").text
