"""People, queues and numbers of the demonstration: a diesel-engine maker's hotline 4008."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config import people, queues
from config.people import Role, User
from config.queues import Did

_USERS = (
    ("wangfang", "王芳", Role.AGENT, "zh", "1001"),
    ("lina", "李娜", Role.AGENT, "zh", "1002"),
    ("liuyang", "刘洋", Role.AGENT, "zh", "1003"),
    ("ann", "Ann Meyer", Role.AGENT, "en", "1004"),
    ("zhaomin", "赵敏", Role.SUPERVISOR, "zh", "1010"),
    ("sunli", "孙丽", Role.QA, "zh", None),
    ("zhouqiang", "周强", Role.CAMPAIGN, "zh", None),
    ("admin", "管理员", Role.ADMIN, "zh", None),
)
_QUEUES = (
    # name, zh, en, answered within s, share, most to wait s, wrap-up s, extensions by the order they are asked in
    ("inquiry", "咨询", "Inquiries", 20, 0.80, 600, 45, (("1001", 0), ("1002", 0), ("1004", 0), ("1003", 1))),
    ("complaint", "投诉", "Complaints", 20, 0.90, 600, 90, (("1002", 0), ("1001", 1), ("1004", 1))),
    ("repair", "报修", "Repairs", 20, 0.80, 600, 60, (("1001", 0), ("1003", 0), ("1002", 1), ("1004", 1))),
    ("follow_up", "回访", "Follow-ups", 30, 0.80, 600, 30, (("1002", 0), ("1003", 0), ("1004", 1))),
    ("rescue", "求援", "Rescue", 10, 0.95, 300, 60, (("1001", 0), ("1003", 0), ("1002", 0), ("1004", 0))),
)
_NUMBERS = (
    ("4008", "售后服务热线", "service", "zh", "inquiry"),
    ("4009", "After-sales hotline (English)", "service", "en", "inquiry"),
)


def fill(db: Session, now: datetime) -> dict[str, str]:
    """Log-ins and their random passwords, in the order above; nothing and {} where anybody is there already."""
    if db.scalar(select(func.count()).select_from(User)):
        return {}
    logins = {}
    for login, name, role, language, extension in _USERS:
        logins[login] = people.new_password()
        people.create_user(db, login, name, role, logins[login], now, language=language, extension=extension)
    for name, zh, en, target_s, share, max_wait_s, wrap_up_s, served_by in _QUEUES:
        queues.create_queue(
            db,
            name,
            zh,
            en,
            target_s=target_s,
            target_share=share,
            max_wait_s=max_wait_s,
            wrap_up_s=wrap_up_s,
            ticket_kind=name,
        )
        for extension, penalty in served_by:
            queues.set_member(db, name, extension, penalty)
    for number, title, flow, language, queue in _NUMBERS:
        db.add(Did(number=number, title=title, flow=flow, language=language, default_queue=queue))
    db.flush()
    return logins


@dataclass(frozen=True)
class Shift:
    """One agent's day at the desk."""

    login: str
    extension: str
    begins: datetime
    meal: datetime
    ends: datetime

    MEAL = timedelta(minutes=40)

    def takes_calls(self, at: datetime) -> bool:
        return self.begins <= at < self.ends and not self.meal <= at < self.meal + self.MEAL


_ROSTER = (  # from, meal, until; on weekdays, and in even and odd weeks at the week-end
    (time(7), time(12, 20), time(16), "wangfang", "wangfang", "lina"),
    (time(8), time(11, 30), time(17), "lina", None, None),
    (time(9), time(12, 45), time(18), "ann", None, None),
    (time(12), time(15, 15), time(21), "liuyang", "liuyang", "ann"),
)


def shifts(day: date, zone: tzinfo) -> list[Shift]:
    """Who is at the desk that day, and when."""
    column = 3 if day.weekday() < 5 else 4 + day.isocalendar().week % 2
    extensions = {login: extension for login, _, _, _, extension in _USERS}
    found = []
    for row in _ROSTER:
        login, extension = row[column], extensions.get(str(row[column]))
        if login is not None and extension is not None:
            begins, meal, ends = (datetime.combine(day, at, zone) for at in row[:3])
            found.append(Shift(str(login), extension, begins, meal, ends))
    return found
