"""A call's recording: both sides joined, its length held against the call, and the fault named when it is short."""

from __future__ import annotations

import math
import wave
from array import array
from datetime import UTC, datetime, timedelta

import pytest

from callcenter import jobs, ledger, worker
from callcenter.bus import LocalBus
from callcenter.database import Database
from callcenter.errors import NotFound
from callcenter.facts import RecordingStarted
from callcenter.nudges import RecordingChanged
from config.settings import Settings
from cti.rows import Call, Leg
from recordings import catalogue, sound
from recordings.rows import Recording

BEGAN = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
CALL = "tel-1795310468.1"


def tone(hz, seconds):
    return array("h", (int(8000 * math.sin(2 * math.pi * hz * n / 8000)) for n in range(int(8000 * seconds))))


def written_by_the_switch(path, samples, *, closed=True):
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(samples.tobytes())
    if not closed:
        data = bytearray(path.read_bytes())
        data[40:44] = bytes(4)
        path.write_bytes(data)


def on_record(database: Database) -> Recording:
    with database.read() as db:
        row = catalogue.of_call(db, CALL)
    assert row is not None
    return row


@pytest.fixture
def settings(tmp_path):
    settings = Settings(home=tmp_path)
    settings.recordings.mkdir(parents=True)
    return settings


@pytest.fixture
def ended_call(database):
    """A call recorded from its second second on, ten seconds long."""
    with database.write() as db:
        ended = BEGAN + timedelta(seconds=12)
        values = {"switch": "tel", "started_at": BEGAN, "ended_at": ended}
        db.add(Call(call_id=CALL, direction="in", caller_number="", state="ended", recording=CALL, **values))
        db.add(Leg(leg_id=CALL, call_id=CALL, channel="PJSIP/trunk-1", started_at=BEGAN, ended_at=ended))
        began = RecordingStarted(at=BEGAN + timedelta(seconds=2), switch="tel", call_id=CALL, leg_id=CALL, file=CALL)
        ledger.append(db, [began], "ami")
        jobs.plan(db, catalogue.JOB, f"recording:{CALL}", {"call_id": CALL}, due_at=ended)
    return ended


def test_both_sides_become_one_stereo_file_caller_left_agent_right(database, settings, ended_call):
    written_by_the_switch(settings.recordings / f"{CALL}-rx.wav", tone(440, 10))
    written_by_the_switch(settings.recordings / f"{CALL}-tx.wav", tone(1000, 9.5))
    told = []
    bus = LocalBus()
    bus.listen(told.append)
    assert worker.work_off(database, bus, {catalogue.JOB: catalogue.work(settings)}, ended_call)
    row = on_record(database)
    assert (row.state, row.expected_ms, row.length_ms) == ("complete", 10_000, 10_000)
    assert told == [RecordingChanged(call_id=CALL, state="complete")]
    path = catalogue.path_of(settings.recordings, row)
    assert row.sha256 == sound.fingerprint(path)
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 2
        both = array("h", file.readframes(file.getnframes()))
    assert both[0::2] == tone(440, 10)
    assert both[1 : 2 * 76000 : 2] == tone(1000, 9.5)
    assert [p.name for p in settings.recordings.iterdir()] == [f"{CALL}.wav"]


def test_a_file_cut_by_a_full_disk_is_called_truncated(database, settings, ended_call):
    written_by_the_switch(settings.recordings / f"{CALL}-rx.wav", tone(440, 4))
    written_by_the_switch(settings.recordings / f"{CALL}-tx.wav", tone(1000, 4))
    worker.work_off(database, LocalBus(), {catalogue.JOB: catalogue.work(settings)}, ended_call)
    assert on_record(database).state == "truncated"


def test_a_file_still_open_is_tried_again_and_taken_as_it_is_at_last(database, settings, ended_call):
    for side in ("rx", "tx"):
        written_by_the_switch(settings.recordings / f"{CALL}-{side}.wav", tone(440, 10), closed=False)
    at = ended_call
    for _ in range(catalogue.LAST_TRY - 1):
        assert worker.work_off(database, LocalBus(), {catalogue.JOB: catalogue.work(settings)}, at)
        with database.read() as db:
            assert catalogue.of_call(db, CALL) is None
        at += timedelta(seconds=60)
    worker.work_off(database, LocalBus(), {catalogue.JOB: catalogue.work(settings)}, at)
    assert on_record(database).state == "complete"


def test_no_file_at_all_is_missing_and_said_so(database, settings, ended_call):
    with database.write() as db:
        row = catalogue.register(db, settings.recordings, CALL, ended_call, tolerance_ms=1500, last_try=True)
        assert (row.state, row.length_ms) == ("missing", 0)
        with pytest.raises(NotFound):
            catalogue.path_of(settings.recordings, row)


def test_a_try_cut_off_after_joining_is_finished_by_the_next(database, settings, ended_call):
    sound.join(tone(440, 10), tone(1000, 10), settings.recordings / f"{CALL}.wav")
    with database.write() as db:
        row = catalogue.register(db, settings.recordings, CALL, ended_call, tolerance_ms=1500, last_try=False)
        assert (row.state, row.length_ms) == ("complete", 10_000)
        assert catalogue.register(db, settings.recordings, CALL, ended_call, tolerance_ms=0, last_try=False) is row


def test_a_name_that_leads_out_of_the_folder_is_not_found(database, settings, ended_call):
    (settings.home / "secret.wav").write_bytes(b"x")
    with database.write() as db:
        row = catalogue.register(db, settings.recordings, CALL, ended_call, tolerance_ms=0, last_try=True)
        row.file = "../../../secret.wav"
        with pytest.raises(NotFound):
            catalogue.path_of(settings.recordings, row)
