"""Webhooks: who is told of what, each delivery a row and a job that is tried again with growing pauses."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from agent_desktop import happenings, posting
from agent_desktop.happenings import Happening
from agent_desktop.posting import Answered
from agent_desktop.rows import Delivery, Webhook
from callcenter import jobs, ledger
from callcenter.database import Database, now
from callcenter.errors import BadInput, CallCenterError, NotFound
from callcenter.jobs import Job
from callcenter.ledger import LedgerRow
from config.people import User
from config.settings import Webhooks

log = logging.getLogger(__name__)

JOB = "webhook"
AGAIN_AFTER_S = (5, 30, 120, 600, 3600, 6 * 3600)
"""Pauses between tries; a delivery that fails once more than this has failed for good."""
DISABLED_AFTER = 30  # tries that failed, one after the other
LEASE = timedelta(minutes=2)
KEPT = timedelta(days=30)
AT_ONCE = 500
REPLAYED_AT_MOST = 10_000
TRIAL = "webhook.trial"
_ACTIVE = Webhook.ended_at.is_(None) & Webhook.disabled_at.is_(None)


class WebhookEnded(CallCenterError):
    """This webhook has ended, or was stopped; start it first."""

    status = 409


# --- what an administrator does ------------------------------------------------------------------------------------


def create(
    db: Session, user: User, name: str, url: str, types: Sequence[str], now: datetime, *, allow: Sequence[str] = ()
) -> Webhook:
    """Told from now on of what this user may see; its secret is in the row."""
    hook = Webhook(
        user_id=user.id,
        name=_name(name),
        url=_url(url, allow),
        types=_types(types),
        secret=posting.new_secret(),
        after=ledger.newest(db),
        failures=0,
        created_at=now,
    )
    db.add(hook)
    db.flush()
    return hook


def change(
    db: Session,
    hook: Webhook,
    *,
    name: str | None = None,
    url: str | None = None,
    types: Sequence[str] | None = None,
    allow: Sequence[str] = (),
) -> Webhook:
    hook.name = hook.name if name is None else _name(name)
    hook.url = hook.url if url is None else _url(url, allow)
    hook.types = hook.types if types is None else _types(types)
    db.flush()
    return hook


def load(db: Session, webhook_id: int) -> Webhook:
    hook = db.get(Webhook, webhook_id)
    if hook is None or hook.ended_at is not None:
        raise NotFound("webhook %(webhook_id)s", webhook_id=webhook_id)
    return hook


def listed(db: Session) -> Sequence[Webhook]:
    return db.scalars(select(Webhook).where(Webhook.ended_at.is_(None)).order_by(Webhook.id)).all()


def end(db: Session, hook: Webhook, now: datetime) -> None:
    hook.ended_at = now
    _drop(db, hook)


def start(db: Session, hook: Webhook) -> None:
    """Tell it again, from where it stopped: what happened meanwhile is planned now, what had failed is left failed."""
    hook.disabled_at, hook.disabled_why, hook.failures = None, "", 0


def stop(db: Session, hook: Webhook, why: str, now: datetime) -> None:
    hook.disabled_at, hook.disabled_why = now, why[:200]
    _drop(db, hook)


def _drop(db: Session, hook: Webhook) -> None:
    waiting = (Delivery.webhook_id == hook.id) & (Delivery.state == "waiting")
    db.execute(update(Delivery).where(waiting).values(state="dropped"))


def try_out(db: Session, hook: Webhook, now: datetime) -> Delivery:
    """A delivery with nothing in it, to see whether the other side understands us."""
    return _plan(db, hook, [Happening(0, TRIAL, now, "", None, {})], now, replayed=True)[0]


def replay(db: Session, hook: Webhook, first: int, last: int, now: datetime) -> int:
    """Deliver the events from number ``first`` to ``last`` once more; how many. Their ids stay what they were."""
    if hook.disabled_at is not None:
        raise WebhookEnded
    if not 0 < first <= last:
        raise BadInput("from, to")
    told = _concerning(db, hook, happenings.between(db, first, min(last, ledger.newest(db)), REPLAYED_AT_MOST))
    return len(_plan(db, hook, told, now, replayed=True))


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 80 or not name.isprintable():
        raise BadInput("a name has 1 to 80 characters")
    return name


def _url(url: str, allow: Sequence[str]) -> str:
    url = posting.checked(url)
    try:
        posting.reachable(url, allow)
    except posting.NoAddress:
        pass  # it may be known by the time it is called
    return url


def _types(types: Sequence[str]) -> list[str]:
    unknown = [one for one in types if not happenings.is_type(one)]
    if unknown or len(types) > 40:
        raise BadInput(", ".join(unknown)[:100])
    return sorted(set(types))


# --- planning: each event once -------------------------------------------------------------------------------------


def plan(db: Session, now: datetime) -> int:
    """Make deliveries of what happened since the last time; how many. One transaction: none is lost or made twice."""
    planned = 0
    newest = ledger.newest(db)
    for hook in db.scalars(
        select(Webhook).where(_ACTIVE, Webhook.after < newest).order_by(Webhook.id).with_for_update()
    ):
        owner = db.get_one(User, hook.user_id)
        if not owner.active:
            stop(db, hook, "its owner may not log in", now)
            continue
        told, hook.after = happenings.read(db, hook.after, AT_ONCE)
        planned += len(_plan(db, hook, _concerning(db, hook, told), now))
    return planned


def _concerning(db: Session, hook: Webhook, told: Sequence[Happening]) -> list[Happening]:
    user = db.get_one(User, hook.user_id)
    told = happenings.wanted(told, hook.types)
    return happenings.visible(db, told, user, user.may)


def _plan(
    db: Session, hook: Webhook, told: Sequence[Happening], now: datetime, *, replayed: bool = False
) -> list[Delivery]:
    made = [
        Delivery(
            webhook_id=hook.id,
            seq=one.seq,
            type=one.type,
            replayed=replayed,
            state="waiting",
            attempts=0,
            planned_at=now,
        )
        for one in told
    ]
    db.add_all(made)
    db.flush()
    db.add_all(
        Job(kind=JOB, key=f"webhook:{one.id}", payload={"delivery_id": one.id}, state="waiting", due_at=now, attempts=0)
        for one in made
    )
    db.flush()
    return made


# --- delivering ----------------------------------------------------------------------------------------------------


def deliver(database: Database, settings: Webhooks, at: datetime) -> bool:
    """Send the next that is due; False when nothing is. The database is free while the other side thinks."""
    with database.read() as db:
        if not jobs.due(db, (JOB,), at):
            return False
    with database.write() as db:
        job = jobs.claim(db, (JOB,), at, LEASE)
        if job is None:
            return False
        one = db.get_one(Delivery, job.payload["delivery_id"])
        hook = db.get_one(Webhook, one.webhook_id)
        if one.state != "waiting" or hook.ended_at is not None or hook.disabled_at is not None:
            one.state = "dropped" if one.state == "waiting" else one.state
            jobs.finish(db, job)
            return True
        happening = _happening(db, one)
        if happening is None:
            one.state = "dropped"
            jobs.finish(db, job)
            return True
        content = posting.body(happening)
        message_id = f"evt_{one.seq}" if one.seq else f"trial_{one.id}"
        url, secret = hook.url, hook.secret
    answer = posting.post(
        url, secret, message_id, content, at, allow=settings.allow, timeout_s=settings.answer_timeout_s
    )
    with database.write() as db:
        _note(db, job, db.get_one(Delivery, one.id), answer, at)
    return True


def _happening(db: Session, one: Delivery) -> Happening | None:
    """None where a leg ended later than the call's end that was told."""
    if one.type == TRIAL:
        return Happening(one.seq, TRIAL, one.planned_at, "", None, {})
    return next(iter(happenings.between(db, one.seq, one.seq, 1)), None)


def _note(db: Session, job: Job, one: Delivery, answer: Answered, at: datetime) -> None:
    one.attempts += 1
    one.status, one.error, one.took_ms, one.tried_at = answer.status, answer.error, answer.took_ms, at
    if answer.ok:
        one.state = "sent"
        db.execute(update(Webhook).where(Webhook.id == one.webhook_id).values(failures=0))
        jobs.finish(db, job)
        return
    count = update(Webhook).where(Webhook.id == one.webhook_id).values(failures=Webhook.failures + 1)
    failures = db.scalar(count.returning(Webhook.failures)) or 0
    again = AGAIN_AFTER_S[one.attempts - 1] if one.attempts <= len(AGAIN_AFTER_S) else None
    if again is None:
        one.state = "failed"
    jobs.fail(db, job, answer.error or f"{answer.status}", at + timedelta(seconds=again) if again else None)
    if failures >= DISABLED_AFTER:
        hook = db.get_one(Webhook, one.webhook_id)
        if hook.disabled_at is None:
            log.error("webhook %s is stopped after %d failures: %s", hook.name, failures, answer.error)
            stop(db, hook, f"{answer.status or ''} {answer.error}".strip(), at)


def forget(db: Session, at: datetime) -> None:
    """Deliveries older than a month, and their jobs' ends."""
    old = select(Delivery.id).where(Delivery.planned_at < at - KEPT, Delivery.state != "waiting").limit(5000)
    ids = list(db.scalars(old))
    if ids:
        db.execute(delete(Job).where(Job.key.in_([f"webhook:{one}" for one in ids])))
        db.execute(delete(Delivery).where(Delivery.id.in_(ids)))


# Built once: it is asked every second.
_BEHIND = select(Webhook.id).where(_ACTIVE, Webhook.after < select(func.max(LedgerRow.seq)).scalar_subquery()).limit(1)


def keep_telling(database: Database, settings: Webhooks, stop: threading.Event, poll_s: float = 1.0) -> None:
    """Plan and deliver until told to stop; one that is slow keeps no other from being told."""
    forgotten_at = now() - timedelta(days=1)
    busy: set[Future[None]] = set()
    with ThreadPoolExecutor(settings.at_once, thread_name_prefix="webhook") as pool:
        while not stop.wait(poll_s):
            try:
                busy = {one for one in busy if not one.done()}
                with database.read() as db:
                    behind = db.execute(_BEHIND).first() is not None
                    waiting = jobs.due(db, (JOB,), now(), settings.at_once - len(busy))
                if behind:
                    with database.write() as db:
                        plan(db, now())
                        waiting = jobs.due(db, (JOB,), now(), settings.at_once - len(busy))
                busy |= {pool.submit(_drain, database, settings, stop) for _ in range(waiting)}
                if now() - forgotten_at > timedelta(hours=6):
                    forgotten_at = now()
                    with database.write() as db:
                        forget(db, forgotten_at)
            except Exception:
                log.exception("webhooks cannot be told; the next look tries again")


def _drain(database: Database, settings: Webhooks, stop: threading.Event) -> None:
    try:
        while not stop.is_set() and deliver(database, settings, now()):
            pass
    except Exception:
        log.exception("a delivery could not be written down; it is sent again when its lease is over")
