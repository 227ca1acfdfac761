"""A call with everything in it, told and recorded: for the pages and commands that tell it again."""

from __future__ import annotations

import math
import struct
import wave
from datetime import datetime, timedelta
from pathlib import Path

from callcenter.bus import Bus
from callcenter.database import Database, now
from callcenter.facts import RecordingStarted, StatusChosen
from config.settings import Settings
from recordings.rows import Recording
from tests.facts import Told
from tests.told import tell

RATE_HZ = 8000


def handled(call_id: str, at: datetime) -> Told:
    """王芳 lets it ring, 李娜 takes it, holds once; 18 seconds, both free for minutes before."""
    wang, li = f"{call_id}-2", f"{call_id}-3"
    said = Told(call_id, at=at - timedelta(minutes=9)).chooses("1001", "available")
    said.chooses("1002", "available", after=120)
    said.at = at
    said.arrives().presses("3", after=1).leaves_menu(serial="102938").recorded().joins(after=1)
    said.rings("1001", wang).misses("1001", wang, after=3)
    said.facts.append(StatusChosen(at=said.at, agent="1001", status="on_break", reason="missed", by="policy"))
    said.rings("1002", li).answers("1002", li, after=2).holds(li, after=2).resumes(li, after=2)
    return said.done("1002", li, after=4).parts(call_id).parts(li).ends(li).ends().wraps_up("1002", after=2)


def record(database: Database, bus: Bus, settings: Settings, said: Told, *, sound: bool = True) -> str:
    """The call in the house, with a real stereo file that begins when the switch said so; the call's id."""
    tell(database, bus, said.facts)
    if sound:
        began = next(fact.at for fact in said.facts if isinstance(fact, RecordingStarted))
        ended = max(fact.at for fact in said.facts if fact.call_id)
        length_ms = (ended - began) // timedelta(milliseconds=1)
        stereo(settings.recordings / f"{said.call_id}.wav", length_ms)
        with database.write() as db:
            db.add(
                Recording(
                    call_id=said.call_id,
                    file=f"{said.call_id}.wav",
                    state="complete",
                    started_at=began,
                    expected_ms=length_ms,
                    length_ms=length_ms,
                    registered_at=now(),
                )
            )
    return said.call_id


def stereo(path: Path, length_ms: int) -> None:
    """440 Hz on the left, 1000 Hz on the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    second = [round(9000 * math.sin(n / RATE_HZ * math.tau * hz)) for n in range(RATE_HZ) for hz in (440, 1000)]
    sound = struct.pack(f"<{len(second)}h", *second) * (length_ms // 1000 + 1)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(sound[: 4 * (length_ms * RATE_HZ // 1000)])
