"""What a queue's figures and its work are measured by, and who changed that when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from callcenter.errors import BadInput, CallCenterError
from config.queues import Queue, QueueChange, load_queue

LIMITS: dict[str, tuple[int, int]] = {  # seconds
    "target_s": (1, 3600),
    "short_abandon_s": (0, 300),
    "ring_s": (3, 120),
    "max_wait_s": (5, 7200),
    "wrap_up_s": (0, 3600),
}
FORMS = ("", *(f"sl{number}" for number in range(1, 9)))
KEYS = ("", *"*#0123456789")
FIELDS = (*LIMITS, "target_share", "service_level", "exit_key")


class QueueChanged(CallCenterError):
    """Somebody has changed this queue meanwhile; look at it as it is now."""

    status = 409


def change(
    db: Session, name: str, wished: Mapping[str, Any], by: str, now: datetime, version: int | None = None
) -> QueueChange | None:
    """Change what is wished otherwise than it is, and keep who did it; None where all is so already.

    QueueChanged if it is not of ``version`` any more. Figures of the past are made by it too: they are counted without
    thresholds, which are applied when they are read.
    """
    queue = load_queue(db, name)
    if version is not None and queue.version != version:
        raise QueueChanged(queue.title_en)
    _check(wished)
    changes = {
        field: [getattr(queue, field), value] for field, value in wished.items() if getattr(queue, field) != value
    }
    if not changes:
        return None
    next_ = queue.version + 1
    values = {field: value for field, (_, value) in changes.items()} | {"version": next_}
    mine = update(Queue).where(Queue.name == name, Queue.version == queue.version).values(values)
    if not db.execute(mine.returning(Queue.name)).all():
        raise QueueChanged(queue.title_en)
    kept = QueueChange(queue=name, version=next_, at=now, by=by, changes=changes)
    db.add(kept)
    db.flush()
    return kept


def history(db: Session, name: str | None = None, limit: int = 50) -> list[QueueChange]:
    """The latest changes first."""
    rows = select(QueueChange).order_by(QueueChange.at.desc(), QueueChange.version.desc()).limit(limit)
    return list(db.scalars(rows if name is None else rows.where(QueueChange.queue == name)))


def _check(wished: Mapping[str, Any]) -> None:
    """BadInput for what no queue can have."""
    for field, value in wished.items():
        if field not in FIELDS:
            raise BadInput(field)
        least, most = LIMITS.get(field, (0, 0))
        if field in LIMITS and not least <= value <= most:
            raise BadInput("%(field)s: %(least)s to %(most)s", field=field, least=least, most=most)
    if not 0 < wished.get("target_share", 1) <= 1:
        raise BadInput("%(field)s: %(least)s to %(most)s", field="target_share", least="1%", most="100%")
    if wished.get("service_level", "") not in FORMS or wished.get("exit_key", "") not in KEYS:
        raise BadInput(f"{wished.get('service_level')} {wished.get('exit_key')}")
