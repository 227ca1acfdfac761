"""What is pressed on a desk phone is done as the page does it, or refused with the reason in the agent's ear."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from agent_desktop.phone_codes import DOES
from callcenter.bus import LocalBus
from callcenter.database import now
from callcenter.facts import BridgeEntered, PhoneSeen, PutAside, StatusChosen
from callcenter.jobs import Job
from callcenter.nudges import HelpChanged, Wished
from config.people import User
from config.settings import Codes as Table
from config.settings import Settings, Switch
from cti import codes, dialling, handovers, helping
from cti.ami import Door
from cti.rows import Agent, Call
from cti.wire import Message
from ivr import prompts
from tests.desktop import Desk, answer, arrival, hang_up, ringing, tell
from tests.fake_ami import error, fake_ami, ok
from tests.loop import in_loop, until
from ticketing import customers

CALL = "tel-1795310468.1"


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """王芳 (1001) and 李娜 (1002) sit at their phones."""
    at = now()
    tell(desk, *(PhoneSeen(at=at, switch="tel", agent=agent, reachable=True) for agent in ("1001", "1002")))
    tell(desk, StatusChosen(at=at, agent="1001", status="available", by="wangfang"))
    return desk


def talks(desk: Desk) -> None:
    """王芳 talks with 13800138000."""
    tell(desk, *arrival(CALL), ringing(CALL), answer(CALL))
    about: dict[str, Any] = {"at": now(), "switch": "tel", "call_id": CALL, "bridge_id": "b1"}
    with desk.database.read() as db:
        legs = list(db.get_one(Agent, "1001").legs)
    tell(desk, *(BridgeEntered(leg_id=leg_id, **about) for leg_id in (CALL, *legs)))


def press(desk: Desk, what: str, agent: str = "1001", to: str = "") -> tuple[str, list[Any]]:
    with desk.database.write() as db:
        said, told = codes.do(db, desk.settings, codes.Press(what, to, agent, "PJSIP/1001-1", "tel-9.9"), now())
    return said, list(told)


def agent_of(desk: Desk, extension: str = "1001") -> Agent:
    with desk.database.read() as db:
        return db.get_one(Agent, extension)


@pytest.mark.parametrize(
    ("what", "said", "status", "reason"),
    [
        ("break_lunch", "code-break-lunch", "on_break", "lunch"),
        ("break_short", "code-break-short", "on_break", "short"),
        ("log_out", "code-log-out", "offline", ""),
        ("ready", "code-ready", "available", ""),
    ],
)
def test_an_agent_says_by_a_code_whether_he_takes_calls(ready, what, said, status, reason):
    assert press(ready, what)[0] == said
    seen = agent_of(ready)
    assert (seen.status, seen.status_reason) == (status, reason)


def test_wrap_up_is_made_longer_and_ended_by_code_and_getting_ready_ends_it_too(ready):
    assert press(ready, "wrap_up_over")[0] == "code-no-wrap-up"
    talks(ready)
    tell(ready, *hang_up(CALL))
    assert agent_of(ready).state == "wrap_up"
    said = [press(ready, "wrap_up_longer")[0] for _ in range(11)]
    assert said == [*["code-wrap-up-longer"] * 10, "code-no-more-time"]
    assert press(ready, "wrap_up_over")[0] == "code-wrap-up-over"
    assert agent_of(ready).state == "idle"
    tell(
        ready, *(fact for fact in arrival("tel-1795310468.8")), ringing("tel-1795310468.8"), answer("tel-1795310468.8")
    )
    tell(ready, *hang_up("tel-1795310468.8"))
    assert press(ready, "break_meeting")[0] == "code-break-later"
    assert agent_of(ready).state == "wrap_up"
    assert press(ready, "ready")[0] == "code-ready"
    assert (agent_of(ready).state, agent_of(ready).status) == ("idle", "available")


def test_a_customer_is_parked_by_code_and_fetched_at_the_next_desk(ready):
    assert press(ready, "park") == ("code-no-call", [])
    assert press(ready, "help") == ("code-no-call", [])
    talks(ready)
    said, (told,) = press(ready, "park")
    assert said == "code-park"
    with ready.database.read() as db:
        job = db.get_one(Job, told.job_id)
        assert (job.kind, job.payload["call_id"], job.payload["by"]) == ("park", CALL, "wangfang")
    assert press(ready, "fetch", "1002") == ("code-none-parked", [])
    tell(ready, PutAside(at=now(), switch="tel", call_id=CALL, leg_id=CALL, agent="1001", why="parked"))
    said, (told,) = press(ready, "fetch", "1002")
    assert (said, isinstance(told, Wished)) == (codes.BACK_TO_HOOK, True)
    with ready.database.read() as db:
        assert db.get_one(Job, told.job_id).payload["agent"] == "1002"


def test_a_customer_is_handed_on_by_code_as_by_the_page_and_whom_he_cannot_have_is_said(ready):
    assert press(ready, "transfer", to="1002") == ("code-no-call", [])
    talks(ready)
    assert press(ready, "ask", to="1003") == ("code-no-number", [])
    assert press(ready, "transfer", to="") == ("code-no-number", [])
    assert press(ready, "back") == press(ready, "meet") == ("code-no-call", [])
    tell(ready, PhoneSeen(at=now(), switch="tel", agent="1002", reachable=False))
    assert press(ready, "ask", to="1002") == ("code-not-free", [])
    tell(ready, PhoneSeen(at=now(), switch="tel", agent="1002", reachable=True))
    with ready.database.write() as db:
        dialling.put_on_list(db, ready.settings, "13912345678", "不要再打来", ready.users["zhaomin"], now())
    assert press(ready, "transfer", to="13912345678") == ("code-do-not-call", [])
    for what, kind in (("ask", "ask"), ("transfer", "send_on")):
        said, (told,) = press(ready, what, to="1002")
        assert said == codes.GO
        with ready.database.read() as db:
            job, handover = db.get_one(Job, told.job_id), handovers.latest(db, CALL)
            assert (job.kind, job.payload["call_id"], job.payload["to"]) == (kind, CALL, "1002")
            assert handover is not None
            assert (handover.by, handover.to, handover.asks_first) == ("wangfang", "1002", what == "ask")


def test_a_customer_goes_on_to_a_queue_by_its_digit_but_no_queue_is_asked_first(ready):
    talks(ready)
    assert press(ready, "ask", to="3") == press(ready, "transfer", to="7") == ("code-no-number", [])
    said, (told,) = press(ready, "transfer", to="3")
    assert said == codes.GO
    with ready.database.read() as db:
        job = db.get_one(Job, told.job_id)
        assert (job.kind, job.payload["call_id"], job.payload["to"]) == ("send_on", CALL, "repair")
    page = ready.client("wangfang").get("/desk/codes").text
    assert "<kbd>3</kbd>" in page
    assert "<kbd>5</kbd>" not in page  # a queue that is not there is not offered


def test_help_is_asked_for_by_code(ready):
    talks(ready)
    assert press(ready, "help") == ("code-help", [HelpChanged(agent="1001", call_id=CALL, open=True)])
    with ready.database.read() as db:
        assert [(row.by, call.call_id) for row, call in helping.open_requests(db)] == [("wangfang", CALL)]


def test_a_number_dialled_on_a_phone_stands_under_the_list_and_the_hours(ready):
    with ready.database.write() as db:
        customers.create(db, "station", "郑州特约维修站", now(), phones=["037166778899", "13912345678"])
        dialling.put_on_list(db, ready.settings, "13912345678", "不要再打来", ready.users["zhaomin"], now())
    assert press(ready, "dial", to="13912345678")[0] == "code-do-not-call"
    assert press(ready, "dial", to="037166778899")[0] == codes.GO
    with ready.database.read() as db:
        assert [(dial.number, dial.by, dial.call_id) for dial in db.scalars(select(dialling.Dial))] == [
            ("+8637166778899", "wangfang", "tel-9.9")
        ]
    closed = ready.settings.calling.model_copy(update={"hours_from": "00:00", "hours_to": "00:00"})
    ready.settings = ready.settings.model_copy(update={"calling": closed})
    assert press(ready, "dial", to="13900139000")[0] == "code-hours"
    assert press(ready, "dial", to="120")[0] == codes.GO, "an ambulance is called at any hour"


@pytest.mark.parametrize("agent", ["", "1003", "trunk"])
def test_a_phone_that_is_nobodys_is_refused(ready, agent):
    assert press(ready, "ready", agent) == ("code-refused", [])
    assert press(ready, "no_such_thing") == ("code-refused", [])


def test_everything_a_phone_may_be_told_is_spoken_in_both_languages():
    told = {prompt.path for prompt in prompts.wanted(Settings())[0]}
    moves = ("fetch", "transfer", "ask", "back", "meet")  # what these do is heard
    offered = [codes._said(name) for name, _code in Settings().codes.offered if name not in moves]
    refusals = ("no-wrap-up", "no-more-time", "no-call", "none-parked", "do-not-call", "hours", "refused", "nobody")
    others = ("whom", "no-number", "not-free", "break-later")
    for name in (*offered, *(f"code-{one}" for one in (*refusals, *others))):
        assert {f"zh/cc/{name}", f"en/cc/{name}"} <= told


def test_a_code_stands_for_one_thing_and_can_be_taken_away():
    assert ("park", "*80") in Table().offered
    assert "park" not in dict(Table(park="").offered)
    for wrong in ({"park": "*70"}, {"park": "80"}, {"park": "*8,1)"}, {"park": "*12345"}):
        with pytest.raises(ValueError, match=r"stands for two things|pattern"):
            Table(**wrong)


def test_the_codes_stand_on_a_page_in_the_agents_language(ready):
    with ready.database.write() as db:
        db.execute(update(User).where(User.login == "wangfang").values(language="zh"))
    chinese, english = (ready.client(login).get("/desk/codes").text for login in ("wangfang", "lina"))
    for name, code in Table().offered:
        assert f">{code}</td>" in chinese
        assert DOES[name] in english
    assert all(word in chinese for word in ("话机功能码", "取回驻留最久的客户", "请求班长支援", "直接按键"))


@in_loop
async def test_the_phone_is_answered_once_and_what_comes_too_late_is_let_be(ready):
    bus, heard = LocalBus(), []
    bus.listen(heard.append)
    talks(ready)
    async with fake_ami() as ami:
        ami.answers["Setvar"] = lambda told: error("No such channel") if told["Channel"].endswith("-2") else ok()
        door = Door(Switch(ami_port=ami.port), ami.secret)
        await door.connect()
        ours = codes.Codes(ready.settings, ready.database, bus, door)
        await ours.start()

        def pressed(what: str, channel: str, ago_s: float = 0.0) -> None:
            message = Message(Event="UserEvent", UserEvent="Pressed", What=what, Channel=channel, Linkedid="tel-9.9")
            message.received_at = now().timestamp() - ago_s
            ours.press(message)

        pressed("break_lunch", "PJSIP/1002-1", ago_s=3)
        pressed("help", "PJSIP/1001-1")
        pressed("break_lunch", "PJSIP/1001-2")  # has hung up meanwhile; he is on a break all the same
        pressed("", "nonsense")
        pressed("ready", "PJSIP/1001-3")
        await until(lambda: len(ami.actions("Setvar")) == 4)
        answers = [(told["Channel"], told["Variable"], told["Value"]) for told in ami.actions("Setvar")]
        assert answers == [
            ("PJSIP/1001-1", "SAID", "code-help"),
            ("PJSIP/1001-2", "SAID", "code-break-later"),
            ("nonsense", "SAID", "code-refused"),
            ("PJSIP/1001-3", "SAID", "code-ready"),
        ]
        await ours.stop()
        await door.close()
    assert next(event for event in heard if isinstance(event, StatusChosen)).reason == "lunch"
    assert agent_of(ready).status == "available"
    with ready.database.read() as db:
        assert db.get_one(Call, CALL).state == "talking"
