"""The catalogue of recordings: what should be there, what is there, and whether the two agree.

The switch says nothing when a disk is full and a file stays short, so every file's length is held against the call.
"""

from __future__ import annotations

from array import array
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from callcenter.errors import NotFound
from callcenter.events import Event
from callcenter.jobs import Job
from callcenter.ledger import LedgerRow
from callcenter.nudges import RecordingChanged
from callcenter.worker import Work
from config.settings import Settings
from cti.rows import Call, Leg
from recordings import sound
from recordings.rows import Recording

JOB = "recording"
LAST_TRY = 3
LEASE = timedelta(minutes=2)

# Built once: they are asked behind every call.
_OF_CALL = select(Recording).where(Recording.call_id == bindparam("call_id"))
_STARTED = (
    select(LedgerRow.at)
    .where(LedgerRow.call_id == bindparam("call_id"), LedgerRow.type == "RecordingStarted")
    .order_by(LedgerRow.seq)
    .limit(1)
)


def register(db: Session, folder: Path, call_id: str, now: datetime, *, tolerance_ms: int, last_try: bool) -> Recording:
    """Join the caller's and the agent's side of an ended call to one stereo file and put it on record.

    StillWritten while the switch has the files open, unless this is the last try; NotFound for a call that was
    never recorded. Doing it twice changes nothing.
    """
    standing = of_call(db, call_id)
    if standing is not None and standing.state != "missing":
        return standing
    call = db.get(Call, call_id)
    if call is None or not call.recording:
        raise NotFound("recording of call %(call_id)s", call_id=call_id)
    started_at = _started_at(db, call)
    leg = db.get(Leg, call.recording) or db.get(Leg, call_id)  # a file has its leg's name
    ended_at = (leg.ended_at if leg is not None else None) or call.ended_at or now
    name = call.recording
    db.rollback()  # nobody shall wait for the database while sound is joined
    row = standing or Recording(call_id=call_id, file=f"{name}.wav")
    row.started_at = started_at
    row.registered_at = now
    row.expected_ms = max(0, round((ended_at - started_at).total_seconds() * 1000))
    whole = folder / f"{name}.wav"
    sides = [folder / f"{name}-{side}.wav" for side in ("rx", "tx")]
    if any(side.is_file() for side in sides):
        left, right = (sound.samples(side, closed=not last_try) if side.is_file() else array("h") for side in sides)
        sound.join(left, right, whole)
    if whole.is_file():  # also when an earlier try got as far as joining
        row.length_ms = sound.length_ms(whole)
        row.bytes = whole.stat().st_size
        row.sha256 = sound.fingerprint(whole)
        row.state = "complete" if row.length_ms >= row.expected_ms - tolerance_ms else "truncated"
    elif last_try:
        row.length_ms = row.bytes = 0
        row.sha256 = ""
        row.state = "missing"
    else:
        raise sound.StillWritten(name)
    db.add(row)
    db.flush()
    for side in sides:
        side.unlink(missing_ok=True)
    return row


def work(settings: Settings) -> Work:
    """The worker's part: one job per ended call that was recorded."""

    def do(db: Session, job: Job, now: datetime) -> list[Event]:
        row = register(
            db,
            settings.recordings,
            job.payload["call_id"],
            now,
            tolerance_ms=settings.recording.tolerance_ms,
            last_try=job.attempts >= LAST_TRY,
        )
        return [RecordingChanged(call_id=row.call_id, state=row.state)]

    return do


def of_call(db: Session, call_id: str) -> Recording | None:
    return db.scalar(_OF_CALL, {"call_id": call_id})


def path_of(folder: Path, recording: Recording) -> Path:
    """Where the sound lies; NotFound if it is gone or would lie outside the folder."""
    path = (folder / recording.file).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise NotFound(recording.file)
    return path


def _started_at(db: Session, call: Call) -> datetime:
    return db.scalar(_STARTED, {"call_id": call.call_id}) or call.started_at
