"""People log in, stay logged in for a while, and are kept out when they should be."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher, Type
from sqlalchemy import func, select

from callcenter.errors import BadInput, NotFound
from config import people, queues, tokens
from config.people import PERMISSIONS, LoginAttempt, LoginTaken, Role, TooManyAttempts, User, WeakPassword, WrongLogin

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
PASSWORD = "正确的马电池订书钉-1"


@pytest.fixture
def wangfang(database):
    with database.write() as db:
        return people.create_user(db, " WangFang ", "王芳", "agent", PASSWORD, NOW, extension="1001")


def log_in(database, password=PASSWORD, login="wangfang", address="10.0.0.7", at=NOW):
    return people.authenticate(database, login, password, address, at)


def test_the_right_password_lets_in_and_nothing_else_does(database, wangfang):
    assert log_in(database).name == "王芳"
    assert log_in(database, login=" WANGFANG").id == wangfang.id
    for login, password in (("wangfang", "wrong-password"), ("wangfang", ""), ("nobody", PASSWORD), ("", "")):
        with pytest.raises(WrongLogin):
            log_in(database, password, login)


def test_the_hash_is_argon2id_of_the_strength_that_is_asked(wangfang):
    assert wangfang.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in wangfang.password_hash


def test_a_weaker_hash_of_old_is_made_stronger_at_the_next_log_in(database, wangfang):
    old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1, type=Type.ID)
    with database.write() as db:
        db.get(User, wangfang.id).password_hash = old.hash(PASSWORD)
    log_in(database)
    with database.read() as db:
        assert db.get(User, wangfang.id).password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_an_unknown_login_takes_as_long_as_a_wrong_password(database, wangfang):
    def took(login):
        begin = time.perf_counter()
        with pytest.raises(WrongLogin):
            log_in(database, "wrong-password", login, address=login)
        return time.perf_counter() - begin

    known, unknown = [], []
    for _ in range(8):
        known.append(took("wangfang"))
        unknown.append(took("nobody"))
    assert 0.5 < statistics.median(known) / statistics.median(unknown) < 2


@pytest.mark.parametrize("password", ["short", "a" * 20, "wangfang-123456", "x" * 129])
def test_a_password_must_be_worth_the_name(database, password):
    with database.write() as db, pytest.raises(WeakPassword):
        people.create_user(db, "wangfang", "王芳", "agent", password, NOW)


@pytest.mark.parametrize(
    ("login", "extension"),
    [("", None), ("two words", None), ("王芳", None), ("x" * 41, None), ("li", "12a"), ("li", "1")],
)
def test_a_login_and_an_extension_must_be_usable(database, login, extension):
    with database.write() as db, pytest.raises(BadInput):
        people.create_user(db, login, "王芳", "agent", PASSWORD, NOW, extension=extension)


def test_a_login_and_an_extension_belong_to_one_person(database, wangfang):
    with database.write() as db:
        for login, extension in (("wangfang", None), ("lina", "1001")):
            with pytest.raises(LoginTaken, match=extension or login):
                people.create_user(db, login, "李娜", "agent", PASSWORD, NOW, extension=extension)
        with pytest.raises(ValueError, match="boss"):
            people.create_user(db, "lina", "李娜", "boss", PASSWORD, NOW)


def test_after_ten_wrong_passwords_even_the_right_one_waits_and_is_told_how_long(database, wangfang):
    for second in range(10):
        with pytest.raises(WrongLogin):
            log_in(database, "wrong-password", at=NOW + timedelta(seconds=second))
    with pytest.raises(TooManyAttempts) as fault:
        log_in(database, at=NOW + timedelta(seconds=60))
    assert fault.value.wait_s == 240
    assert log_in(database, at=NOW + timedelta(seconds=301)).id == wangfang.id


def test_a_colleague_who_guesses_locks_nobody_out_of_another_desk(database, wangfang):
    for _ in range(10):
        with pytest.raises(WrongLogin):
            log_in(database, "wrong-password", address="10.0.0.8")
    assert log_in(database, address="10.0.0.7").id == wangfang.id


def test_many_addresses_that_try_one_login_wait_together(database, wangfang):
    with database.write() as db:
        db.add_all(LoginAttempt(at=NOW, login="wangfang", address=f"10.6.6.{no}") for no in range(50))
    with pytest.raises(TooManyAttempts):
        log_in(database)


@pytest.mark.parametrize("hostile", ["\x00", "wang\x00fang", "\udcff", "x" * 100_000, "' OR 1=1 --", "王芳"])
def test_hostile_words_are_a_wrong_login_and_nothing_else(database, wangfang, hostile):
    with pytest.raises(WrongLogin):
        log_in(database, hostile, hostile)
    with pytest.raises(WrongLogin):
        log_in(database, hostile)


def test_one_address_that_tries_many_logins_waits_too(database, wangfang):
    with database.write() as db:
        db.add_all(LoginAttempt(at=NOW, login=f"user{no}", address="10.6.6.6") for no in range(50))
    with pytest.raises(TooManyAttempts):
        log_in(database, address="10.6.6.6")
    assert log_in(database, address="10.0.0.7").id == wangfang.id


def test_a_crowd_that_guesses_at_once_gets_no_more_tries_than_one(database, wangfang):
    def guess(no):
        try:
            log_in(database, f"wrong-password-{no}")
        except (WrongLogin, TooManyAttempts) as fault:
            return type(fault)

    with ThreadPoolExecutor(8) as crowd:
        assert sorted(crowd.map(guess, range(25)), key=str).count(WrongLogin) == 10


def test_old_attempts_are_swept_and_success_forgets_ones_own(database, wangfang):
    for _ in range(9):
        with pytest.raises(WrongLogin):
            log_in(database, "wrong-password")
    log_in(database)
    with database.read() as db:
        assert db.scalar(select(func.count()).select_from(LoginAttempt)) == 0


def test_a_session_is_good_until_it_is_ended_too_old_or_unused(database, wangfang):
    with database.write() as db:
        token, session = people.start_session(db, wangfang, NOW)
    assert token not in session.token_hash

    def who(at, lasts=timedelta(hours=12), idle=timedelta(hours=2)):
        with database.read() as db:
            found = people.session_user(db, token, at, lasts, idle)
            return None if found is None else found[0].login

    assert who(NOW + timedelta(minutes=119)) == "wangfang"
    assert who(NOW + timedelta(minutes=121)) is None
    with database.write() as db:
        assert people.session_unseen(session, NOW + timedelta(minutes=100))
        people.session_seen(db, session, NOW + timedelta(minutes=100))
    assert who(NOW + timedelta(minutes=121)) == "wangfang"
    assert who(NOW + timedelta(hours=13), idle=timedelta(days=1)) is None
    with database.write() as db:
        people.end_session(db, token, NOW)
    assert who(NOW + timedelta(minutes=1)) is None
    with database.read() as db:
        for forged in ("", token[:-1], token + "x", "\udcff", "a" * 10_000):
            assert people.session_user(db, forged, NOW) is None


def test_a_new_password_or_being_kept_out_ends_every_session(database, wangfang):
    with database.write() as db:
        cookies = [people.start_session(db, wangfang, NOW)[0] for _ in range(3)]
        assert len(set(cookies)) == 3
        bearer = tokens.create(db, wangfang, "ERP", NOW)
        people.set_password(db, wangfang, "一个全新的密码-2026", NOW)
        assert [people.session_user(db, cookie, NOW) for cookie in cookies] == [None] * 3
        token, _ = people.start_session(db, wangfang, NOW)
        assert tokens.found(db, bearer, NOW) is not None
        people.set_active(db, wangfang, False, NOW)
        assert people.session_user(db, token, NOW) is None
        assert tokens.found(db, bearer, NOW) is None
    with pytest.raises(WrongLogin):
        log_in(database, "一个全新的密码-2026")


def test_a_token_works_until_its_owner_ends_it_or_its_time_is_over(database, wangfang):
    with database.write() as db:
        until = NOW + timedelta(days=30)
        bearer = tokens.create(db, wangfang, "ERP 用友", NOW, scopes=["tickets:write"], expires_at=until)
        other = people.create_user(db, "lina", "李娜", "agent", PASSWORD, NOW)
        found = tokens.found(db, bearer, NOW)
        assert found is not None
        assert found[0].id == wangfang.id
        assert found[1].scopes == ["tickets:write"]
        assert tokens.reaches(found[1].scopes, "tickets:read")
        assert not tokens.reaches(found[1].scopes, "customers:read")
        assert tokens.found(db, bearer + "x", NOW) is None
        assert tokens.found(db, bearer, NOW + timedelta(days=31)) is None
        with pytest.raises(NotFound):
            tokens.end(db, 1, NOW, other)
        tokens.end(db, 1, NOW, wangfang)
        assert tokens.found(db, bearer, NOW) is None


@pytest.mark.parametrize("scopes", [[], ["tickets"], ["tickets:write", "passwords:write"], ["*"]])
def test_a_token_is_made_for_scopes_there_are(database, wangfang, scopes):
    with database.write() as db, pytest.raises(tokens.NoSuchScope):
        tokens.create(db, wangfang, "ERP", NOW, scopes=scopes)


def test_roles_are_allowed_what_is_listed_and_nothing_else():
    assert people.may("agent", "tickets.write")
    assert not people.may("qa", "tickets.write")
    assert not people.may("agent", "users")
    assert not people.may("guest", "account")
    assert all(people.may("admin", permission) for permission in PERMISSIONS)
    assert all(roles <= set(Role) for roles in PERMISSIONS.values())
    with pytest.raises(KeyError):
        people.may("admin", "tickets.wirte")


def test_who_serves_a_queue_and_how_soon_he_is_asked(database, wangfang):
    with database.write() as db:
        people.create_user(db, "lina", "李娜", "agent", PASSWORD, NOW, extension="1002")
        gone = people.create_user(db, "zhang", "张三", "agent", PASSWORD, NOW, extension="1009")
        queues.create_queue(db, "repair", "报修", "Repairs", wrap_up_s=45)
        queues.create_queue(db, "inquiry", "咨询", "Inquiries")
        for extension, penalty in (("1001", 5), ("1002", 0), ("1009", 0), ("1001", 1)):
            queues.set_member(db, "repair", extension, penalty)
        people.set_active(db, gone, False, NOW)
        asked = [(user.name, member.penalty) for member, user in queues.members(db, "repair")]
        assert asked == [("李娜", 0), ("王芳", 1)]
        assert [queue.name for queue in queues.list_queues(db)] == ["inquiry", "repair"]
        queues.remove_member(db, "repair", "1002")
        assert len(queues.members(db, "repair")) == 1
        for queue, extension in (("repair", "1042"), ("nothing", "1001")):
            with pytest.raises(NotFound):
                queues.set_member(db, queue, extension)
        for name in ("Repair", "re pair", "repair;x", "", "repair"):
            with pytest.raises(BadInput):
                queues.create_queue(db, name, "报修", "Repairs")
